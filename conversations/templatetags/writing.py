"""Template tags for what helps to write: the picker of emoji and the bar of formats."""

from __future__ import annotations

from dataclasses import dataclass

from django import template
from django.templatetags.static import static
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

register = template.Library()

_LANGUAGES = ("en", "de")  # in static/emoji/

# (key in static/emoji/, icon, label)
_GROUPS = (
    ("recent", "clock", _("Recent")),
    ("custom", "sparkles", _("Custom emoji")),  # shown if there are any
    ("smileys-emotion", "smile", _("Smileys")),
    ("people-body", "hand", _("People and gestures")),
    ("animals-nature", "leaf", _("Animals and nature")),
    ("food-drink", "coffee", _("Food and drink")),
    ("travel-places", "plane", _("Travel and places")),
    ("activities", "trophy", _("Activities")),
    ("objects", "lightbulb", _("Objects")),
    ("symbols", "heart", _("Symbols")),
    ("flags", "flag", _("Flags")),
)
_TONES = (
    _("No skin tone"),
    _("Light"),
    _("Medium-light"),
    _("Medium"),
    _("Medium-dark"),
    _("Dark"),
)


@dataclass(frozen=True, slots=True)
class FormatButton:
    """`name`: of the change in static/js/views/formatting.js. `key`: with Ctrl, or ""."""

    name: str
    symbol: str
    label: Promise | str
    key: str = ""


_BUTTONS = (
    FormatButton("bold", "bold", _("Bold"), "B"),
    FormatButton("italic", "italic", _("Italic"), "I"),
    FormatButton("strike", "strikethrough", _("Strikethrough")),
    None,
    FormatButton("link", "link", _("Link"), "K"),
    None,
    FormatButton("bullets", "list", _("Bulleted list")),
    FormatButton("numbers", "list-ordered", _("Numbered list")),
    FormatButton("quote", "quote", _("Quote")),
    None,
    FormatButton("code", "code", _("Code")),
    FormatButton("block", "square-code", _("Code block")),
    FormatButton("spoiler", "eye-off", _("Spoiler")),
)


@register.simple_tag
def emoji_groups() -> tuple[tuple[str, str, Promise | str], ...]:
    return _GROUPS


@register.simple_tag
def skin_tones() -> tuple[Promise | str, ...]:
    """Their names, in the order of TONES in static/js/lib/emoji.js."""
    return _TONES


@register.simple_tag
def format_buttons() -> tuple[FormatButton | None, ...]:
    """The buttons of the format bar. None: a gap."""
    return _BUTTONS


@register.simple_tag
def emoji_source() -> str:
    """The address of the emoji with names in the active language: see docs/emoji.py."""
    language = get_language()
    return static(f"emoji/{language if language in _LANGUAGES else 'en'}.json")
