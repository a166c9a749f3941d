"""Re-encodes uploaded pictures as small squares.

Only pixels survive. Anything else in a file is dropped: the location in its metadata, a second file
appended to it, or data that exploits a browser's decoder. This module does not touch the database.
"""

from __future__ import annotations

import hashlib
import threading
from io import BytesIO

from django.utils.translation import gettext as _
from PIL import Image, ImageOps

from chatty.common.errors import ChatError

BYTES_MAX = 5 * 1024 * 1024
# A decoded pixel takes up to four bytes, and a small file can contain an enormous picture.
PIXELS_MAX = 25_000_000
SIDE = 192  # pixels: enough for the largest avatar on high-density screens
FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
MEDIA_TYPES = ("image/png", "image/jpeg", "image/webp", "image/gif")
MEDIA_TYPE = "image/webp"  # of stored pictures

# From the orientation in EXIF (tag 0x0112) to the operation that corrects it.
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

# Decoding one picture can take some 200 MB. A dozen at once would exhaust the memory.
_decoding = threading.Semaphore(1)
_PATIENCE = 5  # seconds


def reencode(file: bytes) -> bytes:
    """Return the picture as a square WebP. Of an animation only the first frame is kept.

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
        # Pillow's decoders raise all kinds of exceptions for broken files.
        raise _picture_error(
            "invalid", _("Chatty can’t read this image. Use a PNG, JPEG, WebP or GIF.")
        ) from None
    finally:
        _decoding.release()


def digest(image: bytes) -> str:
    """Return 128 bits of SHA-256 as 32 hexadecimal characters."""
    return hashlib.sha256(image).hexdigest()[:32]


def too_big_error() -> ChatError:
    sentence = _("This file is too big (max %(max)d MB).")
    return _picture_error("too_big", sentence % {"max": BYTES_MAX // 1024 // 1024})


def _crop_to_square(file: bytes) -> Image.Image:
    with Image.open(BytesIO(file), formats=FORMATS) as source:
        # Image.open() reads only the header. Nothing may be decoded before this check.
        if source.width * source.height > PIXELS_MAX:
            raise _too_many_pixels_error()
        turn = _TURNS.get(source.getexif().get(_ORIENTATION, 1))
        source.draft("RGB", (2 * SIDE, 2 * SIDE))  # JPEG: decode at a reduced size
        # RGBA keeps the transparency, however the format stores it.
        picture = source.convert("RGBA")
    # The crop is centred, so it can be rotated afterwards, when it is small.
    square = ImageOps.fit(picture, (SIDE, SIDE), Image.Resampling.LANCZOS)
    return square if turn is None else square.transpose(turn)


def _encode(square: Image.Image) -> bytes:
    # On white, because initials are behind the picture until it has loaded. The new canvas has no
    # metadata.
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
