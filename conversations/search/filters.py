"""Finds the people and conversations that a query names."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime, time, timedelta
from functools import cache
from itertools import chain

import msgspec
from django.db.models.functions import Substr
from django.utils import timezone
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from chatty.common.errors import ChatError, Sentence
from chatty.common.numbers import NUMBER_MAX
from conversations.search.grams import fold
from conversations.search.mine import Mine
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


def resolve(user: User, query: ParsedQuery, mine: Mine | None = None) -> Scope:
    """Return where to search. Days are days in the user's time zone. At most five queries, whatever the
    number of names, and one less with `mine`.

    Raises ChatError("invalid", fields q) for a name that no conversation of the user, or no one, has.
    """
    mine = mine or Mine(user)
    conversations = list(mine.rows)
    if query.conversations:
        conversations = _named_conversations(mine, query.conversations)
    authors: list[int] | None = None
    if query.authors:
        authors = _named_people(user, query.authors)
    since = None if query.after is None else _midnight(user, query.after + timedelta(days=1))
    until = None if query.before is None else _midnight(user, query.before)
    entries = sum(mine.rows[pk].last_seq for pk in conversations)
    return Scope(conversations, entries, bool(query.conversations), authors, since, until)


def _named_conversations(mine: Mine, names: Iterable[str]) -> list[int]:
    by_name: dict[str, list[int]] = {}
    for pk, title in mine.titles.items():
        by_name.setdefault(fold(title), []).append(pk)
    found: list[int] = []
    for name in names:
        number = name.removeprefix("#")
        ids = by_name.get(fold(name)) or by_name.get(fold(number)) or []
        if not ids and number.isascii() and number.isdigit():
            ids = [pk for pk in mine.rows if str(pk) == number]
        if not ids:
            sentence = _("None of your conversations is called “{name}”.")
            raise _invalid(format_lazy(sentence, name=name[:_ECHO_MAX]))
        found += ids
    return list(dict.fromkeys(found))


def _named_people(user: User, names: Sequence[str]) -> list[int]:
    folded = [fold(name) for name in names]
    looked_up = [each for each in zip(names, folded, strict=True) if each[1] not in ("", "me")]
    people = _people_beginning_with({text[0] for each in looked_up for text in each})
    numbered = _people_with_numbers(folded)
    found: list[int] = []
    for name, wanted in zip(names, folded, strict=True):
        if wanted == "me":
            found.append(user.pk)
            continue
        whole = [pk for pk, full in people if full == wanted]
        ids = whole or [pk for pk, full in people if full.partition(" ")[0] == wanted]
        ids = ids or [pk for pk in numbered if str(pk) == wanted]
        if not ids:
            sentence = _("No one here is called “{name}”.")
            raise _invalid(format_lazy(sentence, name=name[:_ECHO_MAX]))
        found += ids
    return list(dict.fromkeys(found))


def _people_with_numbers(names: Iterable[str]) -> list[int]:
    """Return those of the names that are ids of people."""
    wanted = {int(each) for each in names if each.isascii() and each.isdigit()}
    ids = [each for each in wanted if each <= NUMBER_MAX]
    return list(User.objects.filter(pk__in=ids).values_list("pk", flat=True)) if ids else []


def _people_beginning_with(letters: Collection[str]) -> list[tuple[int, str]]:
    """Return (id, folded name) of everyone whose name begins with one of these letters, or with one that
    folds to it. Of the latter only those up to _SPACED_LETTERS."""
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
