"""Makes thumbnails of a picture, as a program that limited.py runs. See pictures.make_thumbnails().

The arguments of main() are a Pillow format, the most pixels, the path of the picture, and for each thumbnail
the longer side and the path to write.
"""

from __future__ import annotations

from PIL import AvifImagePlugin, Image, ImageOps

# As with other formats. By default, it uses all processors.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1
_QUALITY = 80
_PROFILED = ("RGB", "RGBA", "P")
_ORIENTED = ("JPEG", "PNG", "AVIF")  # as in browsers


def main(kind: str, pixels_max: str, path: str, *targets: str) -> None:
    sides = {int(side): target for side, target in zip(targets[::2], targets[1::2], strict=True)}
    largest = max(sides)
    with Image.open(path, formats=[kind]) as picture:
        if picture.width * picture.height > int(pixels_max):
            raise ValueError("too many pixels")
        picture.draft("RGB", (largest, largest))  # JPEG: decode at a reduced size
        picture.load()
        has_alpha = "A" in picture.getbands() or "transparency" in picture.info
        mode = "RGBA" if has_alpha else "RGB"
        # That of other kinds of colours would be wrong for these.
        profile = picture.info.get("icc_profile") if picture.mode in _PROFILED else None
        smaller = picture if picture.mode == mode else picture.convert(mode)
        smaller.thumbnail((largest, largest), Image.Resampling.LANCZOS)
        if kind in _ORIENTED:
            smaller = ImageOps.exif_transpose(smaller)
        for side in sorted(sides, reverse=True):
            smaller.thumbnail((side, side), Image.Resampling.LANCZOS)
            options = {"quality": _QUALITY, "method": 4, "icc_profile": profile, "exif": b""}
            smaller.save(sides[side], "WEBP", **options)
