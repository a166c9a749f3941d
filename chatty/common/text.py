"""Rules for text people give us, the same in every interface.

Refused: NUL and other control characters (PostgreSQL cannot store NUL; terminals and logs obey the
others), lone surrogates (cannot be encoded), noncharacters, and direction overrides in one-line names
(they make one name look like another). Everything else is kept, normalised to NFC.
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

# C0 and C1 controls except tab and line feed (carriage returns are folded into line feeds before).
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_NONCHARACTERS = re.compile("[\ufdd0-\ufdef\ufffe\uffff]")
# Overrides and isolates reorder what stands around them; harmless in a paragraph, not in a name.
_BIDI_CONTROLS = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# What looks like nothing: a name or message made of these alone is empty.
_INVISIBLE = re.compile(
    "[\\s\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0]+"
)


def is_blank(text: str) -> bool:
    """Say whether nothing of a text can be seen."""
    return not text or bool(_INVISIBLE.fullmatch(text))


def clean_body(value: object, *, max_length: int) -> str:
    """Return text of several lines, trimmed of blank edges. `max_length` counts code points.

    Raises ChatError("empty" | "too_long" | "bad_text"), each with fields={"body": [...]}.
    """
    text = _storable(value, field="body", max_length=max_length)
    # Only whole blank lines go at the start, so that indented code keeps its first indent.
    text = re.sub(r"\A(?:[^\S\n]*\n)+", "", text).rstrip()
    return _measured(text, field="body", max_length=max_length)


def clean_line(value: object, *, field: str, max_length: int, required: bool = True) -> str:
    """Return text of one line: a name, a topic. Runs of white space become one space.

    Raises ChatError as clean_body does. With required=False an empty text is allowed and returned.
    """
    text = _storable(value, field=field, max_length=max_length)
    if _BIDI_CONTROLS.search(text):
        raise _text_error("bad_text", field)
    text = " ".join(text.split())
    if not required and not text:
        return ""
    return _measured(text, field=field, max_length=max_length)


def _storable(value: object, *, field: str, max_length: int) -> str:
    if not isinstance(value, str):
        raise _text_error("bad_text", field)
    # Far beyond what trimming and normalising can take away: not worth a look at each character.
    if len(value) > 4 * max_length + 10_000:
        raise _text_error("too_long", field, too_long(len(value), max_length))
    # No control, surrogate or noncharacter is printable: most texts of one line need no further look.
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
    """A number as the reader's language groups it: 4,000 or 4.000."""
    return _grouped(number)


_grouped = lazy(partial(number_format, force_grouping=True), str)
