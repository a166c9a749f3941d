"""Re-encodes uploaded pictures as small squares, as accounts/pictures.py does: only pixels survive."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from django.utils.translation import gettext_lazy as _
from PIL import Image, ImageOps, ImageSequence

from chatty.common.errors import ChatError, Sentence
from conversations.attachments.media import pictures
from conversations.attachments.media.containers import BrokenError, copy_clean
from conversations.attachments.media.detection import HEAD, IMAGES, detect
from conversations.custom_emoji import limits

MEDIA_TYPE = "image/webp"
MEDIA_TYPES = tuple(sorted(IMAGES))
_FRAME_MS = (
    100  # where a file doesn't say how long a frame is shown, or so short that browsers ignore it
)
_FRAME_MS_MIN = 20
_QUALITIES = (85, 50)

_DAMAGED = _("This picture is damaged.")

_decoding = threading.Semaphore(1)  # each takes up to 50 MB
_PATIENCE = 5  # seconds


@dataclass(frozen=True, slots=True)
class Encoded:
    """`still`: the first frame of an animation, empty for other pictures."""

    address: str
    image: bytes
    still: bytes = b""


def make(file: bytes) -> Encoded:
    """Return the picture as WebP. Raises ChatError with `fields`, or ("busy")."""
    if not file:
        raise _error("empty", _("This file is empty."))
    if len(file) > limits.BYTES_MAX:
        raise too_big()
    found = detect(file[:HEAD], "", whole=len(file) <= HEAD)
    if found.type not in IMAGES:
        raise _error("bad_file", _("Chatty can’t read this image. Use a PNG, JPEG, WebP or GIF."))
    try:
        return _made(file, found.type)
    except ChatError as error:
        raise error if error.code == "busy" else _error(error.code, error.detail) from None


def too_big() -> ChatError:
    return _error("too_big", _("This file is too big (max 128 KB)."))


def _made(file: bytes, media_type: str) -> Encoded:
    formats = [pictures.FORMATS[media_type]]
    with _translated(), Image.open(BytesIO(file), formats=formats) as source:
        # Image.open() reads only the header. Nothing may be decoded before these checks.
        pixels = source.width * source.height
        if pixels > limits.PIXELS_MAX:
            raise ChatError("bad_file", _("This image has too many pixels (max 4 megapixels)."))
    try:
        frames = copy_clean(media_type, BytesIO(file), BytesIO()).frames
    except BrokenError:
        raise ChatError("bad_file", _DAMAGED) from None
    if frames > limits.FRAMES_MAX or frames * pixels > limits.ANIMATION_PIXELS_MAX:
        raise pictures.too_many_frames()
    with (
        _one_at_a_time(),
        _translated(),
        Image.open(BytesIO(file), formats=formats) as source,
    ):
        return _animation(source) if frames > 1 else _picture(source)


def _picture(source: Image.Image) -> Encoded:
    upright = ImageOps.exif_transpose(source)
    image = _encode(_square(upright))
    return Encoded(_address("s", image), image)


def _animation(source: Image.Image) -> Encoded:
    frames, shown_ms = [], []
    for frame in ImageSequence.Iterator(source):
        frames.append(_square(frame))
        duration = int(frame.info.get("duration") or 0)
        shown_ms.append(duration if duration >= _FRAME_MS_MIN else _FRAME_MS)
    for quality in _QUALITIES:
        image = _encode(
            frames[0],
            quality,
            save_all=True,
            append_images=frames[1:],
            duration=shown_ms,
            loop=int(source.info.get("loop", 0)),
        )
        if len(image) <= limits.STORED_MAX:
            return Encoded(_address("a", image), image, _encode(frames[0]))
    raise ChatError("too_big", _("This animation is too large."))


def _square(picture: Image.Image) -> Image.Image:
    """Return the whole picture in the middle of a transparent square."""
    side = min(limits.SIDE, max(picture.size))
    smaller = ImageOps.contain(picture.convert("RGBA"), (side, side), Image.Resampling.LANCZOS)
    canvas = Image.new("RGBA", (side, side))  # has no metadata
    canvas.paste(smaller, ((side - smaller.width) // 2, (side - smaller.height) // 2))
    return canvas


def _encode(picture: Image.Image, quality: int = _QUALITIES[0], **options: Any) -> bytes:
    file = BytesIO()
    picture.save(file, "WEBP", quality=quality, method=4, **options)
    return file.getvalue()


def _address(kind: str, image: bytes) -> str:
    """Return the address of a picture: see conversations/emoji.py."""
    return f"{kind}{hashlib.sha256(image).hexdigest()[:20]}"


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
    """Raise ChatError("bad_file"): Pillow's decoders raise all kinds of exceptions for broken files."""
    try:
        yield
    except ChatError:
        raise
    except Exception:
        raise ChatError("bad_file", _DAMAGED) from None


def _error(code: str, sentence: Sentence) -> ChatError:
    return ChatError(code, sentence, fields={"picture": [sentence]})
