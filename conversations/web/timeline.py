"""Turns messages into the entries of a conversation's page: days, notices, messages, the New line.

static/js/views/days.js has the same golden cases. A message is "continued" (shown without a header) if the
previous entry is a message by the same author, on the same day in the reader's time zone, and at most five
minutes older.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import ClassVar

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from conversations import wire
from conversations.models import Membership, Message
from conversations.web.avatars import NO_AVATAR, Avatar, avatar_of

GROUP_WITHIN = timedelta(minutes=5)

# Messages of a few emoji are shown larger. Arrows and other signs don't count as emoji here.
_ONLY_EMOJI = re.compile(
    "[\u200d\ufe0f\u231a-\u23ff\u2600-\u27bf\u2b05-\u2b55\U0001f000-\U0001faff\\s]{1,24}"
)


@dataclass(frozen=True, slots=True)
class Day:
    template: ClassVar[str] = "day"
    iso: str
    label: str


@dataclass(frozen=True, slots=True)
class NewLine:
    template: ClassVar[str] = "new_line"


@dataclass(frozen=True, slots=True)
class Notice:
    template: ClassVar[str] = "notice"
    id: int
    seq: int
    created: str
    clock: str
    text: str


@dataclass(frozen=True, slots=True)
class Quote:
    id: int
    author_id: int | str
    author: str
    text: str
    deleted: bool


@dataclass(frozen=True, slots=True)
class Chip:
    emoji: str
    count: int
    is_mine: bool
    names: str


@dataclass(frozen=True, slots=True)
class ReadReceipt:
    """Who has seen a message. `text`: a short version, "" if no one has. `names`: all names."""

    text: str
    names: str


@dataclass(frozen=True, slots=True)
class MessageRow:
    template: ClassVar[str] = "message"
    message: Message
    id: int
    seq: int
    author: Avatar
    created: str
    clock: str
    html: str
    is_own: bool = False
    is_continued: bool = False
    is_deleted: bool = False
    is_edited: bool = False
    only_emoji: bool = False
    mentions_me: bool = False
    archived: bool = False
    reply: Quote | None = None
    reactions: list[Chip] = field(default_factory=list)
    receipt: ReadReceipt | None = None


Entry = Day | NewLine | Notice | MessageRow

# For the <template> elements from which scripts draw: empty, but with all parts.
BLANK_DAY = Day("", "")
BLANK_NOTICE = Notice(id=0, seq=0, created="", clock="", text="")
BLANK_MESSAGE = MessageRow(
    message=Message(),
    id=0,
    seq=0,
    author=NO_AVATAR,
    created="",
    clock="",
    html="",
    reply=Quote(id=0, author_id="", author="", text="", deleted=False),
    reactions=[Chip(emoji="", count=0, is_mine=False, names="")],
    is_edited=True,
)


def entries(
    messages: Sequence[Message], membership: Membership, *, first_unread: int | None
) -> list[Entry]:
    """Return the entries for a page of messages (oldest first), in the active time zone.

    `first_unread`: the seq before which to insert the New line, if it is on this page.
    """
    result: list[Entry] = []
    today = timezone.localdate()
    reader = _Reader(membership.user_id, membership.conversation.is_archived)
    avatars: dict[int | None, Avatar] = {}
    day: date | None = None
    before: Message | None = None  # the message that the next one may continue
    for message in messages:
        at = timezone.localtime(message.created_at)
        if at.date() != day:
            day, before = at.date(), None
            result.append(Day(day.isoformat(), day_label(day, today)))
        if message.seq == first_unread:
            before = None
            result.append(NewLine())
        if message.is_text:
            avatar = avatars.get(message.author_id)
            if avatar is None:
                avatar = avatars[message.author_id] = avatar_of(message.author)
            goes_on = _is_continued(message, before)
            result.append(_message_row(message, reader, avatar, at, is_continued=goes_on))
            before = message
        else:
            result.append(_notice(message, at))
            before = None
    return result


def day_label(day: date, today: date) -> str:
    if day == today:
        return _("Today")
    if day == today - timedelta(days=1):
        return _("Yesterday")
    # Translators: a date as Django's date formats write it, without and with the year.
    pattern = _("l j F") if day.year == today.year else _("l j F Y")
    return date_format(day, pattern)


def is_only_emoji(body: str) -> bool:
    return bool(_ONLY_EMOJI.fullmatch(body))


def quote(message: Message) -> Quote:
    author = message.author.name if message.author else ""
    text = _("Message deleted") if message.is_deleted else wire.excerpt(message)
    return Quote(message.pk, message.author_id or "", author, text, message.is_deleted)


def _is_continued(message: Message, before: Message | None) -> bool:
    return (
        before is not None
        and before.author_id == message.author_id
        and message.created_at - before.created_at <= GROUP_WITHIN
    )


def _notice(message: Message, at: datetime) -> Notice:
    return Notice(
        id=message.pk,
        seq=message.seq,
        created=wire.timestamp(message.created_at) or "",
        clock=f"{at:%H:%M}",
        text=wire.notice_text(message),
    )


@dataclass(frozen=True, slots=True)
class _Reader:
    id: int
    archived: bool  # the conversation


def _message_row(
    message: Message, reader: _Reader, author: Avatar, at: datetime, *, is_continued: bool
) -> MessageRow:
    """`at`: when it was sent, in the active time zone."""
    alive = not message.is_deleted
    return MessageRow(
        message=message,
        id=message.pk,
        seq=message.seq,
        author=author,
        created=wire.timestamp(message.created_at) or "",
        clock=f"{at:%H:%M}",
        html=message.html,
        is_own=message.author_id == reader.id,
        is_continued=is_continued,
        is_deleted=not alive,
        is_edited=alive and message.edited_at is not None,
        only_emoji=alive and is_only_emoji(message.body),
        mentions_me=reader.id in (message.mentions or ()),
        archived=reader.archived,
        reply=quote(message.reply_to) if alive and message.reply_to else None,
        reactions=_chips(message, reader.id) if alive and message.reacted else [],
    )


def _chips(message: Message, user_id: int) -> list[Chip]:
    chips = []
    for group in wire.reaction_groups(message.reacted, message.reactors):
        is_mine = (group.emoji, user_id) in message.reacted
        chips.append(Chip(group.emoji, group.count, is_mine, _reaction_title(group, user_id)))
    return chips


def _reaction_title(reaction: wire.ReactionOut, user_id: int) -> str:
    """Return "You, Bob, 3 more"."""
    named = zip(reaction.users, reaction.names, strict=False)
    shown = [_("You") if pk == user_id else name for pk, name in named]
    more = reaction.count - len(shown)
    if not more:
        return ", ".join(shown)
    rest = ngettext("%(count)d more", "%(count)d more", more) % {"count": more}
    return ", ".join([*shown, rest])
