"""Removes what isn't the picture from HEIC files, such as where a phone took it: Exif and XMP.

They are items of the file, like the picture itself. As in recordings.py, nothing moves: their bytes become
zeros, and their types one that every program skips. The picture isn't decoded, and no more of the file is
changed, because it is only saved.
"""

from __future__ import annotations

import io
from collections.abc import Container, Iterator
from typing import IO

from conversations.attachments.media.iso import SKIPPED, Boxes, blank

_META_MAX = 1024 * 1024
_NUMBERS_MAX = 100_000  # a few for each tile of a picture
_VERSION = 4  # bytes
_REMOVED = {b"Exif", b"mime", b"uri "}


def clean(file: IO[bytes], size: int) -> None:
    """Remove it from an open file. One that isn't as phones write it stays as it is."""
    meta = next((box for box in Boxes(file).between(0, size) if box.name == b"meta"), None)
    if meta is None or meta.end - meta.start > _META_MAX:
        return
    file.seek(meta.start)
    table = _Table(file.read(meta.end - meta.start), meta.body - meta.start + _VERSION)
    try:
        items = table.items()
        places = list(table.places(items, meta.start))
    except (IndexError, KeyError):
        return
    if sum(end - start for start, end in places) > size:
        return
    for start, end in places:
        blank(file, start, min(end, size))
    for place in items.values():
        file.seek(meta.start + place)
        file.write(SKIPPED)


class _Table:
    """The box that describes the items."""

    def __init__(self, data: bytes, start: int) -> None:
        self._data = data
        self._boxes = Boxes(io.BytesIO(data))
        self._inside = {box.name: box for box in self._boxes.between(start, len(data))}

    def items(self) -> dict[int, int]:
        """Find the items to remove, and where in the table their types are."""
        iinf = self._inside[b"iinf"]
        found = {}
        start = iinf.body + _VERSION + (4 if self._data[iinf.body] else 2)
        for box in self._boxes.between(start, iinf.end):
            width = 4 if self._data[box.body] > 2 else 2
            item = self._number(box.body + _VERSION, width)
            place = box.body + _VERSION + width + 2
            if self._data[place : place + 4] in _REMOVED:
                found[item] = place
        return found

    def places(self, items: Container[int], start: int) -> Iterator[tuple[int, int]]:
        """Find where in the file these items are. The table itself is from `start` on."""
        iloc, idat = self._inside[b"iloc"], self._inside.get(b"idat")
        at, left = iloc.body + _VERSION, _NUMBERS_MAX

        def take(width: int) -> int:
            nonlocal at, left
            at, left = at + width, left - 1
            if at > iloc.end or not left:
                raise IndexError
            return self._number(at - width, width)

        version, sizes = self._data[iloc.body], take(2)
        of_offset, of_length, of_base, of_index = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
        wide = 4 if version == 2 else 2
        for _ in range(take(wide)):
            item = take(wide)
            is_inside = version > 0 and take(2) & 15 == 1
            take(2)
            base = take(of_base)
            if is_inside and idat is not None:
                base += start + idat.body
            for _ in range(take(2)):
                if version:
                    take(of_index)
                place, length = base + take(of_offset), take(of_length)
                if item in items:
                    yield place, place + length

    def _number(self, at: int, width: int) -> int:
        return int.from_bytes(self._data[at : at + width], "big")
