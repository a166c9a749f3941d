"""Copies AVIF pictures without what isn't the picture, as containers.py does with other formats.

A file says where the parts of each item are, counted from its beginning. So nothing moves: what is left out
becomes zeros, and its name one that every program skips.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from conversations.attachments.media.copying import BrokenError, Cleaned, Copy
from conversations.attachments.media.iso import HEAD, SKIPPED, Box, box_at
from conversations.attachments.media.orientation import UPRIGHT

_FTYP_MAX = 256
_META_MAX = 1024 * 1024
_META_KEPT = {b"hdlr", b"pitm", b"iloc", b"iinf", b"iref", b"iprp", b"idat", b"grpl"}
_ITEMS_KEPT = {
    b"av01",
    b"grid",
    b"iden",
    b"tmap",
}  # one picture, of tiles, the same again, brightness
# Sizes, colours, how they are coded, and how the picture is turned and cut.
_PROPERTIES_KEPT = {
    *(
        b"ispe",
        b"pixi",
        b"av1C",
        b"colr",
        b"pasp",
        b"auxC",
        b"irot",
        b"imir",
        b"clap",
        b"clli",
        b"mdcv",
    ),
    *(b"cclv", b"amve", b"a1op", b"a1lx", b"lsel", b"ndwt", b"reve"),
}
_TURNED = {1: 8, 2: 3, 3: 6}  # quarters against the clock -> as Exif says it


@dataclass
class _Meta:
    """`data`: of the box, changed in place. `kept`: ranges of the file that belong to the picture."""

    data: bytearray
    primary: int = 0
    types: dict[int, bytes] = field(default_factory=dict)
    kept: list[tuple[int, int]] = field(default_factory=list)
    in_idat: list[tuple[int, int]] = field(default_factory=list)


def copy_avif(copy: Copy, cleaned: Cleaned) -> None:
    boxes = list(_top_boxes(copy))
    metas = [box for box in boxes if box.name == b"meta"]
    if not boxes or boxes[0].name != b"ftyp" or boxes[0].end > _FTYP_MAX or len(metas) != 1:
        raise BrokenError
    meta = _read_meta(copy, metas[0], cleaned)
    copy.source.seek(0)
    for box in boxes:
        if box.name == b"ftyp":
            copy.copy(box.end - box.start)
        elif box.name == b"meta":
            copy.skip(box.end - box.start)
            copy.write(bytes(meta.data))
        elif box.name == b"mdat":
            copy.copy(box.body - box.start)
            _copy_kept(copy, box, meta, cleaned)
        else:
            head = copy.read(box.body - box.start)
            copy.write(head[:4] + SKIPPED + head[8:])
            _blank(copy, box.end - box.body, cleaned)
            cleaned.changed |= box.name != SKIPPED


def _top_boxes(copy: Copy) -> Iterator[Box]:
    """Find the boxes of the file, up to something that isn't one."""
    size = copy.source.seek(0, 2)
    at = 0
    while at + 8 <= size:
        copy.count()
        copy.source.seek(at)
        head = copy.read(min(HEAD, size - at))
        box = box_at(head, at, size)
        if box is None:
            if head[4:8] in (b"ftyp", b"meta", b"mdat"):  # it ends too early
                raise BrokenError
            break
        yield box
        at = box.end


def _copy_kept(copy: Copy, box: Box, meta: _Meta, cleaned: Cleaned) -> None:
    """Copy the parts of the content that belong to the picture, and zeros for the others."""
    at = box.body
    for start, end in sorted(meta.kept):
        start, end = max(start, at), min(end, box.end)
        if end > start:
            _blank(copy, start - at, cleaned)
            copy.copy(end - start)
            at = end
    _blank(copy, box.end - at, cleaned)


def _blank(copy: Copy, size: int, cleaned: Cleaned) -> None:
    for piece in copy.pieces(size):
        cleaned.changed |= piece.count(0) < len(piece)
        copy.write(bytes(len(piece)))


# --- the box that describes the items ---------------------------------------------------------------------


def _read_meta(copy: Copy, box: Box, cleaned: Cleaned) -> _Meta:
    if box.end - box.start > _META_MAX:
        raise BrokenError
    copy.source.seek(box.start)
    before = copy.read(box.end - box.start)
    meta = _Meta(bytearray(before))
    inside: dict[bytes, Box] = {}
    for each in _inner_boxes(copy, meta.data, box.body - box.start + 4, len(before)):
        if each.name not in _META_KEPT:
            _drop(meta.data, each)
            continue
        if each.name == b"hdlr":
            meta.data[each.body + 24 : each.end] = bytes(max(0, each.end - each.body - 24))
        if inside.setdefault(each.name, each) is not each:
            raise BrokenError
    try:
        _find_items(copy, meta, inside)
        _find_places(copy, meta, inside)
        _find_properties(copy, meta, inside, cleaned)
    except (IndexError, KeyError):
        raise BrokenError from None
    cleaned.changed |= meta.data != before
    return meta


def _inner_boxes(copy: Copy, data: bytearray, start: int, end: int) -> Iterator[Box]:
    at = start
    while at < end:
        copy.count()
        box = box_at(bytes(data[at : at + HEAD]), at, end) if at + 8 <= end else None
        if box is None:
            raise BrokenError
        yield box
        at = box.end


def _drop(data: bytearray, box: Box) -> None:
    data[box.start + 4 : box.start + 8] = SKIPPED
    data[box.body : box.end] = bytes(box.end - box.body)


class _Numbers:
    """Reads numbers of a box, from its version on."""

    def __init__(self, copy: Copy, data: bytearray, box: Box) -> None:
        self._copy, self._data, self._end = copy, data, box.end
        self.at = box.body
        self.version = self.next(1)
        self.flags = self.next(3)

    def next(self, size: int) -> int:
        self._copy.count()
        if self.at + size > self._end:
            raise BrokenError
        self.at += size
        return int.from_bytes(self._data[self.at - size : self.at], "big")


def _find_items(copy: Copy, meta: _Meta, inside: dict[bytes, Box]) -> None:
    """Find the types of items. What isn't part of the picture loses its type, and all lose their names."""
    numbers = _Numbers(copy, meta.data, inside[b"pitm"])
    meta.primary = numbers.next(4 if numbers.version else 2)
    numbers = _Numbers(copy, meta.data, inside[b"iinf"])
    numbers.next(4 if numbers.version else 2)
    smaller = _smaller_pictures(copy, meta.data, inside.get(b"iref"))
    for each in _inner_boxes(copy, meta.data, numbers.at, inside[b"iinf"].end):
        numbers = _Numbers(copy, meta.data, each)
        if each.name != b"infe" or numbers.version < 2:
            raise BrokenError
        item = numbers.next(4 if numbers.version > 2 else 2)
        numbers.next(2)
        numbers.next(4)
        place = slice(numbers.at - 4, numbers.at)
        if bytes(meta.data[place]) in _ITEMS_KEPT and item not in smaller:
            meta.types[item] = bytes(meta.data[place])
        else:
            meta.data[place] = SKIPPED
        meta.data[numbers.at : each.end] = bytes(each.end - numbers.at)
    if meta.primary not in meta.types:
        raise BrokenError


def _smaller_pictures(copy: Copy, data: bytearray, box: Box | None) -> set[int]:
    """Return the items that are thumbnails of others: they can show what was cut off since."""
    if box is None:
        return set()
    size = 4 if _Numbers(copy, data, box).version else 2
    found = set()
    for each in _inner_boxes(copy, data, box.body + 4, box.end):
        if each.name == b"thmb":
            found.add(int.from_bytes(data[each.body : each.body + size], "big"))
    return found


def _find_places(copy: Copy, meta: _Meta, inside: dict[bytes, Box]) -> None:
    """Find the ranges of the file that belong to kept items. The others become zeros."""
    numbers = _Numbers(copy, meta.data, inside[b"iloc"])
    sizes = numbers.next(2)
    of_offset, of_length, of_base, of_index = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    wide = numbers.version == 2
    for _ in range(numbers.next(4 if wide else 2)):
        item = numbers.next(4 if wide else 2)
        method = numbers.next(2) & 15 if numbers.version else 0
        numbers.next(2)
        base = numbers.next(of_base)
        for _ in range(numbers.next(2)):
            if numbers.version:
                numbers.next(of_index)
            start = base + numbers.next(of_offset)
            length = numbers.next(of_length)
            if item not in meta.types:
                continue
            if method > 1 or not length:
                raise BrokenError
            (meta.in_idat if method else meta.kept).append((start, start + length))
    size = copy.source.seek(0, 2)
    if not (meta.kept or meta.in_idat) or any(end > size for _start, end in meta.kept):
        raise BrokenError
    if (box := inside.get(b"idat")) is not None:
        _keep_of_idat(meta, box)


def _keep_of_idat(meta: _Meta, box: Box) -> None:
    before = bytes(meta.data[box.body : box.end])
    meta.data[box.body : box.end] = bytes(len(before))
    for start, end in meta.in_idat:
        if end > len(before):
            raise BrokenError
        meta.data[box.body + start : box.body + end] = before[start:end]


def _find_properties(copy: Copy, meta: _Meta, inside: dict[bytes, Box], cleaned: Cleaned) -> None:
    """Find the largest size, and how the picture is turned."""
    box = inside[b"iprp"]
    parts = list(_inner_boxes(copy, meta.data, box.body, box.end))
    store = next((each for each in parts if each.name == b"ipco"), None)
    if store is None:
        raise BrokenError
    properties = list(_inner_boxes(copy, meta.data, store.body, store.end))
    for each in properties:
        if each.name == b"ispe":
            numbers = _Numbers(copy, meta.data, each)
            cleaned.reach(numbers.next(4), numbers.next(4))
        elif each.name not in _PROPERTIES_KEPT:
            _drop(meta.data, each)
    for each in parts:
        if each.name == b"ipma":
            for index in _properties_of(copy, meta, each):
                found = properties[index - 1]
                if found.name == b"irot":
                    cleaned.orientation = _TURNED.get(meta.data[found.body] & 3, UPRIGHT)
        elif each is not store:
            _drop(meta.data, each)


def _properties_of(copy: Copy, meta: _Meta, box: Box) -> list[int]:
    """Return the numbers of the properties of the primary item, from 1."""
    numbers = _Numbers(copy, meta.data, box)
    found = []
    for _ in range(numbers.next(4)):
        item = numbers.next(4 if numbers.version else 2)
        for _ in range(numbers.next(1)):
            index = numbers.next(2) & 0x7FFF if numbers.flags & 1 else numbers.next(1) & 0x7F
            if item == meta.primary and index:
                found.append(index)
    return found
