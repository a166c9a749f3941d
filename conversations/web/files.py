"""Files as a row of a message shows them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from conversations.web.script_plurals import STRINGS
from conversations.wire import LastFileOut

SIDE = 420  # CSS pixels: the longer side of a picture or video in a message
_EXTENSION = re.compile(r"\.([A-Za-z0-9]{1,5})\Z")


# What browsers record: static/js/views/voice.js. Music usually has other types.
_RECORDED = {"audio/webm", "audio/ogg", "audio/mp4"}


@dataclass(frozen=True, slots=True)
class FileRow:
    """`width` and `height`: of the box, known before the picture has loaded; 0 if they are unknown. `source`:
    what is shown there. `label`: what kind of file it is, in a few letters."""

    id: str
    kind: str
    type: str
    name: str
    alt: str
    url: str
    source: str
    size: str
    label: str
    width: int
    height: int
    animated: bool

    @property
    def title(self) -> str:
        """The name above a player, without its extension: "Voice message 2026-11-30 21.32"."""
        return _EXTENSION.sub("", self.name) or self.name


# For the <template> from which scripts draw: one of each kind, with everything that any can have.
BLANK_FILES = [
    FileRow("", kind, "", "", "", "", "", "", "", 1, 1, animated=True)
    for kind in ("image", "video", "audio", "file")
]


def file_row(file: Mapping[str, Any]) -> FileRow:
    """`file`: as in the column `files` of a message."""
    width, height = shown_size(file["width"] or 0, file["height"] or 0)
    return FileRow(
        id=file["id"],
        kind=file["kind"],
        type=file["type"],
        name=file["name"],
        alt=file["alt"],
        url=file["url"],
        source=file["thumbnail"] or file["url"],
        size=size_text(file["size"]),
        label=label(file["name"]),
        width=width,
        height=height,
        animated=file["animated"],
    )


def is_gallery(files: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether they are shown side by side."""
    return len(files) > 1 and all(file["kind"] == "image" for file in files)


def shown_size(width: int, height: int) -> tuple[int, int]:
    """Return the size of the box of a picture with this many pixels: never larger than itself."""
    longer = max(width, height)
    if longer <= SIDE:
        return width, height
    return tuple(max(1, (side * SIDE * 2 + longer) // (longer * 2)) for side in (width, height))  # type: ignore[return-value]


def size_text(size: int) -> str:
    """Return "18.4 MB" in the active language."""
    if size < 1024:
        return f"{size} B"
    for unit in ("KB", "MB"):
        size_of_unit = 1024 if unit == "KB" else 1024**2
        # Rounded half up, in integers: floats are not rounded alike everywhere.
        tenths = (size * 20 + size_of_unit) // (size_of_unit * 2)
        if tenths < 10_240:
            break
    else:
        unit, tenths = "GB", (size * 20 + 1024**3) // (1024**3 * 2)
    if unit == "KB" or tenths >= 1000:
        return f"{(tenths + 5) // 10} {unit}"
    number = number_format(f"{tenths // 10}.{tenths % 10}", use_l10n=True)
    return f"{number} {unit}"


def label(name: str) -> str:
    """Return the extension of a name in capitals, "" if it has none."""
    found = _EXTENSION.search(name)
    return found[1].upper() if found else ""


def preview(files: Sequence[LastFileOut]) -> tuple[str, str] | None:
    """Return the icon and the words for the files of a message without text: "3 pictures". None if the name
    says more, because it is a single document.

    filesPreview() in static/js/views/files_preview.js is the same: tests/golden/file_previews.json.
    """
    kinds = {each.kind for each in files}
    kind = kinds.pop() if len(kinds) == 1 else "file"
    icon = {"image": "image", "video": "video", "audio": "mic"}.get(kind, "paperclip")
    if len(files) > 1:
        name = kind if icon != "paperclip" else "file"
        return icon, STRINGS[f"files.{name}"](len(files)).format(n=len(files))
    if icon == "paperclip":
        return None
    [file] = files
    text = {
        "image": _("Picture"),
        "video": _("Video"),
        "audio": _("Voice message") if file.type in _RECORDED else _("Audio file"),
    }[kind]
    return icon, text if file.duration is None else f"{text}, {duration_text(file.duration)}"


def duration_text(seconds: float) -> str:
    """Return "1:05"."""
    whole = int(seconds)
    return f"{whole // 60}:{whole % 60:02}"
