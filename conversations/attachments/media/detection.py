"""The type of a file, found from its first bytes, never from its name or what the client says."""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple

HEAD = 64 * 1024  # bytes that are enough to tell

IMAGES = {"image/jpeg", "image/png", "image/gif", "image/webp", "image/avif"}


class Found(NamedTuple):
    """`kind`: as in File.Kind."""

    kind: str
    type: str


_UNKNOWN = Found("file", "application/octet-stream")
# At the beginning of a file.
_MAGIC = (
    (b"\xff\xd8\xff", Found("image", "image/jpeg")),
    (b"\x89PNG\r\n\x1a\n", Found("image", "image/png")),
    (b"GIF87a", Found("image", "image/gif")),
    (b"GIF89a", Found("image", "image/gif")),
    (b"fLaC", Found("audio", "audio/flac")),
    (b"ID3", Found("audio", "audio/mpeg")),
    (b"%PDF-", Found("file", "application/pdf")),
    (b"PK\x03\x04", Found("file", "application/zip")),
    (b"PK\x05\x06", Found("file", "application/zip")),
    (b"\x1f\x8b", Found("file", "application/gzip")),
    (b"7z\xbc\xaf\x27\x1c", Found("file", "application/x-7z-compressed")),
    (b"Rar!\x1a\x07", Found("file", "application/vnd.rar")),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Found("file", "application/x-ole-storage")),
    (b"MZ", Found("file", "application/vnd.microsoft.portable-executable")),
    (b"\x7fELF", Found("file", "application/x-elf")),
    (b"SQLite format 3\x00", Found("file", "application/vnd.sqlite3")),
)
# Text that browsers would run if they showed it.
_ACTIVE = re.compile(
    rb"\s*(?:<\?xml|<!doctype|<!--|<(?:html|head|body|script|svg|iframe|title|style|img|a|b|br|div|font|h1|meta|"
    rb"object|embed|p|table)\b)",
    re.IGNORECASE,
)
_ACTIVE_NAME = re.compile(
    r"\.(?:x?html?|xht|shtml|mht(?:ml)?|svgz?|xml|xslt?|swf)\Z", re.IGNORECASE
)
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_MP3_FRAME = re.compile(rb"\xff[\xfb\xfa\xf3\xf2\xe3\xe2]")
_AAC_FRAME = re.compile(rb"\xff[\xf0\xf1\xf8\xf9]")


def detect(head: bytes, name: str, *, whole: bool) -> Found:
    """`head`: the first HEAD bytes. `whole`: these are all. The name only ever makes a text less trusted."""
    for magic, found in _MAGIC:
        if head.startswith(magic):
            return found
    if (container := _container(head)) is not None:
        return container
    if _MP3_FRAME.match(head):
        return Found("audio", "audio/mpeg")
    if _AAC_FRAME.match(head):
        return Found("audio", "audio/aac")
    return _text(head, name, whole=whole)


def _container(head: bytes) -> Found | None:
    if head[:4] == b"RIFF":
        return {
            b"WEBP": Found("image", "image/webp"),
            b"WAVE": Found("audio", "audio/wav"),
            b"AVI ": Found("file", "video/x-msvideo"),
        }.get(head[8:12], _UNKNOWN)
    if head[4:8] == b"ftyp":
        return _iso_media(head)
    if head.startswith(b"OggS"):
        has_video = b"\x80theora" in head or b"OVP80" in head
        return Found("video", "video/ogg") if has_video else Found("audio", "audio/ogg")
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return _matroska(head)
    return None


def _iso_media(head: bytes) -> Found:
    brand = head[8:12]
    if brand in (b"M4A ", b"M4B "):
        return Found("audio", "audio/mp4")
    others = head[16 : min(64, int.from_bytes(head[:4], "big"))]
    if brand == b"avif" or (brand == b"mif1" and b"avif" in others):
        return Found("image", "image/avif")
    if brand == b"avis":  # an animation, which is coded like a video
        return Found("file", "image/avif")
    if brand in (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"):
        return Found("file", "image/heic")
    return Found("video", "video/quicktime" if brand == b"qt  " else "video/mp4")


def _matroska(head: bytes) -> Found:
    if b"webm" not in head[:64]:
        return Found("file", "video/matroska")
    # The names of codecs begin with the kind of their track.
    audio = re.search(rb"\x86[\x80-\xff]A_", head)
    video = re.search(rb"\x86[\x80-\xff]V_", head)
    return Found("audio", "audio/webm") if audio and not video else Found("video", "video/webm")


def _text(head: bytes, name: str, *, whole: bool) -> Found:
    if _CONTROLS.search(head):
        return _UNKNOWN
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head, final=whole)
    except UnicodeDecodeError:
        return _UNKNOWN
    without_mark = head.removeprefix(b"\xef\xbb\xbf")
    if b"<svg" in head[:4096].lower() and _ACTIVE.match(without_mark):
        return Found("file", "image/svg+xml")
    if _ACTIVE.match(without_mark):
        is_xml = without_mark.lstrip().lower().startswith(b"<?xml")
        return Found("file", "application/xml" if is_xml else "text/html")
    if _ACTIVE_NAME.search(name):
        return _UNKNOWN
    return Found("text", "text/plain")
