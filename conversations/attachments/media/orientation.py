"""How a camera was held, as Exif says it: the only thing in the metadata of a picture that is kept."""

from __future__ import annotations

UPRIGHT = 1

_TAG, _SHORT = 0x0112, 3
_ENTRIES_MAX = 200
_ORDERS = {b"II*\x00": "little", b"MM\x00*": "big"}


def read_orientation(exif: bytes) -> int:
    """Return the orientation, 1 to 8, of Exif data that begins with its byte order."""
    order = _ORDERS.get(exif[:4])
    if order is None:
        return UPRIGHT

    def number(at: int, size: int) -> int:
        return int.from_bytes(exif[at : at + size], order)  # type: ignore[arg-type]  # checked above

    start = number(4, 4) + 2
    for at in range(start, start + 12 * min(number(start - 2, 2), _ENTRIES_MAX), 12):
        if number(at, 2) == _TAG and number(at + 2, 2) == _SHORT:
            found = number(at + 8, 2)
            return found if 1 <= found <= 8 else UPRIGHT
    return UPRIGHT


def exif_of(orientation: int) -> bytes:
    """Return Exif data with the orientation and nothing else."""
    numbers = ((8, 4), (1, 2), (_TAG, 2), (_SHORT, 2), (1, 4), (orientation, 2), (0, 2), (0, 4))
    return b"MM\x00*" + b"".join(number.to_bytes(size, "big") for number, size in numbers)


def is_turned(orientation: int) -> bool:
    """Whether the picture is shown turned by a quarter, so that its width is its height."""
    return orientation >= 5
