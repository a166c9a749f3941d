"""Copies picture files without what isn't the picture: metadata, comments, and anything after their end.

The pixels are copied as they are, so nothing is lost and nothing is decoded. A file that ends too early, or
isn't what its first bytes say, raises BrokenError.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO

_COPIED = 256 * 1024


class BrokenError(Exception):
    """The file isn't a whole picture."""


@dataclass
class Cleaned:
    """`frames`: of an animation. `changed`: something was left out."""

    frames: int = 1
    changed: bool = False


def copy_clean(kind: str, source: IO[bytes], target: IO[bytes]) -> Cleaned:
    """Copy a picture of this media type. Raises BrokenError."""
    cleaned = Cleaned()
    _COPIERS[kind](_Copy(source, target), cleaned)
    if source.read(1):
        cleaned.changed = True  # a second file, for example
    return cleaned


class _Copy:
    def __init__(self, source: IO[bytes], target: IO[bytes]) -> None:
        self.source = source
        self.target = target

    def read(self, size: int) -> bytes:
        found = self.source.read(size)
        if len(found) < size:
            raise BrokenError
        return found

    def write(self, data: bytes) -> None:
        self.target.write(data)

    def pieces(self, size: int) -> Iterator[bytes]:
        while size:
            piece = self.read(min(size, _COPIED))
            size -= len(piece)
            yield piece

    def copy(self, size: int) -> None:
        for piece in self.pieces(size):
            self.write(piece)

    def skip(self, size: int) -> None:
        for _ in self.pieces(size):
            pass


# --- JPEG -----------------------------------------------------------------------------------------------

_JPEG_KEPT_APPS = {0xE0, 0xEE}  # JFIF, and Adobe's transformation of colours
_JPEG_ALONE = {0x01, *range(0xD0, 0xD8)}


def _copy_jpeg(copy: _Copy, cleaned: Cleaned) -> None:
    copy.write(copy.read(2))
    marker = _jpeg_marker(copy)
    seen_scan = False
    while marker != 0xD9:
        if marker in _JPEG_ALONE:
            copy.write(bytes((0xFF, marker)))
            marker = _jpeg_marker(copy)
            continue
        if marker == 0xD8:  # the beginning of another picture
            raise BrokenError
        size = int.from_bytes(copy.read(2), "big")
        if size < 2:
            raise BrokenError
        body = copy.read(size - 2)
        if _is_kept_in_jpeg(marker, body):
            copy.write(bytes((0xFF, marker)) + size.to_bytes(2, "big") + body)
        else:
            cleaned.changed = True
        if marker == 0xDA:
            seen_scan = True
            marker = _copy_jpeg_scan(copy)
        else:
            marker = _jpeg_marker(copy)
    if not seen_scan:
        raise BrokenError
    copy.write(b"\xff\xd9")


def _is_kept_in_jpeg(marker: int, body: bytes) -> bool:
    if marker == 0xE2:
        return body.startswith(b"ICC_PROFILE\x00")
    return marker in _JPEG_KEPT_APPS or not (0xE0 <= marker <= 0xEF or marker == 0xFE)


def _jpeg_marker(copy: _Copy) -> int:
    if copy.read(1) != b"\xff":
        raise BrokenError
    while True:
        marker = copy.read(1)[0]
        if marker != 0xFF:  # any number of these can be before a marker
            return marker


def _copy_jpeg_scan(copy: _Copy) -> int:
    """Copy compressed data up to the next marker, and return it."""
    while True:
        data = copy.source.read(_COPIED)
        start = 0
        while True:
            at = data.find(b"\xff", start)
            if at < 0 or at + 1 == len(data):
                break
            follows = data[at + 1]
            if follows == 0xFF:
                start = at + 1
            elif follows == 0 or 0xD0 <= follows <= 0xD7:
                start = at + 2
            else:
                copy.write(data[:at])
                copy.source.seek(at + 2 - len(data), 1)
                return follows
        if len(data) < 2:
            raise BrokenError
        ends_inside = data.endswith(b"\xff")
        copy.write(data[:-1] if ends_inside else data)
        if ends_inside:
            copy.source.seek(-1, 1)


# --- PNG ------------------------------------------------------------------------------------------------

_PNG_KEPT = {
    *(
        b"IHDR",
        b"PLTE",
        b"IDAT",
        b"IEND",
        b"tRNS",
        b"gAMA",
        b"cHRM",
        b"sRGB",
        b"iCCP",
        b"sBIT",
        b"pHYs",
    ),
    *(b"bKGD", b"cICP", b"acTL", b"fcTL", b"fdAT"),
}


def _copy_png(copy: _Copy, cleaned: Cleaned) -> None:
    copy.write(copy.read(8))
    frames = 0
    seen: set[bytes] = set()
    while True:
        size, name = int.from_bytes(copy.read(4), "big"), copy.read(4)
        if size > 0x7FFFFFFF or (not seen and name != b"IHDR"):
            raise BrokenError
        is_kept = name in _PNG_KEPT
        checksum = zlib.crc32(name)
        if is_kept:
            copy.write(size.to_bytes(4, "big") + name)
        for piece in copy.pieces(size):
            checksum = zlib.crc32(piece, checksum)
            if is_kept:
                copy.write(piece)
        stored = copy.read(4)
        if is_kept:
            if int.from_bytes(stored, "big") != checksum:
                raise BrokenError
            copy.write(stored)
        else:
            cleaned.changed = True
        frames += name == b"fcTL"
        seen.add(name)
        if name == b"IEND":
            break
    if b"IDAT" not in seen:
        raise BrokenError
    cleaned.frames = max(1, frames)


# --- GIF ------------------------------------------------------------------------------------------------

_GIF_LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")


def _copy_gif(copy: _Copy, cleaned: Cleaned) -> None:
    header = copy.read(13)
    copy.write(header)
    copy.copy(_gif_colours(header[10]))
    frames = 0
    while True:
        kind = copy.read(1)
        if kind == b";":
            break
        if kind == b",":
            place = copy.read(9)
            copy.write(kind + place)
            copy.copy(_gif_colours(place[8]) + 1)
            _gif_blocks(copy, is_kept=True)
            frames += 1
        elif kind == b"!":
            _copy_gif_extension(copy, cleaned)
        else:
            raise BrokenError
    if not frames:
        raise BrokenError
    copy.write(b";")
    cleaned.frames = frames


def _gif_colours(packed: int) -> int:
    """Return the size of the table of colours that follows."""
    return 3 * 2 ** ((packed & 7) + 1) if packed & 0x80 else 0


def _copy_gif_extension(copy: _Copy, cleaned: Cleaned) -> None:
    label, size = copy.read(1), copy.read(1)
    first = copy.read(size[0])
    is_kept = label == b"\xf9" or (label == b"\xff" and first in _GIF_LOOPS)
    if is_kept:
        copy.write(b"!" + label + size + first)
    else:
        cleaned.changed = True
    if size != b"\x00":
        _gif_blocks(copy, is_kept=is_kept)


def _gif_blocks(copy: _Copy, *, is_kept: bool) -> None:
    size = 1
    while size:
        head = copy.read(1)
        size = head[0]
        block = copy.read(size)
        if is_kept:
            copy.write(head + block)


# --- WebP -----------------------------------------------------------------------------------------------

_WEBP_KEPT = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"}
_WEBP_METADATA = 0x08 | 0x04  # flags of VP8X: EXIF, XMP


def _copy_webp(copy: _Copy, cleaned: Cleaned) -> None:
    head = copy.read(12)
    left = int.from_bytes(head[4:8], "little") - 4
    copy.write(head)
    written, frames, pictures = 4, 0, 0
    while left >= 8:
        name, length = copy.read(4), copy.read(4)
        size = int.from_bytes(length, "little")
        padded = size + size % 2
        left -= 8 + padded
        if left < 0:
            raise BrokenError
        if name in _WEBP_KEPT:
            copy.write(name + length)
            if name == b"VP8X" and size:
                flags = copy.read(1)[0]
                copy.write(bytes((flags & ~_WEBP_METADATA,)))
                copy.copy(padded - 1)
            else:
                copy.copy(padded)
            written += 8 + padded
            frames += name == b"ANMF"
            pictures += name in (b"VP8 ", b"VP8L", b"ANMF")
        else:
            copy.skip(padded)
            cleaned.changed = True
    if not pictures:
        raise BrokenError
    copy.target.seek(4)
    copy.write(written.to_bytes(4, "little"))
    copy.target.seek(0, 2)
    cleaned.frames = max(1, frames)


_COPIERS: dict[str, Callable[[_Copy, Cleaned], None]] = {
    "image/jpeg": _copy_jpeg,
    "image/png": _copy_png,
    "image/gif": _copy_gif,
    "image/webp": _copy_webp,
}
