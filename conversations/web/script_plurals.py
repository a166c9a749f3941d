"""The strings of scripts that depend on a number, in every plural form of a language."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from django.utils.translation import ngettext

# Scripts fill in {n}, see tn() in static/js/views/i18n.js.
STRINGS: dict[str, Callable[[int], str]] = {
    "new": lambda number: ngettext("{n} new message", "{n} new messages", number),
    "more": lambda number: ngettext("{n} more", "{n} more", number),
    "others": lambda number: ngettext("{n} other", "{n} others", number),
    "people": lambda number: ngettext("{n} person", "{n} people", number),
    "online.count": lambda number: ngettext("{n} online", "{n} online", number),
    "composer.left": lambda number: ngettext("{n} character left", "{n} characters left", number),
    "attach.added": lambda number: ngettext("{n} file attached", "{n} files attached", number),
    "files.image": lambda number: ngettext("{n} picture", "{n} pictures", number),
    "files.video": lambda number: ngettext("{n} video", "{n} videos", number),
    "files.audio": lambda number: ngettext("{n} audio file", "{n} audio files", number),
    "files.file": lambda number: ngettext("{n} file", "{n} files", number),
    "attach.too_many": lambda number: ngettext(
        "A message can have {n} file.", "A message can have {n} files.", number
    ),
    "composer.over": lambda number: ngettext(
        "{n} character too long", "{n} characters too long", number
    ),
    "sign_out.question": lambda number: ngettext(
        "{n} message or draft hasn’t been sent. Sign out and discard it?",
        "{n} messages or drafts haven’t been sent. Sign out and discard them?",
        number,
    ),
}
# Languages distinguish whole numbers by their last two digits, by 0 and by 1, and a few by millions.
_NUMBERS = (*range(200), 1_000_000)


class Plurals(msgspec.Struct, frozen=True):
    """`form_of`: the form of 0, 1, 2 and so on, one digit each, and at last that of a million.

    `strings`: "name.form" -> the string.
    """

    form_of: str
    strings: dict[str, str]


def plurals() -> Plurals:
    """Return the strings in the active language. Its catalogue decides how many forms there are."""
    forms: dict[tuple[str, ...], int] = {}
    form_of = [
        forms.setdefault(tuple(say(number) for say in STRINGS.values()), len(forms))
        for number in _NUMBERS
    ]
    strings = {
        f"{name}.{form}": text
        for texts, form in forms.items()
        for name, text in zip(STRINGS, texts, strict=True)
    }
    return Plurals("".join(map(str, form_of)), strings)
