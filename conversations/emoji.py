"""Which reactions are allowed, and how they are stored: every emoji in one form.

An emoji can be written in several ways that look the same, with and without variation selectors. Stored is
the form that Unicode calls "fully qualified", so that the same emoji is one reaction and never shown as text.
"""

from __future__ import annotations

import re
from collections.abc import Container
from typing import NamedTuple

from django.utils.translation import gettext_lazy as _

from chatty.common.errors import ChatError
from chatty.common.text import CJK
from conversations import limits

# Emoji that are shown as text unless U+FE0F follows, and those that can have a skin tone, as of Unicode 17.
# A test compares both with the data of the emoji picker.
_TEXT_BY_DEFAULT = (
    "\u00a9\u00ae\u203c\u2049\u2122\u2139\u2194-\u2199\u21a9\u21aa\u2328\u23cf\u23ed-\u23ef\u23f1\u23f2"
    "\u23f8-\u23fa\u24c2\u25aa\u25ab\u25b6\u25c0\u25fb\u25fc\u2600-\u2604\u260e\u2611\u2618\u261d\u2620"
    "\u2622\u2623\u2626\u262a\u262e\u262f\u2638-\u263a\u2640\u2642\u265f\u2660\u2663\u2665\u2666\u2668"
    "\u267b\u267e\u2692\u2694-\u2697\u2699\u269b\u269c\u26a0\u26a7\u26b0\u26b1\u26c8\u26cf\u26d1\u26d3"
    "\u26e9\u26f0\u26f1\u26f4\u26f7-\u26f9\u2702\u2708\u2709\u270c\u270d\u270f\u2712\u2714\u2716\u271d"
    "\u2721\u2733\u2734\u2744\u2747\u2763\u2764\u27a1\u2934\u2935\u2b05-\u2b07\u3030\u303d\u3297\u3299"
    "\U0001f170\U0001f171\U0001f17e\U0001f17f\U0001f202\U0001f237\U0001f321\U0001f324-\U0001f32c\U0001f336"
    "\U0001f37d\U0001f396\U0001f397\U0001f399-\U0001f39b\U0001f39e\U0001f39f\U0001f3cb-\U0001f3ce"
    "\U0001f3d4-\U0001f3df\U0001f3f3\U0001f3f5\U0001f3f7\U0001f43f\U0001f441\U0001f4fd\U0001f549\U0001f54a"
    "\U0001f56f\U0001f570\U0001f573-\U0001f579\U0001f587\U0001f58a-\U0001f58d\U0001f590\U0001f5a5\U0001f5a8"
    "\U0001f5b1\U0001f5b2\U0001f5bc\U0001f5c2-\U0001f5c4\U0001f5d1-\U0001f5d3\U0001f5dc-\U0001f5de"
    "\U0001f5e1\U0001f5e3\U0001f5e8\U0001f5ef\U0001f5f3\U0001f5fa\U0001f6cb\U0001f6cd-\U0001f6cf"
    "\U0001f6e0-\U0001f6e5\U0001f6e9\U0001f6f0\U0001f6f3"
)
_TAKES_TONE = (
    "\u261d\u26f9\u270a-\u270d\U0001f385\U0001f3c2-\U0001f3c4\U0001f3c7\U0001f3ca-\U0001f3cc\U0001f442"
    "\U0001f443\U0001f446-\U0001f450\U0001f466-\U0001f469\U0001f46b-\U0001f478\U0001f47c\U0001f481-\U0001f483"
    "\U0001f485-\U0001f487\U0001f48f\U0001f491\U0001f4aa\U0001f574\U0001f575\U0001f57a\U0001f590\U0001f595"
    "\U0001f596\U0001f645-\U0001f647\U0001f64b-\U0001f64f\U0001f6a3\U0001f6b4-\U0001f6b6\U0001f6c0\U0001f6cc"
    "\U0001f90c\U0001f90f\U0001f918-\U0001f91f\U0001f926\U0001f930-\U0001f939\U0001f93c-\U0001f93e\U0001f977"
    "\U0001f9b5\U0001f9b6\U0001f9b8\U0001f9b9\U0001f9bb\U0001f9cd-\U0001f9cf\U0001f9d1-\U0001f9dd"
    "\U0001fac3-\U0001fac5\U0001faf0-\U0001faf8"
)
# Pictographs, and code points that are reserved for them. Skin tones alone are not among them.
_PICTOGRAPH = (
    "[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2194-\u21aa\u231a-\u23ff\u24c2\u25aa-\u27bf\u2934\u2935"
    "\u2b05-\u2b55\u3030\u303d\u3297\u3299\U0001f004\U0001f0cf\U0001f170-\U0001f1e5"
    "\U0001f200-\U0001f251\U0001f300-\U0001f3fa\U0001f400-\U0001faff]"
)
_TONE = "[\U0001f3fb-\U0001f3ff]"
_ELEMENT = f"(?:[{_TAKES_TONE}]{_TONE}|{_PICTOGRAPH})"
# One emoji without variation selectors: pictographs with skin tones, possibly joined by zero-width joiners; a
# keycap; the flag of a country or a region. Not plain text, single digits or spaces.
_EMOJI = re.compile(
    f"{_ELEMENT}(?:\u200d{_ELEMENT}){{0,8}}|[0-9#*]\u20e3|[\U0001f1e6-\U0001f1ff]{{2}}"
    "|\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f"
)
_VARIATION_SELECTORS = re.compile("[\ufe0e\ufe0f]")
# Only after a character that can have one, so that what consists of selectors is not an emoji.
_MISPLACED = re.compile("(?:^|[\u200d\ufe0e\ufe0f\u20e3\U000e0030-\U000e007f])[\ufe0e\ufe0f]")
# An arrow can be the end of an emoji: a face that shakes its head.
_ONLY_EMOJI = re.compile(
    "(?:[\U0001f000-\U0001faff]\u200d[\u2194\u2195]|[\u200d\ufe0f\u231a-\u23ff\u2600-\u27bf\u2b05-\u2b55"
    "\U0001f000-\U0001faff\U000e0000-\U000e0fff\\s]){1,24}"
)
_SHOWN_AS_TEXT = re.compile(f"[{_TEXT_BY_DEFAULT}](?!{_TONE})|[0-9#*](?=\u20e3)")


def valid_emoji(emoji: object) -> str:
    """Return the emoji as it is stored. Raises ChatError("invalid") unless it is exactly one."""
    if isinstance(emoji, str) and len(emoji) <= limits.EMOJI_MAX and not _MISPLACED.search(emoji):
        found = qualified(emoji)
        if len(found) <= limits.EMOJI_MAX and _EMOJI.fullmatch(_VARIATION_SELECTORS.sub("", emoji)):
            return found
    detail = _("A reaction must be exactly one emoji.")
    raise ChatError("invalid", detail, fields={"emoji": [detail]})


def qualified(emoji: str) -> str:
    """Return the emoji with U+FE0F where it is needed, and nowhere else."""
    return _SHOWN_AS_TEXT.sub("\\g<0>\ufe0f", _VARIATION_SELECTORS.sub("", emoji))


def is_only_emoji(body: str) -> bool:
    """Whether a message is shown larger. Arrows and other signs don't count as emoji here."""
    return bool(_ONLY_EMOJI.fullmatch(body))


# --- custom emoji --------------------------------------------------------------------------------------
#
# The custom emoji of this installation have names, which can change, and pictures, which can't. In texts
# they are `:name:`, and in stored reactions `:name:` with the address of the picture, so that both are shown
# without looking anything up, and stay as they were when an emoji is renamed or removed.

EMOJI_NAME = "[a-z0-9+-][a-z0-9_+-]{0,30}[a-z0-9+-]"
# "a": the picture is animated.
_ADDRESS = "[as][0-9a-f]{20}"
_NAMED = re.compile(f":({EMOJI_NAME}):")
# Several may follow each other. Not within words, times and addresses, such as "std::vec::new" and 10:30:45,
# nor after a backslash, which markdown/source.py replaces.
_NAMED_RUN = re.compile(f"(?<!(?![{CJK}])[^\\W_])(?<![:/\\\\\x04])(?::{EMOJI_NAME}:)+")
_REACTION = re.compile(f"(:{EMOJI_NAME}:)({_ADDRESS})")
_STAND_IN = "\U0001f600"


class CustomReaction(NamedTuple):
    """`label`: the name with its colons."""

    label: str
    address: str


def is_address(text: str) -> bool:
    return bool(re.fullmatch(_ADDRESS, text))


def name_in(emoji: str) -> str:
    """Return the name in `:name:`, or "" if it is something else."""
    found = _NAMED.fullmatch(emoji)
    return found[1] if found else ""


def reaction_code(name: str, address: str) -> str:
    """Return how a reaction with a custom emoji is stored."""
    return f":{name}:{address}"


def custom_reaction(emoji: str) -> CustomReaction | None:
    """Return the parts of a stored reaction, None if it isn't a custom emoji."""
    found = _REACTION.fullmatch(emoji) if emoji.startswith(":") else None
    return CustomReaction(found[1], found[2]) if found else None


def has_names(text: str) -> bool:
    """Whether a text may contain custom emoji."""
    return ":" in text and bool(_NAMED_RUN.search(text))


def split_names(text: str, known: Container[str]) -> list[str]:
    """Return a text in parts: text, the name of a custom emoji, text, a name, ..., text."""
    parts, done = [], 0
    for run in _NAMED_RUN.finditer(text):
        for found in _NAMED.finditer(text, *run.span()):
            if found[1] in known:
                parts += [text[done : found.start()], found[1]]
                done = found.end()
    return [*parts, text[done:]]


def is_only_custom_emoji(text: str, known: Container[str]) -> bool:
    """The same as is_only_emoji() for a text with custom emoji."""
    parts = split_names(text, known)
    plain = (_STAND_IN if number % 2 else part for number, part in enumerate(parts))
    return len(parts) > 1 and is_only_emoji("".join(plain))


def picture_html(label: str, address: str) -> str:
    """Return the element of a custom emoji: views/custom_emoji.js makes the same. An animation is still for
    people who prefer reduced motion."""
    url = f"/emoji/{address}/"
    image = f'<img class="emoji" src="{url}" alt="{label}" title="{label}" width="22" height="22">'
    if address[0] == "s":
        return image
    source = f'<source media="(prefers-reduced-motion: reduce)" srcset="{url}still/">'
    return f"<picture>{source}{image}</picture>"
