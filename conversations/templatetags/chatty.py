"""Template tags and filters for pages of all apps."""

from __future__ import annotations

import io
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from importlib.resources import files
from typing import Any
from zipfile import ZipFile

from django import template
from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.forms import BoundField
from django.template.base import NodeList, Parser, Token
from django.template.context import Context
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html, format_html_join, json_script
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

from accounts import installation
from accounts.models import User
from accounts.wire import PersonOut
from chatty.assets.static_files import CORE_STYLE_PARTS, MESSAGE_STYLE_PARTS
from chatty.version import __version__
from conversations import capabilities, notices, wire
from conversations.models import Conversation
from conversations.web import (
    layout,
    message_page,
    moments,
    newcomers,
    page_data,
    rows,
    script_plurals,
    script_templates,
)
from conversations.web.avatars import avatar_of, initials, tile_of
from conversations.web.script_plurals import Plurals
from conversations.web.sidebar import FILTERS, Sidebar, SidebarItem
from conversations.web.timeline import Entry
from conversations.wire import ConversationOut

# Icons that point along the line: mirrored from right to left, in icons.css.
POINTING_ICONS = frozenset(
    ("arrow-left", "chevron-left", "chevron-right", "log-out", "reply", "send-horizontal", "undo-2")
)

register = template.Library()
register.filter(initials)


@register.simple_tag
def icon(name: str, size: int = 20) -> SafeString:
    """A lucide icon. It is hidden from screen readers, so there must be a text label as well."""
    return _icon(str(name), size)


@lru_cache(maxsize=1)
def _icons() -> ZipFile:
    """The icons. Opened once: the package reads the directory of this archive again for each icon, which took
    a new process more than a second of its first page.
    """
    return ZipFile(io.BytesIO((files("lucide") / "lucide.zip").read_bytes()))


@lru_cache(maxsize=256)
def _icon(name: str, size: int) -> SafeString:
    # Its looks are in icons.css.
    drawing = _icons().read(f"{name}.svg").decode()
    inside = drawing[drawing.index(">", drawing.index("<svg")) + 1 :].strip()
    return format_html(
        '<svg class="icon{2}" width="{0}" height="{0}" viewBox="0 0 24 24" aria-hidden="true">{1}',
        size,
        mark_safe(inside),
        " icon--pointing" if name in POINTING_ICONS else "",
    )


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


@register.tag
def constant(parser: Parser, token: Token) -> ConstantNode:
    """{% constant name %}…{% endconstant %}: HTML that depends only on the language and the named variables,
    which must have few values. It is rendered once per process for each of them."""
    nodes = parser.parse(("endconstant",))
    parser.delete_first_token()
    return ConstantNode(nodes, token.split_contents()[1:])


class ConstantNode(template.Node):
    def __init__(self, nodelist: NodeList, names: list[str]) -> None:
        self.nodelist = nodelist
        self._names = names
        self._drawn: dict[tuple[Any, ...], SafeString] = {}

    def render(self, context: Context) -> SafeString:
        values = {name: context.get(name) for name in self._names}
        key = (get_language(), *values.values())
        drawn = self._drawn.get(key)
        if drawn is None:
            # A context of its own, so that nothing of this request can get into the HTML of others.
            page = self.nodelist.render(context.new(values))
            drawn = mark_safe("\n".join(line.strip() for line in page.splitlines()))
            if not settings.DEBUG:
                self._drawn[key] = drawn
        return drawn


@register.simple_tag(takes_context=True)
def is_background(context: Context) -> bool:
    """Whether a script has requested the page for something else on it, so that no one sees its flashes."""
    request = context.get("request")
    return request is not None and request.headers.get(layout.PART_HEADER) == "background"


@register.filter
def moment(at: datetime, reader: User) -> SafeString:
    """A date and time as this person wants them, as <time>."""
    return _time(at, reader, "", moments.full_text(at, reader.time_format))


@register.filter
def short_moment(at: datetime, reader: User) -> SafeString:
    """A time of today, or a recent day, or a date, as this person wants them, as <time>."""
    title = format_html(' title="{}"', moments.full_text(at, reader.time_format))
    text = moments.short_text(at, timezone.localdate(), reader.time_format)
    return _time(at, reader, title, text)


def _time(at: datetime, reader: User, title: str, text: str) -> SafeString:
    # As in the timeline: without a time zone in the profile, scripts show that of the device.
    view = "" if reader.zone else mark_safe(' data-view="device_times"')
    return format_html('<time datetime="{}"{}{}>{}</time>', wire.timestamp(at), title, view, text)


@register.filter
def clock(at: datetime, reader: User) -> str:
    """A time as this person wants it. `at`: in the time zone to be shown."""
    return moments.clock_text(at, reader.time_format)


@register.simple_tag(takes_context=True)
def installation_name(context: Context) -> str:
    """What people call this installation, for the bases of all pages. Without a request, a page is about a
    failure and must not query the database."""
    given: str | None = context.get("installation_name")
    if given is not None:
        return given
    if context.get("request") is None:
        return installation.last_installation_name()
    return installation.installation_name()


@register.simple_tag
def version() -> str:
    return __version__


@register.filter
def autofocus(field: BoundField) -> BoundField:
    """Focus this field when the page loads, unless the form was submitted: then users should read its
    errors first."""
    if not field.form.is_bound:
        field.field.widget.attrs["autofocus"] = True
    return field


@register.simple_tag
def avatar(person: User | PersonOut | None, *, size: str = "", slot: str = "") -> SafeString:
    """A person's avatar: initials on their colour, covered by their picture once it has loaded.

    It is the same in rows (templates/rows/avatar.html); static/js/views/avatar.js builds it in the browser.
    `slot`: its data-slot, for scripts.
    """
    return rows.draw("avatar", avatar=avatar_of(person), size=size, slot=slot)


@register.simple_tag(takes_context=True)
def import_map(context: Context, query: str = "") -> SafeString:
    """The import map: "chatty/chat/store.js" -> the URL of the hashed file, with `query`.

    Modules only import these names, so that every file can be cached permanently.
    """
    draw = _import_map.__wrapped__ if settings.DEBUG else _import_map
    return format_html(
        '<script type="importmap" nonce="{}">{}</script>',
        _nonce(context),
        draw(get_language(), query),
    )


class _WithoutSpaces(DjangoJSONEncoder):
    item_separator, key_separator = ",", ":"


@lru_cache(maxsize=8)
def _import_map(language: str | None, query: str) -> SafeString:
    """`language`: the active one."""
    tag = json_script({"imports": script_templates.module_urls(query)}, encoder=_WithoutSpaces)
    return mark_safe(tag.removeprefix('<script type="application/json">').removesuffix("</script>"))


@register.simple_tag(takes_context=True)
def slot(context: Context, name: str) -> SafeString:
    """Render what capabilities have registered for this place."""
    assert context.template is not None
    engine = context.template.engine
    drawn = [engine.get_template(each).render(context) for each in capabilities.templates_in(name)]
    return mark_safe("".join(drawn))


@register.inclusion_tag("conversations/_sidebar.html", takes_context=True)
def sidebar(context: Context) -> dict[str, Any]:
    """The sidebar, for pages of all apps."""
    request = context["request"]
    match = request.resolver_match
    return {
        "sidebar": layout.get_sidebar(request),
        "sidebar_filter": layout.get_filter(request),
        "people_to_talk_to": newcomers.find_people_to_talk_to(request),
        "user": request.user,
        "asks_confirmation": settings.MAIL_SET_UP and not request.user.email_confirmed,
        "current_page": match.url_name if match else "",
        "installation_name": context["installation_name"],
        "csrf_token": context.get("csrf_token"),
    }


@register.simple_tag
def sign_ups_waiting(user: User) -> int:
    """Return how many people wait for approval, for administrators who can decide; 0 for all others."""
    number = installation.waiting_sign_ups() if getattr(user, "is_staff", False) else 0
    return number if number and user.has_perm("accounts.change_signuprequest") else 0


@register.simple_tag(takes_context=True)
def app_data(context: Context) -> SafeString:
    """<script id="app-data">: data for the page's scripts, see page_data.py."""
    data = layout.page_data(context["request"], context.get("open_conversation"))
    return format_html(
        '<script id="app-data" type="application/json">{}</script>',
        mark_safe(page_data.encode_for_html(data)),
    )


@register.simple_tag
def badge(
    conversation: Conversation | ConversationOut,
    person: User | PersonOut | None,
    is_online: object = False,
    title: str = "",
) -> SafeString:
    """The avatar of a conversation, see templates/rows/badge.html. `person`: the other one in a direct
    message. `title`: of a Conversation that may have no name."""
    each = conversation
    unnamed = each.unnamed if isinstance(each, ConversationOut) else not each.name
    name = title or each.name
    given = {
        "kind": each.kind,
        "access": each.access,
        "unnamed": unnamed,
        "avatar": avatar_of(person) if person else tile_of(each.id, name, unnamed=unnamed),
        "is_online": bool(is_online),
    }
    return rows.draw("badge", **given)


@register.simple_tag
def list_filters(shown: Sidebar) -> list[tuple[str, str, int | None]]:
    """What the list of conversations can be reduced to: (name, label, number, or None if it has none)."""
    return [(name, str(label), shown.numbers.get(name)) for name, label in FILTERS.items()]


@register.simple_tag
def sidebar_rows(items: Iterable[SidebarItem]) -> SafeString:
    return rows.draw("sidebar", rows=items)


@register.simple_tag
def timeline_entries(entries: Iterable[Entry]) -> SafeString:
    return rows.draw_entries(entries)


@register.simple_tag
def quick_emoji() -> tuple[str, ...]:
    """The suggested reactions, on the page and in the emoji picker."""
    return message_page.QUICK_EMOJI[:8]


@register.simple_tag
def core_styles() -> SafeString:
    """The style sheets of every page: one link if they are bundled."""
    return _links_to(CORE_STYLE_PARTS)


@register.simple_tag
def message_styles() -> SafeString:
    """The style sheets of pages that can show messages."""
    return _links_to(MESSAGE_STYLE_PARTS)


def _links_to(styles: Iterable[str]) -> SafeString:
    urls = dict.fromkeys(map(static, styles))
    return format_html_join("\n", '<link rel="stylesheet" href="{}">', ((url,) for url in urls))


@register.simple_tag
def script_templates_url() -> str:
    return script_templates.url()


@register.simple_tag
def notice_sentences() -> dict[str, str]:
    """The sentences of notices in the page's language, with placeholders for scripts."""
    return notices.patterns()


@register.simple_tag(name="script_plurals")
def plural_strings() -> Plurals:
    """The strings of scripts with numbers in them, in all plural forms of the page's language."""
    return script_plurals.plurals()


@register.simple_tag(takes_context=True)
def csp_nonce(context: Context) -> str:
    return _nonce(context)


def _nonce(context: Context) -> str:
    # The nonce is lazy and must be converted to a string: testing its truth would not generate it.
    request: Any = context.get("request")
    return str(getattr(request, "csp_nonce", ""))
