"""Finds the people and conversations that a query names."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime, time, timedelta
from functools import cache
from itertools import chain
from typing import NamedTuple

import msgspec
from django.db.models.functions import Substr
from django.utils import timezone
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from chatty.common.errors import ChatError, Sentence
from chatty.statements import fetch_rows, in_ids, list_ids
from conversations import queries
from conversations.models import Conversation
from conversations.search.grams import fold
from conversations.search.query_text import ParsedQuery

_ECHO_MAX = 80  # code points of an unknown name in an error
_SPACED_LETTERS = 0x2000  # up to here are the letters with case and accents


class Scope(msgspec.Struct, frozen=True):
    """Where to search. `conversations`: ids, of which the user was a member. `entries`: how many messages and
    notices they have. `narrowed`: not in all that the user is a member of. `authors`: None for everyone.
    `since` (inclusive) and `until` (exclusive): None for all times.
    """

    conversations: list[int]
    entries: int
    narrowed: bool
    authors: list[int] | None
    since: datetime | None
    until: datetime | None


def resolve(user: User, query: ParsedQuery) -> Scope:
    """Return where to search. Days are days in the user's time zone. At most three queries, whatever the
    number of names.

    Raises ChatError("invalid", fields q) for a name that no conversation of the user, or no one, has.
    """
    mine = _conversations_of(user)
    conversations = list(mine)
    if query.conversations:
        conversations = _named_conversations(user, mine, query.conversations)
    authors: list[int] | None = None
    if query.authors:
        authors = _named_people(user, query.authors)
    since = None if query.after is None else _midnight(user, query.after + timedelta(days=1))
    until = None if query.before is None else _midnight(user, query.before)
    entries = sum(mine[pk].last_seq for pk in conversations)
    return Scope(conversations, entries, bool(query.conversations), authors, since, until)


def titles(user: User, conversation_ids: Iterable[int]) -> dict[int, str]:
    """Return id -> title of conversations, as this member sees it. At most two queries."""
    wanted = set(conversation_ids)
    fields = ("pk", "name", "direct_key", "last_seq")
    rows = Conversation.objects.filter(pk__in=wanted).values_list(*fields)
    return _titles(user, {pk: _Row(*row) for pk, *row in rows})


class _Row(NamedTuple):
    """Of a conversation."""

    name: str
    direct_key: str | None
    last_seq: int


_Rows = dict[int, _Row]  # by id


def _conversations_of(user: User) -> _Rows:
    return {pk: _Row(*row) for pk, *row in fetch_rows(_CONVERSATIONS, [user.pk, user.pk])}


# Without direct messages that are not yet in the sidebar: someone has opened them, but not written.
_CONVERSATIONS = f"""SELECT c.id, c.name, c.direct_key, c.last_seq FROM conversations_membership m
    JOIN conversations_conversation c ON c.id = m.conversation_id
    WHERE m.user_id = %s AND c.deleted_at IS NULL
    AND {queries.SPOKEN_IN}"""  # noqa: S608 - our own condition


def _titles(user: User, rows: _Rows) -> dict[int, str]:
    keys = {pk: row.direct_key for pk, row in rows.items() if row.direct_key}
    other = {pk: queries.other_of(key, user.pk) for pk, key in keys.items()}
    names: dict[int, str] = {}
    if other:
        people = f"SELECT id, name FROM accounts_user WHERE id {in_ids()}"  # noqa: S608
        names = dict(fetch_rows(people, [list_ids(set(other.values()))]))
    return {pk: names.get(other[pk], "") if pk in other else row.name for pk, row in rows.items()}


def _named_conversations(user: User, mine: _Rows, names: Iterable[str]) -> list[int]:
    by_name: dict[str, list[int]] = {}
    for pk, title in _titles(user, mine).items():
        by_name.setdefault(fold(title), []).append(pk)
    found: list[int] = []
    for name in names:
        number = name.removeprefix("#")
        ids = by_name.get(fold(name)) or by_name.get(fold(number)) or []
        if not ids and number.isascii() and number.isdigit():
            ids = [pk for pk in mine if str(pk) == number]
        if not ids:
            sentence = _("None of your conversations is called “{name}”.")
            raise _invalid(format_lazy(sentence, name=name[:_ECHO_MAX]))
        found += ids
    return list(dict.fromkeys(found))


def _named_people(user: User, names: Sequence[str]) -> list[int]:
    folded = [fold(name) for name in names]
    people = _people_beginning_with({each[0] for each in folded if each and each != "me"})
    found: list[int] = []
    for name, wanted in zip(names, folded, strict=True):
        if wanted == "me":
            found.append(user.pk)
            continue
        whole = [pk for pk, full in people if full == wanted]
        ids = whole or [pk for pk, full in people if full.partition(" ")[0] == wanted]
        if not ids:
            sentence = _("No one here is called “{name}”.")
            raise _invalid(format_lazy(sentence, name=name[:_ECHO_MAX]))
        found += ids
    return list(dict.fromkeys(found))


def _people_beginning_with(letters: Collection[str]) -> list[tuple[int, str]]:
    """Return (id, folded name) of everyone whose name, when folded, begins with one of these letters."""
    if not letters:
        return []
    written = {*letters, *chain.from_iterable(_unfolded().get(each, ()) for each in letters)}
    people = User.objects.annotate(first=Substr("name", 1, 1)).filter(first__in=written)
    return [(pk, fold(name)) for pk, name in people.values_list("pk", "name")]


@cache
def _unfolded() -> dict[str, list[str]]:
    """Return the characters that folding changes, by the first character of their fold."""
    found: dict[str, list[str]] = {}
    for character in map(chr, range(_SPACED_LETTERS)):
        folded = fold(character)
        if folded and folded != character:
            found.setdefault(folded[0], []).append(character)
    return found


def _midnight(user: User, day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=user.zone or timezone.get_default_timezone())


def _invalid(detail: Sentence) -> ChatError:
    return ChatError("invalid", detail, fields={"q": [detail]})
