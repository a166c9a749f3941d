"""The sidebar and the data for scripts, on all pages for signed-in users."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import msgspec
from django.http import HttpRequest
from django.urls import reverse

from accounts.current_user import current_user
from accounts.models import User
from conversations import limits, queries
from conversations.models import Conversation, Membership
from conversations.realtime.presence import online_users
from conversations.wire import person_to_wire

SIDEBAR_ROWS = 200


@dataclass(frozen=True, slots=True)
class SidebarItem:
    """A conversation in the sidebar, for _sidebar_row.html."""

    id: int
    kind: str
    access: str
    name: str
    archived: bool
    unread: int
    unread_more: bool
    level: str
    mentions: list[int]
    person: User | None
    url: str
    is_current: bool
    is_online: bool

    @property
    def level_in_force(self) -> str:
        """The effective level. In direct messages there are no mentions, so "mentions" means "all". The same
        as levelOf() in conversation_list.js."""
        asks_mentions = self.level == Membership.Level.MENTIONS
        is_direct = self.kind == Conversation.Kind.DIRECT
        return Membership.Level.ALL if asks_mentions and is_direct else self.level

    @property
    def is_quiet(self) -> bool:
        """Whether it has nothing to notify of, as notifiableCount() in conversation_list.js."""
        match self.level_in_force:
            case Membership.Level.ALL:
                return not self.unread
            case Membership.Level.MENTIONS:
                return not self.mentions
        return True


BLANK_ITEM = SidebarItem(
    0, "group", "closed", "", False, 0, False, "all", [], None, "/c/0/", False, False
)


@dataclass(frozen=True, slots=True)
class Sidebar:
    rows: list[SidebarItem]
    more: bool


def get_sidebar(request: HttpRequest) -> Sidebar:
    """Return the sidebar for this request. It is read once and cached on the request."""
    kept: Sidebar | None = getattr(request, "_sidebar", None)
    if kept is None:
        limit = limits.CONVERSATIONS_MAX if "all" in request.GET else SIDEBAR_ROWS
        found = queries.sidebar(current_user(request), limit=limit)
        match = request.resolver_match
        current = match.kwargs.get("conversation_id") if match else None
        online = online_users([row.other.pk for row in found if row.other])
        kept = Sidebar(
            rows=[_sidebar_item(row, row.id == current, online) for row in found],
            more=len(found) == limit < limits.CONVERSATIONS_MAX,
        )
        request._sidebar = kept  # type: ignore[attr-defined]
    return kept


def _sidebar_item(row: queries.SidebarRow, current: bool, online: set[int]) -> SidebarItem:
    return SidebarItem(
        id=row.id,
        kind=row.kind,
        access=row.access,
        name=row.name,
        archived=row.archived,
        unread=row.unread,
        unread_more=row.unread_more,
        level=row.level,
        mentions=row.mentions,
        person=row.other,
        url=f"/c/{row.id}/",
        is_current=current,
        is_online=row.other is not None and row.other.is_active and row.other.pk in online,
    )


def writer_of(user: User) -> str:
    """Return an identifier of the person for text that is stored in the browser.

    A user id is not enough: after the database was restored or created again, it may belong to someone else.
    The identifier has two hashes, one of the account and one of the email address. If either matches, it is
    the same person.
    """
    account = f"{user.pk} {user.date_joined.timestamp()}"
    return " ".join(
        hashlib.sha256(f"chatty {mark}".encode()).hexdigest()[:32] for mark in (account, user.email)
    )


def app_data(request: HttpRequest, conversation: dict[str, Any] | None) -> dict[str, Any]:
    """Return the content of #app-data.

    `conversation`: data of the open conversation, see conversation_page.py; None on other pages.
    """
    user = current_user(request)
    return {
        "user": msgspec.structs.asdict(person_to_wire(user)) | {"time_zone": user.time_zone},
        "epoch": queries.epoch(),
        "writer": writer_of(user),
        "conversation": conversation,
        "urls": {
            "socket": "/ws/",
            "api": "/api/",
            "home": reverse("conversations:home"),
            "sign_in": reverse("accounts:sign_in"),
        },
        "limits": {"body": limits.BODY_MAX},
    }
