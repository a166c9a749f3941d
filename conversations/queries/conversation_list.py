"""The sidebar: a user's conversations with titles, unread counts and mentions.

In a ConversationOut, `name` is the other person's in a direct message. `unread` is the number of undeleted
messages from others among the first UNREAD_WINDOW entries after the read mark; `unread_more`: there are more
entries, shown as a "+". `mentions`: the seqs of unread messages that mention the member; always empty for
direct messages. `other`: the other person in a direct message (the user, for notes to yourself), else None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from django.db import connection
from django.utils import timezone

from accounts.models import User
from accounts.wire import PersonOut, person_to_wire
from chatty.common.rows import columns_of, instance_maker
from chatty.statements import fetch_rows, in_ids, list_ids
from conversations import limits
from conversations.models import Conversation
from conversations.queries.memberships import memberships_of
from conversations.wire import ConversationOut


def sidebar(
    user: User, *, limit: int = 200, after: tuple[datetime, int] | None = None
) -> list[ConversationOut]:
    """Return the user's conversations, latest message first. At most two queries.

    `after`: (last_text_at, id) of the last conversation on the previous page.
    """
    return _sidebar(user, limit, after)[0]


def sidebar_and_closed_accounts(
    user: User, *, limit: int
) -> tuple[list[ConversationOut], set[int]]:
    """Return the sidebar, and the ids of the other people in its direct messages whose account is closed.
    At most two queries."""
    rows, others = _sidebar(user, limit)
    return rows, {other.pk for other in others.values() if not other.is_active}


def _sidebar(
    user: User, limit: int, after: tuple[datetime, int] | None = None
) -> tuple[list[ConversationOut], dict[int, User]]:
    condition = _SPOKEN_IN
    parameters: list[Any] = [user.pk]
    if after is not None:
        condition += " AND (c.last_text_at, c.id) < (%s, %s)"
        parameters += [connection.ops.adapt_datetimefield_value(after[0]), after[1]]
    found = _memberships(user, condition, parameters, limit)
    others = _others_in(user, found)
    return [_as_row(each, others.get(each.id)) for each in found], others


def sidebar_row(
    user: User, conversation_id: int, *, even_unspoken: bool = False
) -> ConversationOut | None:
    """Return one conversation as the sidebar shows it, None if the user is not a member.

    `even_unspoken`: include a direct message without messages that the other person started. Lists don't
    show it, but it can be requested by id.
    """
    condition, parameters = "c.id = %s", [conversation_id]
    if not even_unspoken:
        condition, parameters = f"{condition} AND {_SPOKEN_IN}", [conversation_id, user.pk]
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
    rows = sidebar(user, limit=limit)
    versions = {pk: version for _user, pk, version in memberships_of([user.pk])}
    return [row for row in rows if row.id in versions], versions


# A direct message appears for the other person with its first message.
_SPOKEN_IN = "(c.kind <> 'direct' OR c.last_seq > 0 OR c.created_by_id = %s)"

# One statement for the whole sidebar, because every page and every socket needs it first: the ORM took four
# times as long to build the query as the database to run it. Both subqueries are bounded by the window,
# and the CASEs skip them if there is nothing after the read mark.
#
# The template is formatted twice. _statement() fills in %(window)s, %(list)s, %(called)s and
# %(condition)s, which must only ever be our own SQL. This also turns each %%s into a %s for the driver. Its
# parameters are the user id, those of the condition, and the limit, in this order. A literal percent sign
# would have to be written %%%%.
_UNREAD = """
    FROM conversations_message x
    WHERE x.conversation_id = m.conversation_id
      AND x.seq > m.last_read_seq AND x.seq <= m.last_read_seq + %(window)s
      AND (x.author_id IS NULL OR x.author_id <> m.user_id)"""
_SIDEBAR = f"""SELECT c.id, c.kind, c.access, c.name, c.topic, c.version, c.last_seq, c.last_text_at,
       c.archived_at, c.created_by_id, c.direct_key, m.last_read_seq, m.role, m.level,
  CASE WHEN c.last_seq > m.last_read_seq THEN (
    SELECT COUNT(*) {_UNREAD} AND x.kind = 'text' AND x.deleted_at IS NULL
  ) ELSE 0 END,
  CASE WHEN c.last_seq > m.last_read_seq AND c.kind = 'group' THEN (
    SELECT %(list)s {_UNREAD} AND x.mentions IS NOT NULL AND %(called)s
  ) END
FROM conversations_membership m
JOIN conversations_conversation c ON c.id = m.conversation_id
WHERE m.user_id = %%s AND c.deleted_at IS NULL AND %(condition)s
ORDER BY c.last_text_at DESC, c.id DESC
LIMIT %%s"""  # noqa: S608 - our own names and placeholders
_IN_WORDS_OF = {
    "postgresql": {
        "list": "string_agg(x.seq::text, ',')",
        "called": "x.mentions @> to_jsonb(m.user_id)",
    },
    "sqlite": {
        "list": "group_concat(x.seq)",
        "called": "EXISTS (SELECT 1 FROM json_each(x.mentions) AS e WHERE e.value = m.user_id)",
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
    created_by_id: int | None
    direct_key: str | None
    last_read_seq: int
    role: str
    level: str
    unread: int
    mentions: str | None

    def unspoken(self, user_id: int) -> bool:
        return self.kind == "direct" and not self.last_seq and self.created_by_id != user_id


def _memberships(
    user: User, condition: str, parameters: list[Any], limit: int
) -> list[_Membership]:
    rows = fetch_rows(_statement(condition, connection.vendor), [user.pk, *parameters, limit])
    return [_Membership(*row) for row in rows]


@cache
def _statement(condition: str, vendor: str) -> str:
    words = _IN_WORDS_OF[vendor]
    return _SIDEBAR % {"window": limits.UNREAD_WINDOW, "condition": condition, **words}


def _as_rows(user: User, found: list[_Membership]) -> list[ConversationOut]:
    others = _others_in(user, found)
    return [_as_row(each, others.get(each.id)) for each in found]


def _others_in(user: User, found: list[_Membership]) -> dict[int, User]:
    return _others(user, {m.id: m.direct_key for m in found if m.direct_key})


def _as_row(found: _Membership, other: User | None) -> ConversationOut:
    at = found.last_text_at
    if timezone.is_naive(at):  # SQLite returns UTC without a time zone
        at = at.replace(tzinfo=UTC)
    return ConversationOut(
        id=found.id,
        kind=found.kind,
        access=found.access,
        name=other.name if other else found.name,
        topic=found.topic,
        version=found.version,
        last_seq=found.last_seq,
        last_read_seq=found.last_read_seq,
        last_text_at=at,
        archived=found.archived_at is not None,
        role=found.role,
        level=found.level,
        unread=found.unread,
        unread_more=found.last_seq - found.last_read_seq > limits.UNREAD_WINDOW,
        mentions=sorted(int(seq) for seq in found.mentions.split(",")) if found.mentions else [],
        other=person_to_wire(other) if other else None,
    )


def _others(user: User, direct_keys: Mapping[int, str]) -> dict[int, User]:
    """Return conversation id -> the other person; for notes to yourself, the user."""
    other_id = {pk: _other_of(key, user.pk) for pk, key in direct_keys.items()}
    wanted = {pk for pk in other_id.values() if pk != user.pk}
    people: dict[int, User] = {}
    if wanted:
        columns = columns_of(User, "u")
        rows = fetch_rows(
            f"SELECT {columns} FROM accounts_user u WHERE u.id {in_ids()}",  # noqa: S608
            [list_ids(wanted)],
        )
        people = {person.pk: person for person in map(instance_maker(User), rows)}
    return {conversation: people.get(pk, user) for conversation, pk in other_id.items()}


def other_in(conversation: Conversation, user_id: int) -> int:
    """Return the id of the other person in a direct message (the user's own, for notes to yourself)."""
    return _other_of(conversation.direct_key or "", user_id)


def _other_of(direct_key: str, user_id: int) -> int:
    low, high = (int(part) for part in direct_key.split("-"))
    return high if low == user_id else low


def other_person(conversation: Conversation, user: User) -> PersonOut | None:
    """Return the other person in a direct message (the user, for notes to yourself), None for a group.
    One query for a direct message."""
    if not conversation.direct_key:
        return None
    others = _others(user, {conversation.pk: conversation.direct_key})
    return person_to_wire(others[conversation.pk])


def title(conversation: Conversation, user: User) -> str:
    """Return the title of a conversation for this member. One query for a direct message."""
    other = other_person(conversation, user)
    return other.name if other else conversation.name
