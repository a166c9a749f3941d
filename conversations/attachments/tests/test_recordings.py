"""Videos and recordings without what the phone wrote into them."""

from __future__ import annotations

import io
import struct
import time
from pathlib import Path

import pytest

from conversations.attachments.actions.examining import examine
from conversations.attachments.media import recordings
from conversations.attachments.tests.test_media import box

MADE = struct.pack(">II", 3_900_000_000, 3_900_000_000)  # seconds since 1904
PLACE = b"+52.5163+013.3777/SECRET"
PLACE_BOX = box(b"\xa9xyz", PLACE)


def full(name: bytes, body: bytes) -> bytes:
    return box(name, bytes(4) + body)


def track(kind: bytes, *chunks: tuple[int, list[int]]) -> bytes:
    """`chunks`: where each is in the file, and the sizes of its samples."""
    sizes = [size for _at, each in chunks for size in each]
    runs = [(1, len(chunks[0][1]), 1), (2, len(chunks[-1][1]), 1)]
    tables = [
        full(b"stsz", struct.pack(f">II{len(sizes)}I", 0, len(sizes), *sizes)),
        full(b"stsc", struct.pack(">I6I", 2, *runs[0], *runs[1])),
        full(b"stco", struct.pack(f">I{len(chunks)}I", len(chunks), *(at for at, _each in chunks))),
    ]
    media = box(b"minf", box(b"stbl", b"".join(tables)))
    header = full(b"mdhd", MADE + bytes(12)) + full(b"hdlr", bytes(4) + kind + bytes(13))
    sides = struct.pack(">II", 640 << 16, 360 << 16)
    matrix = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30)
    tkhd = full(b"tkhd", MADE + bytes(28) + matrix + sides)
    return box(b"trak", tkhd + box(b"mdia", header + media) + box(b"meta", b"SECRET lens"))


def recording(*tracks: bytes, udta: bytes = PLACE_BOX, samples: bytes = b"") -> bytes:
    """A recording with `samples` from byte 32 on, as phones write them."""
    mvhd = full(b"mvhd", MADE + struct.pack(">II", 1000, 7000) + bytes(80))
    keys = full(b"meta", box(b"keys", b"com.apple.quicktime.location.ISO6709" + PLACE))
    moov = box(b"moov", mvhd + b"".join(tracks) + box(b"udta", udta) + keys)
    head = box(b"ftyp", b"isom" + bytes(12))
    return head + box(b"mdat", samples) + moov + box(b"uuid", b"x" * 16 + b"<x:xmpmeta>SECRET")


def cleaned(tmp_path: Path, data: bytes) -> bytes:
    path = tmp_path / "upload"
    path.write_bytes(data)
    assert examine(path, "a.mp4").path == path
    clean = path.read_bytes()
    examine(path, "a.mp4")  # as after a crash
    assert path.read_bytes() == clean
    return clean


def test_place_and_time_of_a_video_are_left_out_and_the_pictures_stay(tmp_path):
    samples = b"picture 1|" + b"SECRET 52.1|" + b"SECRET 52.2|" + b"picture 2|" + b"SECRET 52.3|"
    data = recording(
        track(b"vide", (32, [10]), (66, [10])),
        track(b"meta", (42, [12, 12]), (76, [12])),
        samples=samples,
    )
    assert data[32:].startswith(samples)
    clean = cleaned(tmp_path, data)
    assert len(clean) == len(data)  # nothing moves
    for secret in (b"SECRET", b"52.", b"ISO6709", MADE[:4]):
        assert secret in data
        assert secret not in clean
    assert clean[32:88] == b"picture 1|" + bytes(24) + b"picture 2|" + bytes(12)
    # All that describes the pictures is as it was.
    start, end = data.index(b"stsz"), data.index(b"SECRET lens") - 8
    assert clean[start:end] == data[start:end]
    path = tmp_path / "upload"
    found = examine(path, "a.mp4")
    assert (found.kind, found.width, found.height, found.duration) == ("video", 640, 360, 7.0)


def test_tags_of_music_stay_and_the_place_of_a_recording_does_not(tmp_path):
    tags = full(b"meta", box(b"ilst", box(b"\xa9nam", b"A song")))
    data = recording(track(b"soun", (32, [4])), udta=tags + PLACE_BOX, samples=b"song")
    clean = cleaned(tmp_path, data)
    assert b"A song" in clean
    assert clean[32:36] == b"song"
    assert b"SECRET" not in clean


def test_recording_that_contradicts_itself_is_neither_longer_nor_slow(tmp_path):
    data = recording(track(b"meta", (32, [9]), (4_000_000_000, [9])), samples=b"x" * 9)
    assert len(cleaned(tmp_path, data)) == len(data)
    many = full(b"stsz", struct.pack(">II", 1, 0xFFFFFFFF))
    chunks = full(b"stco", struct.pack(">I", 200_000) + bytes(800_000))
    runs = full(b"stsc", struct.pack(">IIII", 1, 1, 0xFFFFFFFF, 1))
    tables = box(b"minf", box(b"stbl", many + chunks + runs))
    deep = b""
    for _ in range(5_000):
        deep = box(b"moov", deep)
    began = time.process_time()
    for given in (
        recording(box(b"trak", box(b"mdia", full(b"hdlr", b"mhlrmeta") + tables))),
        deep,
        box(b"moov", b"") * 100_000,
    ):
        file = io.BytesIO(given)
        recordings.clean(file, len(given), is_audio=False)
        assert len(file.getvalue()) == len(given)
    assert time.process_time() - began < 3


def heic(*items: tuple[bytes, bytes], version: int = 1, inside: bool = False) -> bytes:
    """A HEIC with items of these types and bytes, which are in `idat` if they are `inside`."""
    width, wide = (4, ">I") if version == 2 else (2, ">H")
    entries = []
    for number, (kind, _data) in enumerate(items):
        body = struct.pack(wide, number) + bytes(2) + kind + b"name\0"
        entries.append(box(b"infe", bytes((2 + (version == 2), 0, 0, 0)) + body))
    iinf = full(b"iinf", struct.pack(">H", len(items)) + b"".join(entries))
    ftyp = box(b"ftyp", b"heic" + bytes(4) + b"mif1heic")
    place = len(ftyp) + 12 + len(iinf) + 14 + width + len(items) * (width + 12 + 2 * (version > 0))
    places, at = b"", 0 if inside else place + 8
    for number, (_kind, data) in enumerate(items):
        method = struct.pack(">H", inside) if version else b""
        places += struct.pack(wide, number) + method + struct.pack(">HHII", 0, 1, at, len(data))
        at += len(data)
    counted = struct.pack(wide, len(items)) + places
    iloc = box(b"iloc", bytes((version, 0, 0, 0)) + b"\x44\x00" + counted)
    data = box(b"idat" if inside else b"mdat", b"".join(each for _kind, each in items))
    meta = full(b"meta", iinf + iloc + (data if inside else b""))
    return ftyp + meta + (b"" if inside else data)


@pytest.mark.parametrize(("version", "inside"), [(0, False), (1, False), (2, False), (1, True)])
def test_place_of_a_heic_is_left_out_and_the_picture_stays(version, inside, tmp_path):
    picture = (b"hvc1", b"picture")
    given = [picture, (b"Exif", b"SECRET place"), picture, (b"mime", b"<x:xmpmeta>SECRET")]
    data = heic(*given, version=version, inside=inside)
    left = [picture, (b"free", bytes(12)), picture, (b"free", bytes(17))]
    assert cleaned(tmp_path, data) == heic(*left, version=version, inside=inside)


def test_heic_that_contradicts_itself_stays_as_it_is_at_once(tmp_path):
    data = heic((b"hvc1", b"picture"), (b"Exif", b"SECRET"))
    length = struct.pack(">I", 6)
    assert data.count(length) == 1
    endless = box(b"iloc", bytes(4) + b"\0\0" + b"\xff\xff" + b"\0\0\0\0\xff\xff" * 9_999)
    began = time.process_time()
    for given in (
        data.replace(length, b"\xff\xff\xff\xff"),
        data.replace(b"iloc", b"iloX"),
        data.replace(b"iinf", b"iinX"),
        data[:60],
        data[:-50],
        box(b"ftyp", b"heic" + bytes(4)) + full(b"meta", full(b"iinf", bytes(2)) + endless),
    ):
        assert cleaned(tmp_path, given) == given
    assert time.process_time() - began < 3
