"""Uploaded pictures become small squares without anything but pixels; bad files are refused."""

from __future__ import annotations

from io import BytesIO

import pytest
from PIL import Image

from conversations.attachments.tests.test_media import exif, gif_of, png_of
from conversations.attachments.tests.test_media import picture as photo
from conversations.custom_emoji import encoder, limits, pictures
from conversations.custom_emoji.tests.conftest import animation, picture
from conversations.emoji import is_address
from conversations.tests.helpers import raises_chat_error


def opened(image: bytes) -> Image.Image:
    found = Image.open(BytesIO(image))
    assert found.format == "WEBP"
    return found


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "AVIF"])
def test_picture_is_a_whole_square_webp(kind):
    made = pictures.make(picture(kind, (400, 100)))
    image = opened(made.image).convert("RGBA")
    assert image.size == (limits.SIDE, limits.SIDE)
    assert image.getpixel((64, 5))[3] == 0  # transparent above it
    assert image.getpixel((3, 64))[0] > 200
    assert is_address(made.address)
    assert (made.address[0], made.still) == ("s", b"")


def test_metadata_is_gone_and_the_picture_upright():
    made = pictures.make(photo("JPEG", (60, 20), exif=exif(orientation=6)))
    assert b"SECRET" not in made.image
    image = opened(made.image).convert("RGBA")
    assert image.getpixel((30, 2))[3] == 255  # turned, it is high
    assert image.getpixel((2, 30))[3] == 0


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_animation_stays_one_and_has_a_still_picture(kind):
    made = pictures.make(animation(4, kind))
    image = opened(made.image)
    assert image.n_frames == 4
    assert (image.size, image.info["loop"]) == (
        (30, 30),
        0 if kind != "GIF" else image.info["loop"],
    )
    assert opened(made.still).size == (30, 30)
    assert getattr(opened(made.still), "n_frames", 1) == 1
    assert made.address[0] == "a"
    assert is_address(made.address)


def test_same_pixels_have_the_same_address():
    assert pictures.make(picture("PNG")).address == pictures.make(picture("GIF")).address
    assert pictures.make(picture()).address != pictures.make(picture(colour="blue")).address


@pytest.mark.parametrize(
    ("file", "code"),
    [
        (b"", "empty"),
        (b"x" * (limits.BYTES_MAX + 1), "too_big"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "bad_file"),
        (b"<!doctype html><script>alert(1)</script>", "bad_file"),
        (b"%PDF-1.7", "bad_file"),
        (picture("PNG")[:-20], "bad_file"),
        (photo("JPEG")[:400], "bad_file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "bad_file"),
        (png_of(12_000, 12_000), "bad_file"),
        (gif_of(limits.FRAMES_MAX + 1), "bad_file"),
    ],
    ids=[
        *("empty", "large", "svg", "html", "pdf", "cut-png", "cut-jpeg", "broken"),
        *("bomb", "frames"),
    ],
)
def test_bad_file_is_refused(file, code):
    with raises_chat_error(code) as raised:
        pictures.make(file)
    assert set(raised.value.fields) == {"picture"}


def test_too_many_pixels_in_all_frames_are_refused():
    with raises_chat_error("bad_file"):
        pictures.make(animation(60, "GIF", side=700))


def test_frame_that_is_larger_than_the_picture_counts():
    size = (5_000).to_bytes(2, "little")
    image = b",\x00\x00\x00\x00"  # and its width and height
    with raises_chat_error("bad_file") as raised:
        pictures.make(gif_of(1).replace(image + b"\x01\x00\x01\x00", image + 2 * size))
    assert "megapixels" in str(raised.value.detail)


@pytest.mark.parametrize(("signal", "code"), [(11, "bad_file"), (9, "unavailable")])
def test_picture_that_breaks_the_decoder_does_not_end_the_server(
    signal, code, tmp_path, monkeypatch
):
    program = tmp_path / "encoder.py"
    program.write_text(f"import os; os.kill(os.getpid(), {signal})")
    monkeypatch.setattr(encoder, "__file__", str(program))
    with raises_chat_error(code) as raised:
        pictures.make(picture())
    assert set(raised.value.fields) == ({"picture"} if code == "bad_file" else set())
