"""How long audio and videos are, and how large videos are, where their headers say it."""

from __future__ import annotations

from typing import IO, NamedTuple

_BOXES_MAX = 2_000


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
        if media_type == "audio/wav":
            return Clip(False, duration=_wav_seconds(source))
    except (ValueError, IndexError, ZeroDivisionError, OverflowError):
        pass
    return Clip()


def _measure_iso(source: IO[bytes], size: int) -> Clip:
    """Read the boxes of an ISO media file that describe it."""
    duration: float | None = None
    width = height = None
    has_video = found = False
    left = _BOXES_MAX
    ends = [(0, size)]
    while ends and left:
        at, end = ends.pop()
        while at + 8 <= end and left:
            left -= 1
            source.seek(at)
            head = source.read(16)
            length, name = int.from_bytes(head[:4], "big"), head[4:8]
            start = at + 8
            if length == 1:
                length, start = int.from_bytes(head[8:16], "big"), at + 16
            elif length == 0:
                length = end - at
            if length < 8 or at + length > end:
                break
            if name in (b"moov", b"trak", b"mdia"):
                ends.append((start, at + length))
            elif name == b"mvhd":
                found, duration = True, _seconds(source, start)
            elif name == b"hdlr":
                source.seek(start + 8)
                has_video |= source.read(4) == b"vide"
            elif name == b"tkhd":
                sides = _sides(source, start, length)
                if all(sides):
                    width, height = sides
            at += length
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
    body = source.read(min(length - 8, 104))
    # The transformation before the sides says whether the video is turned by a quarter.
    width, height = (int.from_bytes(part, "big") >> 16 for part in (body[-8:-4], body[-4:]))
    is_turned = body[-44:-40] == bytes(4)
    return (height, width) if is_turned else (width, height)


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
