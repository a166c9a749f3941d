"""What a reader has to be called with, and where its cursors are moved then.

What has changed in a conversation, for a cursor (version, seq):

1. messages up to `seq` with a higher version, by version. When there are no more, the cursor gets the
   version of the conversation.
2. messages with a higher `seq`, by seq: new to this reader. When there are no more, the cursor gets the
   last `seq` of the conversation.

The order matters. Messages of step 2 are in their state of the conversation's version or later, because
that was read before. So after both steps the reader knows everything up to it, even if it takes many
batches to read a long history, and no message that was edited in between is taken for a known one.

A batch is limited by the length of its messages, not only by their number: readers read their texts, and
Python executes one thread at a time. With a hundred long messages in a batch, everyone's sends were slower.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import msgspec
from django.db import connection
from django.utils import timezone

from chatty.jobs import claims
from chatty.postgres import Statement
from chatty.statements import array, fetch_rows, in_ids, list_ids, run
from conversations.changefeed.models import Cursor
from conversations.changefeed.readers import Batch, MembershipChange, MessageChange


class Step(msgspec.Struct):
    """What a cursor is to be moved over."""

    cursor: Cursor
    batch: Batch
    version: int
    seq: int
    ended: bool = False
    gone: bool = False  # the cursor itself is to be removed
    more: bool = False


LENGTH = 250  # of a text, which makes a message count for one more


def read_steps(cursors: Sequence[Cursor], most: int) -> list[Step]:
    """Return what each cursor has to be moved over: up to `most` changes each. A long message counts for
    several, but the first is always among them."""
    if cursors[0].source == Cursor.Source.MEMBERSHIP:
        return _read_memberships(cursors)
    heads, changes = _read_rows(cursors, most)
    rows: dict[int, list[_Row]] = {cursor.subject_id: [] for cursor in cursors}
    for conversation, *row in changes:
        rows[conversation].append(row)
    return [
        _make_step(cursor, heads.get(cursor.subject_id), rows[cursor.subject_id], most)
        for cursor in cursors
    ]


_Row = Sequence[int]  # message id, seq, version, length of its text
_Head = tuple[int, int, bool]  # version, last_seq, deleted


def _make_step(cursor: Cursor, head: _Head | None, rows: list[_Row], most: int) -> Step:
    gone = Batch(deleted_conversations=(cursor.subject_id,))
    if head is None:  # its rows were removed: it was orphaned, or made for an id that never existed
        batch = gone if cursor.orphaned else Batch()
        return Step(cursor, batch, cursor.version, cursor.seq, gone=True)
    version, last_seq, deleted = head
    if deleted:
        return Step(cursor, Batch() if cursor.ended else gone, version, last_seq, ended=True)
    changed = sorted((row for row in rows if row[1] <= cursor.seq), key=lambda row: row[2])
    part = _first(changed, most)
    if len(part) < len(changed) or len(changed) >= most:
        return Step(cursor, _batch_of(cursor, part), part[-1][2], cursor.seq, more=True)
    # Those sent since the conversation was read are for the next batch: this one ends before their seq.
    new = sorted((row for row in rows if cursor.seq < row[1] <= last_seq), key=lambda row: row[1])
    part = _first(new, most - sum(map(_weight, changed)))
    seq = part[-1][1] if len(part) < len(new) or len(new) >= most else last_seq
    batch = _batch_of(cursor, [*changed, *part])
    return Step(cursor, batch, version, seq, more=seq < last_seq)


def _weight(row: _Row) -> int:
    return 1 + row[3] // LENGTH


def _first(rows: Sequence[_Row], most: int) -> Sequence[_Row]:
    """Return the first rows that weigh up to `most` together, and at least one."""
    total = itertools.accumulate(map(_weight, rows))
    return rows[: max(1, sum(1 for _ in itertools.takewhile(most.__ge__, total)))]


def _batch_of(cursor: Cursor, rows: Iterable[_Row]) -> Batch:
    conversation, known = cursor.subject_id, cursor.seq
    return Batch(
        tuple(
            MessageChange(conversation, pk, seq, version, seq > known)
            for pk, seq, version, _length in rows
        )
    )


def _read_rows(
    cursors: Sequence[Cursor], most: int
) -> tuple[dict[int, _Head], list[tuple[int, int, int, int, int]]]:
    """Return the conversations by id, and a row for each message that has changed, with its conversation id.

    The conversations are read first: a message that changes in between has a version they don't know yet.
    """
    ids = [cursor.subject_id for cursor in cursors]
    if connection.vendor == "postgresql":
        columns = [ids, [each.version for each in cursors], [each.seq for each in cursors]]
        limit = str(most).encode()
        heads, changes = run(
            (_READ_HEADS, [array(ids)]), (_READ_CHANGES, [*map(array, columns), limit])
        )
    else:
        heads = fetch_rows(_READ_HEADS_ON_SQLITE, [list_ids(ids)])
        changes = []
        for cursor in cursors:
            where = [cursor.subject_id, cursor.version, cursor.seq, most]
            changes += fetch_rows(_READ_CHANGED_ON_SQLITE, where)
            changes += fetch_rows(_READ_NEW_ON_SQLITE, [cursor.subject_id, cursor.seq, most])
    return {pk: (version, seq, bool(deleted)) for pk, version, seq, deleted in heads}, changes


def _read_memberships(cursors: Sequence[Cursor]) -> list[Step]:
    ids = [cursor.subject_id for cursor in cursors]
    rows = {pk: row for pk, *row in fetch_rows(_read_clocks(), [list_ids(ids)])}
    steps = []
    for cursor in cursors:
        row = rows.get(cursor.subject_id)
        if row is None:
            steps.append(Step(cursor, Batch(), cursor.version, 0, gone=True))
            continue
        conversation_id, user_id, clock = row
        change = MembershipChange(cursor.subject_id, conversation_id, user_id)
        batch = Batch(memberships=(change,)) if clock > cursor.version else Batch()
        steps.append(Step(cursor, batch, clock, 0))
    return steps


def move(steps: Sequence[Step]) -> None:
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
        tokens = ",".join(step.cursor.claim for step in moved)  # hex digits
        count = len(fetch_rows(_MOVE, [now, *map(list_ids, columns), f"{{{tokens}}}"]))
    else:
        values = [
            (step.version, step.seq, step.ended, stored(now), step.cursor.pk, step.cursor.claim)
            for step in moved
        ]
        with connection.cursor() as cursor:
            cursor.executemany(_MOVE_ONE, values)
            count = cursor.rowcount
    if count != len(moved):
        raise claims.ClaimLostError


def stored(at: datetime) -> Any:
    """Return a time as SQL without the ORM has to pass it."""
    return connection.ops.adapt_datetimefield_value(at)


# Built from constants. All values are parameters.
_READ_HEADS = Statement(
    """SELECT id, version, last_seq, deleted_at IS NOT NULL FROM conversations_conversation
    WHERE id = ANY($1::bigint[])"""
)
_READ_CHANGES = Statement(
    """SELECT m.conversation_id, m.id, m.seq, m.version, m.length
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS k(conversation, version, seq)
    CROSS JOIN LATERAL (
        (SELECT x.conversation_id, x.id, x.seq, x.version, octet_length(x.body) AS length
         FROM conversations_message x
         WHERE x.conversation_id = k.conversation AND x.version > k.version AND x.seq <= k.seq
         ORDER BY x.version LIMIT $4::int)
        UNION ALL
        (SELECT x.conversation_id, x.id, x.seq, x.version, octet_length(x.body) AS length
         FROM conversations_message x
         WHERE x.conversation_id = k.conversation AND x.seq > k.seq
         ORDER BY x.seq LIMIT $4::int)
    ) m"""
)
_READ_HEADS_ON_SQLITE = """
    SELECT id, version, last_seq, deleted_at IS NOT NULL FROM conversations_conversation
    WHERE id IN (SELECT value FROM json_each(%s))"""
_READ_CHANGED_ON_SQLITE = """
    SELECT conversation_id, id, seq, version, length(body) FROM conversations_message
    WHERE conversation_id = %s AND version > %s AND seq <= %s ORDER BY version LIMIT %s"""
_READ_NEW_ON_SQLITE = """
    SELECT conversation_id, id, seq, version, length(body) FROM conversations_message
    WHERE conversation_id = %s AND seq > %s ORDER BY seq LIMIT %s"""
_MOVE = """
    UPDATE changefeed_cursor AS k SET version = new.version, seq = new.seq, ended = new.ended <> 0,
    due_at = %s::timestamptz, claim = '', claimed_until = NULL, failures = 0, error = ''
    FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::text[])
    AS new(id, version, seq, ended, claim)
    WHERE k.id = new.id AND k.claim = new.claim RETURNING k.id"""
_MOVE_ONE = """
    UPDATE changefeed_cursor SET version = %s, seq = %s, ended = %s, due_at = %s, claim = '',
    claimed_until = NULL, failures = 0, error = '' WHERE id = %s AND claim = %s"""


@cache
def _read_clocks() -> str:
    return f"""SELECT id, conversation_id, user_id, clock FROM conversations_membership
        WHERE id {in_ids()}"""  # noqa: S608 - a constant
