"""Entries in SQLite: a full-text index (FTS5) of the hashes.

It is written in segments. A deletion is a new entry that hides an earlier one, so the hashes of deleted
entries are in the file until the segments are merged: see tidy().
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from django.db import connection

from chatty.statements import fetch_rows, list_ids
from conversations.search.models import IndexState
from conversations.search.storage import Condition, Entry, Window, is_removable

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_TOKEN_LENGTH = 6  # 36**6 > 2**31
_MERGE_PAGES = 16  # of 4 KB, written by one call of tidy()


class SqliteStorage:
    # Matches are returned in order, so that the search of any window ends when there are enough. Windows
    # only exist to limit the time of one statement.
    windows: tuple[int, ...] = (16, 18)
    border_window = 18
    block_sizes: tuple[int, ...] = ()
    least = 1

    def as_text(self, number: int) -> str:
        # In base 36: six characters instead of ten, since FTS5 keeps a copy of all.
        digits = ""
        for _ in range(_TOKEN_LENGTH):
            number, digit = divmod(number, len(_DIGITS))
            digits = _DIGITS[digit] + digits
        return digits

    def write(self, entries: Sequence[Entry], *, new: Collection[int] = ()) -> None:
        rows = [(entry.message_id, " ".join(entry.hashes)) for entry in entries]
        known = [message_id for message_id, _hashes in rows if message_id not in new]
        if known:
            stored = set(fetch_rows(_READ, [list_ids(known)]))
            rows = [row for row in rows if row not in stored]
            if stored and rows:
                _note_leftovers()
        with connection.cursor() as cursor:
            cursor.executemany(_WRITE, rows)

    def remove(self, message_ids: Collection[int]) -> None:
        if message_ids:
            with connection.cursor() as cursor:
                cursor.execute(_REMOVE, [list_ids(message_ids)])
                if cursor.rowcount:
                    _note_leftovers()

    def remove_others(self, start: int, end: int, ids: Collection[int]) -> None:
        found = fetch_rows(_RANGE, [start, end])
        self.remove({pk for (pk,) in found}.difference(ids))

    def find_removable(
        self, conditions: Sequence[Condition], conversation_id: int, limit: int
    ) -> list[int]:
        removable = is_removable("search_entry.rowid")
        found = fetch_rows(
            "SELECT rowid FROM search_entry"  # noqa: S608 - our own names and placeholders
            f" WHERE search_entry MATCH %s AND {removable} LIMIT %s",
            [_expression(conditions), conversation_id, conversation_id, limit],
        )
        return [pk for (pk,) in found]

    def find(self, conditions: Sequence[Condition], window: Window, limit: int) -> list[int]:
        found = fetch_rows(_FIND, [_expression(conditions), window.start, window.end, limit])
        return [pk for (pk,) in found]

    def tidy(self) -> bool:
        state = IndexState.objects.first()
        if state is None or not (state.leftovers or state.merging):
            return False
        with connection.cursor() as cursor:
            if not state.merging:
                # What is deleted from now on is for the next time.
                IndexState.objects.update(leftovers=False, merging=True)
                # A negative number begins to merge all segments. Again, it would begin again with those that
                # were written since.
                cursor.execute(_MERGE, [-_MERGE_PAGES])
                return True
            before = _total_changes()
            cursor.execute(_MERGE, [_MERGE_PAGES])
            # One change is the row that was asked for.
            if _total_changes() - before >= 2:
                return True
        IndexState.objects.update(merging=False)
        return False


def _total_changes() -> int:
    return int(connection.connection.total_changes)


def _note_leftovers() -> None:
    IndexState.objects.get_or_create(pk=1)
    IndexState.objects.filter(leftovers=False).update(leftovers=True)


def _expression(conditions: Sequence[Condition]) -> str:
    """Return an expression of FTS5. Only operators have capital letters, so no hash is taken for one."""
    parts = []
    for condition in conditions:
        groups = [*condition.all_of, *[f"({' OR '.join(group)})" for group in condition.one_of]]
        parts.append(f"({' AND '.join(groups)})")
    return " OR ".join(parts)


_READ = "SELECT rowid, grams FROM search_entry WHERE rowid IN (SELECT value FROM json_each(%s))"
_WRITE = "INSERT OR REPLACE INTO search_entry (rowid, grams) VALUES (%s, %s)"
_REMOVE = "DELETE FROM search_entry WHERE rowid IN (SELECT value FROM json_each(%s))"
_FIND = """SELECT rowid FROM search_entry WHERE search_entry MATCH %s AND rowid >= %s AND rowid < %s
    ORDER BY rowid DESC LIMIT %s"""
_RANGE = "SELECT rowid FROM search_entry WHERE rowid >= %s AND rowid < %s"
_MERGE = "INSERT INTO search_entry (search_entry, rank) VALUES ('merge', %s)"

STORAGE = SqliteStorage()
