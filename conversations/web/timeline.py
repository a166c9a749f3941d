"""Turns messages into the entries of a conversation's page: days, notices, messages, the New line.

static/js/views/timeline.js follows the same rules. A message is "continued" (shown without a header) if the
previous entry is a message by the same author, on the same day in the reader's time zone, and at most five
minutes older.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import ClassVar

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from conversations import access, wire
from conversations.models import Membership, Message

GROUP_WITHIN = timedelta(minutes=5)

# Messages of a few emoji are shown larger. Arrows and other signs don't count as emoji here.
_ONLY_EMOJI = re.compile(
    "[\u200d\ufe0f\u231a-\u23ff\u2600-\u27bf\u2b05-\u2b55\U0001f000-\U0001faff\\s]{1,24}"
)


@dataclass(frozen=True, slots=True)
class Day:
    template: ClassVar[str] = "conversations/_day.html"
    iso: str
    label: str


@dataclass(frozen=True, slots=True)
class NewLine:
    template: ClassVar[str] = "conversations/_new_line.html"


@dataclass(frozen=True, slots=True)
class Notice:
    template: ClassVar[str] = "conversations/_notice.html"
    message: Message
    created: str
    text: str


@dataclass(frozen=True, slots=True)
class Quote:
    id: int
    author_id: int | None
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
    template: ClassVar[str] = "conversations/_message.html"
    message: Message
    created: str
    author_name: str
    url: str
    reply_url: str
    is_own: bool = False
    is_continued: bool = False
    deleted: bool = False
    only_emoji: bool = False
    mentions_me: bool = False
    can_add: bool = False  # reactions and replies
    can_edit: bool = False
    can_delete: bool = False
    archived: bool = False
    reply: Quote | None = None
    reactions: list[Chip] = field(default_factory=list)
    receipt: ReadReceipt | None = None
    blank: bool = False


Entry = Day | NewLine | Notice | MessageRow


def blank_row(membership: Membership) -> MessageRow:
    """Return a row for <template id="message-template">: empty, but with all elements."""
    return MessageRow(
        message=Message(pk=0, seq=0, version=0, author_id=None),
        created="",
        author_name="",
        url="/m/0/",
        reply_url=_reply_url(membership.conversation_id, 0),
        can_add=True,
        can_edit=True,
        can_delete=True,
        blank=True,
    )


BLANK_CHIP = Chip(emoji="", count=0, is_mine=False, names="")


def entries(
    messages: Sequence[Message], membership: Membership, *, first_unread: int | None
) -> list[Entry]:
    """Return the entries for a page of messages (oldest first), in the active time zone.

    `first_unread`: the seq before which to insert the New line, if it is on this page.
    """
    result: list[Entry] = []
    today = timezone.localdate()
    day: date | None = None
    before: Message | None = None  # the message that the next one may continue
    for message in messages:
        its_day = timezone.localtime(message.created_at).date()
        if its_day != day:
            day, before = its_day, None
            result.append(Day(its_day.isoformat(), day_label(its_day, today)))
        if message.seq == first_unread:
            before = None
            result.append(NewLine())
        if message.is_text:
            row = _message_row(message, membership)
            result.append(replace(row, is_continued=_is_continued(message, before)))
            before = message
        else:
            result.append(_notice(message))
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
    return Quote(message.pk, message.author_id, author, text, message.is_deleted)


def _is_continued(message: Message, before: Message | None) -> bool:
    return (
        before is not None
        and before.author_id == message.author_id
        and message.created_at - before.created_at <= GROUP_WITHIN
    )


def _notice(message: Message) -> Notice:
    return Notice(
        message=message,
        created=wire.timestamp(message.created_at) or "",
        text=wire.notice_text(message),
    )


def _message_row(message: Message, membership: Membership) -> MessageRow:
    alive = not message.is_deleted
    archived = membership.conversation.is_archived
    return MessageRow(
        message=message,
        created=wire.timestamp(message.created_at) or "",
        author_name=message.author.name if message.author else "",
        url=f"/m/{message.pk}/",
        reply_url=_reply_url(message.conversation_id, message.pk),
        is_own=message.author_id == membership.user_id,
        deleted=not alive,
        only_emoji=alive and is_only_emoji(message.body),
        mentions_me=membership.user_id in (message.mentions or ()),
        can_add=alive and not archived,
        can_edit=not archived and access.can_edit(membership, message),
        can_delete=not archived and access.can_delete(membership, message),
        archived=archived,
        reply=quote(message.reply_to) if alive and message.reply_to else None,
        reactions=_chips(message, membership.user_id) if alive else [],
    )


def _reply_url(conversation_id: int, message_id: int) -> str:
    return f"/c/{conversation_id}/?reply_to={message_id}#composer"


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
