"""Finds the members that a message mentions.

A mention is an "@" at the beginning of a word, followed by a member's full name or its first word. Case
is ignored, and the longest matching name wins. If several members have that name, all of them are
mentioned. There are no mentions in code, quotations and addresses.

"@all" mentions everyone in a group, if its author may do that (permissions.py). Only a longer name takes
precedence.

Chinese, Japanese and Korean put no space between a name and the word before or after it, so there a name can
begin and end anywhere.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache
from html import unescape
from itertools import islice
from typing import NamedTuple

from chatty.common.text import CJK, NAME_OF_EVERYONE
from conversations import limits
from conversations.markdown.source import CALL

# Among the ids of the people whom a message mentions: everyone in the group. No account has this id. Stored
# there, and not in a column of its own, so that processes of earlier versions, which don't know it, remove it
# when a message is edited or deleted.
EVERYONE = 0

_IS_CJK = re.compile(f"[{CJK}]")
# Not within addresses such as bob@example.org and https://example.org/@bob, nor after a backslash. The
# pattern starts with the "@", because that makes the search fast.
_AT = re.compile(rf"[@＠](?<!(?![{CJK}])[\w@＠/+\\-][@＠])(?=\S)")
_ANY_AT = re.compile("[@＠]")
# What joins a name with the next letter to another name or an address: Ada-Marie, ada@example.org.
_JOINED = re.compile(r"[-_@＠][^\W_]")
_ENTITY_OR_LETTER = re.compile(r"&\w+;|[^<]", re.DOTALL)
_VARIATION_SELECTORS = re.compile("[\ufe00-\ufe0f]")

_BLOCK = 64  # code points
_LETTERS_WITH_CASE = 0x20000  # no code point from here on has case


def fold(text: str) -> str:
    """Return case-folded text for comparing names: "Straße" and "STRASSE" are equal.

    Must match lib/match.js. Normalised, because folding decomposes some letters ("ǰ").
    """
    return unicodedata.normalize("NFC", text.casefold())


def first_letters(folded: str) -> set[str]:
    """Return all first characters of names whose fold begins with this character.

    For "i" these are "i", "I" and "İ", which folds to an "i" and a dot.
    """
    # A letter can also be stored as a base letter with marks: there is no single capital of "ǰ".
    parts = unicodedata.normalize("NFD", folded)
    found = {unicodedata.normalize("NFC", parts[:end]) for end in range(1, len(parts) + 1)}
    single = {part for part in found if len(part) == 1}
    return single.union(*(_unfolded().get(part, ()) for part in single))


@cache
def _unfolded() -> dict[str, list[str]]:
    """Return the characters that folding changes, by the first character of their fold."""
    found: dict[str, list[str]] = {}
    for start in range(0, _LETTERS_WITH_CASE, _BLOCK):
        block = "".join(map(chr, range(start, start + _BLOCK)))
        if block.casefold() == block:
            continue  # true of nearly all blocks
        for character in block:
            if character.casefold() != character:
                found.setdefault(fold(character)[0], []).append(character)
    return found


class Named(NamedTuple):
    """A name in a message: folded, and the ids of the members who have it."""

    name: str
    ids: list[int]


class Mentioned(NamedTuple):
    """Who is mentioned. `names`: for each of the calls, the name that it begins with, or None."""

    ids: list[int]
    names: list[Named | None]


def find_calls(words: str) -> list[str]:
    """Return the folded text after each "@" in the words of a message (see markdown.Parts), up to the longest
    possible name or the end of the line."""
    if not words:
        return []
    text = fold(words)
    # Twice the length, because folding can make a name longer ("ß" becomes "ss").
    return [text[at : at + 2 * limits.MENTION_REACH].partition("\n")[0] for at in _starts(text)]


def with_chips(html: str, marked: str, words: str, names: Sequence[Named | None]) -> str:
    """Return HTML in which the names of mentioned members are elements: `<span class="mention">`.

    For `html`, `marked` and `words`, see markdown.Parts. `names`: those of find_calls(words).
    """
    marked = marked or _ANY_AT.sub(rf"{CALL}\g<0>", html)
    folded = fold(words)
    number_of = {found.end(): number for number, found in enumerate(_ANY_AT.finditer(folded))}
    starts = zip(_starts(folded), names, strict=True)
    found = {number_of[start]: named for start, named in starts if named}
    before, *parts = marked.split(CALL)
    chips = [_chip(part, found.get(number)) for number, part in enumerate(parts)]
    return before + "".join(chips)


def _chip(part: str, named: Named | None) -> str:
    """`part`: HTML that begins with an "@". Unchanged if its name is not plain text."""
    if named is None:
        return part
    end = 1
    while found := _ENTITY_OR_LETTER.match(part, end):
        end = found.end()
        shown = fold(unescape(part[1:end]))
        if shown == named.name:
            people = " ".join(map(str, named.ids))
            return f'<span class="mention" data-people="{people}">{part[:end]}</span>{part[end:]}'
        if len(shown) > len(named.name):
            break
    return part


def _starts(folded: str) -> list[int]:
    """Return the position after each "@" that may begin a mention."""
    found = (each for each in _AT.finditer(folded) if not _follows_mark(folded, each.start()))
    return [each.end() for each in islice(found, limits.MENTIONS_MAX)]


def is_mentioned(user_id: int, ids: Sequence[int] | None, author_id: int | None) -> bool:
    """Whether a message with these `mentions` mentions a member. Its author is not among everyone."""
    if not ids:
        return False
    return user_id in ids or (EVERYONE in ids and user_id != author_id)


def calls_everyone(calls: Sequence[str]) -> bool:
    """Whether there may be an "@all" among the texts that find_calls() returned: see with_everyone()."""
    return bool(calls) and any(_is_all(call) for call in calls)


def with_everyone(calls: Sequence[str], found: Mentioned | None) -> Mentioned | None:
    """Return who is mentioned if the author may mention everyone. `found`: by MemberNames, for `calls`."""
    names: list[Named | None] = list(found.names) if found else [None] * len(calls)
    everyone = Named(NAME_OF_EVERYONE, [EVERYONE])
    for number, call in enumerate(calls):
        named = names[number]
        if _is_all(call) and (named is None or len(named.name) <= len(NAME_OF_EVERYONE)):
            names[number] = everyone
    return _mentioned(names) if everyone in names else found


def _is_all(call: str) -> bool:
    return call.startswith(NAME_OF_EVERYONE) and not _continues_word(call, len(NAME_OF_EVERYONE))


def _mentioned(names: list[Named | None]) -> Mentioned | None:
    ids = dict.fromkeys(pk for named in names if named for pk in named.ids)
    if EVERYONE in ids:
        ids = {EVERYONE: None, **ids}  # first, so that the limit never cuts it off
    return Mentioned(list(ids)[: limits.MENTIONS_MAX], names) if ids else None


class MemberNames:
    """Looks up the members of a conversation by name."""

    def __init__(self, people: Iterable[tuple[int, str]]) -> None:
        """`people`: (id, name) of each member."""
        whole: dict[str, list[int]] = {}
        first: dict[str, list[int]] = {}
        for pk, name in people:
            folded = fold(name)
            whole.setdefault(folded, []).append(pk)
            first.setdefault(folded.partition(" ")[0], []).append(pk)
        # A full name takes precedence over an equal first word of another name.
        self._ids = {**first, **whole}
        self._lengths = sorted({len(name) for name in self._ids} - {0}, reverse=True)

    def find(self, calls: Iterable[str]) -> Mentioned | None:
        """Return the mentioned members in order, for the texts that find_calls() returned; None if there are
        none."""
        return _mentioned([self._longest_match(call) for call in calls])

    def _longest_match(self, call: str) -> Named | None:
        """Return the longest name that the text begins with."""
        for end in self._lengths:
            ids = self._ids.get(call[:end]) if end <= len(call) else None
            if ids and not _continues_word(call, end):
                return Named(call[:end], ids)
        return None


def _follows_mark(text: str, at: int) -> bool:
    """Whether a vowel sign or mark comes before this position: a part of a letter, as in the fold of "İ"."""
    before = text[at - 1] if at else ""
    is_mark = bool(before) and unicodedata.category(before) in ("Mc", "Mn")
    return is_mark and not _VARIATION_SELECTORS.match(before)


def _continues_word(text: str, end: int) -> bool:
    """Whether a name in this text continues after `end`: with a letter, digit, vowel sign or mark, or as in
    "Ada-Marie"."""
    after = text[end : end + 1]
    if not after or _IS_CJK.match(after):
        return False
    if after.isalnum() or _JOINED.match(text, end):
        return True
    is_mark = unicodedata.category(after).startswith("M")
    return is_mark and not _VARIATION_SELECTORS.match(after)
