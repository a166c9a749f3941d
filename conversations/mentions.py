"""Who is meant: "@" and a name in what was written.

A mention is an "@" that begins a word, followed by the whole name of a member, or by the first word of
it; capitals do not matter, and the longest name that fits is the one that is meant. Whoever bears
that name is: of two people called Sam, "@Sam" calls both, since nothing there says which. Words in
code and quotations call nobody.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from itertools import islice

from conversations import limits

_SILENT = re.compile(r"<pre>.*?</pre>|<code>.*?</code>|<blockquote>.*</blockquote>", re.DOTALL)
_INLINE = re.compile(r"</?(?:strong|em|s|a)\b[^>]*>")
_TAG = re.compile(r"<[^>]*>")
# Not inside an address: neither bob@example.org nor https://example.org/@bob.
_AT = re.compile(r"(?<![\w@/.+-])@(?=\S)")


def called(rendered: str) -> list[str]:
    """Return what follows each "@" of a message's HTML, as far as a name could reach, folded."""
    if "@" not in rendered:
        return []
    shown = _TAG.sub("\n", _INLINE.sub("", _SILENT.sub("\n", rendered)))
    text = html.unescape(shown).casefold()
    starts = islice((found.end() for found in _AT.finditer(text)), limits.MENTIONS_MAX)
    # Folding may make a name longer ("ß" is "ss"), hence twice the room.
    return [text[at : at + 2 * limits.MENTION_REACH].partition("\n")[0] for at in starts]


def meant(calls: Iterable[str], people: Iterable[tuple[int, str]]) -> list[int]:
    """Return the ids of those among `people` (id, name) who are called, in the order of the calls."""
    whole: dict[str, list[int]] = {}
    first: dict[str, list[int]] = {}
    for pk, name in people:
        folded = name.casefold()
        whole.setdefault(folded, []).append(pk)
        first.setdefault(folded.partition(" ")[0], []).append(pk)
    names = {**first, **whole}  # somebody called just that comes before who begins with it
    found = [pk for call in calls for pk in names.get(_longest(call, names), ())]
    return list(dict.fromkeys(found))[: limits.MENTIONS_MAX]


def _longest(call: str, names: dict[str, list[int]]) -> str:
    for end in range(len(call), 0, -1):
        if (end == len(call) or not call[end].isalnum()) and call[:end] in names:
            return call[:end]
    return ""
