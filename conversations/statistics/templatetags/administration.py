"""Tags of the admin site's pages."""

from __future__ import annotations

from typing import Any

import msgspec
from django import template
from django.template.context import Context
from django.utils.translation import gettext_lazy as _

register = template.Library()

# Of each model, in the order of the list: its icon, and the heading of the group that begins with it.
_ICONS: dict[str, tuple[str, Any]] = {
    "User": ("users", _("People")),
    "SignUpRequest": ("user-plus", ""),
    "SignIn": ("monitor-smartphone", ""),
    "Conversation": ("message-circle", _("Conversations")),
    "Message": ("messages-square", ""),
    "Reveal": ("eye", ""),
    "Invitation": ("mail", ""),
    "InstallationSettings": ("settings", _("Operation")),
    "Job": ("list-todo", ""),
    "Delivery": ("send", ""),
    "Destination": ("server", ""),
    "ReaderState": ("book-open", ""),
    "Cursor": ("bookmark", ""),
    "SetAsideChange": ("triangle-alert", ""),
}
_ORDER = list(_ICONS)
_OTHER = "circle-dot"


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
    heading: Any = ""
    for model in models:
        icon, begins = _ICONS.get(model["object_name"], (_OTHER, ""))
        heading = begins or heading
        current = path.startswith(model["admin_url"])
        links.append(Link(heading, icon, str(model["name"]), model["admin_url"], current))
    return links


def _place(name: str) -> int:
    return _ORDER.index(name) if name in _ORDER else len(_ORDER)
