"""Compares a text with a query, and cuts out the part to show. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

import msgspec

from conversations.search.grams import fold, fold_with_origins, is_short, short_term

EXCERPT_MAX = 280  # code points around the first hit
_BEFORE = 80  # of them before it, at most
_HITS_MAX = 50  # marked in one excerpt


class ExcerptPart(msgspec.Struct, frozen=True):
    """A piece of an excerpt."""

    text: str
    hit: Annotated[bool, msgspec.Meta(description="It is what was searched for.")]


class Matcher:
    """Finds messages that have all of some folded terms. `anywhere`: also short ones within words, as in
    names."""

    def __init__(self, terms: Sequence[str], *, anywhere: bool = False) -> None:
        short = [] if anywhere else [each for each in terms if is_short(each)]
        # The longest first: it fails soonest.
        self._long = sorted((each for each in terms if each not in short), key=len, reverse=True)
        self._short = [short_term(each) for each in short]
        patterns = [*map(re.escape, self._long), *[each.pattern for each in self._short]]
        self._any = re.compile("|".join(patterns)) if patterns else None

    def matches(self, text: str) -> bool:
        folded = fold(text)
        return all(term in folded for term in self._long) and all(
            term.search(folded) for term in self._short
        )

    def excerpt(self, text: str) -> list[ExcerptPart]:
        """Return the part of a text around the first hit, in one line, with all hits in it. Without terms,
        its beginning."""
        hits = self._hits(text)
        start = _start(text, hits[0][0]) if hits else 0
        end = _end(text, start)
        parts: list[ExcerptPart] = []
        _add(parts, "…" if start else "", hit=False)
        at = start
        for first, last in hits:
            if first >= end:
                break
            _add(parts, text[at:first], hit=False)
            _add(parts, text[first : min(last, end)], hit=True)
            at = last
        _add(parts, text[at:end], hit=False)
        _add(parts, "…" if end < len(text) else "", hit=False)
        return parts

    def _hits(self, text: str) -> list[tuple[int, int]]:
        """Return where hits begin and end, in order, without overlaps."""
        if self._any is None:
            return []
        folded, origins = fold_with_origins(text)
        hits: list[tuple[int, int]] = []
        for found in self._any.finditer(folded):
            start, end = origins[found.start()], _origin_of_end(origins, found.end())
            if hits and start < hits[-1][1]:
                start = hits.pop()[0]
            hits.append((start, end))
            if len(hits) == _HITS_MAX:
                break
        return hits


def _origin_of_end(origins: Sequence[int], end: int) -> int:
    """Return where a hit ends in the text. One that ends within a letter, as "1" in "¼", has all of it."""
    last = origins[end - 1]
    return next((each for each in origins[end:] if each > last), origins[-1])


def _start(text: str, hit: int) -> int:
    """Return where an excerpt begins: at a word, some characters before the hit."""
    if hit <= _BEFORE:
        return 0
    space = re.compile(r"\s").search(text, hit - _BEFORE, hit)
    return space.end() if space else hit - _BEFORE


def _end(text: str, start: int) -> int:
    end = start + EXCERPT_MAX
    if end >= len(text):
        return len(text)
    spaces = [found.start() for found in re.compile(r"\s").finditer(text, end - _BEFORE, end)]
    return spaces[-1] if spaces else end


def _add(parts: list[ExcerptPart], text: str, *, hit: bool) -> None:
    line = re.sub(r"\s+", " ", text)
    if not line:
        return
    if parts and parts[-1].hit == hit:
        parts[-1] = ExcerptPart(parts[-1].text + line, hit)
    else:
        parts.append(ExcerptPart(line, hit))
