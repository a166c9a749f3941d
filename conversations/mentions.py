"""Who is meant: "@" and a name in what was written.

A mention is an "@" that begins a word, followed by the whole name of a member, or by the first word of
it; case does not matter, and the longest name that fits is the one that is meant. Whoever bears
that name is: of two people called Sam, "@Sam" calls both, since nothing there says which. Words in
code and quotations call nobody.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from itertools import islice

from conversations import limits

_SILENT = re.compile(r"<pre>.*?</pre>|<code>.*?</code>|<blockquote>.*</blockquote>", re.DOTALL)
_INLINE = re.compile(r"</?(?:strong|em|s|a)\b[^>]*>")
_TAG = re.compile(r"<[^>]*>")
# Not inside an address: neither bob@example.org nor https://example.org/@bob.
# The pattern starts with the sign itself, because that makes the search fast.
_AT = re.compile(r"@(?<![\w@/.+-]@)(?=\S)")
_VARIATION_SELECTORS = re.compile("[\ufe00-\ufe0f]")

_BLOCK = 64  # code points
_LETTERS_WITH_CASE = 0x20000  # all lie below


def fold(text: str) -> str:
    """Return `text` without its case, for comparing names: "Straße" and "STRASSE" are the same.

    As lib/match.js does it. Normalised, because folding takes some letters apart ("ǰ").
    """
    return unicodedata.normalize("NFC", text.casefold())


def first_letters(folded: str) -> set[str]:
    """Return every character that a name may begin with if its fold begins with this character.

    For "i" these are "i", "I" and "İ", whose fold is an "i" and a dot.
    """
    # A letter may also be stored as a shorter one and its marks: there is a "ǰ" but no capital of it.
    parts = unicodedata.normalize("NFD", folded)
    found = {unicodedata.normalize("NFC", parts[:end]) for end in range(1, len(parts) + 1)}
    single = {part for part in found if len(part) == 1}
    return single.union(*(_unfolded().get(part, ()) for part in single))


@cache
def _unfolded() -> dict[str, list[str]]:
    """The characters that folding changes, by the first one of their fold."""
    found: dict[str, list[str]] = {}
    for start in range(0, _LETTERS_WITH_CASE, _BLOCK):
        block = "".join(map(chr, range(start, start + _BLOCK)))
        if block.casefold() == block:
            continue  # as nearly all
        for character in block:
            if character.casefold() != character:
                found.setdefault(fold(character)[0], []).append(character)
    return found


def find_calls(rendered: str) -> list[str]:
    """Return what follows each "@" of a message's HTML, as far as a name could reach, folded."""
    if "@" not in rendered:
        return []
    shown = _TAG.sub("\n", _INLINE.sub("", _SILENT.sub("\n", rendered)))
    text = fold(html.unescape(shown))
    starts = islice((found.end() for found in _AT.finditer(text)), limits.MENTIONS_MAX)
    # Folding may make a name longer ("ß" is "ss"), hence twice the room.
    return [text[at : at + 2 * limits.MENTION_REACH].partition("\n")[0] for at in starts]


class MemberNames:
    """The names of a conversation's members, to look up who a message mentions."""

    def __init__(self, people: Iterable[tuple[int, str]]) -> None:
        """`people`: (id, name) of each."""
        whole: dict[str, list[int]] = {}
        first: dict[str, list[int]] = {}
        for pk, name in people:
            folded = fold(name)
            whole.setdefault(folded, []).append(pk)
            first.setdefault(folded.partition(" ")[0], []).append(pk)
        # Somebody called just that comes before who begins with it.
        self._ids = {**first, **whole}
        self._lengths = sorted({len(name) for name in self._ids} - {0}, reverse=True)

    def find(self, calls: Iterable[str]) -> list[int]:
        """Return the ids of the members that called() found text for, in the order of the text."""
        found = [pk for call in calls for pk in self._longest_match(call)]
        return list(dict.fromkeys(found))[: limits.MENTIONS_MAX]

    def _longest_match(self, call: str) -> list[int]:
        """Return the ids of everyone with the longest name that the text begins with."""
        for end in self._lengths:
            ids = self._ids.get(call[:end]) if end <= len(call) else None
            if ids and (end == len(call) or not _continues_word(call[end])):
                return ids
        return []


def _continues_word(character: str) -> bool:
    """Whether a letter before it does not end its word: also for vowel signs and other marks."""
    if character.isalnum():
        return True
    is_mark = unicodedata.category(character).startswith("M")
    return is_mark and not _VARIATION_SELECTORS.match(character)
