"""Calling a reader with a batch of changes, and moving its cursors.

The cursors are claimed first (chatty/jobs/claims.py). Then one transaction reads what has changed, calls
the reader and moves and releases the cursors. If the reader fails, its cursors are tried again later, each
conversation alone and change by change, so that one that can't be handled holds up nothing but its own
conversation. After ten failures it is set aside.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import msgspec
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from chatty.jobs import claims
from chatty.jobs.work import ERROR_MAX
from chatty.ops import logs, metrics
from conversations.changefeed.models import (
    CHANGE_FAILURES_MAX,
    Cursor,
    ReaderState,
    SetAsideChange,
)
from conversations.changefeed.readers import (
    Batch,
    MembershipChange,
    MessageChange,
    Reader,
    find,
)
from conversations.changefeed.steps import Step, move, read_steps, stored
from conversations.models import Membership, Message

logger = logging.getLogger(__name__)

SUBJECTS_MAX = 50  # cursors in one batch
CHANGES_MAX = 1_000  # changes in one batch: fewer if messages are long (steps.LENGTH)
STEPS_MAX = 50  # changes of a troubled cursor in one claim


class BusyError(RuntimeError):
    """A reader is being called with changes of the same conversation."""


class KilledError(RuntimeError):
    """The process ended too often while the reader was called with a change."""


class Outcome(msgspec.Struct):
    """Of run_batch(). `changes`: how many were handled. `more`: subjects that have further changes. `busy`:
    those that another process is working on, which may not see the latest changes. `delayed`: those that
    have failed and are to be tried again later."""

    changes: int = 0
    more: set[int] = msgspec.field(default_factory=set)
    busy: set[int] = msgspec.field(default_factory=set)
    delayed: set[int] = msgspec.field(default_factory=set)


def start(reader: Reader) -> None:
    """Note that a reader exists. One that starts `now` gets its cursors in the same transaction, so that it
    is called with every change that commits afterwards, and with none before."""
    if ReaderState.objects.filter(name=reader.name).exists():
        return
    with transaction.atomic():
        if connection.vendor == "postgresql":
            # A second process waits here until the first has committed.
            connection.cursor().execute("LOCK TABLE changefeed_readerstate IN EXCLUSIVE MODE")
        _state, created = ReaderState.objects.get_or_create(name=reader.name)
        if not created or reader.starts == "beginning":
            return
        now = stored(timezone.now())
        with connection.cursor() as cursor:
            cursor.execute(_START_CONVERSATIONS, [reader.name, now])
            if reader.memberships:
                cursor.execute(_START_MEMBERSHIPS, [reader.name, now])


def run_batch(
    reader: Reader, source: str, ids: Iterable[int], *, most: int = CHANGES_MAX
) -> Outcome:
    """Call the reader with what has changed in these conversations, or with these memberships.

    At most SUBJECTS_MAX ids and about `most` changes. Those that another process works on, or that are to
    be tried again later, are left out. Never raises an exception of the reader. Must not be called in a
    transaction.
    """
    outcome = Outcome()
    sound, troubled = _claim_sound(reader, source, set(ids), outcome)
    if sound:
        _handle(reader, sound, max(most // len(sound), 1), outcome)
    # Claimed one at a time: if a change ends the process, no other conversation counts it as a failure.
    for pk in troubled:
        for cursor in _claim(Cursor.objects.filter(pk=pk)):
            outcome.delayed.discard(cursor.subject_id)
            _handle_singly(reader, cursor, outcome)
    return outcome


def count_set_aside(reader: Reader) -> int:
    """Return how many changes and cursors of a reader wait for an administrator."""
    cursors = Cursor.objects.filter(reader=reader.name, set_aside_at__isnull=False)
    return SetAsideChange.objects.filter(reader=reader.name).count() + cursors.count()


def retry(aside: SetAsideChange) -> None:
    """Call the reader again with a change that was set aside, and forget that it was. Raises any exception
    of the reader, LookupError if it isn't registered, BusyError."""
    reader = find(aside.reader)
    with transaction.atomic():
        _require_no_claim(aside)
        if not SetAsideChange.objects.select_for_update().filter(pk=aside.pk).exists():
            return  # someone else was faster
        batch = _read_again(aside)
        if batch:
            reader.handle(batch)
        aside.delete()


def _require_no_claim(aside: SetAsideChange) -> None:
    """Make sure that the reader isn't called with the same message elsewhere, until the end of this
    transaction: the one that has read its older state could write last."""
    source, subject_id = Cursor.Source.CONVERSATION, aside.conversation_id
    if aside.membership_id is not None:
        source, subject_id = Cursor.Source.MEMBERSHIP, aside.membership_id
    rows = Cursor.objects.filter(reader=aside.reader, source=source, subject_id=subject_id)
    cursors = rows.select_for_update()
    if any(cursor.claimed_until and cursor.claimed_until > timezone.now() for cursor in cursors):
        raise BusyError("This conversation is being read. Try again in a minute.")


def _read_again(aside: SetAsideChange) -> Batch:
    """Return the change in its present state."""
    if aside.message_id is not None:
        rows = Message.objects.filter(pk=aside.message_id)
        where = rows.values_list("conversation_id", "pk", "seq", "version")
        return Batch(tuple(MessageChange(*row, aside.created) for row in where))
    if aside.membership_id is not None:
        members = Membership.objects.filter(pk=aside.membership_id)
        who = members.values_list("pk", "conversation_id", "user_id")
        return Batch(memberships=tuple(MembershipChange(*row) for row in who))
    return Batch(deleted_conversations=(aside.conversation_id,))


def _handle(reader: Reader, cursors: Sequence[Cursor], most: int, outcome: Outcome) -> None:
    """One call for all cursors together."""
    try:
        with transaction.atomic():
            steps = read_steps(cursors, most)
            _call(reader, steps)
            move(steps)
    except claims.ClaimLostError:
        _log_lost_claim(reader)
    except Exception as error:
        _give_back(reader, cursors, error, outcome)
    else:
        outcome.changes += sum(len(step.batch) for step in steps)
        outcome.more |= {step.cursor.subject_id for step in steps if step.more}


def _handle_singly(reader: Reader, cursor: Cursor, outcome: Outcome) -> None:
    """One call per change, until one fails again. It stays claimed until the end."""
    steps: list[Step] = []
    try:
        for number in range(1, STEPS_MAX + 1):
            steps = []
            with transaction.atomic():
                steps = read_steps([cursor], 1)
                (step,) = steps
                if cursor.failures > CHANGE_FAILURES_MAX:
                    raise KilledError(claims.KILLED)
                _call(reader, steps)
                ends = not step.more or number == STEPS_MAX
                if ends:
                    move(steps)
                else:
                    # The one that failed is behind: its successors have their own count.
                    claims.extend(cursor, version=step.version, seq=step.seq, failures=1)
            outcome.changes += len(step.batch)
            if ends:
                if step.more:
                    outcome.more.add(cursor.subject_id)
                return
    except claims.ClaimLostError:
        _log_lost_claim(reader)
    except Exception as error:
        final = cursor.failures >= CHANGE_FAILURES_MAX and not claims.is_database_trouble(error)
        if final and steps:
            _set_aside(reader, steps, error, outcome)
        else:
            _give_back(reader, [cursor], error, outcome)


def _call(reader: Reader, steps: Sequence[Step]) -> None:
    batch = Batch(
        tuple(change for step in steps for change in step.batch.messages),
        tuple(change for step in steps for change in step.batch.memberships),
        tuple(gone for step in steps for gone in step.batch.deleted_conversations),
    )
    if batch:
        reader.handle(batch)


def _give_back(
    reader: Reader, cursors: Sequence[Cursor], error: Exception, outcome: Outcome
) -> None:
    outcome.delayed.update(cursor.subject_id for cursor in cursors)
    trouble = claims.is_database_trouble(error)
    if trouble:
        logger.warning("Reader %s waits: %s", reader.name, type(error).__name__)
    else:
        metrics.READER_FAILURES.labels(reader.name).inc()
        logger.error(
            "Reader %s failed: %s", reader.name, logs.describe_error(error), exc_info=error
        )
    for cursor in cursors:
        try:
            if trouble:
                claims.give_back(cursor, due_at=timezone.now() + timedelta(seconds=1))
            else:
                claims.fail(cursor, error, set_aside=False)
        except claims.ClaimLostError:
            continue
        except Exception as another:
            if not claims.is_database_trouble(another):
                raise
            return  # the claims run out by themselves


def _set_aside(reader: Reader, steps: Sequence[Step], error: Exception, outcome: Outcome) -> None:
    """Note the change that can't be handled, and go on behind it."""
    (step,) = steps
    text = logs.describe_error(error)[:ERROR_MAX]
    try:
        with transaction.atomic():
            _note(reader, step.batch, text)
            move(steps)
    except claims.ClaimLostError:
        _log_lost_claim(reader)
        return
    outcome.more.add(step.cursor.subject_id)
    logger.error("Reader %s: a change was set aside: %s", reader.name, text)


def _log_lost_claim(reader: Reader) -> None:
    logger.warning("A claim of reader %s ran out", reader.name)


def _note(reader: Reader, batch: Batch, error: str) -> None:
    def note(conversation_id: int, **which: Any) -> None:
        SetAsideChange.objects.create(
            reader=reader.name, conversation_id=conversation_id, error=error, **which
        )

    for each in batch.messages:
        note(each.conversation_id, message_id=each.message_id, created=each.created)
    for member in batch.memberships:
        note(member.conversation_id, membership_id=member.membership_id)
    for conversation_id in batch.deleted_conversations:
        note(conversation_id)


def _claim_sound(
    reader: Reader, source: str, ids: set[int], outcome: Outcome
) -> tuple[list[Cursor], list[int]]:
    """Claim the cursors of these subjects that have not failed, and make those that are missing. Return
    them, and the ids of the other cursors: those that have failed least first."""
    rows = Cursor.objects.filter(reader=reader.name, source=source)
    claimed = _claim(rows.filter(subject_id__in=ids, failures=0))
    left = ids.difference(cursor.subject_id for cursor in claimed)
    if not left:
        return claimed, []
    others = list(rows.filter(subject_id__in=left).order_by("failures", "pk"))
    now = timezone.now()
    outcome.busy = {
        cursor.subject_id
        for cursor in others
        if cursor.claimed_until and cursor.claimed_until > now
    }
    if missing := left.difference(cursor.subject_id for cursor in others):
        new = [Cursor(reader=reader.name, source=source, subject_id=pk) for pk in sorted(missing)]
        Cursor.objects.bulk_create(new, ignore_conflicts=True)
        claimed += _claim(rows.filter(subject_id__in=missing, failures=0))
    troubled = [each for each in others if each.failures and each.set_aside_at is None]
    outcome.delayed |= {cursor.subject_id for cursor in troubled} - outcome.busy
    return claimed, [cursor.pk for cursor in troubled]


def _claim(rows: QuerySet[Cursor]) -> list[Cursor]:
    return claims.claim(rows, SUBJECTS_MAX, unplanned=claims.ALL)


_NEW_CURSOR = """
    INSERT INTO changefeed_cursor (reader, source, subject_id, version, seq, due_at, ended, orphaned,
    claim, failures, error)"""
_START_CONVERSATIONS = f"""{_NEW_CURSOR}
    SELECT %s, 'conversation', id, version, last_seq, %s, deleted_at IS NOT NULL, false, '', 0, ''
    FROM conversations_conversation"""  # noqa: S608
_START_MEMBERSHIPS = f"""{_NEW_CURSOR}
    SELECT %s, 'membership', id, clock, 0, %s, false, false, '', 0, ''
    FROM conversations_membership"""  # noqa: S608
