"""Finding what readers don't know yet, in case that no one woke them."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from chatty.statements import fetch_rows
from conversations.changefeed.models import Cursor
from conversations.changefeed.readers import Reader

WINDOW = 5_000  # rows compared at a time: a few milliseconds
FOUND_MAX = 1_000


class Found(msgspec.Struct, frozen=True):
    """`ids`: subjects with changes. `end`: continue after this id; None at the end of the table."""

    ids: list[int]
    end: int | None


def find_behind(reader: Reader, source: str, after: int) -> Found:
    """Compare the cursors of a reader with the rows that follow the id `after`."""
    table = _TABLES[source]
    (row,) = fetch_rows(_END[table], [after])
    end: int | None = row[0]
    if end is None:
        return Found(_find_orphaned(reader, source), None)
    found = fetch_rows(_BEHIND[source], [reader.name, after, end])
    if len(found) > FOUND_MAX:
        end = found[FOUND_MAX - 1][0]
    return Found([pk for (pk,) in found[:FOUND_MAX]], end)


def membership_ids(pairs: Iterable[tuple[int, int]]) -> list[int]:
    """Return the ids of the memberships of these (conversation id, user id)."""
    found = []
    for conversation_id, user_id in pairs:
        found += fetch_rows(_MEMBERSHIP, [conversation_id, user_id])
    return [pk for (pk,) in found]


def _find_orphaned(reader: Reader, source: str) -> list[int]:
    if source != Cursor.Source.CONVERSATION:
        return []
    rows = Cursor.objects.filter(reader=reader.name, orphaned=True, set_aside_at=None)
    return list(rows.values_list("subject_id", flat=True)[:FOUND_MAX])


_MEMBERSHIP = """SELECT id FROM conversations_membership
    WHERE conversation_id = %s AND user_id = %s"""
_TABLES = {
    str(Cursor.Source.CONVERSATION): "conversations_conversation",
    str(Cursor.Source.MEMBERSHIP): "conversations_membership",
}
# Built from our own names, here and below.
_END = {
    table: f"""SELECT max(id) FROM (SELECT id FROM {table} WHERE id > %s ORDER BY id LIMIT {WINDOW})
    AS rows"""  # noqa: S608
    for table in _TABLES.values()
}
_JOIN = """LEFT JOIN changefeed_cursor k
    ON k.reader = %s AND k.source = '{source}' AND k.subject_id = t.id
    WHERE t.id > %s AND t.id <= %s AND k.set_aside_at IS NULL"""
_BEHIND = {
    str(Cursor.Source.CONVERSATION): f"""SELECT t.id FROM conversations_conversation t
    {_JOIN.format(source="conversation")}
    AND (k.id IS NULL AND (t.version > 0 OR t.deleted_at IS NOT NULL)
    OR k.version < t.version OR k.seq < t.last_seq OR t.deleted_at IS NOT NULL AND NOT k.ended)
    ORDER BY t.id LIMIT {FOUND_MAX + 1}""",  # noqa: S608
    str(Cursor.Source.MEMBERSHIP): f"""SELECT t.id FROM conversations_membership t
    {_JOIN.format(source="membership")} AND (k.id IS NULL OR k.version < t.clock)
    ORDER BY t.id LIMIT {FOUND_MAX + 1}""",  # noqa: S608
}
