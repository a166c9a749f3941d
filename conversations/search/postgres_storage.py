"""Entries in PostgreSQL: arrays with a GIN index.

The index returns all matches of a condition, in no order. So that a frequent word needs not all of its
matches, entries have grams of the blocks of ids they are in, and a search looks in one block at a time.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from django.db import connection

from chatty.postgres import Statement
from chatty.statements import list_ids, run
from conversations.search.storage import Condition, Entry, Window, is_removable


class PostgresStorage:
    windows: tuple[int, ...] = (12, 12, 14, 14, 16, 16, 18)
    border_window = 14
    block_sizes: tuple[int, ...] = (12, 14, 16, 18)
    least = 1_000

    def as_text(self, number: int) -> str:
        return str(number)

    def write(self, entries: Sequence[Entry], *, new: Collection[int] = ()) -> None:
        if entries:
            ids = list_ids(entry.message_id for entry in entries).encode()
            # Arrays in an array. They are numbers, so nothing has to be escaped.
            hashes = '}","{'.join([",".join(entry.hashes) for entry in entries]).encode()
            run((_WRITE, [ids, b'{"{' + hashes + b'}"}']))

    def remove(self, message_ids: Collection[int]) -> None:
        if message_ids:
            run((_REMOVE, [list_ids(message_ids).encode()]))

    def remove_others(self, start: int, end: int, ids: Collection[int]) -> None:
        run((_REMOVE_OTHERS, [b"%d" % start, b"%d" % end, list_ids(ids).encode()]))

    def find_removable(
        self, conditions: Sequence[Condition], conversation_id: int, limit: int
    ) -> list[int]:
        sql, parameters = _where(conditions)
        removable = is_removable("search_entry.message_id")
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT message_id FROM search_entry WHERE {sql} AND {removable} LIMIT %s",  # noqa: S608
                [*parameters, conversation_id, conversation_id, limit],
            )
            return [pk for (pk,) in cursor.fetchall()]

    def find(self, conditions: Sequence[Condition], window: Window, limit: int) -> list[int]:
        sql, parameters = _where(conditions)
        with connection.cursor() as cursor:
            # The range is outside of the materialised part: inside, the planner could choose to read the
            # whole range by the primary key.
            cursor.execute(  # built from our own names and placeholders
                "WITH found AS MATERIALIZED"  # noqa: S608
                f" (SELECT message_id FROM search_entry WHERE {sql})"
                " SELECT message_id FROM found WHERE message_id >= %s AND message_id < %s"
                " ORDER BY message_id DESC LIMIT %s",
                [*parameters, window.start, window.end, limit],
            )
            return [pk for (pk,) in cursor.fetchall()]

    def tidy(self) -> bool:
        return False  # vacuum does that


def _where(conditions: Sequence[Condition]) -> tuple[str, list[Any]]:
    parts: list[str] = []
    parameters: list[Any] = []
    for condition in conditions:
        groups = [("@>", condition.all_of)] if condition.all_of else []
        groups += [("&&", group) for group in condition.one_of]
        parts.append(" AND ".join(f"grams {operator} %s::int[]" for operator, _hashes in groups))
        parameters += ["{" + ",".join(hashes) + "}" for _operator, hashes in groups]
    return f"({' OR '.join(parts)})", parameters


_WRITE = Statement(
    """INSERT INTO search_entry AS e (message_id, grams)
    SELECT new.id, new.grams::int[] FROM unnest($1::bigint[], $2::text[]) AS new(id, grams)
    ON CONFLICT (message_id) DO UPDATE SET grams = excluded.grams
    WHERE e.grams <> excluded.grams"""
)
_REMOVE = Statement("DELETE FROM search_entry WHERE message_id = ANY($1::bigint[])")
_REMOVE_OTHERS = Statement(
    """DELETE FROM search_entry WHERE message_id >= $1::bigint AND message_id < $2::bigint
    AND message_id <> ALL($3::bigint[])"""
)

STORAGE = PostgresStorage()
