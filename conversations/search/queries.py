"""Searching messages.

The index gives candidates, latest first, in windows of ids, so that a search ends as soon as there are enough
results. Each candidate is compared with the present text of the message, and at the end the permission to
read it is checked again: what the index has may be old.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
from django.db import connection
from django.db.models import Max
from django.utils import timezone

from accounts.models import User
from chatty.common.limiter import limiter
from chatty.statements import fetch_rows, in_ids, list_ids
from conversations import access, limits, queries
from conversations.mentions import EVERYONE, is_mentioned
from conversations.models import Message
from conversations.search.filters import Scope, resolve
from conversations.search.grams import block_gram, structural_gram, term_grams
from conversations.search.index import (
    AUTHOR,
    CONVERSATION,
    HAS,
    MENTION,
    TEXT_COLUMNS,
    TIME,
    files_of,
    kinds_of,
    text_of,
)
from conversations.search.keys import GramKey, keys_in_use
from conversations.search.matching import ExcerptPart, Matcher
from conversations.search.mine import Mine
from conversations.search.query_text import ParsedQuery
from conversations.search.storage import Condition, Window, storage
from conversations.search.time_limit import time_limit

PAGE_SIZE = 20
PAGE_MAX = 50
# Candidates compared at a time: more each time, if they are not enough.
_CHUNK, _CHUNK_MAX = limits.messages_at_a_time(50), limits.messages_at_a_time(400)
# All texts of so few messages in listed conversations are compared, which is faster than looking up their
# grams.
_READ_ALL_MAX = 1_000
# Conversations whose grams a condition lists. For more, each candidate is looked up in their members.
_LISTED_MAX = 200
_SECONDS = 1.0  # a search ends after this time, and can be continued
_FILES_SECONDS = 0.02  # for looking for names of files
_FIRST_YEAR = 2000  # no message is older


@dataclass(frozen=True, slots=True)
class SearchResult:
    message: Message
    excerpt: list[ExcerptPart]


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file whose name has all terms. `file`: as in the column `files` of its message."""

    message: Message
    file: Mapping[str, Any]
    name: list[ExcerptPart]


@dataclass(frozen=True, slots=True)
class SearchPage:
    """Results, latest first. `older`: to continue with messages before this id; None if that was all. There
    can be fewer results than asked for, even none, and still older messages to search."""

    results: list[SearchResult]
    older: int | None
    files: list[FoundFile] = field(default_factory=list)


def search(
    user: User,
    query: ParsedQuery,
    *,
    before: int | None = None,
    limit: int = PAGE_SIZE,
    files: int = 0,
    mine: Mine | None = None,
) -> SearchPage:
    """Return messages that the user can read, latest first. The number of queries is limited.

    `before`: only messages with lower ids. `files`: how many files to find by their names, among the latest
    messages. `mine`: if it was read before. Raises ChatError: invalid for an unknown name, slow_down, and
    busy if the database needs too long.
    """
    limiter.check("search", str(user.pk))
    scope = resolve(user, query, mine)
    with time_limit():
        found = _Search(user, query, scope).find(before, limit)
        named: list[tuple[int, str]] = []
        if files and query.terms:
            with_files = msgspec.structs.replace(query, has=(*query.has, "file"))
            named = _Search(user, with_files, scope).find_files(files)
        return _readable(user, query, scope, found, named)


@dataclass(frozen=True, slots=True)
class _Found:
    ids: list[int]
    older: int | None


class _Search:
    def __init__(self, user: User, query: ParsedQuery, scope: Scope) -> None:
        self._user = user
        self._query = query
        self._scope = scope
        self._matcher = Matcher(query.terms)
        self._storage = storage()
        self._keys = keys_in_use()
        self._all_of, self._one_of = _grams_of(user, query, scope)

    def find(self, before: int | None, limit: int) -> _Found:
        """Return the ids of `limit` messages that match, latest first."""
        ends_at = time.monotonic() + _SECONDS
        ids: list[int] = []
        if not self._keys or not self._scope.conversations or [] in self._one_of:
            return _Found(ids, None)
        for chunk, reached in self._chunks(before):
            for message_id, *text in self._read(chunk):
                if not kinds_of(text[-1]).issuperset(self._query.has):
                    continue
                if self._matcher.matches(text_of(*text)):
                    if len(ids) == limit:  # there is one more
                        return _Found(ids, ids[-1])
                    ids.append(message_id)
            if reached > 1 and time.monotonic() > ends_at:
                return _Found(ids, reached)
        return _Found(ids, None)

    def find_files(self, limit: int) -> list[tuple[int, str]]:
        """Return files whose names match: ids of their messages, latest first, and their own. It ends early:
        the words can be common, and names with them rare."""
        ends_at = time.monotonic() + _FILES_SECONDS
        found: list[tuple[int, str]] = []
        if not self._keys or not self._scope.conversations or [] in self._one_of:
            return found
        for chunk, _reached in self._chunks(None):
            for message_id, *text in self._read(chunk):
                names = {each["id"]: each["name"] for each in files_of(text[-1])}
                found += [(message_id, pk) for pk in names if self._matcher.matches(names[pk])]
            if len(found) >= limit or time.monotonic() > ends_at:
                break
        return found[:limit]

    def _chunks(self, before: int | None) -> Iterator[tuple[list[int], int]]:
        """Yield ids of candidates, latest first, each time with the id from which on all have been found."""
        size = _CHUNK
        for window in self._windows(before):
            conditions = self._conditions(window)
            end = window.end
            while end > window.start:
                most = max(size, self._storage.least)
                found = self._storage.find(conditions, window._replace(end=end), most)
                end = found[-1] if len(found) == most else window.start
                while len(found) > size:
                    yield found[:size], found[size - 1]
                    found = found[size:]
                    size = min(size * 2, _CHUNK_MAX)
                yield found, end
                size = min(size * 2, _CHUNK_MAX)

    def _windows(self, before: int | None) -> Iterator[Window]:
        """Yield windows of ids, latest first, each up to the beginning of a block of its size."""
        sizes = self._storage.windows
        end = (Message.objects.aggregate(last=Max("pk"))["last"] or 0) + 1
        if before is not None:
            end = min(before, end)  # it can be any number
        if self._scope.until is not None:
            # Nearly all messages from before that time have lower ids, so there is hardly anything to find in
            # the rest. But a window that ends there shares its block with those that match.
            likely = _first_id_since(self._scope.until, end)
            border = min(((likely >> sizes[-1]) + 1) << sizes[-1], end)
            yield from _windows_of(sizes[-1:], border, end)
            yield from _windows_of((self._storage.border_window,), likely, border)
            end = likely
        yield from _windows_of(sizes, 1, end)

    def _read(self, ids: list[int]) -> list[tuple[Any, ...]]:
        """Return those of these messages that may match, latest first: (id, *what text_of() needs)."""
        if not ids:
            return []
        where, parameters = _restrictions(self._user, self._scope)
        with connection.cursor() as cursor:
            cursor.execute(  # built from our own names and placeholders
                f"SELECT m.id, {TEXT_COLUMNS} FROM conversations_message m"  # noqa: S608
                f" WHERE m.id {in_ids()} AND {where} ORDER BY m.id DESC",
                [list_ids(ids), *parameters],
            )
            found: list[tuple[Any, ...]] = cursor.fetchall()
            return found

    def _conditions(self, window: Window) -> list[Condition]:
        blocks = {block_gram(window.size, window.block)} if self._storage.block_sizes else set()
        return [self._condition(key, blocks) for key in self._keys]

    def _condition(self, key: GramKey, blocks: set[str]) -> Condition:
        return Condition(
            key.hash(sorted(self._all_of | blocks)),
            [key.hash(group) for group in self._one_of],
        )


def _grams_of(user: User, query: ParsedQuery, scope: Scope) -> tuple[set[str], list[list[str]]]:
    """Return grams that the entries of all results have, and lists of which they have one."""
    all_of: set[str] = set()
    listed = scope.narrowed or len(scope.conversations) <= _LISTED_MAX
    if not listed or scope.entries > _READ_ALL_MAX:
        all_of = {gram for term in query.terms for gram in term_grams(term)}
    all_of.update(structural_gram(HAS, kind) for kind in query.has)
    one_of: list[list[str]] = []
    if query.mentions_me:
        one_of.append([structural_gram(MENTION, pk) for pk in (user.pk, EVERYONE)])
    if scope.authors is not None:
        one_of.append([structural_gram(AUTHOR, pk) for pk in scope.authors])
    if listed:
        one_of.append([structural_gram(CONVERSATION, pk) for pk in scope.conversations])
    if scope.since is not None or scope.until is not None:
        one_of.append(_time_grams(scope.since, scope.until))
    return all_of, one_of


def _time_grams(since: datetime | None, until: datetime | None) -> list[str]:
    """Return grams of years, months and days, in UTC, of which every message of the time has one: as few as
    possible."""
    first = date(_FIRST_YEAR, 1, 1)
    day = first if since is None else max(since.astimezone(UTC).date(), first)
    # Whole years, which are few grams, and with the next one, in case that the clock was ahead.
    end = date(timezone.now().astimezone(UTC).year + 2, 1, 1)
    if until is not None:
        end = min((until.astimezone(UTC) - timedelta(microseconds=1)).date() + _DAY, end)
    grams = []
    while day < end:
        year, month = date(day.year + 1, 1, 1), (day.replace(day=1) + 31 * _DAY).replace(day=1)
        if (day.month, day.day) == (1, 1) and year <= end:
            length, day_after = 4, year
        elif day.day == 1 and month <= end:
            length, day_after = 7, month
        else:
            length, day_after = 10, day + _DAY
        grams.append(structural_gram(TIME, day.isoformat()[:length]))
        day = day_after
    return grams


_DAY = timedelta(days=1)
_BY_MEMBER = """EXISTS (SELECT 1 FROM conversations_membership s
    WHERE s.conversation_id = m.conversation_id AND s.user_id = %s)"""


def _restrictions(user: User, scope: Scope) -> tuple[str, list[Any]]:
    """Return a condition on messages `m`, and its parameters."""
    parts = [
        "m.kind = 'text' AND m.deleted_at IS NULL",
        _BY_MEMBER,
    ]
    parameters: list[Any] = [user.pk]
    if scope.narrowed:
        parts.append(f"m.conversation_id {in_ids()}")
        parameters.append(list_ids(scope.conversations))
    if scope.authors is not None:
        parts.append(f"m.author_id {in_ids()}")
        parameters.append(list_ids(scope.authors))
    for operator, moment in ((">=", scope.since), ("<", scope.until)):
        if moment is not None:
            parts.append(f"m.created_at {operator} %s")
            parameters.append(connection.ops.adapt_datetimefield_value(moment))
    return " AND ".join(parts), parameters


def _windows_of(sizes: tuple[int, ...], start: int, end: int) -> Iterator[Window]:
    number = 0
    while end > start:
        size = sizes[min(number, len(sizes) - 1)]
        first = max((end - 1) >> size << size, start)
        yield Window(first, end, size)
        end, number = first, number + 1


def _first_id_since(moment: datetime, end: int) -> int:
    """Return an id up to `end` so that most messages with lower ids are older than a time, and most others
    are not. This is true of all of them if they were stored in the order of their times."""
    low, high = 1, end
    wanted = connection.ops.adapt_datetimefield_value(moment)
    while low < high:
        middle = (low + high) // 2
        rows = fetch_rows(_IS_SINCE, [wanted, middle, high])
        if not rows or rows[0][1]:
            high = middle
        else:
            low = rows[0][0] + 1
    return low


_IS_SINCE = """SELECT id, created_at >= %s FROM conversations_message
    WHERE id >= %s AND id < %s ORDER BY id LIMIT 1"""


def _readable(
    user: User, query: ParsedQuery, scope: Scope, found: _Found, named: list[tuple[int, str]]
) -> SearchPage:
    """Read the messages, compare them again, and check at last which the user can still read."""
    if not found.ids and not named:
        return SearchPage([], found.older)
    matcher = Matcher(query.terms)
    ids = {*found.ids, *(message_id for message_id, _file_id in named)}
    messages = {message.pk: message for message in queries.read_by_ids(list(ids))}
    allowed = access.readable(user, {message.conversation_id for message in messages.values()})
    readable = {
        pk: message
        for pk, message in messages.items()
        if message.conversation_id in allowed and _matches(message, user, query, scope)
    }
    results = []
    for message in [readable[pk] for pk in found.ids if pk in readable]:
        text = text_of(message.body, message.excerpt, message.renderer, message.files)
        if matcher.matches(text):
            results.append(SearchResult(message, matcher.excerpt(text)))
    files = [
        FoundFile(readable[pk], file, matcher.excerpt(file["name"]))
        for pk, file_id in named
        if pk in readable
        for file in files_of(readable[pk].files)
        if file["id"] == file_id and matcher.matches(file["name"])
    ]
    return SearchPage(results, found.older, files)


def _matches(message: Message, user: User, query: ParsedQuery, scope: Scope) -> bool:
    return (
        message.is_text
        and not message.is_deleted
        and (scope.authors is None or message.author_id in scope.authors)
        and (not query.mentions_me or is_mentioned(user.pk, message.mentions, message.author_id))
        and kinds_of(message.files).issuperset(query.has)
    )
