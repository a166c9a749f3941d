"""Removes what cameras and phones write into videos and recordings: where and when they were made, with what,
and tracks of positions. MP4 and QuickTime only, as phones record these.

Nothing moves, because a file says where its parts are, counted from its beginning: what is removed becomes
zeros, and its name one that every player skips. So a file can be changed where it is, in little memory, and
again after a crash.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import IO

from conversations.attachments.media.iso import SKIPPED, Box, Boxes, blank

_METADATA = {b"udta", b"meta", b"uuid"}
_WITH_TIMES = {b"mvhd", b"tkhd", b"mdhd"}  # when it was made and changed
_PARENT_OF = {b"moov": b"", b"trak": b"moov", b"mdia": b"trak"}
_TABLES_AT = (b"mdia", b"minf", b"stbl")
_ENTRIES_MAX = 262_144  # of a table: one for each frame of two hours
_TABLE_MAX = 4 * _ENTRIES_MAX  # bytes


def clean(file: IO[bytes], size: int, *, is_audio: bool) -> None:
    """Remove it from an open file. Of audio, titles, artists and covers stay, as in MP3."""
    _Recording(file, size, is_audio=is_audio).clean_between(0, size)


class _Recording:
    def __init__(self, file: IO[bytes], size: int, *, is_audio: bool) -> None:
        self._file = file
        self._size = size
        self._is_audio = is_audio
        self._boxes = Boxes(file)
        self._left = size  # no more than this is ever blanked of the samples

    def clean_between(self, start: int, end: int, parent: bytes = b"") -> None:
        for box in self._boxes.between(start, end):
            if box.name == b"udta" and self._is_audio and parent == b"moov":
                self._clean_tags(box)
            elif box.name in _METADATA:
                self._drop(box)
            elif box.name in _WITH_TIMES:
                self._blank_times(box)
            elif box.name == b"trak" and self._is_of_metadata(box):
                for first, last in list(self._samples(box)):
                    blank(self._file, first, last)
                self._drop(box)
            elif _PARENT_OF.get(box.name) == parent:
                self.clean_between(box.body, box.end, box.name)

    def _clean_tags(self, udta: Box) -> None:
        """Programs for music write their tags into the one box, and recorders their places beside it."""
        for box in self._boxes.between(udta.body, udta.end):
            if box.name != b"meta":
                self._drop(box)

    def _is_of_metadata(self, track: Box) -> bool:
        mdia = self._find(track, b"mdia")
        hdlr = mdia and self._find(mdia, b"hdlr")
        return hdlr is not None and self._read(hdlr.body + 8, 4) == b"meta"

    # Its samples are in the file like the pictures, in chunks of several.

    def _samples(self, track: Box) -> Iterator[tuple[int, int]]:
        """Find where the samples of a track are."""
        box: Box | None = track
        for name in _TABLES_AT:
            box = box and self._find(box, name)
        if box is None:
            return
        sizes, counts = self._sizes(box), self._counts(box)
        for start in self._offsets(box):
            length = sum(islice(sizes, next(counts, 0)))
            self._left -= length
            if self._left < 0:  # the tables contradict each other
                return
            yield start, min(start + length, self._size)

    def _sizes(self, tables: Box) -> Iterator[int]:
        table = self._table(tables, b"stsz")
        same, number = _number(table, 0, 4), _number(table, 4, 4)
        for index in range(min(number, _ENTRIES_MAX)):
            if not same and 12 + 4 * index > len(table):
                return
            yield same or _number(table, 8 + 4 * index, 4)

    def _counts(self, tables: Box) -> Iterator[int]:
        """How many samples are in each chunk."""
        table = self._table(tables, b"stsc")
        starts = range(4, len(table) - 11, 12)
        for at in starts:
            first, number = _number(table, at, 4), _number(table, at + 4, 4)
            is_last = at + 12 not in starts
            until = self._size if is_last else _number(table, at + 12, 4)
            for _ in range(first, until):
                yield number

    def _offsets(self, tables: Box) -> Iterator[int]:
        for name, width in ((b"stco", 4), (b"co64", 8)):
            table = self._table(tables, name)
            for at in range(4, len(table) - width + 1, width):
                yield _number(table, at, width)

    def _table(self, tables: Box, name: bytes) -> bytes:
        """The content of a table after its version, empty if there is none or it is too large."""
        box = self._find(tables, name)
        if box is None or box.end - box.body > _TABLE_MAX + 12:
            return b""
        return self._read(box.body + 4, box.end - box.body - 4)

    def _find(self, parent: Box, name: bytes) -> Box | None:
        boxes = self._boxes.between(parent.body, parent.end)
        return next((box for box in boxes if box.name == name), None)

    def _read(self, at: int, size: int) -> bytes:
        self._file.seek(at)
        return self._file.read(size)

    def _drop(self, box: Box) -> None:
        blank(self._file, box.body, box.end)
        self._file.seek(box.start + 4)
        self._file.write(SKIPPED)

    def _blank_times(self, box: Box) -> None:
        width = 8 if self._read(box.body, 1) == b"\x01" else 4
        blank(self._file, box.body + 4, min(box.body + 4 + 2 * width, box.end))


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "big")
