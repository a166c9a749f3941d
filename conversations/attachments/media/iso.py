"""Boxes of ISO media files: MP4, QuickTime, AVIF, HEIC. Each begins with its size and its name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

_BOXES_MAX = 50_000  # a video for streaming has two for each second or so
HEAD = 16  # bytes that say what a box is
SKIPPED = b"free"  # the name of a box, or the type of an item, that every program skips
_ZEROS = 256 * 1024


@dataclass(frozen=True, slots=True)
class Box:
    name: bytes
    start: int
    body: int  # where its content begins
    end: int


def box_at(head: bytes, at: int, limit: int) -> Box | None:
    """Return the box whose first bytes are `head`, None if it isn't one or ends after `limit`."""
    size, name, body = int.from_bytes(head[:4], "big"), head[4:8], at + 8
    if size == 1:
        size, body = int.from_bytes(head[8:HEAD], "big"), at + HEAD
    elif size == 0:
        size = limit - at
    if size < body - at or at + size > limit:
        return None
    return Box(name, at, body, at + size)


class Boxes:
    """Reads the boxes of a file, which has an end even if the file is made of very many."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self._left = _BOXES_MAX

    def between(self, start: int, end: int) -> Iterator[Box]:
        """Find the boxes of a part of the file, up to something that isn't one."""
        while start + 8 <= end and self._left:
            self._left -= 1
            self._source.seek(start)
            box = box_at(self._source.read(HEAD), start, end)
            if box is None:
                return
            yield box
            start = box.end


def blank(file: IO[bytes], start: int, end: int) -> None:
    """Make a part of a file zeros. What is that already isn't written."""
    for at in range(start, end, _ZEROS):
        file.seek(at)
        piece = file.read(min(_ZEROS, end - at))
        if piece.count(0) < len(piece):
            file.seek(at)
            file.write(bytes(len(piece)))
