"""The list of somebody's conversations, and what each is called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import connection
from django.utils import timezone

from accounts.models import User
from conversations import limits
from conversations.models import Conversation
from conversations.queries.memberships import memberships_of


@dataclass(frozen=True, slots=True)
class SidebarRow:
    """One conversation as its member sees it in a list. `name`: the other's, of a direct one.

    `unread` counts others' living messages among the first UNREAD_WINDOW after the last one read;
    `unread_more` says that there are entries beyond them, shown as a "+". `mentions`: the seqs of
    those that call the member by name (of a group).
    """

    id: int
    kind: str
    access: str
    name: str
    topic: str
    version: int
    last_seq: int
    last_read_seq: int
    last_text_at: datetime
    archived: bool
    role: str
    level: str
    unread: int
    unread_more: bool
    mentions: list[int]
    other: User | None


def sidebar(
    user: User, *, limit: int = 200, after: tuple[datetime, int] | None = None
) -> list[SidebarRow]:
    """Return the user's latest conversations, last message first. Two queries at most.

    `after`: (last_text_at, id) of the last one of the page before.
    """
    condition = _SPOKEN_IN
    parameters: list[Any] = [user.pk]
    if after is not None:
        condition += " AND (c.last_text_at, c.id) < (%s, %s)"
        parameters += [connection.ops.adapt_datetimefield_value(after[0]), after[1]]
    return _as_rows(user, _memberships(user, condition, parameters, limit))


def sidebar_row(
    user: User, conversation_id: int, *, even_unspoken: bool = False
) -> SidebarRow | None:
    """Return one conversation as the sidebar shows it, None when the user is not a member.

    `even_unspoken`: also a direct one that the other opened and nobody has spoken in, which no
    list shows: for who asks for it by its id.
    """
    condition, parameters = "c.id = %s", [conversation_id]
    if not even_unspoken:
        condition, parameters = f"{condition} AND {_SPOKEN_IN}", [conversation_id, user.pk]
    rows = _as_rows(user, _memberships(user, condition, parameters, 1))
    return rows[0] if rows else None


def sidebar_and_versions(
    user: User, *, limit: int = 200
) -> tuple[list[SidebarRow], dict[int, int]]:
    """Return the sidebar, and id -> version of every conversation of the user, listed or not.

    Each row is among the versions, and no version is older than what its row shows. Two queries at
    most for who has up to `limit` conversations, four for the rest.
    """
    found = _memberships(user, "TRUE", [], limit + 1)
    if len(found) <= limit:
        versions = {each.id: each.version for each in found}
        spoken = [each for each in found if not each.unspoken(user.pk)]
        return _as_rows(user, spoken), versions
    rows = sidebar(user, limit=limit)
    versions = {pk: version for _user, pk, version in memberships_of([user.pk])}
    return [row for row in rows if row.id in versions], versions


# Directs without a word in them appear for the other with their first.
_SPOKEN_IN = "(c.kind <> 'direct' OR c.last_seq > 0 OR c.created_by_id = %s)"

# One statement for all that a sidebar shows, since every socket and every page begins with it: the ORM
# took four times as long to build it as a database to answer it. Both count no further than the
# window, and only where there is something after the mark.
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
LIMIT %%s"""  # noqa: S608 - names and placeholders of our own
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
    """What one row of the statement holds, in its order."""

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
    words = _IN_WORDS_OF[connection.vendor]
    statement = _SIDEBAR % {"window": limits.UNREAD_WINDOW, "condition": condition, **words}
    with connection.cursor() as cursor:
        cursor.execute(statement, [user.pk, *parameters, limit])
        return [_Membership(*row) for row in cursor.fetchall()]


def _as_rows(user: User, found: list[_Membership]) -> list[SidebarRow]:
    others = _others(user, {m.id: m.direct_key for m in found if m.direct_key})
    return [_as_row(each, others.get(each.id)) for each in found]


def _as_row(found: _Membership, other: User | None) -> SidebarRow:
    at = found.last_text_at
    if timezone.is_naive(at):  # as SQLite keeps moments: in UTC, without saying so
        at = at.replace(tzinfo=UTC)
    return SidebarRow(
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
        other=other,
    )


def _others(user: User, direct_keys: Mapping[int, str]) -> dict[int, User]:
    """Return conversation id -> the other person, for direct ones; oneself when alone in it."""
    other_id = {pk: _other_of(key, user.pk) for pk, key in direct_keys.items()}
    people = User.objects.in_bulk({pk for pk in other_id.values() if pk != user.pk})
    return {conversation: people.get(pk, user) for conversation, pk in other_id.items()}


def other_in(conversation: Conversation, user_id: int) -> int:
    """Return the id of the other person of a direct conversation (oneself, of a note to self)."""
    return _other_of(conversation.direct_key or "", user_id)


def _other_of(direct_key: str, user_id: int) -> int:
    low, high = (int(part) for part in direct_key.split("-"))
    return high if low == user_id else low


def other_person(conversation: Conversation, user: User) -> User | None:
    """Return the other person of a direct conversation (oneself, of a note to self), None of a group.
    One query for a direct one."""
    if not conversation.direct_key:
        return None
    return _others(user, {conversation.pk: conversation.direct_key})[conversation.pk]


def title(conversation: Conversation, user: User) -> str:
    """Return what a conversation is called by this member. One query for a direct one."""
    other = other_person(conversation, user)
    return other.name if other else conversation.name
