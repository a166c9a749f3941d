"""Suggestions for misspelt names."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_LONGEST = 100  # comparing takes time, and no name of ours is longer


def nearest_name(given: str, known: Iterable[str]) -> str | None:
    """Return the known name that was probably meant, or None if none is similar.

    Case and underscores don't matter, and an abbreviation is similar: "replyTo" is near "reply_to", and
    "query" is near "q".
    """
    if len(given) > _LONGEST:
        return None
    folded = {_fold(name): name for name in known}
    asked = _fold(given)
    matches = get_close_matches(asked, folded, n=1, cutoff=0.6)
    matches += sorted(
        (name for name in folded if asked and (asked.startswith(name) or name.startswith(asked))),
        key=len,
        reverse=True,
    )
    return folded[matches[0]] if matches else None


def _fold(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")
