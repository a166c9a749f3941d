"""Members of conversations, and which of them see each other's presence and read marks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef, Q

from accounts.models import User
from conversations.models import Conversation, Membership, Removal

REMOVALS_SHOWN = 100  # removed people listed on a page


def members(conversation: Conversation) -> list[Membership]:
    """Return all members with users: owners, then admins, then members, each by name. One query."""
    rank = {"owner": 0, "admin": 1, "member": 2}
    memberships = Membership.objects.filter(conversation=conversation).select_related("user")
    return sorted(memberships, key=lambda m: (rank[m.role], m.user.name.casefold(), m.user_id))


def removals(conversation: Conversation) -> list[Removal]:
    """Return the removals of active users, with users, latest first. One query."""
    rows = Removal.objects.filter(conversation=conversation, user__is_active=True)
    return list(rows.select_related("user").order_by("-removed_at", "-pk")[:REMOVALS_SHOWN])


def memberships_to_leave(user: User, *, limit: int, before: int | None = None) -> list[Membership]:
    """Return a user's memberships of groups, with conversations: unopened first, then latest first.

    `before`: the id of the last membership on the previous page.
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
    """Whether members of a conversation of this size see each other's presence and read marks."""
    return members_count <= settings.PRESENCE_MEMBERS


def members_if_small(conversation: Conversation) -> list[Membership] | None:
    """Return the members with users, by name; None if the conversation is too large for presence. One
    query."""
    rows = Membership.objects.filter(conversation=conversation).select_related("user")
    found = list(rows[: settings.PRESENCE_MEMBERS + 1])
    if not shows_presence(len(found)):
        return None
    return sorted(found, key=lambda m: (m.user.name.casefold(), m.user_id))


def presence_peers(user_ids: Collection[int], *, most: int) -> list[tuple[int, int]]:
    """Return (user, other) for all active users who share a conversation of at most `most` members with
    one of these users. One query."""
    found = Membership.objects.filter(
        ~_is_large(OuterRef("conversation_id"), most),
        user_id__in=user_ids,
        conversation__deleted_at=None,
        conversation__memberships__user__is_active=True,
    )
    pairs = found.values_list("user_id", "conversation__memberships__user_id").distinct()
    return [(user, other) for user, other in pairs if user != other]


def small_conversations(conversation_ids: Collection[int], *, most: int) -> set[int]:
    """Return those of these conversations that have at most `most` members. One query, which stops
    counting there."""
    found = Conversation.objects.filter(~_is_large(OuterRef("pk"), most), pk__in=conversation_ids)
    return set(found.values_list("pk", flat=True))


def read_marks_of(
    readers: Mapping[int, Collection[int]], *, most: int
) -> dict[int, dict[int, int]]:
    """Return conversation id -> user id -> last_read_seq, for these readers of each conversation. Leaves
    out conversations of more than `most` members. Two queries."""
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
    """Return (user id, conversation id, version) of all memberships of these users. One query."""
    rows = Membership.objects.filter(user_id__in=user_ids, conversation__deleted_at=None)
    return rows.values_list("user_id", "conversation_id", "conversation__version")
