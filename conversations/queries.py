"""Reading. Each function's cost is bounded and the same at a thousand and at a million messages."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import (
    BooleanField,
    Case,
    Count,
    Exists,
    F,
    OuterRef,
    Prefetch,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Coalesce
from django.utils import timezone

from accounts.models import User
from conversations import limits, mentions
from conversations.models import Conversation, Instance, Membership, Message, Reaction, Reveal

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


def with_details(messages: QuerySet[Message]) -> QuerySet[Message]:
    """Load what message_to_wire reads: author, quoted message and its author, reactions."""
    return messages.select_related("author", "reply_to__author").prefetch_related(
        Prefetch("reactions", queryset=Reaction.objects.order_by("pk"))
    )


def detailed(message: Message) -> Message:
    """Return the message read anew, with what message_to_wire needs."""
    return with_details(Message.objects.filter(pk=message.pk)).get()


def history(
    conversation: Conversation,
    *,
    before: int | None = None,
    after: int | None = None,
    around: int | None = None,
    limit: int = limits.PAGE_SIZE,
) -> History:
    """Return the latest page, or the one before / after / around a seq. At most three queries.

    `conversation`: as just read (access.member_of); its counters are what the page stands on.
    """
    # The head was read first, the rows are read after it: a change that falls between is then in
    # the rows or still ahead of the position, never lost. The other way round it could be both.
    version, last_seq = conversation.version, conversation.last_seq
    limit = max(1, min(limit, limits.PAGE_MAX))
    if around is not None:
        after = max(0, around - limit // 2 - 1)
    rows = with_details(Message.objects.filter(conversation=conversation))
    if after is not None:
        messages = list(rows.filter(seq__gt=after).order_by("seq")[:limit])
    else:
        if before is not None:
            rows = rows.filter(seq__lt=before)
        messages = list(rows.order_by("-seq")[:limit])[::-1]
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
    rows = with_details(Message.objects.filter(conversation_id=conversation_id))
    messages = list(rows.filter(version__gt=version).order_by("version")[: limit + 1])
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
    """Return the user's latest conversations, last message first. Three queries at most.

    `after`: (last_text_at, id) of the last one of the page before.
    """
    found = _spoken_in(_memberships_with_unread(user.pk), user.pk)
    if after is not None:
        at, pk = after
        found = found.filter(
            Q(conversation__last_text_at__lt=at)
            | Q(conversation__last_text_at=at, conversation_id__lt=pk)
        )
    latest_first = found.order_by("-conversation__last_text_at", "-conversation_id")
    return _as_rows(user, list(latest_first[:limit]))


def sidebar_row(
    user: User, conversation_id: int, *, even_unspoken: bool = False
) -> SidebarRow | None:
    """Return one conversation as the sidebar shows it, None when the user is not a member.

    `even_unspoken`: also a direct one that the other opened and nobody has spoken in, which no
    list shows: for who asks for it by its id.
    """
    found = _memberships_with_unread(user.pk).filter(conversation_id=conversation_id)
    rows = _as_rows(user, list(found if even_unspoken else _spoken_in(found, user.pk)))
    return rows[0] if rows else None


def _memberships_with_unread(user_id: int) -> QuerySet[Membership]:
    unread = (
        _unread(OuterRef("conversation_id"), OuterRef("last_read_seq"), user_id)
        .order_by()
        .values("conversation_id")
        .annotate(number=Count("*"))
        .values("number")
    )
    return (
        Membership.objects.filter(user_id=user_id, conversation__deleted_at=None)
        .select_related("conversation")
        .annotate(unread=Coalesce(Subquery(unread), Value(0)))
    )


def _spoken_in(memberships: QuerySet[Membership], user_id: int) -> QuerySet[Membership]:
    """Leave out directs without a word in them: they appear for the other with their first."""
    return memberships.exclude(
        ~Q(conversation__created_by=user_id),
        conversation__kind=Conversation.Kind.DIRECT,
        conversation__last_seq=0,
    )


def _as_rows(user: User, memberships: list[Membership]) -> list[SidebarRow]:
    others = _others(user, [m.conversation for m in memberships])
    calls = _unread_mentions(user, memberships)
    return [
        _as_row(user, each, others, calls.get(each.conversation_id, [])) for each in memberships
    ]


def _as_row(
    user: User, membership: Membership, others: dict[int, User], calls: list[int]
) -> SidebarRow:
    conversation = membership.conversation
    other = others.get(conversation.pk, user) if conversation.is_direct else None
    return SidebarRow(
        id=conversation.pk,
        kind=conversation.kind,
        access=conversation.access,
        name=other.name if other else conversation.name,
        topic=conversation.topic,
        version=conversation.version,
        last_seq=conversation.last_seq,
        last_read_seq=membership.last_read_seq,
        last_text_at=conversation.last_text_at,
        archived=conversation.is_archived,
        role=membership.role,
        level=membership.level,
        unread=membership.unread,  # type: ignore[attr-defined]
        unread_more=conversation.last_seq - membership.last_read_seq > limits.UNREAD_WINDOW,
        mentions=calls,
        other=other,
    )


def _unread_mentions(user: User, memberships: list[Membership]) -> dict[int, list[int]]:
    """Return conversation id -> seqs of unread messages that call the user, for groups. One query,
    none without anything unread; it reads only messages that call somebody."""
    unread = [
        each.conversation_id
        for each in memberships
        if each.unread and not each.conversation.is_direct  # type: ignore[attr-defined]
    ]
    if not unread:
        return {}
    last_read = F("conversation__memberships__last_read_seq")
    found = Message.objects.filter(
        conversation_id__in=unread,
        conversation__memberships__user=user,
        seq__gt=last_read,
        seq__lte=last_read + limits.UNREAD_WINDOW,
        mentions__isnull=False,
    ).exclude(author_id=user.pk)
    calls: dict[int, list[int]] = {}
    for conversation, seq, ids in found.order_by("conversation_id", "seq").values_list(
        "conversation_id", "seq", "mentions"
    ):
        if user.pk in (ids or ()):
            calls.setdefault(conversation, []).append(seq)
    return calls


def _others(user: User, conversations: Iterable[Conversation]) -> dict[int, User]:
    """Return conversation id -> the other person, for direct ones; oneself when alone in it."""
    other_id = {c.pk: other_in(c, user.pk) for c in conversations if c.is_direct}
    people = User.objects.in_bulk({pk for pk in other_id.values() if pk != user.pk})
    return {conversation: people.get(pk, user) for conversation, pk in other_id.items()}


def other_in(conversation: Conversation, user_id: int) -> int:
    """Return the id of the other person of a direct conversation (oneself, of a note to self)."""
    low, high = (int(part) for part in (conversation.direct_key or "").split("-"))
    return high if low == user_id else low


def title(conversation: Conversation, user: User) -> str:
    """Return what a conversation is called by this member. One query for a direct one."""
    if not conversation.is_direct:
        return conversation.name
    return _others(user, [conversation])[conversation.pk].name


# --- people --------------------------------------------------------------------------------------


MENTION_LETTERS = 100  # different first letters one statement looks for


def members(conversation: Conversation) -> list[Membership]:
    """Return all members with their users: owners, admins, members, each by name. One query."""
    rank = {"owner": 0, "admin": 1, "member": 2}
    memberships = Membership.objects.filter(conversation=conversation).select_related("user")
    return sorted(memberships, key=lambda m: (rank[m.role], m.user.name.casefold(), m.user_id))


def mentioned(messages: Sequence[tuple[int, str]]) -> list[list[int] | None]:
    """Return, for each (conversation id, HTML), the ids of members whom it calls by name, or None.
    One query, none where there is no "@"."""
    calls = [mentions.called(rendered) for _conversation, rendered in messages]
    calling = {
        conversation for (conversation, _), each in zip(messages, calls, strict=True) if each
    }
    if not calling:
        return [None] * len(messages)
    # Of a large group only those whose names begin alike. In each case of the letter by itself:
    # SQLite compares others than ASCII as they are.
    first = {call[0] for each in calls for call in each}
    letters = {form for letter in first for form in (letter, letter.upper(), letter.title())}
    begins = Q()
    for letter in sorted(letters) if len(letters) <= MENTION_LETTERS else ():
        begins |= Q(user__name__startswith=letter)
    rows = Membership.objects.filter(begins, conversation__in=calling, user__is_active=True)
    people: dict[int, list[tuple[int, str]]] = {}
    for conversation, pk, name in rows.order_by("user_id").values_list(
        "conversation_id", "user_id", "user__name"
    ):
        people.setdefault(conversation, []).append((pk, name))
    return [
        mentions.meant(each, people.get(conversation, ())) or None
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
    """Return open conversations by name, with `members_count` and `joined`.

    `after`: (name, id) of the last one of the page before.
    """
    found = Conversation.objects.filter(
        kind=Conversation.Kind.GROUP,
        access=Conversation.Access.OPEN,
        archived_at=None,
        deleted_at=None,
    )
    for word in text.split():
        found = found.filter(Q(name__icontains=word) | Q(topic__icontains=word))
    if after is not None:
        name, pk = after
        found = found.filter(Q(name__gt=name) | Q(name=name, pk__gt=pk))
    members_count = (
        Membership.objects.filter(conversation_id=OuterRef("pk"))
        .order_by()
        .values("conversation_id")
        .annotate(number=Count("*"))
        .values("number")
    )
    mine = Membership.objects.filter(conversation_id=OuterRef("pk"), user_id=user.pk)
    return list(
        found.annotate(
            members_count=Coalesce(Subquery(members_count), Value(0)), joined=Exists(mine)
        ).order_by("name", "pk")[:limit]
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
    lately = timezone.now() - timedelta(seconds=limits.REVEAL_SECONDS)
    looked = Reveal.objects.filter(
        staff_id=staff.pk, conversation_id=OuterRef("conversation_id"), at__gt=lately
    )
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


def versions(conversation_ids: Collection[int]) -> dict[int, int]:
    """Return id -> version of those that exist. One query; at most 1,000 ids."""
    rows = Conversation.objects.filter(pk__in=conversation_ids, deleted_at=None)
    return dict(rows.values_list("pk", "version"))


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


def _crowded(conversation_id: Any, most: int) -> Exists:
    members = Membership.objects.filter(conversation_id=conversation_id)
    return Exists(members.order_by()[most : most + 1])


def memberships_of(user_ids: Collection[int]) -> Iterable[tuple[int, int, int]]:
    """Return (user, conversation, version) of everything these users belong to. One query."""
    rows = Membership.objects.filter(user_id__in=user_ids, conversation__deleted_at=None)
    return rows.values_list("user_id", "conversation_id", "conversation__version")
