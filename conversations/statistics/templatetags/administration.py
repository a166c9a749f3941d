"""Tags of the admin site's pages."""

from __future__ import annotations

from typing import Any

import msgspec
from django import template
from django.template.context import Context
from django.utils.translation import gettext_lazy as _

register = template.Library()

# The models under each heading, in the order of the list, with their icons.
_GROUPS: tuple[tuple[Any, dict[str, str]], ...] = (
    (
        _("People"),
        {"User": "users", "SignUpRequest": "user-plus", "SignIn": "monitor-smartphone"},
    ),
    (
        _("Conversations"),
        {
            "Conversation": "message-circle",
            "Message": "messages-square",
            "File": "paperclip",
            "CustomEmoji": "smile-plus",
            "Reveal": "eye",
            "Invitation": "mail",
        },
    ),
    (
        _("Operation"),
        {
            "InstallationSettings": "settings",
            "Job": "list-todo",
            "Delivery": "send",
            "Destination": "server",
            "ReaderState": "book-open",
            "Cursor": "bookmark",
            "SetAsideChange": "triangle-alert",
        },
    ),
)
_KNOWN = {name: (heading, icon) for heading, models in _GROUPS for name, icon in models.items()}
_ORDER = list(_KNOWN)
_OTHER = (_GROUPS[-1][0], "circle-dot")


class Link(msgspec.Struct, frozen=True):
    heading: Any
    icon: str
    name: str
    url: str
    current: bool


@register.simple_tag(takes_context=True)
def admin_links(context: Context) -> list[Link]:
    """The lists that this administrator may look at, those of models without an icon last."""
    path = context["request"].path
    models = [
        model
        for app in context.get("available_apps") or ()
        for model in app["models"]
        if model.get("admin_url")
    ]
    models.sort(key=lambda model: _place(model["object_name"]))
    links = []
    for model in models:
        heading, icon = _KNOWN.get(model["object_name"], _OTHER)
        current = path.startswith(model["admin_url"])
        links.append(Link(heading, icon, str(model["name"]), model["admin_url"], current))
    return links


def _place(name: str) -> int:
    return _ORDER.index(name) if name in _ORDER else len(_ORDER)
