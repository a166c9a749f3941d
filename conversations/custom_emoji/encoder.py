"""Makes the picture of a custom emoji, as a program that attachments/media/limited.py runs. See pictures.py.

The arguments of main() are a Pillow format, "animation" or "picture", the side of the square, and how many
bytes an animation should have at most. It reads the file, and writes the length of the picture (4 bytes),
the picture, and the first frame of an animation, both as WebP without anything but pixels.
"""

from __future__ import annotations

import sys
from io import BytesIO
from typing import Any

from PIL import Image, ImageOps, ImageSequence

# Where a file doesn't say how long a frame is shown, or so short that browsers ignore it.
_FRAME_MS = 100
_FRAME_MS_MIN = 20
_QUALITIES = (85, 50)


def main(kind: str, what: str, side: str, bytes_max: str) -> None:
    still = b""
    with Image.open(BytesIO(sys.stdin.buffer.read()), formats=[kind]) as source:
        if what == "animation":
            image, still = _animation(source, int(side), int(bytes_max))
        else:
            image = _encode(_square(ImageOps.exif_transpose(source), int(side)))
    sys.stdout.buffer.write(len(image).to_bytes(4, "big") + image + still)


def _animation(source: Image.Image, side: int, bytes_max: int) -> tuple[bytes, bytes]:
    """Return the animation, which may have too many bytes nevertheless, and its first frame."""
    frames, shown_ms = [], []
    for frame in ImageSequence.Iterator(source):
        frames.append(_square(frame, side))
        duration = int(frame.info.get("duration") or 0)
        shown_ms.append(duration if duration >= _FRAME_MS_MIN else _FRAME_MS)
    image = b""
    for quality in _QUALITIES:
        image = _encode(
            frames[0],
            quality,
            save_all=True,
            append_images=frames[1:],
            duration=shown_ms,
            loop=int(source.info.get("loop", 0)),
        )
        if len(image) <= bytes_max:
            break
    return image, _encode(frames[0])


def _square(picture: Image.Image, side_max: int) -> Image.Image:
    """Return the whole picture in the middle of a transparent square."""
    side = min(side_max, max(picture.size))
    smaller = ImageOps.contain(picture.convert("RGBA"), (side, side), Image.Resampling.LANCZOS)
    canvas = Image.new("RGBA", (side, side))  # has no metadata
    canvas.paste(smaller, ((side - smaller.width) // 2, (side - smaller.height) // 2))
    return canvas


def _encode(picture: Image.Image, quality: int = _QUALITIES[0], **options: Any) -> bytes:
    file = BytesIO()
    picture.save(file, "WEBP", quality=quality, method=4, **options)
    return file.getvalue()
