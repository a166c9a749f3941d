"""The sidebar and the data for scripts, on all pages for signed-in users."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
from django.http import HttpRequest
from django.urls import reverse

from accounts.current_user import current_user
from accounts.models import User
from accounts.wire import person_to_wire
from conversations import limits, queries
from conversations.models import Conversation, Membership
from conversations.realtime.presence import online_users
from conversations.web.avatars import Avatar, avatar_of
from conversations.web.page_data import Me, OpenConversation, PageData, PageLimits, Urls
from conversations.wire import ConversationOut

SIDEBAR_ROWS = 200


@dataclass(frozen=True, slots=True)
class SidebarItem:
    """A conversation in the sidebar, for templates/rows/sidebar_row.html."""

    conversation: ConversationOut
    url: str
    is_current: bool
    is_online: bool

    @property
    def avatar(self) -> Avatar:
        """Of the other person in a direct message."""
        return avatar_of(self.conversation.other)

    @property
    def level_in_force(self) -> str:
        """The effective level. In direct messages there are no mentions, so "mentions" means "all". The same
        as levelOf() in conversation_list.js."""
        asks_mentions = self.conversation.level == Membership.Level.MENTIONS
        is_direct = self.conversation.kind == Conversation.Kind.DIRECT
        return Membership.Level.ALL if asks_mentions and is_direct else self.conversation.level

    @property
    def is_quiet(self) -> bool:
        """Whether it has nothing to notify of, as notifiableCount() in conversation_list.js."""
        match self.level_in_force:
            case Membership.Level.ALL:
                return not self.conversation.unread
            case Membership.Level.MENTIONS:
                return not self.conversation.mentions
        return True


_BLANK = ConversationOut(
    id=0,
    kind=Conversation.Kind.GROUP,
    access=Conversation.Access.CLOSED,
    name="",
    topic="",
    version=0,
    last_seq=0,
    last_read_seq=0,
    last_text_at=datetime.min.replace(tzinfo=UTC),
    unread=0,
    unread_more=False,
    mentions=[],
    role=Membership.Role.MEMBER,
    level=Membership.Level.ALL,
    archived=True,
    other=None,
)
# For <template id="sidebar-row-template">: with all optional parts.
BLANK_ITEM = SidebarItem(_BLANK, "/c/0/", is_current=False, is_online=False)


@dataclass(frozen=True, slots=True)
class Sidebar:
    rows: list[SidebarItem]
    more: bool


def get_sidebar(request: HttpRequest) -> Sidebar:
    """Return the sidebar for this request. It is read once and cached on the request."""
    kept: Sidebar | None = getattr(request, "_sidebar", None)
    if kept is None:
        limit = limits.CONVERSATIONS_MAX if "all" in request.GET else SIDEBAR_ROWS
        found, closed = queries.sidebar_and_closed_accounts(current_user(request), limit=limit)
        match = request.resolver_match
        current = match.kwargs.get("conversation_id") if match else None
        online = online_users({row.other.id for row in found if row.other} - closed)
        kept = Sidebar(
            rows=[
                SidebarItem(
                    conversation=row,
                    url=f"/c/{row.id}/",
                    is_current=row.id == current,
                    is_online=row.other is not None and row.other.id in online,
                )
                for row in found
            ],
            more=len(found) == limit < limits.CONVERSATIONS_MAX,
        )
        request._sidebar = kept  # type: ignore[attr-defined]
    return kept


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


def page_data(request: HttpRequest, conversation: OpenConversation | None) -> PageData:
    """Return the content of #app-data. `conversation`: the open one, None on other pages."""
    user = current_user(request)
    return PageData(
        user=Me(**msgspec.structs.asdict(person_to_wire(user)), time_zone=user.time_zone),
        epoch=queries.epoch(),
        writer=writer_of(user),
        conversation=conversation,
        conversations=[row.conversation for row in get_sidebar(request).rows],
        urls=Urls(
            socket="/ws/",
            api="/api/",
            home=reverse("conversations:home"),
            sign_in=reverse("accounts:sign_in"),
        ),
        limits=PageLimits(body=limits.BODY_MAX),
    )
