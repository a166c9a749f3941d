"""Template tags and filters for pages of all apps."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any

from django import template
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.forms import BoundField
from django.template.context import Context
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils.html import format_html, json_script
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language
from lucide.templatetags.lucide import lucide

from accounts.models import User
from accounts.wire import PersonOut
from chatty.version import __version__
from conversations import notices, wire
from conversations.web import layout, messages, page_data
from conversations.web.timeline import MessageRow

register = template.Library()


@register.simple_tag
def icon(name: str, size: int = 20) -> SafeString:
    """A lucide icon. It is hidden from screen readers, so there must be a text label as well."""
    return _icon(str(name), size)


@lru_cache(maxsize=256)
def _icon(name: str, size: int) -> SafeString:
    # Cached, because lucide parses and serialises the SVG with each call, and a page has dozens.
    attributes = {"class": "icon", "aria-hidden": "true", "focusable": "false"}
    return mark_safe(lucide(name, size=size, **attributes))


@register.simple_tag
def symbol(name: str) -> SafeString:
    """An icon as <symbol id="i-…">, for the sprite of a page."""
    drawing = _icon(str(name), 24)
    inside = drawing[drawing.index(">") + 1 : drawing.rindex("</svg>")]
    return format_html(
        '<symbol id="i-{}" viewBox="0 0 24 24">{}</symbol>',
        name,
        mark_safe(inside),
    )


@register.simple_tag
def use_icon(name: str) -> SafeString:
    """An icon of the page's sprite. It must be in templates/_sprite.html."""
    return format_html(
        '<svg class="icon" aria-hidden="true"><use href="#i-{}"/></svg>',
        name,
    )


@register.simple_tag
def version() -> str:
    return __version__


@register.filter
def initials(name: str) -> str:
    """Up to two initials: AL for "Ada Lovelace", B for "bob", 李 for "李明"."""
    words = [word for word in name.split() if word[0].isalnum()] or name.split()
    letters = [words[0][0], words[-1][0]] if len(words) > 1 else [word[0] for word in words[:1]]
    return "".join(letters).upper()[:2]


@register.filter
def autofocus(field: BoundField) -> BoundField:
    """Focus this field when the page loads, unless the form was submitted: then users should read its
    errors first."""
    if not field.form.is_bound:
        field.field.widget.attrs["autofocus"] = True
    return field


@register.filter
def timestamp(at: datetime) -> str:
    """A value for <time datetime>: UTC with milliseconds, because HTML allows no more digits."""
    return wire.timestamp(at) or ""


@register.simple_tag
def avatar(person: User | PersonOut | None, *, size: str = "", slot: str = "") -> SafeString:
    """A person's avatar: initials on their colour, covered by their picture once it has loaded.

    static/js/views/avatar.js builds the same HTML. `slot`: its data-slot, for scripts.
    """
    url = person.picture if isinstance(person, PersonOut) else person and person.picture_url
    return format_html(
        '<span class="avatar{} avatar--h{}"{} aria-hidden="true">{}{}</span>',
        f" avatar--{size}" if size else "",
        person.hue if person else 0,
        format_html(' data-slot="{}"', slot) if slot else "",
        initials(person.name) if person else "",
        _picture(url) if url else "",
    )


def _picture(url: str) -> SafeString:
    return format_html(
        '<img class="avatar__picture" alt="" loading="lazy" decoding="async" src="{}">', url
    )


@register.simple_tag(takes_context=True)
def import_map(context: Context) -> SafeString:
    """The import map: "chatty/chat/store.js" -> the URL of the hashed file.

    Modules only import these names, so that every file can be cached permanently.
    """
    imports = _imports() if not settings.DEBUG else _imports.__wrapped__()
    script = json_script({"imports": imports}).replace(
        '<script type="application/json">',
        format_html('<script type="importmap" nonce="{}">', _nonce(context)),
    )
    return mark_safe(script)


@lru_cache(maxsize=1)
def _imports() -> dict[str, str]:
    paths = {path for finder in get_finders() for path, _ in finder.list([])}
    scripts = sorted(path for path in paths if path.startswith("js/") and path.endswith(".js"))
    return {f"chatty/{path.removeprefix('js/')}": static(path) for path in scripts}


@register.inclusion_tag("conversations/_sidebar.html", takes_context=True)
def sidebar(context: Context) -> dict[str, Any]:
    """The sidebar, for pages of all apps."""
    request = context["request"]
    match = request.resolver_match
    return {
        "sidebar": layout.get_sidebar(request),
        "blank": layout.BLANK_ITEM,
        "user": request.user,
        "current_page": match.url_name if match else "",
        "csrf_token": context.get("csrf_token"),
    }


@register.simple_tag(takes_context=True)
def app_data(context: Context) -> SafeString:
    """<script id="app-data">: data for the page's scripts, see page_data.py."""
    data = layout.page_data(context["request"], context.get("open_conversation"))
    return format_html(
        '<script id="app-data" type="application/json">{}</script>',
        mark_safe(page_data.encode_for_html(data)),
    )


@register.simple_tag
def message_actions(row: MessageRow) -> SafeString:
    """The actions that the reader can take on a message.

    The HTML is cached with placeholders: rendering it for each message was half the cost of a page.
    """
    draw = _actions.__wrapped__ if settings.DEBUG else _actions
    drawn = draw(get_language(), row.can_add, row.can_edit, row.can_delete)
    # Safe without escaping: URLs that we build from numbers, and a number.
    for gap, value in (("@url@", row.url), ("@reply@", row.reply_url), ("@seq@", row.message.seq)):
        drawn = drawn.replace(gap, str(value))
    return mark_safe(drawn)


@lru_cache(maxsize=64)
def _actions(language: str | None, can_add: bool, can_edit: bool, can_delete: bool) -> str:
    """`language`: the active one. It is part of the cache key, because the HTML contains labels."""
    gaps = {"url": "@url@", "reply_url": "@reply@", "seq": "@seq@"}
    allowed = {"can_add": can_add, "can_edit": can_edit, "can_delete": can_delete}
    return render_to_string("conversations/_actions.html", {**gaps, **allowed}).strip()


@register.simple_tag
def quick_emoji() -> tuple[str, ...]:
    """The suggested reactions, on the page and in the emoji picker."""
    return messages.QUICK_EMOJI[:8]


@register.simple_tag
def notice_sentences() -> dict[str, str]:
    """The sentences of notices in the page's language, with placeholders for scripts."""
    return notices.patterns()


@register.simple_tag(takes_context=True)
def csp_nonce(context: Context) -> str:
    return _nonce(context)


def _nonce(context: Context) -> str:
    # The nonce is lazy and must be converted to a string: testing its truth would not generate it.
    request: Any = context.get("request")
    return str(getattr(request, "csp_nonce", ""))
