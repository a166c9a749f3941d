"""What a file is, found from its bytes; pictures without metadata; bad files."""

from __future__ import annotations

import io
import os
import re
import signal
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageOps

from conversations.attachments.actions.examining import examine
from conversations.attachments.media import clips, decoder, detection, limited, pictures
from conversations.attachments.names import clean_name
from conversations.tests.helpers import raises_chat_error


def picture(kind: str = "JPEG", size: tuple[int, int] = (60, 40), **options) -> bytes:
    file = io.BytesIO()
    image = Image.effect_noise(size, 60).convert("RGB")
    image.save(file, kind, **options)
    return file.getvalue()


def exif(orientation: int = 1) -> Image.Exif:
    data = Image.Exif()
    data[0x0112] = orientation
    data[0x010E] = "SECRET PLACE"
    return data


def png_of(width: int, height: int) -> bytes:
    """A PNG that says it is very large, in a few bytes."""

    def chunk(name: bytes, body: bytes) -> bytes:
        checksum = zlib.crc32(name + body)
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", checksum)

    rows = zlib.compress((b"\0" + bytes((width + 7) // 8)) * min(height, 100), 9)
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@contextmanager
def in_little_memory() -> Iterator[None]:
    """The block takes less than 16 MiB at any time, whatever the process has taken before."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins again: see proc(5)
    before = peak_kb()
    yield
    assert peak_kb() - before < 16 * 1024


def peak_kb() -> int:
    found = re.search(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found
    return int(found[1])


def gif_of(frames: int) -> bytes:
    frame = b"!\xf9\x04\x04\x05\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00"
    return b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff" + frame * frames + b";"


def box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + name + body


def mp4(*, video: bool = True, seconds: int = 7) -> bytes:
    mvhd = box(b"mvhd", bytes(12) + struct.pack(">II", 1000, seconds * 1000) + bytes(80))
    matrix = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30)
    sides = struct.pack(">II", 640 << 16, 360 << 16) if video else bytes(8)
    tkhd = box(b"tkhd", bytes(40) + matrix + sides)
    hdlr = box(b"hdlr", bytes(8) + (b"vide" if video else b"soun") + bytes(13))
    track = box(b"trak", tkhd + box(b"mdia", hdlr))
    return box(b"ftyp", b"isom" + bytes(8)) + box(b"mdat", bytes(99)) + box(b"moov", mvhd + track)


@pytest.mark.parametrize(
    ("data", "name", "kind", "media_type"),
    [
        (picture("JPEG"), "a.txt", "image", "image/jpeg"),
        (picture("PNG"), "a", "image", "image/png"),
        (picture("WEBP"), "a", "image", "image/webp"),
        (gif_of(1), "a", "image", "image/gif"),
        (picture("AVIF"), "a.jpg", "image", "image/avif"),
        (picture("AVIF").replace(b"ftypavif", b"ftypmif1"), "a", "image", "image/avif"),
        (b"\x00\x00\x00\x18ftypavis" + bytes(30), "a.avif", "file", "image/avif"),
        (b"Hello w\xc3\xb6rld", "a.exe", "text", "text/plain"),
        (b"print(1)", "a.py", "text", "text/plain"),
        (b"\xef\xbb\xbfid;name", "a.csv", "text", "text/plain"),
        (b"Hello \xff", "a.txt", "file", "application/octet-stream"),
        (b"a\x00b", "a.txt", "file", "application/octet-stream"),
        (b"<!doctype html><script>alert(1)</script>", "a.jpg", "file", "text/html"),
        (b" \n<SCRIPT>alert(1)</SCRIPT>", "a.txt", "file", "text/html"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "a.png", "file", "image/svg+xml"),
        (b'<?xml version="1.0"?><svg onload="x"/>', "a.txt", "file", "image/svg+xml"),
        (b"just text", "a.html", "file", "application/octet-stream"),
        (b"just text", "a.SVG", "file", "application/octet-stream"),
        (b"%PDF-1.7\n", "a.png", "file", "application/pdf"),
        (b"PK\x03\x04" + bytes(30), "a.docx", "file", "application/zip"),
        (b"MZ\x90", "a.png", "file", "application/vnd.microsoft.portable-executable"),
        (b"ID3\x04" + bytes(30), "a.mp3", "audio", "audio/mpeg"),
        (b"RIFF\x24\0\0\0WAVEfmt " + bytes(30), "a", "audio", "audio/wav"),
        (b"OggS" + bytes(24) + b"OpusHead", "a", "audio", "audio/ogg"),
        (b"\x1a\x45\xdf\xa3" + bytes(20) + b"webm" + b"\x86\x86V_VP9", "a", "video", "video/webm"),
        (b"\x1a\x45\xdf\xa3" + bytes(20) + b"webm" + b"\x86\x86A_OPUS", "a", "audio", "audio/webm"),
        (mp4(), "a", "video", "video/mp4"),
        (mp4(video=False), "a", "audio", "audio/mp4"),
        (b"\x00\x00\x00\x18ftypheic" + bytes(30), "a.jpg", "file", "image/heic"),
    ],
)
def test_the_type_is_found_from_the_bytes(data, name, kind, media_type, tmp_path):
    path = tmp_path / "upload"
    path.write_bytes(data)
    found = examine(path, name)
    assert (found.kind, found.type) == (kind, media_type)


def test_a_character_that_is_cut_at_the_end_of_the_head_is_still_text():
    head = ("x" + "ö" * detection.HEAD).encode()[: detection.HEAD]
    assert detection.detect(head, "a", whole=False).kind == "text"
    assert detection.detect(head, "a", whole=True).kind == "file"


def test_videos_and_audio_are_measured():
    found = clips.measure(io.BytesIO(mp4()), "video/mp4", len(mp4()))
    assert found == (True, 640, 360, 7.0)
    info = b"\x15\x49\xa9\x66\x92\x2a\xd7\xb1\x83\x0f\x42\x40\x44\x89\x88"
    info += struct.pack(">d", 6_500)
    track = b"\x16\x54\xae\x6b\x8c\xae\x8a\xe0\x88\xb0\x82\x02\x80\xba\x82\x01\x68"
    webm = b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\x01" + b"\xff" * 7 + info + track
    cluster = b"\x1f\x43\xb6\x75\x01" + b"\xff" * 7 + b"\xa3\x84data"
    for data in (webm + cluster, webm):
        assert clips.measure(io.BytesIO(data), "video/webm", 99) == (True, 640, 360, 6.5)
    wav = b"RIFF\0\0\0\0WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 8000, 1, 8)
    found = clips.measure(io.BytesIO(wav + b"data" + struct.pack("<I", 12_000)), "audio/wav", 99)
    assert found.duration == 1.5


@pytest.mark.parametrize("data", [mp4()[:90], mp4()[:-30], b"\0\0\0\x08moov" * 9999, b""])
def test_broken_videos_have_no_measures(data):
    clips.measure(io.BytesIO(data), "video/mp4", len(data))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x1a",
        b"\x1a\x45\xdf\xa3",
        b"\0" * 30,
        b"\xff" * 30,
        b"\x44\x89\x83abc",
        b"\x44\x89\x88" + struct.pack(">d", float("nan")),
        b"\xb0\x88" + b"\xff" * 8 + b"\xba\x81\x01",
    ],
)
def test_broken_webm_has_no_measures(data):
    assert clips.measure(io.BytesIO(data), "video/webm", len(data)) == clips.Clip()


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"exif": exif(), "comment": b"SECRET"}),
        ("PNG", {"exif": exif()}),
        ("WEBP", {"exif": exif(), "xmp": b"SECRET"}),
        ("GIF", {"comment": b"SECRET"}),
        ("AVIF", {"exif": exif().tobytes(), "xmp": b"SECRET"}),
    ],
)
def test_metadata_and_what_follows_the_picture_are_left_out(kind, options, tmp_path):
    path = tmp_path / "upload"
    data = picture(kind, **options)
    assert b"SECRET" in data
    path.write_bytes(data + b"PK\x03\x04 SECRET second file")
    found = examine(path, "a")
    clean = found.path.read_bytes()
    assert b"SECRET" not in clean
    assert (found.width, found.height) == (60, 40)
    with Image.open(io.BytesIO(data)) as before, Image.open(io.BytesIO(clean)) as after:
        assert before.convert("RGB").tobytes() == after.convert("RGB").tobytes()  # every pixel
        assert not after.getexif()


def test_of_an_avif_only_its_items_stay(tmp_path):
    """Not a smaller picture from before it was cut, nor what hides between the parts, nor names."""
    path = tmp_path / "upload"
    data = picture("AVIF", exif=exif().tobytes(), xmp=b"SECRET")
    data = data.replace(b"Color\x00", b"SECRE\x00")
    # As a program writes it that calls the second item a thumbnail of the first.
    with_thumbnail = data.replace(b"Exif\x45", b"av01\x45").replace(b"cdsc", b"thmb", 1)
    hidden = box(b"mdat", b"SECRET") + box(b"uuid", b"SECRET") + box(b"moov", b"SECRET")
    for given in (data, with_thumbnail, data + hidden):
        path.write_bytes(given)
        clean = examine(path, "a").path.read_bytes()
        assert b"SECRE" not in clean
        assert len(clean) == len(given)  # nothing moves: the file says where its parts are
        with Image.open(io.BytesIO(data)) as before, Image.open(io.BytesIO(clean)) as after:
            assert before.tobytes() == after.tobytes()


def test_of_the_first_segments_of_a_jpeg_only_the_picture_needs_stays(tmp_path):
    """Not a smaller picture from before it was cut, in either of its two forms, nor what hides there."""
    path = tmp_path / "upload"
    data = picture("JPEG")
    assert data[2:20] == segment(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0")
    density = b"JFIF\0\x01\x01\0\0\x01\0\x01"
    thumbnail = segment(0xE0, density + b"\x01\x02SECRET")
    extension = segment(0xE0, b"JFXX\0\x10SECRET")
    adobe = b"Adobe\0\x64\0\0\0\0\x01"
    path.write_bytes(
        data[:2] + thumbnail + extension + segment(0xEE, adobe + b"SECRET") + data[20:]
    )
    clean = examine(path, "a").path.read_bytes()
    assert clean == data[:20] + segment(0xEE, adobe) + data[20:]


def test_a_clean_picture_stays_as_it_is(tmp_path):
    path = tmp_path / "upload"
    path.write_bytes(picture("PNG"))
    assert examine(path, "a").path == path


def test_a_colour_profile_stays(tmp_path):
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for kind in ("JPEG", "PNG", "WEBP", "AVIF"):
        path = tmp_path / kind
        path.write_bytes(picture(kind, icc_profile=profile, exif=exif(6)))
        with Image.open(examine(path, "a").path) as after:
            assert after.info["icc_profile"] == profile


@pytest.mark.parametrize(
    ("kind", "orientation"),
    [
        *(("JPEG", number) for number in range(1, 9)),
        ("PNG", 1),
        ("PNG", 6),
        ("WEBP", 6),
        ("AVIF", 6),
    ],
)
def test_of_the_metadata_only_the_orientation_stays(kind, orientation, tmp_path):
    """Nothing is encoded again. Browsers turn all but WebP, and thumbnails are turned as well."""
    path, small = tmp_path / "upload", tmp_path / "small.webp"
    drawn = Image.linear_gradient("L").resize((60, 40)).convert("RGB")
    drawn.save(path, kind, exif=exif(orientation), quality=100)
    before = Image.open(path).convert("RGB").tobytes()
    found = examine(path, "a")
    shown = orientation if kind != "WEBP" else 1
    assert (found.width, found.height) == ((40, 60) if shown >= 5 else (60, 40))
    data = found.path.read_bytes()
    assert b"SECRET" not in data
    with Image.open(io.BytesIO(data)) as after:
        assert dict(after.getexif()) == ({} if shown == 1 else {0x0112: shown})
        assert after.convert("RGB").tobytes() == before
        upright = ImageOps.exif_transpose(after) if shown != 1 else after
        pictures.make_thumbnails(found.path, found.type, {840: small})
        with Image.open(small) as thumbnail:
            assert thumbnail.size == (found.width, found.height)
            difference = ImageChops.difference(thumbnail.convert("RGB"), upright.convert("RGB"))
    assert max(high for _low, high in difference.getextrema()) < 40
    # What is clean already stays as it is.
    again = tmp_path / "again"
    again.write_bytes(data)
    assert examine(again, "a").path == again


def test_animations_are_found(tmp_path):
    for number, (data, animated) in enumerate([(gif_of(1), False), (gif_of(3), True)]):
        path = tmp_path / str(number)
        path.write_bytes(data)
        assert examine(path, "a").animated is animated
    frames = [Image.effect_noise((20, 20), n).convert("RGB") for n in (10, 90)]
    for kind in ("WEBP", "PNG"):
        path = tmp_path / kind
        frames[0].save(path, kind, save_all=True, append_images=frames[1:])
        assert examine(path, "a").animated


@pytest.mark.parametrize(
    "data",
    [
        picture("JPEG")[:-2],
        picture("JPEG")[:300],
        b"\xff\xd8\xff" + b"not a picture" * 9,
        picture("PNG")[:-12],
        picture("PNG").replace(b"IDAT", b"IDAX", 1),
        b"\x89PNG\r\n\x1a\n",
        gif_of(2)[:-1],
        b"GIF89a<script>alert(1)</script>",
        picture("WEBP")[:-8],
        b"RIFF\x10\0\0\0WEBPVP8 ",
        picture("AVIF")[:-8],
        picture("AVIF")[:100],
        picture("AVIF").replace(b"pitm", b"pitx"),
        picture("AVIF").replace(struct.pack(">II", 60, 40), struct.pack(">II", 12_000, 12_000)),
        b"\x00\x00\x00\x18ftypavif" + bytes(12) + b"<script>alert(1)</script>",
        png_of(12_000, 12_000),  # 144 megapixels in 17 KB or less
        gif_of(10_000),
    ],
)
def test_broken_pictures_and_bombs_are_refused(data, tmp_path):
    path = tmp_path / "upload"
    path.write_bytes(data)
    with in_little_memory(), raises_chat_error("bad_file"):
        examine(path, "a.png")


def segment(marker: int, body: bytes = b"") -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def riff(*parts: tuple[bytes, bytes]) -> bytes:
    body = b"".join(name + struct.pack("<I", len(data)) + data for name, data in parts)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


GIF_HEAD = b"GIF89a\x01\x00\x01\x00\x00\x00\x00"
PIXEL = picture("PNG", (1, 1))
FRAME = segment(0xC0, b"\x08\x00\x01\x00\x01\x01\x01\x11\x00")


@pytest.mark.parametrize(
    "make",  # every worker collects the parameters, and these are large
    [
        pytest.param(lambda: b"\xff\xd8" + b"\xff" * 8_000_000, id="fill bytes"),
        pytest.param(lambda: b"\xff\xd8" + b"\xff\x01" * 4_000_000, id="markers"),
        pytest.param(lambda: b"\xff\xd8" + FRAME + segment(0xDA) * 2_000_000, id="scans"),
        pytest.param(
            lambda: b"\xff\xd8" + FRAME * 2 + segment(0xDA) + b"\xff\xd9", id="two frames"
        ),
        pytest.param(
            lambda: PIXEL[:33] + PIXEL[-12:-4].replace(b"IEND", b"IDAT") * 700_000, id="chunks"
        ),
        pytest.param(lambda: PIXEL[:33] + PIXEL[8:], id="two headers"),
        pytest.param(lambda: GIF_HEAD + b"!\xfe\x00" * 3_000_000, id="extensions"),
        pytest.param(lambda: GIF_HEAD + b"!\xfe" + b"\x01x" * 6_000_000, id="blocks"),
        pytest.param(lambda: riff((b"VP8 ", bytes(6)), *[(b"ANIM", b"")] * 900_000), id="parts"),
        pytest.param(lambda: picture("AVIF") + box(b"free", b"") * 900_000, id="boxes"),
        pytest.param(
            lambda: picture("AVIF") + box(b"meta", bytes(4) + box(b"x", b"") * 99_000), id="meta"
        ),
    ],
)
def test_pictures_of_very_many_parts_are_refused_at_once(make, tmp_path):
    path = tmp_path / "upload"
    path.write_bytes(make())
    began = time.process_time()
    with raises_chat_error("bad_file"):
        examine(path, "a")
    assert time.process_time() - began < 3
    assert [each.name for each in tmp_path.iterdir()] == ["upload"]


def test_the_largest_size_in_a_file_counts(tmp_path):
    """Decoders enlarge a GIF to its frames, and one that is shown again and again takes its time."""
    frame = b",\0\0\0\0" + struct.pack("<HH", 60_000, 60_000) + b"\0\x02\x02D\x01\0"
    canvas = struct.pack("<HH", 7_000, 7_000)
    many = gif_of(100).replace(b"GIF89a\x01\x00\x01\x00", b"GIF89a" + canvas)
    vp8l = b"\x2f" + struct.pack("<I", 0x3FFF << 14 | 0x3FFF) + bytes(9)
    for data in (GIF_HEAD + frame + b";", many, riff((b"VP8X", bytes(10)), (b"VP8L", vp8l))):
        path = tmp_path / "upload"
        path.write_bytes(data)
        with raises_chat_error("bad_file"):
            examine(path, "a")


def test_parts_that_are_large_take_no_memory(tmp_path):
    path = tmp_path / "upload"
    size = 64 * 1024 * 1024
    webp = b"RIFF" + struct.pack("<I", size - 8) + b"WEBPVP8L" + struct.pack("<I", size - 20)
    wav = b"RIFF" + struct.pack("<I", size - 8) + b"WAVEfmt " + struct.pack("<I", size - 20)
    moov = struct.pack(">I", size - 24) + b"moov" + struct.pack(">I", size - 32) + b"udta"
    film = box(b"ftyp", b"isom" + bytes(12)) + moov
    for head, kind in ((webp + b"\x2f", "image"), (wav, "audio"), (film + b"x", "video")):
        path.write_bytes(head)
        os.truncate(path, size)
        with in_little_memory():
            assert examine(path, "a").kind == kind


@pytest.mark.parametrize("size", [(10_000, 1), (1, 10_000), (2000, 500)])
def test_thumbnails_keep_the_proportions(size, tmp_path):
    path, large, small = (tmp_path / name for name in ("upload", "large", "small"))
    path.write_bytes(picture("PNG", size))
    pictures.make_thumbnails(path, "image/png", {840: small, 1920: large})
    for side, target in ((840, small), (1920, large)):
        with Image.open(target) as made:
            assert max(made.size) == side
            assert made.format == "WEBP"
            assert (made.width >= made.height) is (size[0] >= size[1])


def test_a_thumbnail_of_an_animation_is_its_first_frame(tmp_path):
    path, target = tmp_path / "upload", tmp_path / "small"
    path.write_bytes(gif_of(2_000))
    pictures.make_thumbnails(path, "image/gif", {840: target})
    with Image.open(target) as small:
        assert getattr(small, "n_frames", 1) == 1


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("import sys; sys.exit(3)", "bad_file"),
        ("import sys; sys.exit(4)", "storage_full"),
        ("import sys; sys.exit(1)", "unavailable"),
        ("import os; os.kill(os.getpid(), 9)", "unavailable"),  # for want of memory, for example
        ("import os; os.kill(os.getpid(), 11)", "bad_file"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGXCPU)", "bad_file"),
        ("while True: pass", "unavailable"),
    ],
)
def test_a_decoder_that_fails_or_never_ends_harms_nothing(program, code, tmp_path, monkeypatch):
    path = tmp_path / "decoder.py"
    path.write_text(program)
    monkeypatch.setattr(decoder, "__file__", str(path))
    monkeypatch.setattr(pictures, "_SECONDS", 0.5)
    with raises_chat_error(code):
        pictures.make_thumbnails(tmp_path / "upload", "image/png", {840: tmp_path / "small"})


def test_the_decoder_has_limits_of_its_own(tmp_path):
    path = tmp_path / "upload"
    path.write_bytes(png_of(12_000, 12_000))
    programs = [limited.__file__, decoder.__file__]
    command = [sys.executable, "-P", *programs, "PNG", "50000000", str(path), "840", "x"]
    assert subprocess.run(command, check=False).returncode == limited.UNREADABLE
    program = "import limited; limited.SECONDS = 1; limited.limit()\nwhile True: pass"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, check=False, cwd=Path(limited.__file__).parent)
    assert done.returncode == -signal.SIGXCPU
    program = "import limited; limited.limit(); bytes(2 * 1024 ** 3)"
    command = [sys.executable, "-c", program]
    place = Path(limited.__file__).parent
    done = subprocess.run(command, check=False, cwd=place, capture_output=True)
    assert b"MemoryError" in done.stderr


@pytest.mark.parametrize(
    ("given", "clean"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\a.txt", "a.txt"),
        ("a\x00b\r\n.txt", "ab.txt"),
        ("photo\u202egpj.exe", "photogpj.exe"),
        ("\u2066a\u2069.txt", "a.txt"),
        ("con", "_con"),
        ("NUL.txt", "_NUL.txt"),
        ("console.txt", "console.txt"),
        ('a<b>:"|?*.txt', "a_b______.txt"),
        ("  spaces   here .txt", "spaces here .txt"),
        ("ends with dots...", "ends with dots"),
        (".gitignore", "file.gitignore"),
        ("", "file"),
        ("...", "file"),
        ("/", "file"),
        ("\u200b", "file"),
        ("e\u0301.txt", "é.txt"),
        ("x" * 300 + ".tar", "x" * 145 + "….tar"),
        ("👍.png", "👍.png"),
    ],
)
def test_names_are_safe_on_every_system(given, clean):
    assert clean_name(given) == clean
    assert clean_name(clean) == clean


def test_a_name_that_is_no_text_is_refused():
    with raises_chat_error("bad_text", field="name"):
        clean_name("a\ud800")


def test_a_full_disk_is_not_a_broken_picture(tmp_path, monkeypatch):
    path = tmp_path / "upload"
    path.write_bytes(picture("JPEG", exif=exif()))

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pictures, "copy_clean", full)
    with raises_chat_error("storage_full"):
        examine(Path(path), "a")
