"""Pictures people upload, made anew: a small square without anything but its colours.

What is stored was encoded here, so whatever else a file carried (where it was taken, a second file
behind the first, what a decoder of some browser stumbles over) is not in it. Pure: knows no rows.
"""

from __future__ import annotations

import hashlib
import threading
from io import BytesIO

from django.utils.translation import gettext as _
from PIL import Image, ImageOps

from chatty.common.errors import ChatError

BYTES_MAX = 5 * 1024 * 1024
# Decoded, one pixel takes up to four bytes: a small file may hold an enormous picture.
PIXELS_MAX = 25_000_000
SIDE = 192  # pixels, for the largest face shown on the densest screens
FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
MEDIA_TYPES = ("image/png", "image/jpeg", "image/webp", "image/gif")
MEDIA_TYPE = "image/webp"  # of what is stored

# What a file says about how the camera was held (EXIF 0x0112) -> how to put that right.
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# One picture at a time may take some 200 MB; a dozen would take the machine.
_decoding = threading.Semaphore(1)
_PATIENCE = 5  # seconds


def reencode(file: bytes) -> bytes:
    """Return the picture as a square WebP, the first frame of a moving one.

    Raises ChatError("empty" | "too_big" | "invalid") with fields={"picture": ...}, or ("busy").
    """
    if not file:
        raise _picture_error("empty", _("This file is empty."))
    if len(file) > BYTES_MAX:
        raise too_big_error()
    if not _decoding.acquire(timeout=_PATIENCE):
        raise ChatError("busy", retry_after=2)
    try:
        return _encode(_crop_to_square(file))
    except ChatError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_many_pixels_error() from None
    except Exception:
        # Decoders meet broken files with whatever error comes first.
        raise _picture_error(
            "invalid", _("Chatty can’t read this image. Use a PNG, JPEG, WebP or GIF.")
        ) from None
    finally:
        _decoding.release()


def digest(image: bytes) -> str:
    """Return 32 characters that no other picture has."""
    return hashlib.sha256(image).hexdigest()[:32]


def too_big_error() -> ChatError:
    sentence = _("This file is too big (max %(max)d MB).")
    return _picture_error("too_big", sentence % {"max": BYTES_MAX // 1024 // 1024})


def _crop_to_square(file: bytes) -> Image.Image:
    with Image.open(BytesIO(file), formats=FORMATS) as source:
        # So far only the head of the file was read; nothing is decoded before this.
        if source.width * source.height > PIXELS_MAX:
            raise _too_many_pixels_error()
        turn = _TURNS.get(source.getexif().get(_ORIENTATION, 1))
        source.draft("RGB", (2 * SIDE, 2 * SIDE))  # JPEG: decoded at a fraction of its size
        # With its transparency, whichever way the format keeps it.
        picture = source.convert("RGBA")
    # From the middle, so it makes no difference that it is turned afterwards, when it is small.
    square = ImageOps.fit(picture, (SIDE, SIDE), Image.Resampling.LANCZOS)
    return square if turn is None else square.transpose(turn)


def _encode(square: Image.Image) -> bytes:
    # On white: initials lie behind a picture until it is there. A new canvas has no metadata.
    canvas = Image.new("RGB", square.size, "white")
    canvas.paste(square, mask=square.getchannel("A"))
    file = BytesIO()
    canvas.save(file, "WEBP", quality=85, method=4)
    return file.getvalue()


def _too_many_pixels_error() -> ChatError:
    sentence = _("This image is too large (max %(max)d megapixels).")
    return _picture_error("too_big", sentence % {"max": PIXELS_MAX // 1_000_000})


def _picture_error(code: str, sentence: str) -> ChatError:
    return ChatError(code, sentence, fields={"picture": [sentence]})
