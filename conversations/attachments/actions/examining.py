"""Finds out what a complete upload is, and cleans pictures and videos."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import IO

from conversations.attachments import storage
from conversations.attachments.media import clips, detection, heic, pictures, recordings

_RECORDED = ("video/mp4", "video/quicktime", "audio/mp4")


@dataclass(frozen=True)
class Examined:
    """`path`: what to keep, the upload or a cleaned copy."""

    path: Path
    kind: str
    type: str
    width: int | None = None
    height: int | None = None
    duration: float | None = None
    animated: bool = False


def examine(path: Path, name: str) -> Examined:
    """Raises ChatError: bad_file, storage_full, unavailable."""
    with storage.translate_errors():
        size = path.stat().st_size
        with path.open("r+b") as source:
            head = source.read(detection.HEAD)
            found = detection.detect(head, name, whole=size <= len(head))
            if found.kind in ("audio", "video"):
                return _examine_clip(path, source, found, size)
            if found.type == "image/heic":
                heic.clean(source, size)
        if found.kind != "image":
            return Examined(path, *found)
        picture = pictures.clean(path, found.type)
        return Examined(
            picture.path,
            *found,
            width=picture.width,
            height=picture.height,
            animated=picture.animated,
        )


def _examine_clip(path: Path, source: IO[bytes], found: detection.Found, size: int) -> Examined:
    clip = clips.measure(source, found.type, size)
    kind, media_type = found
    if media_type == "video/mp4" and not clip.has_video:
        kind, media_type = "audio", "audio/mp4"
    if media_type in _RECORDED:
        recordings.clean(source, size, is_audio=kind == "audio")
    return Examined(path, kind, media_type, clip.width, clip.height, clip.duration)
