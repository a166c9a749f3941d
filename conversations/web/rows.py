"""Draws the rows of long lists from templates/rows/, with minijinja.

Django's templates took most of the time of a page: see docs/decisions/018-minijinja-for-rows.md. Everything
is escaped except what a template marks as `safe`. The templates are pure: they get plain values and the words
of the language. A line break in a template, with the spaces around it, is left out beside a tag and otherwise
becomes one space.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import minijinja
from django.conf import settings
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language
from django.utils.translation import gettext as _

_TEMPLATES = Path(settings.BASE_DIR) / "templates" / "rows"
_COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)
_BREAK = re.compile(r"\s*\n\s*")


def draw(template: str, **values: object) -> SafeString:
    """Return the HTML of templates/rows/`template`.html, in the active language."""
    drawn = _environment.render_template(template, words=_words(get_language()), **values)
    return mark_safe(drawn)


def draw_entries(entries: Iterable[object]) -> SafeString:
    """Return the HTML of entries that name their `template`."""
    return draw("timeline", entries=entries)


@lru_cache(maxsize=8)
def _words(language: str | None) -> dict[str, str]:
    """`language`: the active one."""
    return {
        "more": _("More"),
        "deleted": _("Message deleted"),
        "edited": _("edited"),
        "jump": _("Jump to a date"),
        "show_more": _("Show more"),
        "show_less": _("Show less"),
        "new": _("New"),
        "new_messages": _("New messages"),
        "online": _("Online:"),
        "archived": _("archived"),
        "unread": _("unread"),
        "mentions": _("mentions"),
        "muted": _("muted"),
        "options": _("Options"),
    }


def _load(name: str) -> str:
    source = _COMMENT.sub("", (_TEMPLATES / f"{name}.html").read_text()).strip()
    return _BREAK.sub(_joined, source)


def _joined(found: re.Match[str]) -> str:
    before, after = found.string[found.start() - 1], found.string[found.end()]
    return "" if before in ">}" or after in "<{" else " "


_environment = minijinja.Environment(
    loader=_load,
    auto_escape_callback=lambda _name: "html",
    undefined_behavior="strict",
    reload_before_render=settings.DEBUG,
    debug=False,  # an error would otherwise show the values, such as the text of messages
)
