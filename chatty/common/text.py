"""Validation of user text, the same in every interface.

Rejected are NUL and other control characters (PostgreSQL cannot store NUL; terminals and log viewers
act on the others), lone surrogates (they cannot be encoded), noncharacters, and direction overrides in
one-line names (they make one name look like another). All other text is stored, normalised to NFC.
"""

from __future__ import annotations

import re
import unicodedata
from functools import partial

from django.utils.formats import number_format
from django.utils.functional import lazy
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from chatty.common.errors import CODES, ChatError, Sentence

# C0 and C1 controls except tab and line feed. Carriage returns are converted to line feeds before.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_NONCHARACTERS = re.compile("[\ufdd0-\ufdef\ufffe\uffff]")
# Overrides and isolates reorder the text around them: harmless in a message, but not in a name.
_BIDI_CONTROLS = re.compile("[\u202a-\u202e\u2066-\u2069]")
# Invisible marks that come along when a name is copied. They are removed from lines.
_BIDI_MARKS = re.compile("[\u200e\u200f\u061c]")
# Invisible characters: a name or message that consists only of these is empty.
_INVISIBLE = re.compile(
    "[\\s\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]+"
)


# Tags are part of some flags, such as that of Scotland.
_UNSEEN = re.compile(
    "(\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f)"
    "|[\u00ad\u034f\u061c\u180e\u200b\u200e\u200f\u2060-\u2064\ufeff\U000e0000-\U000e0fff]+"
)


# For a character class: letters of Chinese, Japanese and Korean, which have no spaces between words. The same
# as in lib/match.js: both pass tests/golden/word_characters.json.
CJK = (
    "\u2e80-\u2fdf\u3005-\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff"
    "\u3105-\u312f\u3131-\u318e\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7a3\uf900-\ufaff\uff66-\uffdc\U00020000-\U0003ffff"
)

# Letters that NFKD doesn't decompose, and what people type for them.
_PLAIN = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"}
)


# "@all" mentions everyone in a group (conversations/mentions.py), so no one can have this name.
NAME_OF_EVERYONE = "all"


def fold_loosely(text: str) -> str:
    """Return a name for searching, without case and accents: "Łódź Straße" equals "lodz strasse".

    Must match `folded` in lib/match.js.
    """
    if text.isascii():
        return text.lower().strip()
    plain = "".join(
        each
        for each in unicodedata.normalize("NFKD", text)
        if not unicodedata.category(each).startswith("M")
    )
    # The final sigma depends on where the word ends, and typed text can end anywhere.
    return plain.lower().replace("ς", "σ").translate(_PLAIN).strip()


def without_blank(text: str) -> str:
    """Return a text without all characters that look like nothing or like a space."""
    return _INVISIBLE.sub("", text)


def is_blank(text: str) -> bool:
    """Return whether a text has no visible characters."""
    return not text or bool(_INVISIBLE.fullmatch(text))


def clean_body(value: object, *, max_length: int, required: bool = True) -> str:
    """Return multi-line text without blank lines around it. `max_length` is in code points.

    Raises ChatError("empty" | "too_long" | "bad_text"), each with fields={"body": [...]}. With required=False
    a blank text is "".
    """
    text = storable_text(value, field="body", max_length=max_length)
    # At the start remove only whole blank lines: indented code must keep its first indent.
    text = re.sub(r"\A(?:[^\S\n]*\n)+", "", text).rstrip()
    if not required and is_blank(text):
        return ""
    return _measured(text, field="body", max_length=max_length)


def clean_line(value: object, *, field: str, max_length: int, required: bool = True) -> str:
    """Return one-line text, such as a name or topic. Runs of whitespace become one space.

    Raises ChatError like clean_body(). With required=False the text may be empty.
    """
    text = storable_text(value, field=field, max_length=max_length)
    if not text.isprintable():
        if _BIDI_CONTROLS.search(text):
            raise _text_error("bad_text", field)
        text = _BIDI_MARKS.sub("", text)
    text = " ".join(text.split())
    if not required and not text:
        return ""
    return _measured(text, field=field, max_length=max_length)


def without_invisible(text: str) -> str:
    """Return a text without characters that no one sees, such as those that are copied along with a name.

    Those that shape what is around them stay: the zero-width joiner and non-joiner, variation selectors.
    """
    return _UNSEEN.sub(r"\1", text)


def clean_note(value: object, *, field: str, max_length: int) -> str:
    """Return a text of any number of lines, which can be empty. Raises ChatError like clean_body()."""
    text = storable_text(value, field=field, max_length=max_length)
    if _BIDI_CONTROLS.search(text):
        raise _text_error("bad_text", field)
    text = text.strip()
    return "" if is_blank(text) else _measured(text, field=field, max_length=max_length)


def storable_text(value: object, *, field: str, max_length: int) -> str:
    """Return text normalised as it would be stored. It can be blank, and somewhat longer than `max_length`.

    Raises ChatError("too_long" | "bad_text").
    """
    if not isinstance(value, str):
        raise _text_error("bad_text", field)
    # Trimming and normalising cannot shorten it that much, so don't spend time on each character.
    if len(value) > 4 * max_length + 10_000:
        raise _text_error("too_long", field, too_long(len(value), max_length))
    # Controls, surrogates and noncharacters are not printable, so most one-line texts end here.
    if value.isprintable():
        return unicodedata.normalize("NFC", value)
    if _SURROGATES.search(value) or _NONCHARACTERS.search(value):
        raise _text_error("bad_text", field)
    text = unicodedata.normalize("NFC", value.replace("\r\n", "\n").replace("\r", "\n"))
    if _CONTROLS.search(text):
        raise _text_error("bad_text", field)
    return text


def _measured(text: str, *, field: str, max_length: int) -> str:
    if is_blank(text):
        raise _text_error("empty", field)
    if len(text) > max_length:
        raise _text_error("too_long", field, too_long(len(text), max_length))
    return text


def too_long(length: int, max_length: int) -> Sentence:
    return format_lazy(
        _("That’s too long: {length} characters (max {max})."),
        length=counted(length),
        max=counted(max_length),
    )


def _text_error(code: str, field: str, detail: Sentence | None = None) -> ChatError:
    return ChatError(code, detail, fields={field: [detail or CODES[code].detail]})


def counted(number: int) -> Sentence:
    """Return the number with the grouping of the current language: 4,000 or 4.000."""
    return _grouped(number)


_grouped = lazy(partial(number_format, force_grouping=True), str)
