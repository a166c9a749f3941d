"""The sidebar: my conversations in sections, each with its last message.

static/js/views/sidebar_list.js keeps it up to date and has the same golden cases.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from operator import attrgetter

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from accounts.models import User
from accounts.wire import StatusOut
from conversations import notices
from conversations.models import Audience, Conversation, Membership
from conversations.web import files
from conversations.web.avatars import Avatar, avatar_of, tile_of
from conversations.web.moments import short_text
from conversations.wire import ConversationOut, LastMessageOut, timestamp

FAVOURITES, GROUPS, DIRECT, ARCHIVE = "favourites", "conversations", "direct", "archive"
_TITLES = {
    FAVOURITES: gettext_lazy("Favourites"),
    GROUPS: gettext_lazy("Conversations"),
    DIRECT: gettext_lazy("Direct messages"),
    ARCHIVE: pgettext_lazy("section", "Archive"),
}
# What the list can be reduced to (static/css/components/sidebar_rows.css).
FILTERS = {
    "": pgettext_lazy("conversations", "All"),
    "unread": pgettext_lazy("conversations", "Unread"),
    "mentions": pgettext_lazy("conversations", "Mentions"),
    "direct": pgettext_lazy("conversations", "Direct"),
}
# The sections that the reader has folded or unfolded, and whether the list is narrow, as
# "archive.1-direct.0-narrow.1" (views/sidebar_controls.js).
FOLDS_COOKIE = "sections"


@dataclass(frozen=True, slots=True)
class Preview:
    """The second line of a row. `who`: "You", the first word of the author's name, or "" if it is clear.
    `icon`: before it, "" if there is none."""

    who: str
    text: str
    is_deleted: bool = False
    icon: str = ""


@dataclass(frozen=True, slots=True)
class SidebarItem:
    """A conversation in the sidebar, for templates/rows/sidebar_row.html."""

    conversation: ConversationOut
    url: str
    is_current: bool
    is_online: bool
    reader_id: int
    today: date
    time_format: str = ""  # of the reader

    @property
    def avatar(self) -> Avatar:
        """Of the other person in a direct message, else of the conversation."""
        each = self.conversation
        if each.other:
            return avatar_of(each.other)
        return tile_of(each.id, each.name, unnamed=each.unnamed)

    @property
    def status(self) -> StatusOut | None:
        """Of the other person. Not one's own, in notes to oneself."""
        other = self.conversation.other
        return None if other is None or other.id == self.reader_id else self.conversation.status

    @property
    def section(self) -> str:
        each = self.conversation
        if each.archived:
            return ARCHIVE
        if each.favourite:
            return FAVOURITES
        is_direct = each.kind == Conversation.Kind.DIRECT or each.unnamed
        return DIRECT if is_direct else GROUPS

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

    @property
    def is_silent(self) -> bool:
        """Whether the reader has muted it."""
        return self.conversation.level == Membership.Level.NOTHING

    @property
    def preview(self) -> Preview:
        last = self.conversation.last
        if last is None:
            return Preview("", "")
        if last.notice is not None:
            name = last.author.name if last.author else None
            text = notices.sentence(last.kind, author=name, data=last.notice.data)
            return Preview("", text)
        who = self._who(last)
        if last.deleted_at:
            return Preview(who, _("Message deleted"), is_deleted=True)
        icon, text = (last.files and files.preview(last.files)) or ("", last.excerpt)
        return Preview(who, text, icon=icon)

    def _who(self, last: LastMessageOut) -> str:
        other = self.conversation.other
        if last.author is None or (other and other.id == last.author.id):
            return ""  # also in notes to oneself
        if last.author.id == self.reader_id:
            return _("You")
        return last.author.name.split()[0]

    @property
    def written(self) -> str:
        """When the last message or notice was written."""
        last = self.conversation.last
        return last.created_at if last else timestamp(self.conversation.last_text_at) or ""

    @property
    def when(self) -> str:
        return short_text(datetime.fromisoformat(self.written), self.today, self.time_format)

    @property
    def order(self) -> tuple[bool, float, int]:
        """Of rows in a section: muted ones last, then the latest message first."""
        return self.is_silent, -self.conversation.last_text_at.timestamp(), -self.conversation.id


_BLANK = ConversationOut(
    id=0,
    kind=Conversation.Kind.GROUP,
    access=Conversation.Access.CLOSED,
    name="",
    unnamed=False,
    topic="",
    version=0,
    last_seq=0,
    last_read_seq=0,
    last_text_at=datetime(2000, 1, 1, tzinfo=UTC),
    last=None,
    unread=0,
    unread_more=False,
    mentions=[],
    role=Membership.Role.MEMBER,
    level=Membership.Level.ALL,
    favourite=False,
    archived=True,
    posting=Audience.EVERYONE,
    adding=Audience.EVERYONE,
    inviting=Audience.EVERYONE,
    renaming=Audience.EVERYONE,
    mentioning_all=Audience.EVERYONE,
    pinning=Audience.EVERYONE,
    slow_mode=0,
    can=[],
    other=None,
    status=None,
)
# For <template id="sidebar-row-template">: with all optional parts.
BLANK_ITEM = SidebarItem(
    _BLANK, "/c/0/", is_current=False, is_online=False, reader_id=0, today=date(2000, 1, 2)
)


@dataclass(frozen=True, slots=True)
class Section:
    name: str
    title: str
    rows: list[SidebarItem]
    is_open: bool


@dataclass(frozen=True, slots=True)
class Sidebar:
    """`rows`: latest message first."""

    rows: list[SidebarItem]
    more: bool
    folds: dict[str, bool]
    is_narrow: bool = False

    @property
    def numbers(self) -> dict[str, int]:
        """How many conversations each filter would show."""
        return {
            "unread": sum(bool(row.conversation.unread) for row in self.rows),
            "mentions": sum(bool(row.conversation.mentions) for row in self.rows),
        }

    @property
    def sections(self) -> list[Section]:
        """All sections, also those without rows, which scripts fill."""
        rows: dict[str, list[SidebarItem]] = {name: [] for name in _TITLES}
        for row in sorted(self.rows, key=attrgetter("order")):
            is_merged = self.is_narrow and row.section == DIRECT
            rows[GROUPS if is_merged else row.section].append(row)
        return [
            Section(name, str(title), rows[name], self._is_open(name, rows[name]))
            for name, title in _TITLES.items()
        ]

    def _is_open(self, section: str, rows: list[SidebarItem]) -> bool:
        is_default = section != ARCHIVE or any(row.is_current for row in rows)
        return self.folds.get(section, is_default)


def is_narrow(request: HttpRequest) -> bool:
    """Whether the list is probably as narrow as on a phone, where groups and direct messages are one section:
    as scripts have noted (sidebar_list.js), or else by what the browser says about the device."""
    noted = read_folds(request).get("narrow")
    return request.headers.get("Sec-CH-UA-Mobile") == "?1" if noted is None else noted


def read_folds(request: HttpRequest) -> dict[str, bool]:
    """Return section -> whether the reader wants it open, for those that they have changed."""
    marks = request.COOKIES.get(FOLDS_COOKIE, "").split("-")
    return {name: mark == "1" for name, _dot, mark in (each.partition(".") for each in marks)}


def sidebar_items(
    conversations: Sequence[ConversationOut],
    *,
    reader: User,
    current: int | None,
    online: Collection[int],
) -> list[SidebarItem]:
    today = timezone.localdate()
    return [
        SidebarItem(
            conversation=each,
            url=f"/c/{each.id}/",
            is_current=each.id == current,
            is_online=each.other is not None and each.other.id in online,
            reader_id=reader.pk,
            today=today,
            time_format=reader.time_format,
        )
        for each in conversations
    ]
