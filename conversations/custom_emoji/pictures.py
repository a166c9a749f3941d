"""Re-encodes uploaded pictures as small squares, in a process of its own: only pixels survive."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from chatty.common.errors import ChatError, Sentence
from conversations.attachments.media import pictures
from conversations.attachments.media.containers import copy_clean
from conversations.attachments.media.copying import BrokenError
from conversations.attachments.media.detection import HEAD, IMAGES, detect
from conversations.custom_emoji import encoder, limits

MEDIA_TYPE = "image/webp"
MEDIA_TYPES = tuple(sorted(IMAGES))

_decoding = threading.Semaphore(1)  # each takes up to 50 MB
_PATIENCE = 5  # seconds


@dataclass(frozen=True, slots=True)
class Encoded:
    """`still`: the first frame of an animation, empty for other pictures."""

    address: str
    image: bytes
    still: bytes = b""


def make(file: bytes) -> Encoded:
    """Return the picture as WebP. Raises ChatError with `fields`, or: busy, unavailable, storage_full."""
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
        if error.code not in ("bad_file", "too_big"):
            raise
        raise _error(error.code, error.detail) from None


def too_big() -> ChatError:
    sentence = _("This file is too big (max {max} KB).")
    return _error("too_big", format_lazy(sentence, max=limits.KB_MAX))


def _made(file: bytes, media_type: str) -> Encoded:
    try:
        cleaned = copy_clean(media_type, BytesIO(file), BytesIO())
        # Nothing may be decoded before this check.
        pictures.require_possible(
            cleaned,
            pixels_max=limits.PIXELS_MAX,
            frames_max=limits.FRAMES_MAX,
            animation_pixels_max=limits.ANIMATION_PIXELS_MAX,
        )
        what = "animation" if cleaned.frames > 1 else "picture"
        sizes = str(limits.SIDE), str(limits.STORED_MAX)
        with _one_at_a_time():
            made = pictures.run_limited(
                encoder.__file__, pictures.FORMATS[media_type], what, *sizes, given=file
            )
    except BrokenError:
        raise ChatError("bad_file", _("This picture is damaged.")) from None
    end = 4 + int.from_bytes(made[:4], "big")
    image, still = made[4:end], made[end:]
    if len(image) > limits.STORED_MAX:
        raise ChatError("too_big", _("This animation is too large."))
    return Encoded(_address("a" if still else "s", image), image, still)


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


def _error(code: str, sentence: Sentence) -> ChatError:
    return ChatError(code, sentence, fields={"picture": [sentence]})
