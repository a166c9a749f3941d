"""Names of files: what people see and save them under. Pure."""

from __future__ import annotations

import re
import unicodedata

from chatty.common.errors import ChatError
from chatty.common.text import is_blank
from conversations.attachments.limits import NAME_MAX

# What no name can have: controls, characters that reorder the text around them (so that "exe.gpj" looks like
# "jpg.exe"), invisible ones, and noncharacters.
_REMOVED = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufdd0-\ufdef\ufffe\uffff]"
)
_SURROGATES = re.compile("[\ud800-\udfff]")
_SEPARATORS = re.compile(r"[/\\]")
_REPLACED = re.compile(r'[<>:"|?*]')  # Windows can't save these
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?= *(?:\.|\Z))", re.IGNORECASE)
_EXTENSION = re.compile(r"\.[^.\s]{1,15}\Z")
_UNNAMED = "file"


def clean_name(given: str) -> str:
    """Return the name under which a file can be saved on any system: without folders, at most NAME_MAX long,
    with its extension. Raises ChatError("bad_text") for a name that isn't text.
    """
    if _SURROGATES.search(given):
        raise ChatError("bad_text", fields={"name": ["bad_text"]})
    name = unicodedata.normalize("NFC", given[:4096] if len(given) > 4096 else given)
    whole = _SEPARATORS.split(_REMOVED.sub("", name))[-1]
    whole = " ".join(_REPLACED.sub("_", whole).split())
    name = whole.strip(". ")
    if is_blank(name):
        return _UNNAMED
    if whole.startswith(".") and "." not in name:
        name = f"{_UNNAMED}.{name}"  # ".gitignore"
    if _RESERVED.match(name):
        name = f"_{name}"
    return _shortened(name)


def _shortened(name: str) -> str:
    if len(name) <= NAME_MAX:
        return name
    extension = _EXTENSION.search(name)
    end = extension[0] if extension else ""
    return name[: NAME_MAX - len(end) - 1].rstrip(". ") + "…" + end
