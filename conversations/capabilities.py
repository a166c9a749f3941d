"""What capabilities (search, for example) add to the core, which never imports them.

A capability is a Django app with a folder of its own in conversations/. It registers what it adds in `ready`
of its AppConfig:

- a part of the content of messages: register_part()
- a permission: register_permission()
- something on pages: register_slot()
- a reader of the change feed: see changefeed/readers.py
- jobs and kinds of deliveries: see chatty/jobs/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from conversations.models import Membership

# The places on pages: `{% slot "name" %}` in a template.
SLOTS = ("sidebar-tools",)


class PartRendered(msgspec.Struct, frozen=True):
    """`html`: safe, without language and viewer. `text`: what it says, for excerpts and search."""

    html: str
    text: str


RenderPart = Callable[[Any], PartRendered]
Permission = Callable[["Membership"], bool]

_parts: dict[str, RenderPart] = {}
_permissions: dict[str, Permission] = {}
_slots: dict[str, list[str]] = {name: [] for name in SLOTS}


def register_part(field: str, render: RenderPart) -> None:
    """Register how a field of Content is rendered, when it differs from its default. It follows the body.

    `render` is pure, so it depends on the value alone.
    """
    _parts[field] = render


def register_permission(name: str, allows: Permission) -> None:
    """Register a word of `data-can` and of `can` in the API, and which members have it. `allows` must need no
    query."""
    _permissions[name] = allows


def register_slot(slot: str, template: str) -> None:
    """Register a template for a place on pages. It gets the context of the page."""
    _slots[slot].append(template)


def parts() -> Mapping[str, RenderPart]:
    return _parts


def permissions_of(membership: Membership) -> list[str]:
    return [name for name, allows in _permissions.items() if allows(membership)]


def templates_in(slot: str) -> list[str]:
    return _slots[slot]
