"""Writes the entries of messages. Writing the same again changes nothing."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db import connection

from chatty.postgres import Statement
from chatty.statements import fetch_rows, in_ids, list_ids, run
from conversations import markdown
from conversations.capabilities import text_of_parts
from conversations.content import Content, render
from conversations.search.grams import block_gram, fold, structural_gram
from conversations.search.keys import GramKey, current_key, remember
from conversations.search.locks import SHARE_INDEX
from conversations.search.storage import Entry, storage

# Kinds of structural grams. TIME: the year, the month and the day, each as a gram. HAS: the kinds of its
# files, and "file" for any.
AUTHOR, CONVERSATION, MENTION, TIME, HAS = "author", "in", "mentions", "time", "has"
# The columns for text_of(), of a table `m`.
TEXT_COLUMNS = "m.body, m.excerpt, m.renderer, m.files"


def index_messages(ids: Collection[int], *, new: Collection[int] = ()) -> None:
    """Make the entries of these messages those of their present state: one each, none for notices and for
    messages that are deleted or missing. Must be called in a transaction.

    `new`: those that hardly any entry exists of.
    """
    if not ids:
        return
    key = current_key()
    index = storage()
    sizes = index.block_sizes
    entries = [_entry(key, sizes, *row) for row in _read_messages(key, ids)]
    gone = set(ids).difference([entry.message_id for entry in entries])
    index.write(entries, new=new)
    index.remove(gone)


def _read_messages(key: GramKey, ids: Collection[int]) -> list[tuple[Any, ...]]:
    """Return what _entry() needs, and make sure that nothing older is written afterwards: see locks.py."""
    if connection.vendor == "postgresql":
        # One round trip. Each statement sees what was committed before it began, so after the lock.
        _locked, known, rows = run(
            (SHARE_INDEX, []),
            (_KNOWN, [key.check.encode()]),
            (_READ_ON_POSTGRES, [list_ids(ids).encode()]),
        )
    else:
        known = fetch_rows(_KNOWN_ON_SQLITE, [key.check])
        rows = fetch_rows(_READ.format(ids=in_ids()), [list_ids(ids)])
    if not known:
        remember(key)
    return rows


_READ = f"""SELECT m.id, m.conversation_id, m.author_id, m.mentions, m.created_at, {TEXT_COLUMNS}
    FROM conversations_message m
    WHERE m.id {{ids}} AND m.kind = 'text' AND m.deleted_at IS NULL ORDER BY m.id"""  # noqa: S608
_READ_ON_POSTGRES = Statement(_READ.format(ids="= ANY($1::bigint[])"))
_KNOWN = Statement("SELECT 1 FROM search_indexkey WHERE check_value = $1::text")
_KNOWN_ON_SQLITE = "SELECT 1 FROM search_indexkey WHERE check_value = %s"


def _entry(
    key: GramKey,
    block_sizes: tuple[int, ...],
    message_id: int,
    conversation_id: int,
    author_id: int,
    mentions: Any,
    created_at: datetime,
    *text: Any,
) -> Entry:
    hashes = key.hash_text(fold(text_of(*text)))
    if files := text[-1]:
        hashes += key.hash(structural_gram(HAS, kind) for kind in sorted(kinds_of(files)))
    # In UTC, from both databases.
    hashes += _hashes_around(key, conversation_id, author_id, created_at.isoformat()[:10])
    hashes += _hashes_of_blocks(key, message_id >> _SMALLEST, block_sizes)
    if mentions:
        if isinstance(mentions, str):  # SQLite has no type for JSON
            mentions = json.loads(mentions)
        hashes += key.hash(structural_gram(MENTION, user_id) for user_id in mentions)
    return Entry(message_id, hashes)


@lru_cache(maxsize=2_000)
def _hashes_around(key: GramKey, conversation_id: int, author_id: int, day: str) -> list[str]:
    return key.hash(
        [
            structural_gram(CONVERSATION, conversation_id),
            structural_gram(AUTHOR, author_id),
            *[structural_gram(TIME, day[:length]) for length in (4, 7, 10)],
        ]
    )


_SMALLEST = 12  # no block is smaller than 2**12 ids


@lru_cache(maxsize=100)
def _hashes_of_blocks(key: GramKey, number: int, sizes: tuple[int, ...]) -> list[str]:
    return key.hash(block_gram(size, number >> (size - _SMALLEST)) for size in sizes)


def kinds_of(files: Any) -> set[str]:
    """Return the kinds of the files of a message, and "file" if there are any. `files`: its column."""
    return {"file", *(each["kind"] for each in files_of(files))} if files else set()


def files_of(column: Any) -> list[dict[str, Any]]:
    """Return the files of a message, as in its column. SQLite has no type for JSON."""
    if not column:
        return []
    found: list[dict[str, Any]] = json.loads(column) if isinstance(column, str) else column
    return found


def text_of(body: str, excerpt: str | None, renderer: int | None, files: Any) -> str:
    """Return the text of a message that is searched: the author's own words, as readers see them, and the
    names of its files."""
    # The excerpt of a short message is its text in one line. wire.excerpt() says which are valid.
    is_whole = excerpt is not None and not excerpt.endswith("…")
    if excerpt is not None and is_whole and (renderer or 0) >= markdown.EXCERPTS_SINCE:
        return excerpt
    text = render(Content(body)).text
    if not files:
        return text
    parts = text_of_parts({"files": files_of(files)}.get)
    return f"{text}\n{parts}"
