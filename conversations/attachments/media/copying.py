"""What all copiers of picture files use: reading and writing, limits, and what they find out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from conversations.attachments.media.orientation import UPRIGHT

COPIED = 256 * 1024
# Each part takes a few microseconds. Most programs write parts of 8 KB or more.
PARTS_MAX = 200_000


class BrokenError(Exception):
    """The file isn't a whole picture."""


@dataclass
class Cleaned:
    """`frames`: of an animation. `changed`: something was left out. `width` and `height`: as the pixels are
    stored, before they are turned by `orientation`."""

    frames: int = 1
    changed: bool = False
    width: int = 0
    height: int = 0
    orientation: int = UPRIGHT

    def reach(self, width: int, height: int) -> None:
        """Note a size. Parts of a file can have different ones: the largest is what decoding could take."""
        self.width, self.height = max(self.width, width), max(self.height, height)


class Copy:
    def __init__(self, source: IO[bytes], target: IO[bytes]) -> None:
        self.source = source
        self.target = target
        self._parts = 0

    def count(self, parts: int = 1) -> None:
        self._parts += parts
        if self._parts > PARTS_MAX:
            raise BrokenError

    def read(self, size: int) -> bytes:
        found = self.source.read(size)
        if len(found) < size:
            raise BrokenError
        return found

    def write(self, data: bytes) -> None:
        self.target.write(data)

    def pieces(self, size: int) -> Iterator[bytes]:
        while size:
            piece = self.read(min(size, COPIED))
            size -= len(piece)
            yield piece

    def copy(self, size: int) -> None:
        for piece in self.pieces(size):
            self.write(piece)

    def skip(self, size: int) -> None:
        for _ in self.pieces(size):
            pass
