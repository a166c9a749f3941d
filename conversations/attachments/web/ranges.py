"""The headers Range and If-Range (RFC 9110, section 14)."""

from __future__ import annotations

import re
from typing import NamedTuple

from django.http import HttpRequest

_RANGE = re.compile(r"bytes=\s*([0-9]{0,18})-([0-9]{0,18})\s*", re.ASCII)


class Range(NamedTuple):
    start: int
    length: int


class UnsatisfiableError(Exception):
    """The range is beyond the end."""


def requested_range(request: HttpRequest, size: int, tag: str) -> Range | None:
    """Return the range to send, None for the whole file.

    What isn't one range of bytes is ignored, as the RFC allows: several ranges would need a response of
    several parts, and no player or browser asks for that. Raises UnsatisfiableError.
    """
    header = request.headers.get("Range", "")
    found = _RANGE.fullmatch(header)
    if found is None or request.headers.get("If-Range", tag) != tag or not (found[1] or found[2]):
        return None
    if not found[1]:
        length = min(int(found[2]), size)
        if not length:
            raise UnsatisfiableError
        return Range(size - length, length)
    start = int(found[1])
    end = min(int(found[2]), size - 1) if found[2] else size - 1
    if found[2] and int(found[2]) < start:
        return None  # not a range
    if start >= size:
        raise UnsatisfiableError
    return Range(start, end - start + 1)
