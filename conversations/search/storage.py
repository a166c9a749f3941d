"""The table of the index, one for each database. Both find the same messages.

An entry has the id of a message and the hashes of its grams. SQLite has a full-text index (FTS5) whose text
is the hashes, PostgreSQL an array with a GIN index.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol

from django.db import connection


class Entry(NamedTuple):
    """`hashes`: some can be there several times, which both databases ignore."""

    message_id: int
    hashes: list[str]


class Condition(NamedTuple):
    """An entry matches if it has all of `all_of` and one of each list in `one_of`. Hashes of one key."""

    all_of: Sequence[str]
    one_of: Sequence[Sequence[str]]


class Window(NamedTuple):
    """Message ids from `start` to before `end`. All of them are in block `block` of 2**`size` ids."""

    start: int
    end: int
    size: int

    @property
    def block(self) -> int:
        return self.start >> self.size


class Storage(Protocol):
    # The sizes of the windows to search one after the other, as powers of two. The last is repeated.
    windows: tuple[int, ...]
    # The size of windows in which there is probably nothing, next to others with many matches.
    border_window: int
    # The sizes of the blocks of which entries have grams.
    block_sizes: tuple[int, ...]
    # At least so many matches of a window are found at once, because fewer would take as long.
    least: int

    def as_text(self, number: int) -> str:
        """Return a hash, from 0 to 2**31 - 1, as entries and conditions have it."""

    def write(self, entries: Sequence[Entry], *, new: Collection[int] = ()) -> None:
        """Insert or replace entries. `new`: those that hardly any entry exists of."""

    def remove(self, message_ids: Collection[int]) -> None: ...

    def remove_others(self, start: int, end: int, ids: Collection[int]) -> None:
        """Remove the entries of all messages from `start` to before `end` that are not in `ids`."""

    def find_removable(
        self, conditions: Sequence[Condition], conversation_id: int, limit: int
    ) -> list[int]:
        """Return the ids of some entries that match one of the conditions, and whose messages are in this
        conversation or gone: two grams can have the same hash."""

    def find(self, conditions: Sequence[Condition], window: Window, limit: int) -> list[int]:
        """Return the ids of messages in the window that match one of the conditions, latest first. Conditions
        must include the gram of the window's block, if entries have such grams."""

    def tidy(self) -> bool:
        """Do a few milliseconds of work to remove hashes of deleted entries. Returns whether more is left."""


def is_removable(message_id: str) -> str:
    """Return a condition on the entry of a message: the message is gone, or in a conversation. Its two
    parameters are both the id of the conversation.

    A subquery for each entry, so that the planner can't choose to read all messages.
    """
    found = f"SELECT conversation_id FROM conversations_message m WHERE m.id = {message_id}"  # noqa: S608
    return f"COALESCE(({found}), %s) = %s"


def storage() -> Storage:
    from conversations.search import postgres_storage, sqlite_storage

    return postgres_storage.STORAGE if connection.vendor == "postgresql" else sqlite_storage.STORAGE
