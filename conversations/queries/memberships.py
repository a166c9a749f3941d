"""Who belongs to a conversation, and what those in one know of each other."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef, Q

from accounts.models import User
from conversations.models import Conversation, Membership, Removal

REMOVALS_SHOWN = 100  # people who were removed, on one page


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


def shows_presence(members_count: int) -> bool:
    """Say whether so many members are told of each other: who is here, who has read."""
    return members_count <= settings.PRESENCE_MEMBERS


def members_if_small(conversation: Conversation) -> list[Membership] | None:
    """Return the members with their users, by name; None where they are too many to be told of each
    other. One query."""
    rows = Membership.objects.filter(conversation=conversation).select_related("user")
    found = list(rows[: settings.PRESENCE_MEMBERS + 1])
    if not shows_presence(len(found)):
        return None
    return sorted(found, key=lambda m: (m.user.name.casefold(), m.user_id))


def presence_peers(user_ids: Collection[int], *, most: int) -> list[tuple[int, int]]:
    """Return (user, other) of everybody with an open account who shares a conversation of at most
    `most` members with one of these users. One query."""
    found = Membership.objects.filter(
        ~_is_large(OuterRef("conversation_id"), most),
        user_id__in=user_ids,
        conversation__deleted_at=None,
        conversation__memberships__user__is_active=True,
    )
    pairs = found.values_list("user_id", "conversation__memberships__user_id").distinct()
    return [(user, other) for user, other in pairs if user != other]


def small_conversations(conversation_ids: Collection[int], *, most: int) -> set[int]:
    """Return which of these have at most `most` members. One query, that counts no further."""
    found = Conversation.objects.filter(~_is_large(OuterRef("pk"), most), pk__in=conversation_ids)
    return set(found.values_list("pk", flat=True))


def read_marks_of(
    readers: Mapping[int, Collection[int]], *, most: int
) -> dict[int, dict[int, int]]:
    """Return conversation -> user -> how far they have read, of these readers of each conversation
    of at most `most` members. Two queries."""
    marks: dict[int, dict[int, int]] = {}
    rows = Membership.objects.filter(
        conversation_id__in=small_conversations(readers, most=most),
        user_id__in=set().union(*readers.values()),
    )
    for conversation_id, user_id, seq in rows.values_list(
        "conversation_id", "user_id", "last_read_seq"
    ):
        if user_id in readers[conversation_id]:
            marks.setdefault(conversation_id, {})[user_id] = seq
    return marks


def _is_large(conversation_id: Any, most: int) -> Exists:
    members = Membership.objects.filter(conversation_id=conversation_id)
    return Exists(members.order_by()[most : most + 1])


def memberships_of(user_ids: Collection[int]) -> Iterable[tuple[int, int, int]]:
    """Return (user, conversation, version) of everything these users belong to. One query."""
    rows = Membership.objects.filter(user_id__in=user_ids, conversation__deleted_at=None)
    return rows.values_list("user_id", "conversation_id", "conversation__version")
