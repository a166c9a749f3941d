"""Turns messages into the entries of a conversation's page: days, notices, messages, the New line.

static/js/views/timeline.js follows the same rules. A message is "continued" (shown without a header) if the
previous entry is a message by the same author, on the same day in the reader's time zone, and at most five
minutes older.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import ClassVar

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import User
from conversations import access, wire
from conversations.models import Membership, Message

GROUP_WITHIN = timedelta(minutes=5)
NAMES_SHOWN = 6  # names in the label of a reaction
NAMES_LOOKED_UP = 500  # people on one page; others are only counted ("3 more")

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
    names = _names_of_reactors(messages)
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
            row = _message_row(message, membership, names)
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
        text=wire.message_to_wire(message)["notice"]["text"],
    )


def _message_row(message: Message, membership: Membership, names: dict[int, str]) -> MessageRow:
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
        only_emoji=alive and bool(_ONLY_EMOJI.fullmatch(message.body)),
        mentions_me=membership.user_id in (message.mentions or ()),
        can_add=alive and not archived,
        can_edit=not archived and access.can_edit(membership, message),
        can_delete=not archived and access.can_delete(membership, message),
        archived=archived,
        reply=quote(message.reply_to) if alive and message.reply_to else None,
        reactions=_chips(message, membership.user_id, names) if alive else [],
    )


def _reply_url(conversation_id: int, message_id: int) -> str:
    return f"/c/{conversation_id}/?reply_to={message_id}#composer"


def _chips(message: Message, user_id: int, names: dict[int, str]) -> list[Chip]:
    users_of: dict[str, list[int]] = {}
    for emoji, pk in message.reacted:
        users_of.setdefault(emoji, []).append(pk)
    return [
        Chip(emoji, len(ids), user_id in ids, _names_text(ids, user_id, names))
        for emoji, ids in users_of.items()
    ]


def _names_text(ids: Sequence[int], user_id: int, names: dict[int, str]) -> str:
    """Return "You, Bob, 3 more"."""
    shown = [_("You") if pk == user_id else names[pk] for pk in ids[:NAMES_SHOWN] if pk in names]
    more = len(ids) - len(shown)
    if not more:
        return ", ".join(shown)
    rest = ngettext("%(count)d more", "%(count)d more", more) % {"count": more}
    return ", ".join([*shown, rest])


def _names_of_reactors(messages: Iterable[Message]) -> dict[int, str]:
    """Return user id -> name. One query, none without reactions."""
    shown: dict[str, list[int]]
    wanted: set[int] = set()
    for message in messages:
        shown = {}
        for emoji, pk in message.reacted:
            ids = shown.setdefault(emoji, [])
            if len(ids) < NAMES_SHOWN:
                ids.append(pk)
                wanted.add(pk)
        if len(wanted) >= NAMES_LOOKED_UP:
            break
    if not wanted:
        return {}
    return dict(User.objects.filter(pk__in=wanted).values_list("pk", "name"))
