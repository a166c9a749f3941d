"""Turns messages into the entries of a conversation's page: days, notices, messages, the New line.

static/js/views/days.js has the same golden cases. A message is "continued" (shown without a header) if the
previous entry is a message by the same author, on the same day in the reader's time zone, and at most five
minutes older.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import ClassVar

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from conversations import notices, wire
from conversations.emoji import custom_reaction, is_only_emoji, picture_html
from conversations.mentions import is_mentioned
from conversations.models import Membership, Message
from conversations.notices import NAMES, Part
from conversations.web.avatars import NO_AVATAR, Avatar, avatar_of
from conversations.web.files import FileRow, file_row, is_gallery
from conversations.web.moments import clock_text, day_label

GROUP_WITHIN = timedelta(minutes=5)

RUN_NAMES = 2  # of a run of notices; if there are more than three people, these and a number

LONG_LETTERS = 1_500  # in units of UTF-16, as scripts count them
LONG_LINES = 20

_MENTION = re.compile(r'<span class="mention" data-people="([\d ]+)">')


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
    text: Sequence[Part] = ()
    about: int | None = None  # the message that it links to
    summary: Sequence[
        Part
    ] = ()  # of a run of notices that begins with this one and is shown as one line
    is_folded: bool = False  # within such a run


@dataclass(frozen=True, slots=True)
class Quote:
    id: int
    author_id: int | str
    author: str
    text: str
    deleted: bool


@dataclass(frozen=True, slots=True)
class Chip:
    """`picture`: HTML, for a custom emoji."""

    emoji: str
    count: int
    is_mine: bool
    names: str
    picture: str = ""


@dataclass(frozen=True, slots=True)
class ReadReceipt:
    """Who has seen a message. `text`: a short version, "" if no one has. `names`: all names. `faces`: the
    first people, with one initial each. `more`: how many others there are."""

    text: str
    names: str
    faces: list[Avatar]
    more: int


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
    is_long: bool = False
    mentions_me: bool = False
    archived: bool = False
    reply: Quote | None = None
    reactions: list[Chip] = field(default_factory=list)
    files: list[FileRow] = field(default_factory=list)
    has_files: bool = False
    is_gallery: bool = False  # several pictures, and nothing else
    pin: str | None = None  # who pinned it, as a sentence
    receipt: ReadReceipt | None = None


Entry = Day | NewLine | Notice | MessageRow

# For the <template> elements from which scripts draw: empty, but with all parts.
BLANK_DAY = Day("", "")
BLANK_NOTICE = Notice(id=0, seq=0, created="", clock="")
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
    is_long=True,
    has_files=True,
    pin="",
)


def entries(
    messages: Sequence[Message],
    membership: Membership,
    *,
    first_unread: int | None,
    folds: bool = True,
) -> list[Entry]:
    """Return the entries for a page of messages (oldest first), in the active time zone.

    `first_unread`: the seq before which to insert the New line, if it is on this page. `folds`: whether runs
    of notices are shown as one.
    """
    result: list[Entry] = []
    today = timezone.localdate()
    user = membership.user
    reader = _Reader(user.pk, membership.conversation.is_archived, user.time_format)
    avatars: dict[int | None, Avatar] = {}
    day: date | None = None
    before: Message | None = None  # the message that the next one may continue
    run: list[Message] = []  # the notices at the end of `result` that are shown as one
    for message in messages:
        at = timezone.localtime(message.created_at)
        if at.date() != day:
            day, before = at.date(), None
            result.append(Day(day.isoformat(), day_label(day, today)))
        if message.seq == first_unread:
            before = None
            result.append(NewLine())
        if run and (isinstance(result[-1], Day | NewLine) or not _is_same_run(run[-1], message)):
            _fold(result, run)
            run = []
        if message.is_text:
            avatar = avatars.get(message.author_id)
            if avatar is None:
                avatar = avatars[message.author_id] = avatar_of(message.author)
            goes_on = _is_continued(message, before)
            result.append(_message_row(message, reader, avatar, at, is_continued=goes_on))
            before = message
        else:
            result.append(_notice(message, at, reader.time_format))
            before = None
            if folds and _person_of_run(message):
                run.append(message)
    _fold(result, run)
    return result


def _author_of(message: Message) -> Part | None:
    return Part(message.author.name, message.author.pk) if message.author else None


def _person_of_run(message: Message) -> Part | None:
    return notices.person_of_run(message.kind, author=_author_of(message), data=message.data or {})


def _is_same_run(before: Message, message: Message) -> bool:
    is_same = before.kind == message.kind and _person_of_run(message) is not None
    return is_same and (message.kind in ("joined", "left") or before.author_id == message.author_id)


def _fold(entries: list[Entry], run: list[Message]) -> None:
    """Show the notices of a run as one. They are the last ones, perhaps with a day or New line after them."""
    if len(run) < 2:
        return
    by_id: dict[int | str, Part] = {}
    for person in filter(None, map(_person_of_run, run)):
        by_id[person.person or person.text] = person
    people = list(by_id.values())
    several, more = len(people) > 1, len(people) - RUN_NAMES
    if more > 1:
        rest = ngettext("%(count)d other", "%(count)d others", more) % {"count": more}
        people = [*people[:RUN_NAMES], Part(rest)]
    first = run[0]
    author = _author_of(first)
    who, *whom = NAMES
    marked = notices.sentence_of_run(
        first.kind,
        join_names(whom[: len(people)]),
        author=who if author else None,
        several=several,
    )
    summary = notices.split(marked, [author, *people])
    ids = {message.pk for message in run}
    for index, entry in enumerate(entries):
        if isinstance(entry, Notice) and entry.id in ids:
            is_first = entry.id == first.pk
            entries[index] = replace(
                entry, **({"summary": summary} if is_first else {"is_folded": True})
            )


def join_names(names: list[str]) -> str:
    """Return "Bob, Carol and Dan"."""
    if len(names) == 1:
        return names[0]
    both = {"names": ", ".join(names[:-1]), "last": names[-1]}
    return _("%(names)s and %(last)s") % both


def is_long(body: str) -> bool:
    """Whether only the beginning of a message is shown at first. It is always more than that."""
    units = len(body) + sum(each > "\uffff" for each in body)
    return units > LONG_LETTERS or body.count("\n") >= LONG_LINES


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


def _notice(message: Message, at: datetime, time_format: str) -> Notice:
    return Notice(
        id=message.pk,
        seq=message.seq,
        created=wire.timestamp(message.created_at) or "",
        clock=clock_text(at, time_format),
        text=notices.sentence_parts(
            message.kind, author=_author_of(message), data=message.data or {}
        ),
        about=(message.data or {}).get("message"),
    )


@dataclass(frozen=True, slots=True)
class _Reader:
    id: int
    archived: bool  # the conversation
    time_format: str


def _message_row(
    message: Message, reader: _Reader, author: Avatar, at: datetime, *, is_continued: bool
) -> MessageRow:
    """`at`: when it was sent, in the active time zone."""
    alive = not message.is_deleted
    mentions_me = is_mentioned(reader.id, message.mentions, message.author_id)
    return MessageRow(
        message=message,
        id=message.pk,
        seq=message.seq,
        author=author,
        created=wire.timestamp(message.created_at) or "",
        clock=clock_text(at, reader.time_format),
        html=_with_my_mentions(message, reader.id) if mentions_me else message.html,
        is_own=message.author_id == reader.id,
        is_continued=is_continued,
        is_deleted=not alive,
        is_edited=alive and message.edited_at is not None,
        only_emoji=alive and is_only_emoji(message.body),
        is_long=alive and is_long(message.body),
        mentions_me=mentions_me,
        archived=reader.archived,
        reply=quote(message.reply_to) if alive and message.reply_to else None,
        reactions=_chips(message, reader.id) if alive and message.reacted else [],
        files=[file_row(each) for each in message.files or ()],
        has_files=bool(message.files),
        is_gallery=is_gallery(message.files or ()),
        pin=_pin(message, reader.id) if alive and message.pinned else None,
    )


def _pin(message: Message, user_id: int) -> str:
    if message.pinned["by"] == user_id:
        return _("Pinned by you")
    return _("Pinned by %(name)s") % {"name": message.pinned_by}


def _with_my_mentions(message: Message, user_id: int) -> str:
    def marked(found: re.Match[str]) -> str:
        is_mine = is_mentioned(user_id, [*map(int, found[1].split())], message.author_id)
        return found[0].replace("mention", "mention mention--me", 1) if is_mine else found[0]

    return _MENTION.sub(marked, message.html)


def _chips(message: Message, user_id: int) -> list[Chip]:
    chips = []
    for group in wire.reaction_groups(message.reacted, message.reactors):
        is_mine = (group.emoji, user_id) in message.reacted
        custom = custom_reaction(group.emoji)
        picture = picture_html(*custom) if custom else ""
        title = _reaction_title(group, user_id)
        chips.append(Chip(group.emoji, group.count, is_mine, title, picture))
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
