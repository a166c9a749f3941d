"""Pictures: their size, turned upright, without metadata; and thumbnails.

Nothing is decoded before the header has said how large it would be, and only one picture at a time, because
each can take 200 MB.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from PIL import Image, ImageOps

from chatty.common.errors import ChatError
from conversations.attachments import limits
from conversations.attachments.media.containers import BrokenError, copy_clean

_FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/gif": "GIF", "image/webp": "WEBP"}
_ORIENTATION = 0x0112
_QUALITY = 90
_THUMBNAIL_QUALITY = 80

_decoding = threading.Semaphore(1)
_PATIENCE = 20  # seconds


@dataclass(frozen=True)
class Picture:
    """What was found out. `path`: the file to keep: the original, or a cleaned copy beside it."""

    width: int
    height: int
    animated: bool
    path: Path


def clean(path: Path, media_type: str) -> Picture:
    """Return the picture upright and without metadata. Raises ChatError: bad_file, too_big, busy, and OSError
    if there is no space."""
    with _translated(), Image.open(path, formats=[_FORMATS[media_type]]) as source:
        width, height = source.size
        if width * height > limits.PIXELS_MAX:
            raise _too_many_pixels()
        orientation = source.getexif().get(_ORIENTATION, 1)
    copied = path.with_name(f"{path.name}.clean")
    with path.open("rb") as original, copied.open("w+b") as target:
        try:
            cleaned = copy_clean(media_type, original, target)
        except BrokenError:
            raise unreadable() from None
    if cleaned.frames > limits.FRAMES_MAX:
        raise _too_many_frames()
    animated = cleaned.frames > 1
    if orientation in range(2, 9) and not animated:
        width, height = _turn(path, copied, media_type)
    elif not cleaned.changed:
        return Picture(width, height, animated, path)
    return Picture(width, height, animated, copied)


def _turn(path: Path, target: Path, media_type: str) -> tuple[int, int]:
    """Write the picture as it should be seen, and return its size."""
    with (
        _one_at_a_time(),
        _translated(),
        Image.open(path, formats=[_FORMATS[media_type]]) as source,
    ):
        upright = ImageOps.exif_transpose(source)
        profile = source.info.get("icc_profile")
        options = {} if media_type == "image/png" else {"quality": _QUALITY}
        with target.open("w+b") as file:
            upright.save(file, _FORMATS[media_type], icc_profile=profile, exif=b"", **options)
        return upright.size


def write_thumbnail(source: IO[bytes], media_type: str, side: int, target: IO[bytes]) -> None:
    """Write a WebP that fits into a square. Of an animation, it is the first frame. Raises ChatError."""
    with (
        _one_at_a_time(),
        _translated(),
        Image.open(source, formats=[_FORMATS[media_type]]) as picture,
    ):
        if picture.width * picture.height > limits.PIXELS_MAX:
            raise _too_many_pixels()
        picture.draft("RGB", (side, side))  # JPEG: decode at a reduced size
        has_alpha = "A" in picture.getbands() or "transparency" in picture.info
        smaller = picture.convert("RGBA" if has_alpha else "RGB")
        smaller.thumbnail((side, side), Image.Resampling.LANCZOS)
        profile = picture.info.get("icc_profile")
        smaller.save(target, "WEBP", quality=_THUMBNAIL_QUALITY, method=4, icc_profile=profile)


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    if not _decoding.acquire(timeout=_PATIENCE):
        raise ChatError("busy", retry_after=2)
    try:
        yield
    finally:
        _decoding.release()


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Pillow's decoders raise all kinds of exceptions for broken files."""
    try:
        yield
    except ChatError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_many_pixels() from None
    except OSError as error:
        if error.errno is not None:  # of the disk, and not of the picture
            raise
        raise unreadable() from None
    except Exception:
        raise unreadable() from None


def unreadable() -> ChatError:
    return ChatError("bad_file", _("This picture is damaged, so Chatty can’t send it."))


def _too_many_pixels() -> ChatError:
    sentence = _("This image is too large (max {max} megapixels).")
    return ChatError("bad_file", format_lazy(sentence, max=limits.PIXELS_MAX // 1_000_000))


def _too_many_frames() -> ChatError:
    return ChatError("bad_file", _("This animation has too many frames."))
