"""Reading. Each function's cost is bounded and the same at a thousand and at a million messages."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import (
    BooleanField,
    Case,
    Count,
    Exists,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    TextField,
    Value,
    When,
)
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce
from django.utils import timezone

from accounts.models import User
from conversations import bulk, limits, mentions
from conversations.models import (
    Conversation,
    Instance,
    Membership,
    Message,
    Removal,
    Reveal,
)

REMOVALS_SHOWN = 100  # people who were removed, on one page

# --- history -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class History:
    """A page of messages, oldest first, and what lies around it.

    `position`: the version as of which these rows are known. Every later change to them, and every
    message after the newest one there was, has a higher version.
    """

    messages: list[Message]
    position: int
    has_older: bool
    has_newer: bool


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed after a version: each changed message once, as it is now, in order of version.

    `version`: the client's position once it has applied them. `more`: ask again from there.
    `reset`: too far behind (or ahead of us): nothing is listed, load the latest page instead.
    """

    messages: list[Message]
    version: int
    more: bool
    reset: bool


# One statement sees one state of the database, two may see what happened between them: a row of one
# version with reactions of a later one. A whole page of thousands of reactions is one JSON array a row.
_REACTED = {
    "postgresql": """(SELECT json_agg(json_build_array(r.emoji, r.user_id) ORDER BY r.id)::text
        FROM conversations_reaction r WHERE r.message_id = conversations_message.id)""",
    "sqlite": """(SELECT json_group_array(json_array(r.emoji, r.user_id))
        FROM (SELECT emoji, user_id FROM conversations_reaction
              WHERE message_id = conversations_message.id ORDER BY id) AS r)""",
}


def read(rows: QuerySet[Message]) -> list[Message]:
    """Return the messages with what message_to_wire reads: author, quoted message and its author,
    reactions. One query, so that each message is as it was at its version."""
    statement = _REACTED[connection.vendor]  # ours, without parameters
    reactions = RawSQL(statement, [], output_field=TextField())  # noqa: S611
    messages: list[Message] = []
    whole = rows.select_related("author", "reply_to__author").annotate(reactions_read=reactions)
    for message in whole:
        found = message.reactions_read
        message.reacted = [(emoji, user) for emoji, user in json.loads(found)] if found else []
        messages.append(message)
    return messages


def detailed(message: Message) -> Message:
    """Return the message read anew, with what message_to_wire needs."""
    (found,) = read(Message.objects.filter(pk=message.pk))
    return found


def history(
    conversation: Conversation,
    *,
    before: int | None = None,
    after: int | None = None,
    around: int | None = None,
    limit: int = limits.PAGE_SIZE,
) -> History:
    """Return the latest page, or the one before / after / around a seq. One query.

    `conversation`: as just read (access.member_of); its counters are what the page stands on.
    """
    # The head was read first, the rows are read after it: a change that falls between is then in
    # the rows or still ahead of the position, never lost. The other way round it could be both.
    version, last_seq = conversation.version, conversation.last_seq
    limit = max(1, min(limit, limits.PAGE_MAX))
    if around is not None:
        after = max(0, around - limit // 2 - 1)
    rows = Message.objects.filter(conversation=conversation)
    if after is not None:
        messages = read(rows.filter(seq__gt=after).order_by("seq")[:limit])
    else:
        if before is not None:
            rows = rows.filter(seq__lt=before)
        messages = read(rows.order_by("-seq")[:limit])[::-1]
    # An empty page lies before the first message, or behind the last.
    place = last_seq + 1 if before is None else min(before, last_seq + 1)
    first = messages[0].seq if messages else place
    last = messages[-1].seq if messages else place - 1
    return History(
        messages=messages, position=version, has_older=first > 1, has_newer=last < last_seq
    )


def changes_since(
    conversation_id: int, version: int, *, limit: int = limits.SYNC_PAGE
) -> Changes | None:
    """Return what changed after `version`, or None when there is no such conversation."""
    head = (
        Conversation.objects.filter(pk=conversation_id, deleted_at=None)
        .values_list("version", flat=True)
        .first()
    )
    if head is None:
        return None
    if version > head or head - version > limits.SYNC_REACH:
        return Changes(messages=[], version=head, more=False, reset=True)
    if version == head:
        return Changes(messages=[], version=head, more=False, reset=False)
    rows = Message.objects.filter(conversation_id=conversation_id, version__gt=version)
    messages = read(rows.order_by("version")[: limit + 1])
    if len(messages) > limit:
        messages = messages[:limit]
        return Changes(messages=messages, version=messages[-1].version, more=True, reset=False)
    # Rows may have been stamped after the head was read; the last page reaches to the later one.
    last = messages[-1].version if messages else head
    return Changes(messages=messages, version=max(head, last), more=False, reset=False)


def first_unread_seq(membership: Membership) -> int | None:
    """Return the seq of the oldest living message of others that the member has not read."""
    unread = _unread(membership.conversation_id, membership.last_read_seq, membership.user_id)
    return unread.order_by("seq").values_list("seq", flat=True).first()


def _unread(conversation_id: Any, last_read_seq: Any, user_id: int) -> QuerySet[Message]:
    """Return others' living messages among the first UNREAD_WINDOW entries after the last one read.
    The first two may be expressions."""
    return Message.objects.filter(
        conversation_id=conversation_id,
        seq__gt=last_read_seq,
        seq__lte=last_read_seq + limits.UNREAD_WINDOW,
        kind=Message.Kind.TEXT,
        deleted_at=None,
    ).exclude(author_id=user_id)


# --- the sidebar ---------------------------------------------------------------------------------


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


# --- people --------------------------------------------------------------------------------------


MENTION_LETTERS = 100  # different first letters one statement looks for


def members(conversation: Conversation) -> list[Membership]:
    """Return all members with their users: owners, admins, members, each by name. One query."""
    rank = {"owner": 0, "admin": 1, "member": 2}
    memberships = Membership.objects.filter(conversation=conversation).select_related("user")
    return sorted(memberships, key=lambda m: (rank[m.role], m.user.name.casefold(), m.user_id))


def removals(conversation: Conversation) -> list[Removal]:
    """Return who was removed and cannot join, with their users, the latest first. One query."""
    rows = Removal.objects.filter(conversation=conversation, user__is_active=True)
    return list(rows.select_related("user").order_by("-removed_at", "-pk")[:REMOVALS_SHOWN])


def leavable(user: User, *, limit: int, before: int | None = None) -> list[Membership]:
    """Return a person's memberships of groups, those not opened yet first, then the latest joined.

    With their conversations. `before`: the id of the last one of the page before.
    """
    rows = Membership.objects.filter(
        user=user,
        conversation__kind=Conversation.Kind.GROUP,
        conversation__deleted_at=None,
    )
    last = rows.filter(pk=before).first() if before else None
    if last is not None:
        earlier = Q(unopened=last.unopened, pk__lt=last.pk)
        rows = rows.filter(earlier | Q(unopened=False) if last.unopened else earlier)
    return list(rows.select_related("conversation").order_by("-unopened", "-pk")[:limit])


def mentioned(messages: Sequence[tuple[int, str]]) -> list[list[int] | None]:
    """Return, for each (conversation id, HTML), the ids of members whom it calls by name, or None.
    One query, none where there is no "@"."""
    calls = [mentions.called(rendered) for _conversation, rendered in messages]
    calling = {
        conversation for (conversation, _), each in zip(messages, calls, strict=True) if each
    }
    if not calling:
        return [None] * len(messages)
    # Of a large group only those whose names begin alike.
    first = {call[0] for each in calls for call in each}
    narrowed = len(first) <= MENTION_LETTERS
    beginnings = set[str]().union(*map(mentions.beginnings, first)) if narrowed else None
    people: dict[int, list[tuple[int, str]]] = {conversation: [] for conversation in calling}
    for conversation, pk, name in bulk.names_of_members(calling, beginnings):
        people[conversation].append((pk, name))
    names = {
        conversation: mentions.MemberNames(members) for conversation, members in people.items()
    }
    return [
        (names[conversation].find(each) if each else None) or None
        for (conversation, _rendered), each in zip(messages, calls, strict=True)
    ]


def are_told(members_count: int) -> bool:
    """Say whether so many members are told of each other: who is here, who has read."""
    return members_count <= settings.PRESENCE_MEMBERS


def told_members(conversation: Conversation) -> list[Membership] | None:
    """Return the members with their users, by name; None where they are too many to be told of each
    other. One query."""
    rows = Membership.objects.filter(conversation=conversation).select_related("user")
    found = list(rows[: settings.PRESENCE_MEMBERS + 1])
    if not are_told(len(found)):
        return None
    return sorted(found, key=lambda m: (m.user.name.casefold(), m.user_id))


def people(
    *, text: str = "", limit: int = 20, exclude_members_of: Conversation | None = None
) -> list[User]:
    """Return people with an open account by name. Found by any part of the name, never by e-mail:
    that would tell who has an account under an address."""
    found = User.objects.filter(is_active=True)
    for word in text.split():
        found = found.filter(name__icontains=word)
    if exclude_members_of is not None:
        inside = Membership.objects.filter(conversation=exclude_members_of, user_id=OuterRef("pk"))
        found = found.filter(~Exists(inside))
    return list(found.order_by("name", "pk")[:limit])


def browse(
    user: User, *, text: str = "", limit: int = 50, after: tuple[str, int] | None = None
) -> list[Conversation]:
    """Return open conversations by name, with `members_count`, `joined` and `removed`: whether the
    person was removed and cannot join.

    `after`: (name, id) of the last one of the page before.
    """
    found = _open_groups(user).filter(archived_at=None)
    for word in text.split():
        found = found.filter(Q(name__icontains=word) | Q(topic__icontains=word))
    if after is not None:
        name, pk = after
        found = found.filter(Q(name__gt=name) | Q(name=name, pk__gt=pk))
    return list(found.order_by("name", "pk")[:limit])


def open_group(user: User, conversation_id: int) -> Conversation | None:
    """Return an open conversation as browse() does, also an archived one; None for any other."""
    return _open_groups(user).filter(pk=conversation_id).first()


def _open_groups(user: User) -> QuerySet[Any]:
    members_count = (
        Membership.objects.filter(conversation_id=OuterRef("pk"))
        .order_by()
        .values("conversation_id")
        .annotate(number=Count("*"))
        .values("number")
    )
    mine = Membership.objects.filter(conversation_id=OuterRef("pk"), user_id=user.pk)
    removed = Removal.objects.filter(conversation_id=OuterRef("pk"), user_id=user.pk)
    return Conversation.objects.filter(
        kind=Conversation.Kind.GROUP, access=Conversation.Access.OPEN, deleted_at=None
    ).annotate(
        members_count=Coalesce(Subquery(members_count), Value(0)),
        joined=Exists(mine),
        removed=Exists(removed),
    )


# --- for staff ---------------------------------------------------------------------------------------

LOOK_STEP = 20_000  # ids looked through in one statement
LOOK_SECONDS = 1.0  # after which a search stops where it is


def titles_for_staff(conversations: Collection[Conversation]) -> dict[int, str]:
    """Return id -> name; of direct ones, who talks there. One query."""
    found = {conversation.pk: conversation.name for conversation in conversations}
    directs = [conversation.pk for conversation in conversations if conversation.is_direct]
    people: dict[int, list[str]] = {pk: [] for pk in directs}
    rows = Membership.objects.filter(conversation_id__in=directs).order_by("user_id")
    for pk, name in rows.values_list("conversation_id", "user__name"):
        people[pk].append(name)
    return found | {pk: ", ".join(names) for pk, names in people.items()}


def title_for_staff(conversation: Conversation) -> str:
    return titles_for_staff([conversation])[conversation.pk]


def messages_for_staff(staff: User) -> QuerySet[Message]:
    """Return all messages, each with `readable` (bool) and `words` (None where not readable).

    What is said in closed and direct conversations does not even leave the database, unless this
    person has given a reason for looking into the conversation lately. Body and html are deferred:
    read `words`.
    """
    looked = _current_reveals(staff).filter(conversation_id=OuterRef("conversation_id"))
    is_open = Q(
        conversation__kind=Conversation.Kind.GROUP, conversation__access=Conversation.Access.OPEN
    )
    return (
        Message.objects.filter(conversation__deleted_at=None)
        .select_related("author", "conversation")
        .annotate(
            readable=Case(
                When(is_open, then=True), default=Exists(looked), output_field=BooleanField()
            )
        )
        .annotate(words=Case(When(readable=True, then=F("body")), default=None))
        .defer("body", "html", "fingerprint")
    )


def is_revealed(staff: User, conversation_id: int) -> bool:
    """Tell whether this person gave a reason for looking into the conversation that still counts."""
    return _current_reveals(staff).filter(conversation_id=conversation_id).exists()


def _current_reveals(staff: User) -> QuerySet[Reveal]:
    lately = timezone.now() - timedelta(seconds=limits.REVEAL_SECONDS)
    return Reveal.objects.filter(staff_id=staff.pk, at__gt=lately)


def latest_matching(
    rows: QuerySet[Message], *, before: int | None, limit: int
) -> tuple[list[Message], int | None]:
    """Return up to `limit` of `rows`, newest id first, from below the id `before` (None: from the
    newest), and the id to go on before; None when there is nothing older.

    However rare a match is and however many messages there are, this takes about LOOK_SECONDS at
    most: it goes down the ids step by step and stops where it is.
    """
    newest = Message.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    top = newest + 1 if before is None else min(before, newest + 1)
    stop_at = time.monotonic() + LOOK_SECONDS
    found: list[Message] = []
    while top > 1:
        bottom = max(1, top - LOOK_STEP)
        step = rows.filter(pk__lt=top, pk__gte=bottom).order_by("-pk")
        found += step[: limit + 1 - len(found)]
        if len(found) > limit:
            return found[:limit], found[limit - 1].pk
        top = bottom
        if time.monotonic() > stop_at:
            break
    return found, top if top > 1 else None


# --- for the engine ------------------------------------------------------------------------------


def epoch() -> str:
    """Return the epoch, making the one row of this installation at first need."""
    instance, _made = Instance.objects.get_or_create(pk=1)
    return instance.epoch


def versions_moved(known: Mapping[int, int]) -> dict[int, int | None]:
    """Return id -> version of those conversations that have another than the known one, None of
    those that are gone. One query; at most 4,000 ids."""
    return bulk.moved(Conversation, "version", known, alive="t.deleted_at IS NULL")


def clocks_moved(known: Mapping[int, int]) -> dict[int, int | None]:
    """Return id -> clock of those users who have another than the known one, None of those whose
    account is closed. One query; at most 4,000 ids."""
    return bulk.moved(User, "clock", known, alive="t.is_active")


def clocks(user_ids: Collection[int]) -> dict[int, int]:
    """Return id -> clock of users with an open account. One query; at most 1,000 ids."""
    rows = User.objects.filter(pk__in=user_ids, is_active=True)
    return dict(rows.values_list("pk", "clock"))


def companions(user_ids: Collection[int], *, most: int) -> list[tuple[int, int]]:
    """Return (user, other) of everybody with an open account who shares a conversation of at most
    `most` members with one of these users. One query."""
    found = Membership.objects.filter(
        ~_crowded(OuterRef("conversation_id"), most),
        user_id__in=user_ids,
        conversation__deleted_at=None,
        conversation__memberships__user__is_active=True,
    )
    pairs = found.values_list("user_id", "conversation__memberships__user_id").distinct()
    return [(user, other) for user, other in pairs if user != other]


def uncrowded(conversation_ids: Collection[int], *, most: int) -> set[int]:
    """Return which of these have at most `most` members. One query, that counts no further."""
    found = Conversation.objects.filter(~_crowded(OuterRef("pk"), most), pk__in=conversation_ids)
    return set(found.values_list("pk", flat=True))


def marks_of(readers: Mapping[int, Collection[int]], *, most: int) -> dict[int, dict[int, int]]:
    """Return conversation -> user -> how far they have read, of these readers of each conversation
    of at most `most` members. Two queries."""
    marks: dict[int, dict[int, int]] = {}
    rows = Membership.objects.filter(
        conversation_id__in=uncrowded(readers, most=most),
        user_id__in=set().union(*readers.values()),
    )
    for conversation_id, user_id, seq in rows.values_list(
        "conversation_id", "user_id", "last_read_seq"
    ):
        if user_id in readers[conversation_id]:
            marks.setdefault(conversation_id, {})[user_id] = seq
    return marks


def _crowded(conversation_id: Any, most: int) -> Exists:
    members = Membership.objects.filter(conversation_id=conversation_id)
    return Exists(members.order_by()[most : most + 1])


def memberships_of(user_ids: Collection[int]) -> Iterable[tuple[int, int, int]]:
    """Return (user, conversation, version) of everything these users belong to. One query."""
    rows = Membership.objects.filter(user_id__in=user_ids, conversation__deleted_at=None)
    return rows.values_list("user_id", "conversation_id", "conversation__version")
