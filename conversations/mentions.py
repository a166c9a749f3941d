"""Finds the members that a message mentions.

A mention is an "@" at the beginning of a word, followed by a member's full name or its first word. Case
is ignored, and the longest matching name wins. If several members have that name, all of them are
mentioned. There are no mentions in code, quotations and addresses.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from itertools import islice

from conversations import limits

# Not within addresses such as bob@example.org and https://example.org/@bob. The pattern starts with the
# literal "@", because that makes the search fast.
_AT = re.compile(r"@(?<![\w@/.+-]@)(?=\S)")
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


def find_calls(words: str) -> list[str]:
    """Return the folded text after each "@" in the words of a message (see markdown.Parts), up to the longest
    possible name or the end of the line."""
    if "@" not in words:
        return []
    text = fold(words)
    found = (each for each in _AT.finditer(text) if not _follows_mark(text, each.start()))
    starts = [each.end() for each in islice(found, limits.MENTIONS_MAX)]
    # Twice the length, because folding can make a name longer ("ß" becomes "ss").
    return [text[at : at + 2 * limits.MENTION_REACH].partition("\n")[0] for at in starts]


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

    def find(self, calls: Iterable[str]) -> list[int]:
        """Return the ids of mentioned members in order, for the texts that find_calls() returned."""
        found = [pk for call in calls for pk in self._longest_match(call)]
        return list(dict.fromkeys(found))[: limits.MENTIONS_MAX]

    def _longest_match(self, call: str) -> list[int]:
        """Return the ids of all members with the longest name that the text begins with."""
        for end in self._lengths:
            ids = self._ids.get(call[:end]) if end <= len(call) else None
            if ids and (end == len(call) or not _continues_word(call[end])):
                return ids
        return []


def _follows_mark(text: str, at: int) -> bool:
    """Whether a vowel sign or mark comes before this position: a part of a letter, as in the fold of "İ"."""
    before = text[at - 1] if at else ""
    is_mark = bool(before) and unicodedata.category(before) in ("Mc", "Mn")
    return is_mark and not _VARIATION_SELECTORS.match(before)


def _continues_word(character: str) -> bool:
    """Whether a word continues with this character. True for letters, digits, vowel signs and marks."""
    if character.isalnum():
        return True
    is_mark = unicodedata.category(character).startswith("M")
    return is_mark and not _VARIATION_SELECTORS.match(character)
