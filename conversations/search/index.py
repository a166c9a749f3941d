"""Writes the entries of messages. Writing the same again changes nothing."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime
from typing import Any

from chatty.statements import fetch_rows, in_ids, list_ids
from conversations.content import Content, render
from conversations.search.grams import block_gram, fold, structural_gram, text_grams
from conversations.search.keys import GramKey, current_key
from conversations.search.storage import Entry, storage

# Kinds of structural grams. TIME: of the year, the month and the day.
AUTHOR, CONVERSATION, MENTION, TIME = "author", "in", "mentions", "time"


def index_messages(ids: Collection[int], *, new: Collection[int] = ()) -> None:
    """Make the entries of these messages those of their present state: one each, none for notices and for
    messages that are deleted or missing. Must be called in a transaction.

    `new`: those that hardly any entry exists of.
    """
    if not ids:
        return
    key = current_key()
    entries = [_entry(key, *row) for row in fetch_rows(_read_messages(), [list_ids(ids)])]
    gone = set(ids).difference(entry.message_id for entry in entries)
    storage().write(entries, new=new)
    storage().remove(gone)


def _read_messages() -> str:
    return f"""SELECT id, conversation_id, author_id, body, mentions, created_at
        FROM conversations_message
        WHERE id {in_ids()} AND kind = 'text' AND deleted_at IS NULL ORDER BY id"""  # noqa: S608


def _entry(
    key: GramKey,
    message_id: int,
    conversation_id: int,
    author_id: int,
    body: str,
    mentions: Any,
    created_at: datetime,
) -> Entry:
    if isinstance(mentions, str):  # SQLite has no type for JSON
        mentions = json.loads(mentions)
    day = created_at.isoformat()  # in UTC
    grams = text_grams(fold(text_of(body)))
    grams += [
        structural_gram(CONVERSATION, conversation_id),
        structural_gram(AUTHOR, author_id),
        *[structural_gram(MENTION, user_id) for user_id in mentions or ()],
        *[structural_gram(TIME, day[:length]) for length in (4, 7, 10)],
        *[block_gram(size, message_id >> size) for size in storage().block_sizes],
    ]
    return Entry(message_id, key.hash(grams))


def text_of(body: str) -> str:
    """Return the text that is searched: the author's own words, as readers see them."""
    return render(Content(body)).text
