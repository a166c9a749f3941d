"""Copies picture files without what isn't the picture: metadata, comments, and anything after their end.

The pixels are copied as they are, so nothing is lost and nothing is decoded. Of the metadata, only the
orientation stays. A file that ends too early, isn't what its first bytes say, or consists of too many parts,
raises BrokenError.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import IO

from conversations.attachments.media.avif import copy_avif
from conversations.attachments.media.copying import COPIED, BrokenError, Cleaned, Copy
from conversations.attachments.media.orientation import UPRIGHT, exif_of, read_orientation

# Each scan of a JPEG changes all pixels, even if it is empty. Programs write up to about twelve.
SCANS_MAX = 100


def copy_clean(kind: str, source: IO[bytes], target: IO[bytes]) -> Cleaned:
    """Copy a picture of this media type. Raises BrokenError."""
    cleaned = Cleaned()
    _COPIERS[kind](Copy(source, target), cleaned)
    if not (cleaned.width and cleaned.height):
        raise BrokenError
    if source.read(1):
        cleaned.changed = True  # a second file, for example
    return cleaned


# --- JPEG -----------------------------------------------------------------------------------------------

_JPEG_ALONE = {0x01, *range(0xD0, 0xD8)}
_JPEG_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_JPEG_EXIF = b"Exif\x00\x00"
_JPEG_JFIF = b"JFIF\x00"
# With the version and the density. A thumbnail can follow, which shows what was cut off since.
_JPEG_JFIF_SIZE = 12
_JPEG_ADOBE_SIZE = 12  # with the transformation of colours, at the end


def _copy_jpeg(copy: Copy, cleaned: Cleaned) -> None:
    copy.write(copy.read(2))
    marker = _jpeg_marker(copy)
    scans = 0
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
        kept = _kept_of_jpeg(marker, body, cleaned)
        if kept is not None:
            copy.write(bytes((0xFF, marker)) + (len(kept) + 2).to_bytes(2, "big") + kept)
        cleaned.changed |= kept != body
        if marker in _JPEG_FRAMES:
            if cleaned.height:
                raise BrokenError
            cleaned.reach(int.from_bytes(body[3:5], "big"), int.from_bytes(body[1:3], "big"))
        if marker == 0xDA:
            scans += 1
            if scans > SCANS_MAX:
                raise BrokenError
            marker = _copy_jpeg_scan(copy)
        else:
            marker = _jpeg_marker(copy)
    if not scans:
        raise BrokenError
    copy.write(b"\xff\xd9")


def _kept_of_jpeg(marker: int, body: bytes, cleaned: Cleaned) -> bytes | None:
    """Return what stays of a segment, None for nothing."""
    if marker == 0xE1 and body.startswith(_JPEG_EXIF) and cleaned.orientation == UPRIGHT:
        cleaned.orientation = read_orientation(body[len(_JPEG_EXIF) :])
        if cleaned.orientation != UPRIGHT:
            return _JPEG_EXIF + exif_of(cleaned.orientation)
    if marker == 0xE0:
        is_jfif = body.startswith(_JPEG_JFIF) and len(body) >= _JPEG_JFIF_SIZE
        return body[:_JPEG_JFIF_SIZE] + bytes(2) if is_jfif else None
    if marker == 0xE2:
        return body if body.startswith(b"ICC_PROFILE\x00") else None
    if marker == 0xEE:
        return body[:_JPEG_ADOBE_SIZE] if body.startswith(b"Adobe") else None
    is_metadata = 0xE0 <= marker <= 0xEF or marker == 0xFE
    return None if is_metadata else body


def _jpeg_marker(copy: Copy) -> int:
    if copy.read(1) != b"\xff":
        raise BrokenError
    while True:
        copy.count()
        marker = copy.read(1)[0]
        if marker != 0xFF:  # any number of these can be before a marker
            return marker


def _copy_jpeg_scan(copy: Copy) -> int:
    """Copy compressed data up to the next marker, and return it."""
    while True:
        data = copy.source.read(COPIED)
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
    *(b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"pHYs"),
    *(b"bKGD", b"cICP", b"acTL", b"fcTL", b"fdAT"),
}
_PNG_EXIF_MAX = 64 * 1024


def _copy_png(copy: Copy, cleaned: Cleaned) -> None:
    copy.write(copy.read(8))
    _copy_png_header(copy, cleaned)
    frames = 0
    seen: set[bytes] = set()
    while True:
        copy.count()
        size, name = int.from_bytes(copy.read(4), "big"), copy.read(4)
        if size > 0x7FFFFFFF or name == b"IHDR":
            raise BrokenError
        if name == b"eXIf" and size <= _PNG_EXIF_MAX and cleaned.orientation == UPRIGHT:
            _copy_png_orientation(copy, cleaned, size)
            continue
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


def _copy_png_header(copy: Copy, cleaned: Cleaned) -> None:
    header = copy.read(25)
    if header[:8] != b"\x00\x00\x00\x0dIHDR" or header[21:] != _png_checksum(header[4:21]):
        raise BrokenError
    copy.write(header)
    cleaned.reach(int.from_bytes(header[8:12], "big"), int.from_bytes(header[12:16], "big"))


def _copy_png_orientation(copy: Copy, cleaned: Cleaned, size: int) -> None:
    exif = copy.read(size)
    copy.read(4)
    cleaned.orientation = read_orientation(exif)
    kept = exif_of(cleaned.orientation) if cleaned.orientation != UPRIGHT else b""
    if kept:
        chunk = b"eXIf" + kept
        copy.write(len(kept).to_bytes(4, "big") + chunk + _png_checksum(chunk))
    cleaned.changed |= kept != exif


def _png_checksum(chunk: bytes) -> bytes:
    return zlib.crc32(chunk).to_bytes(4, "big")


# --- GIF ------------------------------------------------------------------------------------------------

_GIF_LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")
_GIF_AHEAD = 4096  # bytes: blocks are at most 256
_GIF_BLOCKS = 20  # that count as one part: they are found more quickly


def _copy_gif(copy: Copy, cleaned: Cleaned) -> None:
    header = copy.read(13)
    copy.write(header)
    cleaned.reach(*_gif_size(header[6:10]))
    copy.copy(_gif_colours(header[10]))
    frames = 0
    while True:
        copy.count()
        kind = copy.read(1)
        if kind == b";":
            break
        if kind == b",":
            place = copy.read(9)
            copy.write(kind + place)
            (left, top), (width, height) = _gif_size(place[:4]), _gif_size(place[4:8])
            cleaned.reach(left + width, top + height)
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


def _gif_size(numbers: bytes) -> tuple[int, int]:
    return int.from_bytes(numbers[:2], "little"), int.from_bytes(numbers[2:], "little")


def _gif_colours(packed: int) -> int:
    """Return the size of the table of colours that follows."""
    return 3 * 2 ** ((packed & 7) + 1) if packed & 0x80 else 0


def _copy_gif_extension(copy: Copy, cleaned: Cleaned) -> None:
    label, size = copy.read(1), copy.read(1)
    first = copy.read(size[0])
    is_kept = label == b"\xf9" or (label == b"\xff" and first in _GIF_LOOPS)
    if is_kept:
        copy.write(b"!" + label + size + first)
    else:
        cleaned.changed = True
    if size != b"\x00":
        _gif_blocks(copy, is_kept=is_kept)


def _gif_blocks(copy: Copy, *, is_kept: bool) -> None:
    """Copy blocks, each with its size before it, up to an empty one."""
    ends = False
    while not ends:
        data = copy.source.read(_GIF_AHEAD)
        at = blocks = 0
        while at < len(data) and not ends:
            after = at + data[at] + 1
            if after > len(data):
                break
            ends = after == at + 1
            at, blocks = after, blocks + 1
        if not at:
            raise BrokenError
        copy.count(-(-blocks // _GIF_BLOCKS))
        if is_kept:
            copy.write(data[:at])
        copy.source.seek(at - len(data), 1)


# --- WebP -----------------------------------------------------------------------------------------------
# Its orientation is left out: browsers show the pixels as they are.

_WEBP_KEPT = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"}
_WEBP_METADATA = 0x08 | 0x04  # flags of VP8X: EXIF, XMP
_WEBP_HEAD = 16  # bytes of a part that say its size


def _copy_webp(copy: Copy, cleaned: Cleaned) -> None:
    head = copy.read(12)
    left = int.from_bytes(head[4:8], "little") - 4
    copy.write(head)
    written, frames, pictures = 4, 0, 0
    while left >= 8:
        copy.count()
        name, length = copy.read(4), copy.read(4)
        size = int.from_bytes(length, "little")
        padded = size + size % 2
        left -= 8 + padded
        if left < 0:
            raise BrokenError
        if name in _WEBP_KEPT:
            start = copy.read(min(padded, _WEBP_HEAD))
            cleaned.reach(*_webp_size(name, start))
            if name == b"VP8X":
                start = bytes((start[0] & ~_WEBP_METADATA,)) + start[1:]
            copy.write(name + length + start)
            copy.copy(padded - len(start))
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


def _webp_size(name: bytes, start: bytes) -> tuple[int, int]:
    """Return the size that a part says, (0, 0) if it has none."""
    if name not in (b"VP8 ", b"VP8L", b"VP8X"):
        return 0, 0
    if len(start) < 10 or (name == b"VP8L" and start[0] != 0x2F):
        raise BrokenError
    if name == b"VP8X":
        return int.from_bytes(start[4:7], "little") + 1, int.from_bytes(start[7:10], "little") + 1
    if name == b"VP8L":
        sides = int.from_bytes(start[1:5], "little")
        return (sides & 0x3FFF) + 1, (sides >> 14 & 0x3FFF) + 1
    if start[3:6] != b"\x9d\x01\x2a":
        raise BrokenError
    width, height = int.from_bytes(start[6:8], "little"), int.from_bytes(start[8:10], "little")
    return width & 0x3FFF, height & 0x3FFF


_COPIERS: dict[str, Callable[[Copy, Cleaned], None]] = {
    "image/jpeg": _copy_jpeg,
    "image/png": _copy_png,
    "image/gif": _copy_gif,
    "image/webp": _copy_webp,
    "image/avif": copy_avif,
}
