"""Calling a reader with a batch of changes, and moving its cursors.

The cursors are claimed first (chatty/jobs/claims.py). Then one transaction reads what has changed, calls
the reader and moves and releases the cursors. If the reader fails, its cursors are tried again later, each
conversation alone and change by change, so that one that can't be handled holds up nothing but its own
conversation. After ten failures it is set aside.

What has changed in a conversation, for a cursor (version, seq):

1. messages up to `seq` with a higher version, by version. When there are no more, the cursor gets the
   version of the conversation.
2. messages with a higher `seq`, by seq: new to this reader. When there are no more, the cursor gets the
   last `seq` of the conversation.

The order matters. Messages of step 2 are in their state of the conversation's version or later, because
that was read before. So after both steps the reader knows everything up to it, even if it takes many
batches to read a long history, and no message that was edited meanwhile is taken for a known one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import msgspec
from django.db import connection, transaction
from django.utils import timezone

from chatty.jobs import claims
from chatty.jobs.work import ERROR_MAX
from chatty.ops import logs, metrics
from chatty.statements import fetch_rows, in_ids, list_ids
from conversations.changefeed.models import Cursor, ReaderState, SetAsideChange
from conversations.changefeed.readers import (
    Batch,
    MembershipChange,
    MessageChange,
    Reader,
    find,
)
from conversations.models import Membership, Message

logger = logging.getLogger(__name__)

SUBJECTS_MAX = 50  # cursors in one batch
CHANGES_MAX = 500  # changes in one batch
STEPS_MAX = 50  # changes of a troubled cursor in one claim


class Outcome(msgspec.Struct):
    """Of run_batch(). `changes`: how many were handled. `more`: subjects that have further changes."""

    changes: int = 0
    more: set[int] = msgspec.field(default_factory=set)


class _Step(msgspec.Struct):
    """What a cursor is to be moved over."""

    cursor: Cursor
    batch: Batch
    version: int
    seq: int
    ended: bool = False
    gone: bool = False  # the cursor itself is to be removed
    more: bool = False


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
        now = _stored(timezone.now())
        with connection.cursor() as cursor:
            for statement in (_START_CONVERSATIONS, _START_MEMBERSHIPS):
                cursor.execute(statement, [reader.name, now])


def run_batch(
    reader: Reader, source: str, ids: Iterable[int], *, most: int = CHANGES_MAX
) -> Outcome:
    """Call the reader with what has changed in these conversations, or with these memberships.

    At most SUBJECTS_MAX ids and about `most` changes. Those that another process works on, or that are to
    be tried again later, are left out. Never raises an exception of the reader. Must not be called in a
    transaction.
    """
    ids = set(ids)
    _make_cursors(reader, source, ids)
    rows = Cursor.objects.filter(reader=reader.name, source=source, subject_id__in=ids)
    claimed = claims.claim(rows, SUBJECTS_MAX)
    outcome = Outcome()
    sound = [cursor for cursor in claimed if cursor.failures == 1]
    if sound:
        _handle(reader, sound, max(most // len(sound), 1), outcome)
    for cursor in claimed:
        if cursor.failures > 1:
            _handle_singly(reader, cursor, outcome)
    return outcome


def retry(aside: SetAsideChange) -> None:
    """Call the reader again with a change that was set aside, and forget that it was. Raises any exception
    of the reader, LookupError if it isn't registered."""
    reader = find(aside.reader)
    with transaction.atomic():
        if not SetAsideChange.objects.select_for_update().filter(pk=aside.pk).exists():
            return  # somebody else was faster
        batch = _read_again(aside)
        if batch:
            reader.handle(batch)
        aside.delete()


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
            steps = _read_steps(cursors, most)
            _call(reader, steps)
            _move(steps)
    except claims.ClaimLostError:
        logger.warning("A claim of reader %s ran out", reader.name)
    except Exception as error:
        _give_back(reader, cursors, error)
    else:
        outcome.changes += sum(len(step.batch) for step in steps)
        outcome.more |= {step.cursor.subject_id for step in steps if step.more}


def _handle_singly(reader: Reader, cursor: Cursor, outcome: Outcome) -> None:
    """One call per change, until one fails again. It stays claimed until the end."""
    steps: list[_Step] = []
    try:
        for number in range(1, STEPS_MAX + 1):
            with transaction.atomic():
                steps = _read_steps([cursor], 1)
                (step,) = steps
                _call(reader, steps)
                ends = not step.more or number == STEPS_MAX
                if ends:
                    _move(steps)
                else:
                    # The one that failed is behind: its successors have their own count.
                    values = {"version": step.version, "seq": step.seq, "failures": 1}
                    claims.change(cursor, **values)
                    claims.extend(cursor)
            outcome.changes += len(step.batch)
            if ends:
                if step.more:
                    outcome.more.add(cursor.subject_id)
                return
    except claims.ClaimLostError:
        logger.warning("A claim of reader %s ran out", reader.name)
    except Exception as error:
        if cursor.failures < cursor.FAILURES_MAX or claims.is_database_trouble(error):
            _give_back(reader, [cursor], error)
        else:
            _set_aside(reader, steps, error)
            outcome.more.add(cursor.subject_id)


def _call(reader: Reader, steps: Sequence[_Step]) -> None:
    batch = Batch(
        tuple(change for step in steps for change in step.batch.messages),
        tuple(change for step in steps for change in step.batch.memberships),
        tuple(gone for step in steps for gone in step.batch.deleted_conversations),
    )
    if batch:
        reader.handle(batch)


def _give_back(reader: Reader, cursors: Sequence[Cursor], error: Exception) -> None:
    trouble = claims.is_database_trouble(error)
    if not trouble:
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


def _set_aside(reader: Reader, steps: Sequence[_Step], error: Exception) -> None:
    """Note the change that can't be handled, and go on behind it."""
    (step,) = steps
    text = logs.describe_error(error)[:ERROR_MAX]
    logger.error("Reader %s: a change was set aside: %s", reader.name, text)
    with transaction.atomic():
        for each in step.batch.messages:
            _note(
                reader, each.conversation_id, text, message_id=each.message_id, created=each.created
            )
        for member in step.batch.memberships:
            _note(reader, member.conversation_id, text, membership_id=member.membership_id)
        for conversation_id in step.batch.deleted_conversations:
            _note(reader, conversation_id, text)
        _move(steps)


def _note(reader: Reader, conversation_id: int, error: str, **which: Any) -> None:
    SetAsideChange.objects.create(
        reader=reader.name, conversation_id=conversation_id, error=error, **which
    )


def _make_cursors(reader: Reader, source: str, ids: Iterable[int]) -> None:
    there = Cursor.objects.filter(reader=reader.name, source=source, subject_id__in=ids)
    missing = set(ids).difference(there.values_list("subject_id", flat=True))
    new = [Cursor(reader=reader.name, source=source, subject_id=each) for each in sorted(missing)]
    Cursor.objects.bulk_create(new, ignore_conflicts=True)


def _read_steps(cursors: Sequence[Cursor], most: int) -> list[_Step]:
    """Return what each cursor has to be moved over: up to `most` changes each."""
    if cursors[0].source == Cursor.Source.MEMBERSHIP:
        return _read_memberships(cursors)
    rows: dict[int, list[_Row]] = {cursor.subject_id: [] for cursor in cursors}
    heads: dict[int, _Head] = {}
    for conversation, version, last_seq, deleted, pk, seq, changed in _read_rows(cursors, most):
        heads[conversation] = (version, last_seq, bool(deleted))
        if pk is not None:
            rows[conversation].append((pk, seq, changed))
    return [
        _make_step(cursor, heads.get(cursor.subject_id), rows[cursor.subject_id], most)
        for cursor in cursors
    ]


_Row = tuple[int, int, int]  # message id, seq, version
_Head = tuple[int, int, bool]  # version, last_seq, deleted


def _make_step(cursor: Cursor, head: _Head | None, rows: list[_Row], most: int) -> _Step:
    gone = Batch(deleted_conversations=(cursor.subject_id,))
    if head is None:  # its rows were removed: it was orphaned, or made for an id that never existed
        batch = gone if cursor.orphaned else Batch()
        return _Step(cursor, batch, cursor.version, cursor.seq, gone=True)
    version, last_seq, deleted = head
    if deleted:
        return _Step(cursor, Batch() if cursor.ended else gone, version, last_seq, ended=True)
    changed = sorted((row for row in rows if row[1] <= cursor.seq), key=lambda row: row[2])
    if len(changed) >= most:
        part = changed[:most]
        return _Step(cursor, _batch_of(cursor, part), part[-1][2], cursor.seq, more=True)
    new = sorted((row for row in rows if row[1] > cursor.seq), key=lambda row: row[1])
    part = new[: most - len(changed)]
    seq = part[-1][1] if len(part) < len(new) or len(new) >= most else last_seq
    batch = _batch_of(cursor, [*changed, *part])
    return _Step(cursor, batch, version, seq, more=seq < last_seq)


def _batch_of(cursor: Cursor, rows: Iterable[_Row]) -> Batch:
    conversation, known = cursor.subject_id, cursor.seq
    return Batch(
        tuple(
            MessageChange(conversation, pk, seq, version, seq > known) for pk, seq, version in rows
        )
    )


def _read_rows(cursors: Sequence[Cursor], most: int) -> list[tuple[Any, ...]]:
    """Return (conversation id, its version, its last seq, whether deleted, message id, seq, version): one
    row without a message for conversations in which nothing has changed.

    All from one snapshot. On SQLite, the transaction is exclusive.
    """
    ids = [cursor.subject_id for cursor in cursors]
    if connection.vendor == "postgresql":
        columns = [ids, [each.version for each in cursors], [each.seq for each in cursors]]
        return fetch_rows(_READ_CHANGES, [*map(list_ids, columns), most, most])
    heads = fetch_rows(_READ_HEADS, [list_ids(ids)])
    known = {cursor.subject_id: cursor for cursor in cursors}
    found: list[tuple[Any, ...]] = []
    for head in heads:
        cursor = known[head[0]]
        where = [cursor.subject_id, cursor.version, cursor.seq, most]
        changed = fetch_rows(_READ_CHANGED, where)
        new = fetch_rows(_READ_NEW, [cursor.subject_id, cursor.seq, most])
        found += [(*head, *row) for row in [*changed, *new]] or [(*head, None, None, None)]
    return found


def _read_memberships(cursors: Sequence[Cursor]) -> list[_Step]:
    ids = [cursor.subject_id for cursor in cursors]
    rows = {pk: row for pk, *row in fetch_rows(_read_clocks(), [list_ids(ids)])}
    steps = []
    for cursor in cursors:
        row = rows.get(cursor.subject_id)
        if row is None:
            steps.append(_Step(cursor, Batch(), cursor.version, 0, gone=True))
            continue
        conversation_id, user_id, clock = row
        change = MembershipChange(cursor.subject_id, conversation_id, user_id)
        batch = Batch(memberships=(change,)) if clock > cursor.version else Batch()
        steps.append(_Step(cursor, batch, clock, 0))
    return steps


def _move(steps: Sequence[_Step]) -> None:
    """Move and release the cursors. Raises ClaimLostError if one is not claimed any more."""
    for step in steps:
        if step.gone:
            claims.finish(step.cursor)
    moved = [step for step in steps if not step.gone]
    if not moved:
        return
    now = timezone.now()
    if connection.vendor == "postgresql":
        columns = [
            [step.cursor.pk for step in moved],
            [step.version for step in moved],
            [step.seq for step in moved],
            [int(step.ended) for step in moved],
        ]
        claim = moved[0].cursor.claim
        count = len(fetch_rows(_MOVE, [now, *map(list_ids, columns), claim]))
    else:
        values = [
            (step.version, step.seq, step.ended, _stored(now), step.cursor.pk, step.cursor.claim)
            for step in moved
        ]
        with connection.cursor() as cursor:
            cursor.executemany(_MOVE_ONE, values)
            count = cursor.rowcount
    if count != len(moved):
        raise claims.ClaimLostError


def _stored(at: datetime) -> Any:
    """Return a time as SQL without the ORM has to pass it."""
    return connection.ops.adapt_datetimefield_value(at)


# Built from constants. All values are parameters.
_READ_CHANGES = """
    SELECT c.id, c.version, c.last_seq, c.deleted_at IS NOT NULL, m.id, m.seq, m.version
    FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS k(conversation, version, seq)
    JOIN conversations_conversation c ON c.id = k.conversation
    LEFT JOIN LATERAL (
        (SELECT x.id, x.seq, x.version FROM conversations_message x
         WHERE x.conversation_id = k.conversation AND x.version > k.version AND x.seq <= k.seq
         ORDER BY x.version LIMIT %s)
        UNION ALL
        (SELECT x.id, x.seq, x.version FROM conversations_message x
         WHERE x.conversation_id = k.conversation AND x.seq > k.seq
         ORDER BY x.seq LIMIT %s)
    ) m ON true"""
_READ_HEADS = """
    SELECT id, version, last_seq, deleted_at IS NOT NULL FROM conversations_conversation
    WHERE id IN (SELECT value FROM json_each(%s))"""
_READ_CHANGED = """
    SELECT id, seq, version FROM conversations_message
    WHERE conversation_id = %s AND version > %s AND seq <= %s ORDER BY version LIMIT %s"""
_READ_NEW = """
    SELECT id, seq, version FROM conversations_message
    WHERE conversation_id = %s AND seq > %s ORDER BY seq LIMIT %s"""
_MOVE = """
    UPDATE changefeed_cursor AS k SET version = new.version, seq = new.seq, ended = new.ended <> 0,
    due_at = %s::timestamptz, claim = '', claimed_until = NULL, failures = 0, error = ''
    FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
    AS new(id, version, seq, ended) WHERE k.id = new.id AND k.claim = %s RETURNING k.id"""
_MOVE_ONE = """
    UPDATE changefeed_cursor SET version = %s, seq = %s, ended = %s, due_at = %s, claim = '',
    claimed_until = NULL, failures = 0, error = '' WHERE id = %s AND claim = %s"""
_NEW_CURSOR = """
    INSERT INTO changefeed_cursor (reader, source, subject_id, version, seq, due_at, ended, orphaned,
    claim, failures, error)"""
_START_CONVERSATIONS = f"""{_NEW_CURSOR}
    SELECT %s, 'conversation', id, version, last_seq, %s, deleted_at IS NOT NULL, false, '', 0, ''
    FROM conversations_conversation"""  # noqa: S608
_START_MEMBERSHIPS = f"""{_NEW_CURSOR}
    SELECT %s, 'membership', id, clock, 0, %s, false, false, '', 0, ''
    FROM conversations_membership"""  # noqa: S608


@cache
def _read_clocks() -> str:
    return f"""SELECT id, conversation_id, user_id, clock FROM conversations_membership
        WHERE id {in_ids()}"""  # noqa: S608 - a constant
