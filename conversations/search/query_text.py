"""Parses what people type into the search field. Pure.

    words "a phrase" from:name in:"name of a conversation" before:2026-11-30 after:2026-11-01 mentions:me
    has:image

Every word and phrase must be in a message. Only the names of these filters are special: "https://…" and
"12:30" are words. A quotation mark within a word is a part of it, as in code: print("hello").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from datetime import date

import msgspec
from django.utils.translation import gettext_lazy as _

from chatty.common.errors import ChatError, Sentence
from chatty.common.text import storable_text, too_long
from conversations.search.grams import fold
from conversations.wire import KINDS

TEXT_MAX = 300  # code points of a query
TERMS_MAX = 20  # words and phrases; each of them costs time

_FIRST_YEAR, _LAST_YEAR = 1900, 9998  # of days: the next one can be calculated in every time zone

QUOTES = '"“”„‟«»'
_PART = re.compile(
    rf"(?:(?P<filter>from|in|before|after|mentions|has):(?:[@#](?=[{QUOTES}]))?)?"
    rf"(?:[{QUOTES}](?P<phrase>[^{QUOTES}]*)(?:[{QUOTES}]|\Z)|(?P<word>[^\s{QUOTES}]\S*)"
    rf"|(?(filter)(?=\s|\Z)|(?!)))",  # or nothing, but only after a filter
    re.IGNORECASE,
)


def filters_in(text: str) -> list[tuple[str, str]]:
    """Return the filters of a query as they were typed: (name, value)."""
    return [(name, value) for name, value, _text in _parts_of(text) if name and value]


def toggled(
    text: str, name: str, value: str, *, instead_of: Collection[str] = ()
) -> tuple[bool, str]:
    """Return whether a query has a filter, and the query without or with it. `instead_of`: filters that go
    when it is added."""
    parts = _parts_of(text)
    wanted = (name, fold(value))
    others = [each for each in parts if (each[0], fold(each[1])) != wanted]
    if len(others) < len(parts):
        return True, " ".join(each for _name, _value, each in others)
    kept = text
    if any(each[0] in instead_of for each in parts):
        kept = " ".join(each for other, _value, each in parts if other not in instead_of)
    return False, f"{kept} {_written(name, value)}".strip()


def _parts_of(text: str) -> list[tuple[str, str, str]]:
    """Return the name, the value and the text of each part of a query. A word or phrase has no name."""
    parts = []
    for part in _PART.finditer(text):
        name, value = (part["filter"] or "").lower(), part["word"] or part["phrase"] or ""
        if name in _SIGNS:
            value = value.strip().removeprefix(_SIGNS[name])
        parts.append((name, value, part[0]))
    return parts


_SIGNS = {"from": "@", "in": "#"}  # that names can begin with


def _written(name: str, value: str) -> str:
    # A name can have spaces.
    is_name = name in _SIGNS and not _IS_PLAIN.fullmatch(value)
    return f'{name}:"{value}"' if is_name else f"{name}:{value}"


_IS_PLAIN = re.compile("me|[0-9]+")


class ParsedQuery(msgspec.Struct, frozen=True):
    """`terms`: folded words and phrases. `authors` and `conversations`: names as typed, or "me" and
    numbers; one of each must match. `before` and `after`: neither includes the day itself. `has`: kinds of
    files, all of which it must have."""

    terms: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    conversations: tuple[str, ...] = ()
    before: date | None = None
    after: date | None = None
    mentions_me: bool = False
    has: tuple[str, ...] = ()


def parse(text: str) -> ParsedQuery:
    """Raises ChatError with `fields` (q): empty, too_long, bad_text, invalid."""
    text = storable_text(text, field="q", max_length=TEXT_MAX)
    if len(text) > TEXT_MAX:
        raise _error("too_long", too_long(len(text), TEXT_MAX))
    found = _Found()
    for part in _PART.finditer(text):
        value = part["word"] or part["phrase"] or ""
        term = fold(value)
        if not part["filter"]:
            found.terms += [term] if term else []
        elif term:
            _FILTERS[part["filter"].lower()](found, value.strip())
        else:
            raise _error(
                "invalid", _("Write something after the colon of each filter, without a space.")
            )
    if len(found.terms) > TERMS_MAX:
        raise _error(
            "too_long", _("That’s too many words. Put them in quotation marks to find a phrase.")
        )
    query = ParsedQuery(
        tuple(dict.fromkeys(found.terms)),
        tuple(dict.fromkeys(found.authors)),
        tuple(dict.fromkeys(found.conversations)),
        min(found.before, default=None),
        max(found.after, default=None),
        found.mentions_me,
        tuple(dict.fromkeys(found.has)),
    )
    if query == ParsedQuery():
        raise _error("empty", _("Write what you’re looking for."))
    return query


class _Found:
    def __init__(self) -> None:
        self.terms: list[str] = []
        self.authors: list[str] = []
        self.conversations: list[str] = []
        self.before: list[date] = []
        self.after: list[date] = []
        self.mentions_me = False
        self.has: list[str] = []


def _add_author(found: _Found, value: str) -> None:
    found.authors.append(value.removeprefix("@"))


def _add_conversation(found: _Found, value: str) -> None:
    found.conversations.append(value)


def _add_before(found: _Found, value: str) -> None:
    found.before.append(_day(value))


def _add_after(found: _Found, value: str) -> None:
    found.after.append(_day(value))


def _add_mention(found: _Found, value: str) -> None:
    if value.casefold().removeprefix("@") != "me":
        raise _error("invalid", _("The filter mentions: only finds mentions of you: mentions:me"))
    found.mentions_me = True


def _add_has(found: _Found, value: str) -> None:
    kind = value.casefold()
    if kind not in KINDS:
        raise _error(
            "invalid", _("The filter has: can be: has:file has:image has:audio has:video has:text")
        )
    found.has.append(kind)


_FILTERS: dict[str, Callable[[_Found, str], None]] = {
    "from": _add_author,
    "in": _add_conversation,
    "before": _add_before,
    "after": _add_after,
    "mentions": _add_mention,
    "has": _add_has,
}


def _day(value: str) -> date:
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
            day = date.fromisoformat(value)
            if _FIRST_YEAR <= day.year <= _LAST_YEAR:
                return day
    except ValueError:
        pass
    raise _error("invalid", _("Write dates as year, month and day: 2026-11-30"))


def _error(code: str, detail: Sentence) -> ChatError:
    return ChatError(code, detail, fields={"q": [detail]})
