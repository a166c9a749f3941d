"""How long audio and videos are, and how large videos are, where their headers say it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import IO, NamedTuple

from conversations.attachments.media.iso import Boxes

_WEBM_HEAD = 64 * 1024
# Elements of WebM whose content is elements: Segment, Info, Tracks, TrackEntry, Video.
_WEBM_PARENTS = {0x18538067, 0x1549A966, 0x1654AE6B, 0xAE, 0xE0}
_WEBM_UNIT, _WEBM_DURATION, _WEBM_WIDTH, _WEBM_HEIGHT = 0x2AD7B1, 0x4489, 0xB0, 0xBA
_WEBM_UNIT_USUAL = 1_000_000  # nanoseconds
_NANOSECONDS = 1_000_000_000
_SIDE_MAX = 0xFFFF
_ERRORS = (ValueError, IndexError, ZeroDivisionError, OverflowError, struct.error)


class Clip(NamedTuple):
    has_video: bool = True
    width: int | None = None
    height: int | None = None
    duration: float | None = None


def measure(source: IO[bytes], media_type: str, size: int) -> Clip:
    """Return what the file says about itself. Nothing depends on it but how it is shown first."""
    try:
        if media_type in ("video/mp4", "video/quicktime", "audio/mp4"):
            return _measure_iso(source, size)
        if media_type in ("video/webm", "audio/webm"):
            return _measure_webm(source)
        if media_type == "audio/wav":
            return Clip(False, duration=_wav_seconds(source))
    except _ERRORS:
        pass
    return Clip()


def _measure_iso(source: IO[bytes], size: int) -> Clip:
    """Read the boxes of an ISO media file that describe it."""
    duration: float | None = None
    width = height = None
    has_video = found = False
    boxes = Boxes(source)
    ends = [(0, size)]
    while ends:
        for box in boxes.between(*ends.pop()):
            if box.name in (b"moov", b"trak", b"mdia"):
                ends.append((box.body, box.end))
            elif box.name == b"mvhd":
                found, duration = True, _seconds(source, box.body)
            elif box.name == b"hdlr":
                source.seek(box.body + 8)
                has_video |= source.read(4) == b"vide"
            elif box.name == b"tkhd":
                sides = _sides(source, box.body, box.end - box.body)
                if all(sides):
                    width, height = sides
    return Clip(has_video or not found, width, height, duration)


def _seconds(source: IO[bytes], start: int) -> float | None:
    source.seek(start)
    body = source.read(32)
    if body[0] == 1:
        scale, duration = int.from_bytes(body[20:24], "big"), int.from_bytes(body[24:32], "big")
    else:
        scale, duration = int.from_bytes(body[12:16], "big"), int.from_bytes(body[16:20], "big")
    return _plausible(duration / scale)


def _sides(source: IO[bytes], start: int, length: int) -> tuple[int, int]:
    source.seek(start)
    body = source.read(min(length, 104))
    # The transformation before the sides says whether the video is turned by a quarter.
    width, height = (int.from_bytes(part, "big") >> 16 for part in (body[-8:-4], body[-4:]))
    is_turned = body[-44:-40] == bytes(4)
    return (height, width) if is_turned else (width, height)


def _measure_webm(source: IO[bytes]) -> Clip:
    source.seek(0)
    found = dict(_webm_elements(source.read(_WEBM_HEAD)))
    width, height, unit = (
        int.from_bytes(found.get(name, b""), "big")
        for name in (_WEBM_WIDTH, _WEBM_HEIGHT, _WEBM_UNIT)
    )
    duration = None
    if content := found.get(_WEBM_DURATION):
        (units,) = struct.unpack(">d" if len(content) == 8 else ">f", content)
        duration = _plausible(units * (unit or _WEBM_UNIT_USUAL) / _NANOSECONDS)
    if not (0 < width <= _SIDE_MAX and 0 < height <= _SIDE_MAX):
        return Clip(duration=duration)
    return Clip(True, width, height, duration)


def _webm_elements(head: bytes) -> Iterator[tuple[int, bytes]]:
    """Find the elements that have values, up to the first that isn't whole in `head`."""
    at = 0
    while at < len(head) and head[at]:
        name_end = at + 9 - head[at].bit_length()
        if name_end >= len(head):
            return
        name = int.from_bytes(head[at:name_end], "big")
        length = 9 - head[name_end].bit_length()
        at = name_end + length
        if name in _WEBM_PARENTS:
            continue  # the next element is the first one in it
        size = int.from_bytes(head[name_end:at], "big") & ((1 << 7 * length) - 1)
        if at + size > len(head):
            return
        yield name, head[at : at + size]
        at += size


def _wav_seconds(source: IO[bytes]) -> float | None:
    source.seek(12)
    rate = 0
    for _ in range(100):
        head = source.read(8)
        if len(head) < 8:
            return None
        name, size = head[:4], int.from_bytes(head[4:], "little")
        if name == b"fmt ":
            rate = int.from_bytes(source.read(12)[8:], "little")
            source.seek(size + size % 2 - 12, 1)
            continue
        if name == b"data":
            return _plausible(size / rate)
        source.seek(size + size % 2, 1)
    return None


def _plausible(seconds: float) -> float | None:
    return round(seconds, 2) if 0 < seconds < 1_000_000 else None
