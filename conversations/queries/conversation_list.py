"""The sidebar: a user's conversations with titles, unread counts and mentions.

In a ConversationOut, `name` is the other person's in a direct message. `unread` is the number of undeleted
messages from others among the first UNREAD_WINDOW entries after the read mark; `unread_more`: there are more
entries, shown as a "+". `mentions`: the seqs of unread messages that mention the member; always empty for
direct messages. `last`: the entry with last_seq. `other`: the other person in a direct message (the user, for
notes to yourself), else None.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

import msgspec
from django.db import connection
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from accounts.models import User
from accounts.wire import person_to_wire, status_to_wire
from chatty.common.folded_names import contains, each_word
from chatty.statements import fetch_rows, in_ids, list_ids
from conversations import limits, markdown, notices, permissions
from conversations.models import Conversation, Membership, Message
from conversations.queries.memberships import memberships_of
from conversations.queries.titles import NAMES_IN_TITLE, names_as_title, other_people
from conversations.wire import (
    AuthorOut,
    ConversationOut,
    LastFileOut,
    LastMessageOut,
    NoticeOut,
    excerpt,
    timestamp,
)


def sidebar(
    user: User, *, limit: int = 200, after: tuple[datetime, int] | None = None, text: str = ""
) -> list[ConversationOut]:
    """Return the user's conversations, latest message first. At most two queries, three with a text.

    `after`: (last_text_at, id) of the last conversation on the previous page. `text`: only those whose name
    contains each of its words.
    """
    ids = _find_by_name(user, text) if text.strip() else None
    return _sidebar(user, limit, after, ids)[0]


def sidebar_and_closed_accounts(
    user: User, *, limit: int
) -> tuple[list[ConversationOut], set[int]]:
    """Return the sidebar, and the ids of the other people in its direct messages whose account is closed.
    If there are more than `limit`, favourites are in it, however old they are. At most two queries."""
    rows, others = _sidebar(user, limit, favourites_first=True)
    rows.sort(key=lambda row: (row.last_text_at, row.id), reverse=True)
    return rows, {other.pk for other in others.values() if not other.is_active}


def _sidebar(
    user: User,
    limit: int,
    after: tuple[datetime, int] | None = None,
    ids: list[int] | None = None,
    *,
    favourites_first: bool = False,
) -> tuple[list[ConversationOut], dict[int, User]]:
    condition = SPOKEN_IN
    parameters: list[Any] = [user.pk]
    if after is not None:
        condition += " AND (c.last_text_at, c.id) < (%s, %s)"
        parameters += [connection.ops.adapt_datetimefield_value(after[0]), after[1]]
    if ids is not None:
        condition += f" AND c.id {in_ids()}"
        parameters.append(list_ids(ids))
    found = _memberships(user, condition, parameters, limit, favourites_first=favourites_first)
    others = _others_in(user, found)
    return [_as_row(each, others.get(each.id)) for each in found], others


def _find_by_name(user: User, text: str) -> list[int]:
    """Return the ids of the user's conversations whose title contains each word. One query."""
    found = Conversation.objects.filter(memberships__user=user, deleted_at=None)
    others = Membership.objects.filter(conversation_id=OuterRef("pk")).exclude(
        ~Q(conversation__direct_key=f"{user.pk}-{user.pk}"), user=user
    )

    def is_called(word: str) -> Q:
        people = others.filter(contains(word, "user__name"))
        return contains(word) & ~Q(name="") | Q(Exists(people), name="")

    return list(found.filter(each_word(text, is_called)).values_list("pk", flat=True))


def sidebar_row(
    user: User, conversation_id: int, *, even_unspoken: bool = False
) -> ConversationOut | None:
    """Return one conversation as the sidebar shows it, None if the user is not a member.

    `even_unspoken`: include a direct message without messages that the other person started. Lists don't
    show it, but it can be requested by id.
    """
    condition, parameters = "c.id = %s", [conversation_id]
    if not even_unspoken:
        condition, parameters = f"{condition} AND {SPOKEN_IN}", [conversation_id, user.pk]
    rows = _as_rows(user, _memberships(user, condition, parameters, 1))
    return rows[0] if rows else None


def sidebar_and_versions(
    user: User, *, limit: int = 200
) -> tuple[list[ConversationOut], dict[int, int]]:
    """Return the sidebar, and id -> version of all conversations of the user, listed or not.

    Every row has a version, which is never older than the row. At most two queries for users with up to
    `limit` conversations, four for others.
    """
    found = _memberships(user, "TRUE", [], limit + 1)
    if len(found) <= limit:
        versions = {each.id: each.version for each in found}
        spoken = [each for each in found if not each.unspoken(user.pk)]
        return _as_rows(user, spoken), versions
    rows, _closed = sidebar_and_closed_accounts(user, limit=limit)
    versions = {pk: version for _user, pk, version in memberships_of([user.pk])}
    return [row for row in rows if row.id in versions], versions


# A direct message appears for the other person with its first message. The parameter is the user's id.
SPOKEN_IN = "(c.kind <> 'direct' OR c.last_seq > 0 OR c.created_by_id = %s)"

# One statement for the whole sidebar, because every page and every socket needs it first: the ORM took four
# times as long to build the query as the database to run it. Both subqueries are bounded by the window,
# and the CASEs skip them if there is nothing after the read mark.
#
# The template is formatted twice. _statement() fills in all the %(...)s, which must
# only ever be our own SQL. This also turns each %%s into a %s for the driver. Its parameters are the user id,
# those of the condition, and the limit, in this order. A literal percent sign would have to be written %%%%.
_UNREAD = """
    FROM conversations_message x
    WHERE x.conversation_id = m.conversation_id
      AND x.seq > m.last_read_seq AND x.seq <= m.last_read_seq + %(window)s
      AND (x.author_id IS NULL OR x.author_id <> m.user_id)"""
_OTHERS = f"""SELECT u.name FROM conversations_membership o JOIN accounts_user u ON u.id = o.user_id
    WHERE o.conversation_id = c.id AND o.user_id <> m.user_id
    ORDER BY u.name, u.id LIMIT {NAMES_IN_TITLE}"""  # noqa: S608 - a number of ours
_SIDEBAR = f"""SELECT c.id, c.kind, c.access, c.name, c.topic, c.version, c.last_seq, c.last_text_at,
       c.archived_at, c.posting, c.adding, c.inviting, c.renaming, c.mentioning_all, c.pinning,
       c.slow_mode, c.created_by_id, c.direct_key, m.last_read_seq, m.role, m.level, m.favourite,
       l.seq, l.version, l.kind, l.author_id, a.name, l.excerpt, l.renderer, l.data, l.created_at,
       l.deleted_at, %(former)s l.html END, %(former)s l.body END,
       CASE WHEN l.files IS NOT NULL AND l.body = '' THEN l.files END,
  CASE WHEN c.kind = 'group' AND c.name = '' THEN (
    SELECT %(names)s FROM ({_OTHERS}) n
  ) END,
  CASE WHEN c.last_seq > m.last_read_seq THEN (
    SELECT COUNT(*) {_UNREAD} AND x.kind = 'text' AND x.deleted_at IS NULL
  ) ELSE 0 END,
  CASE WHEN c.last_seq > m.last_read_seq AND c.kind = 'group' THEN (
    SELECT %(list)s {_UNREAD} AND x.mentions IS NOT NULL AND %(called)s
  ) END
FROM conversations_membership m
JOIN conversations_conversation c ON c.id = m.conversation_id
LEFT JOIN conversations_message l ON l.conversation_id = c.id AND l.seq = c.last_seq
LEFT JOIN accounts_user a ON a.id = l.author_id
WHERE m.user_id = %%s AND c.deleted_at IS NULL AND %(condition)s
ORDER BY %(first)s c.last_text_at DESC, c.id DESC
LIMIT %%s"""  # noqa: S608 - our own names and placeholders
_files = msgspec.json.Decoder(list[LastFileOut])
# The text of a message is only needed if its excerpt was made by an earlier version: see wire.excerpt().
_FORMER = f"CASE WHEN l.excerpt IS NULL OR coalesce(l.renderer, 0) < {markdown.EXCERPTS_SINCE} THEN"
_IN_WORDS_OF = {  # 0: mentions.EVERYONE
    "postgresql": {
        "names": "string_agg(n.name, chr(31))",
        "list": "string_agg(x.seq::text, ',')",
        "called": "(x.mentions @> to_jsonb(m.user_id) OR x.mentions @> '0')",
    },
    "sqlite": {
        "names": "group_concat(n.name, char(31))",
        "list": "group_concat(x.seq)",
        "called": "EXISTS (SELECT 1 FROM json_each(x.mentions) e WHERE e.value IN (m.user_id, 0))",
    },
}


@dataclass(frozen=True, slots=True)
class _Membership:
    """One row of the statement. The fields must be in the order of its columns."""

    id: int
    kind: str
    access: str
    name: str
    topic: str
    version: int
    last_seq: int
    last_text_at: datetime
    archived_at: Any
    posting: str
    adding: str
    inviting: str
    renaming: str
    mentioning_all: str
    pinning: str
    slow_mode: int
    created_by_id: int | None
    direct_key: str | None
    last_read_seq: int
    role: str
    level: str
    favourite: bool
    seq: int | None  # and so on, of the last message
    message_version: int
    message_kind: str
    author_id: int | None
    author: str | None
    excerpt: str | None
    renderer: int | None
    data: Any
    created_at: datetime
    deleted_at: datetime | None
    former_html: str | None
    former_body: str | None
    files: str | None
    names: str | None
    unread: int
    mentions: str | None

    @property
    def is_deleted(self) -> bool:
        return self.deleted_at is not None

    @property
    def html(self) -> str:
        return self.former_html or ""

    @property
    def body(self) -> str:
        return self.former_body or ""

    def unspoken(self, user_id: int) -> bool:
        return self.kind == "direct" and not self.last_seq and self.created_by_id != user_id


def _memberships(
    user: User,
    condition: str,
    parameters: list[Any],
    limit: int,
    *,
    favourites_first: bool = False,
) -> list[_Membership]:
    statement = _statement(condition, connection.vendor, favourites_first)
    return [_Membership(*row) for row in fetch_rows(statement, [user.pk, *parameters, limit])]


@cache
def _statement(condition: str, vendor: str, favourites_first: bool) -> str:
    return _SIDEBAR % {
        "window": limits.UNREAD_WINDOW,
        "condition": condition,
        "former": _FORMER,
        "first": "m.favourite DESC," if favourites_first else "",
        **_IN_WORDS_OF[vendor],
    }


def _as_rows(user: User, found: list[_Membership]) -> list[ConversationOut]:
    others = _others_in(user, found)
    return [_as_row(each, others.get(each.id)) for each in found]


def _others_in(user: User, found: list[_Membership]) -> dict[int, User]:
    return other_people(user, {m.id: m.direct_key for m in found if m.direct_key})


def _as_row(found: _Membership, other: User | None) -> ConversationOut:
    return ConversationOut(
        id=found.id,
        kind=found.kind,
        access=found.access,
        name=_title_of(found, other),
        unnamed=found.kind == Conversation.Kind.GROUP and not found.name,
        topic=found.topic,
        version=found.version,
        last_seq=found.last_seq,
        last_read_seq=found.last_read_seq,
        last_text_at=_aware(found.last_text_at),
        last=_last_message(found),
        archived=found.archived_at is not None,
        posting=found.posting,
        adding=found.adding,
        inviting=found.inviting,
        renaming=found.renaming,
        mentioning_all=found.mentioning_all,
        pinning=found.pinning,
        slow_mode=found.slow_mode,
        role=found.role,
        level=found.level,
        favourite=bool(found.favourite),
        unread=found.unread,
        unread_more=found.last_seq - found.last_read_seq > limits.UNREAD_WINDOW,
        mentions=sorted(int(seq) for seq in found.mentions.split(",")) if found.mentions else [],
        can=permissions.can(
            found.role,
            permissions.kind_of(found.kind, found.access),
            permissions.ACTIVE if found.archived_at is None else permissions.ARCHIVED,
            found,
        ),
        other=person_to_wire(other) if other else None,
        status=status_to_wire(other) if other else None,
    )


def _title_of(found: _Membership, other: User | None) -> str:
    if other:
        return other.name
    return found.name or names_as_title(sorted(found.names.split("\x1f")) if found.names else [])


def _last_message(found: _Membership) -> LastMessageOut | None:
    if found.seq is None:
        return None
    kind, author = found.message_kind, None
    if found.author_id is not None:
        author = AuthorOut(found.author_id, found.author or "")
    notice = None
    if kind != Message.Kind.TEXT:
        data = json.loads(found.data) if found.data else {}
        notice = NoticeOut(
            notices.sentence(kind, author=author.name if author else None, data=data), data
        )
    return LastMessageOut(
        seq=found.seq,
        version=found.message_version,
        kind=kind,
        author=author,
        excerpt=excerpt(found) if notice is None else "",
        notice=notice,
        created_at=timestamp(_aware(found.created_at)) or "",
        deleted_at=timestamp(_aware(found.deleted_at)) if found.deleted_at else None,
        files=_files.decode(found.files) if found.files else msgspec.UNSET,
    )


def _aware(at: datetime) -> datetime:
    """SQLite returns UTC without a time zone."""
    return at.replace(tzinfo=UTC) if timezone.is_naive(at) else at
