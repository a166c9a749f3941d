"""Messages. They contain nothing that depends on the reader, so they are encoded once for everyone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from html import unescape
from itertools import takewhile
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import msgspec
from msgspec import UNSET, UnsetType

from accounts.models import User
from accounts.wire import PersonOut, person_to_wire
from chatty.common.entity_tags import entity_tag
from chatty.common.structs import one_of
from conversations import limits, markdown, notices
from conversations.content import excerpt_of
from conversations.mentions import EVERYONE
from conversations.models import Message
from conversations.wire.files import FileOut, LastFileOut

if TYPE_CHECKING:
    from conversations.queries import Changes, History

# Characters of the HTML that nearly always contain the whole excerpt. Reading all of a long message
# took 74 µs.
_BEGINNING = 8 * limits.EXCERPT_MAX
# A regular expression is enough: the renderer escapes "<" and ">" everywhere but in tags. A parser takes
# milliseconds for a long message.
_TAG = re.compile(r"<[^>]*>")
_LIST_TAG = re.compile(r'<(/?[ou]l|li)(?: (?:start|value)="(\d+)")?>')

Moment = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]


class QuoteOut(msgspec.Struct, frozen=True):
    """The quoted message, as it is now."""

    id: int
    seq: int
    version: Annotated[int, msgspec.Meta(description="The version of the quoted message.")]
    author: PersonOut | None
    excerpt: str
    deleted: bool


class ReactionOut(msgspec.Struct, frozen=True):
    """Everyone who reacted to a message with one emoji."""

    emoji: str
    count: int
    users: Annotated[list[int], msgspec.Meta(description="Ids of the first 20 users who added it.")]
    names: Annotated[
        list[str],
        msgspec.Meta(description="The names of the first 6 of these users, in the same order."),
    ]


class NoticeOut(msgspec.Struct, frozen=True):
    """What happened in the conversation."""

    text: Annotated[str, msgspec.Meta(description="What happened, as a sentence.")]
    data: Annotated[
        dict[str, Any],
        msgspec.Meta(
            description="The same for programs, such as the user, the role, or the old and new value."
        ),
    ]


class AuthorOut(msgspec.Struct, frozen=True):
    id: int
    name: str


class PinOut(msgspec.Struct, frozen=True):
    """Who pinned a message, and when."""

    user: AuthorOut
    at: Moment


class MessageOut(msgspec.Struct, frozen=True):
    """A message, or a notice about something that happened in the conversation."""

    id: int
    conversation: int
    seq: Annotated[
        int,
        msgspec.Meta(
            description="Its number in the conversation: 1, 2, 3 and so on, without gaps."
        ),
    ]
    version: Annotated[
        int, msgspec.Meta(description="The conversation's version after the message last changed.")
    ]
    kind: Annotated[str, one_of(Message.Kind)]
    author: PersonOut | None
    key: str | None
    body: Annotated[
        str,
        msgspec.Meta(
            description="Markdown as written, without blank lines before it and white space after it."
        ),
    ]
    html: Annotated[str, msgspec.Meta(description="The body as sanitised HTML.")]
    excerpt: Annotated[
        str, msgspec.Meta(description="The beginning as one line of plain text, for quotes.")
    ]
    notice: Annotated[
        NoticeOut | None,
        msgspec.Meta(description="Null for kind text; set for all other kinds."),
    ]
    mentions: Annotated[list[int], msgspec.Meta(description="Ids of the members it mentions.")]
    reply_to: QuoteOut | None
    created_at: Moment
    edited_at: Moment | None
    deleted_at: Moment | None
    reactions: list[ReactionOut]
    files: Annotated[
        list[FileOut] | UnsetType, msgspec.Meta(description="Left out if there are none.")
    ] = UNSET
    mentions_all: Annotated[
        bool | UnsetType,
        msgspec.Meta(
            description="True if it mentions everyone else in the group. Left out otherwise."
        ),
    ] = UNSET
    pinned: Annotated[
        PinOut | UnsetType, msgspec.Meta(description="Left out if it is not pinned.")
    ] = UNSET


class LastMessageOut(msgspec.Struct, frozen=True):
    """The last message or notice of a conversation."""

    seq: int
    version: int
    kind: Annotated[str, one_of(Message.Kind)]
    author: AuthorOut | None
    excerpt: Annotated[
        str, msgspec.Meta(description="The beginning as one line. Empty if deleted, or a notice.")
    ]
    notice: NoticeOut | None
    created_at: Moment
    deleted_at: Moment | None
    files: Annotated[
        list[LastFileOut] | UnsetType,
        msgspec.Meta(description="Of a message without text. Left out otherwise."),
    ] = UNSET


class HistoryOut(msgspec.Struct, tag_field="type", tag="history", frozen=True):
    """A page of messages."""

    messages: Annotated[list[MessageOut], msgspec.Meta(description="Oldest first.")]
    position: Annotated[
        int,
        msgspec.Meta(
            description="The version this page reflects. Pass it as since_version to get later changes."
        ),
    ]
    has_older: bool
    has_newer: bool


class ChangesOut(msgspec.Struct, tag_field="type", tag="changes", frozen=True):
    """The messages that changed after a version."""

    messages: Annotated[list[MessageOut], msgspec.Meta(description="Sorted by version.")]
    version: Annotated[int, msgspec.Meta(description="Your position after applying these changes.")]
    more: Annotated[
        bool, msgspec.Meta(description="There are more: repeat the request from version.")
    ]
    reset: Annotated[
        bool, msgspec.Meta(description="You are too far behind: load the latest page instead.")
    ]


def history_to_wire(page: History) -> HistoryOut:
    return HistoryOut(
        messages=[message_to_wire(message) for message in page.messages],
        position=page.position,
        has_older=page.has_older,
        has_newer=page.has_newer,
    )


def changes_to_wire(changes: Changes, *, size: int | None = None) -> ChangesOut:
    """Return the changes; with `size`, only as many as fit into about that many bytes, at least one."""
    messages: list[MessageOut] = []
    version, more = changes.version, changes.more
    for message in changes.messages:
        if size is not None:
            size -= len(message.body) + len(message.html) + 500 + 600 * len(message.files or ())
            if size < 0 and messages:
                version, more = messages[-1].version, True
                break
        messages.append(message_to_wire(message))
    return ChangesOut(messages=messages, version=version, more=more, reset=changes.reset)


def message_to_wire(message: Message) -> MessageOut:
    """Return a message. Load `author`, `reply_to.author`, `reacted`, `reactors` and `pinned_by` first, as
    read() in queries/messages.py does, or each of them costs a query."""
    ids = message.mentions or []
    mentions_all = EVERYONE in ids
    return MessageOut(
        id=message.pk,
        conversation=message.conversation_id,
        seq=message.seq,
        version=message.version,
        kind=str(message.kind),
        author=_person(message.author),
        key=message.key,
        body=message.body,
        html=message.html,
        excerpt=excerpt(message),
        notice=_notice(message),
        mentions=[pk for pk in ids if pk != EVERYONE] if mentions_all else ids,
        reply_to=_quote(message),
        created_at=_moment(message.created_at),
        edited_at=timestamp(message.edited_at),
        deleted_at=timestamp(message.deleted_at),
        reactions=[]
        if message.is_deleted or not message.is_text
        else reaction_groups(message.reacted, message.reactors),
        files=message.files if message.files and not message.is_deleted else UNSET,
        mentions_all=mentions_all or UNSET,
        pinned=_pin(message) if message.pinned and not message.is_deleted else UNSET,
    )


def _pin(message: Message) -> PinOut:
    return PinOut(AuthorOut(message.pinned["by"], message.pinned_by), message.pinned["at"])


def _person(user: User | None) -> PersonOut | None:
    return person_to_wire(user) if user else None


def timestamp(at: datetime | None) -> str | None:
    """Return "2026-11-23T15:38:19.123Z": UTC with milliseconds, as JavaScript's Date parses it."""
    return None if at is None else _moment(at)


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def reaction_groups(
    reactions: Iterable[tuple[str, int]], names: Mapping[int, str]
) -> list[ReactionOut]:
    """Return the reactions by emoji, in order of first use. `names`: user id -> name.

    Names are left out from the first one that is missing, so that they are in the order of the ids.
    """
    users_of: dict[str, list[int]] = {}
    for emoji, user_id in reactions:
        users_of.setdefault(emoji, []).append(user_id)
    return [
        ReactionOut(
            emoji=emoji,
            count=len(ids),
            users=ids[: limits.REACTION_USERS_SHOWN],
            names=[
                names[pk]
                for pk in takewhile(names.__contains__, ids[: limits.REACTION_NAMES_SHOWN])
            ],
        )
        for emoji, ids in users_of.items()
    ]


class HasExcerpt(Protocol):
    """What excerpt() needs of a message. `html` and `body` can be empty if the excerpt is up to date."""

    @property
    def is_deleted(self) -> bool: ...
    @property
    def excerpt(self) -> str | None: ...
    @property
    def renderer(self) -> int | None: ...
    @property
    def html(self) -> str: ...
    @property
    def body(self) -> str: ...


def excerpt(message: HasExcerpt) -> str:
    """Return the beginning of a message as one line of plain text, for quotes and lists.

    Includes list numbers. Empty only if the message is.
    """
    if message.is_deleted:
        return ""
    # Processes of earlier versions edit messages, too, and leave the excerpt unchanged: see purge_excerpts().
    if message.excerpt is not None and (message.renderer or 0) >= markdown.EXCERPTS_SINCE:
        return message.excerpt
    line = _line(_beginning(message.html))
    if len(line) <= limits.EXCERPT_MAX and len(message.html) > _BEGINNING:
        line = _line(message.html)
    # Older versions could render HTML without any text.
    return excerpt_of(line or message.body)


def _beginning(html: str) -> str:
    """Return the first _BEGINNING characters, without a partial tag or character reference at the end."""
    part = html[:_BEGINNING]
    if len(part) < len(html):
        for start, end in ("<>", "&;"):
            at = part.rfind(start)
            if at > part.rfind(end):
                part = part[:at]
    return part


def _line(html: str) -> str:
    numbered = _numbered(html) if "<ol" in html else html
    return " ".join(unescape(_TAG.sub("", numbered)).split())


def _numbered(html: str) -> str:
    """Return the HTML with the numbers of ordered lists as text, as a browser shows them."""
    next_numbers: list[int | None] = []  # for each open list; None: it has no numbers

    def replaced(found: re.Match[str]) -> str:
        tag, number = found[1], found[2]
        if tag.startswith("/"):
            if next_numbers:
                next_numbers.pop()
        elif tag == "ul":
            next_numbers.append(None)
        elif tag == "ol":
            next_numbers.append(int(number or 1))
        elif next_numbers and next_numbers[-1] is not None:
            own = int(number) if number else next_numbers[-1]
            next_numbers[-1] = own + 1
            return f" {own}. "
        return " "

    return _LIST_TAG.sub(replaced, html)


def _notice(message: Message) -> NoticeOut | None:
    if message.is_text:
        return None
    return NoticeOut(notice_text(message), message.data or {})


def notice_text(message: Message) -> str:
    author = message.author.name if message.author else None
    return notices.sentence(message.kind, author=author, data=message.data or {})


def _quote(message: Message) -> QuoteOut | None:
    quoted = message.reply_to
    if quoted is None or message.is_deleted:
        return None
    return QuoteOut(
        id=quoted.pk,
        seq=quoted.seq,
        version=quoted.version,
        author=_person(quoted.author),
        excerpt=excerpt(quoted),
        deleted=quoted.is_deleted,
    )


def message_tag(message: Message) -> str:
    """Return the entity tag of a message. It changes when the message is edited or deleted."""
    edited = message.edited_at.isoformat() if message.edited_at else None
    return entity_tag(message.pk, edited, message.is_deleted)
