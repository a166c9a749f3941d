"""Passing on the ownership of groups: one with members is never without an owner.

Among active accounts the next owner is the admin, else the member, who has been in the group longest. Only if
all others are deactivated does one of them own the group.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Case, F, QuerySet, Value, When
from django.dispatch import receiver

from accounts.actions import bump_clock
from accounts.models import User
from accounts.signals import account_closing, account_reopened
from chatty.common.errors import ChatError
from chatty.jobs import queue
from conversations import access, publisher
from conversations.actions.log import write_notice
from conversations.actions.rules import get_member, memberships_of
from conversations.actions.transactions import in_transaction
from conversations.events import MembershipChanged
from conversations.models import Conversation, Membership, Message

_JOB = "pass_on_ownership"

_ADMINS_FIRST = Case(When(role=Membership.Role.ADMIN, then=Value(0)), default=Value(1))


def _next_first(memberships: QuerySet[Membership]) -> QuerySet[Membership]:
    """Return these members with users, in the order in which they would become the owner."""
    return memberships.order_by(_ADMINS_FIRST, "joined_at", "pk").select_related("user")


def successors(membership: Membership) -> QuerySet[Membership]:
    """Return who could own the group if this owner left, the next owner first; empty if there is another
    active owner."""
    others = memberships_of(membership.conversation).exclude(user_id=membership.user_id)
    active = others.filter(user__is_active=True)
    if not membership.is_owner or active.filter(role=Membership.Role.OWNER).exists():
        return others.none()
    return _next_first(active)


def find_next_owner(membership: Membership, chosen_id: int | None = None) -> Membership | None:
    """Return who must own the locked group once this owner has left, None if no one has to.

    `chosen_id`: the user to prefer. Raises ChatError("not_found") if they can't be the owner, and
    ("not_allowed") if the member isn't an owner.
    """
    conversation = membership.conversation
    if chosen_id is not None:
        if not membership.is_owner:
            raise ChatError("not_allowed")
        chosen = get_member(conversation, chosen_id)
        if chosen.user_id == membership.user_id or not _lock_if_active(chosen):
            raise ChatError("not_found")
        return chosen
    others = memberships_of(conversation).exclude(user_id=membership.user_id)
    for candidate in successors(membership).iterator(chunk_size=10):
        if _lock_if_active(candidate):
            candidate.conversation = conversation
            return candidate
    if not membership.is_owner or others.filter(role=Membership.Role.OWNER).exists():
        return None
    last = _next_first(others).first()
    if last is not None:
        last.conversation = conversation
    return last


def _lock_if_active(candidate: Membership) -> bool:
    """Lock the account of a candidate, so that it can't be deactivated before they are the owner. Its
    deactivation then passes the ownership on."""
    rows = User.objects.select_for_update(no_key=True)
    return rows.filter(pk=candidate.user_id, is_active=True).first() is not None


def set_role(target: Membership, role: str, *, by: User | None) -> Membership:
    """Change a member's role in a locked group. Setting the current role changes nothing.

    `by`: None if Chatty itself does it.
    """
    if target.role == role:
        return target
    target.role = role
    Membership.objects.filter(pk=target.pk).update(role=role, clock=F("clock") + 1)
    bump_clock({target.user_id})
    data = {"user": target.user_id, "name": target.user.name, "role": role}
    write_notice(target.conversation, by, Message.Kind.ROLE, data)
    publisher.publish_after_commit(
        MembershipChanged(target.user_id, target.conversation_id, "role")
    )
    return target


# --- accounts that are deactivated or reactivated ------------------------------------------------------


@receiver([account_closing, account_reopened], dispatch_uid="conversations.ownership")
def pass_on_later(*, user_id: int, **_: Any) -> None:
    """Appoint owners where this person was the only active owner, or is the only active member now. A job,
    because that can be many groups."""
    queue.enqueue(_JOB, {"user_id": user_id}, key=str(user_id))


def pass_on_ownership(user_id: int) -> queue.Again | None:
    """Appoint an owner in one group of this person that has active members, but no active owner."""
    own = Membership.objects.filter(
        user_id=user_id,
        conversation__kind=Conversation.Kind.GROUP,
        conversation__deleted_at=None,
    )
    active = Membership.objects.filter(user__is_active=True)
    owners = active.filter(role=Membership.Role.OWNER)
    deserted = own.filter(conversation__in=active.values("conversation"))
    deserted = deserted.exclude(conversation__in=owners.values("conversation"))
    conversation_id = deserted.order_by("pk").values_list("conversation_id", flat=True).first()
    if conversation_id is None:
        return None
    _appoint(conversation_id)
    return queue.again()


@in_transaction
def _appoint(conversation_id: int) -> None:
    conversation = access.lock_conversation(conversation_id)
    active = memberships_of(conversation).filter(user__is_active=True)
    if active.filter(role=Membership.Role.OWNER).exists():
        return
    candidate = _next_first(active).first()
    if candidate is not None and _lock_if_active(candidate):
        candidate.conversation = conversation
        set_role(candidate, Membership.Role.OWNER, by=None)


queue.register(_JOB, pass_on_ownership)
