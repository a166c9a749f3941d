"""Actions of administrators. They need no membership in the conversation."""

from __future__ import annotations

from django.utils import timezone

from accounts.models import User
from chatty.common.errors import ChatError
from chatty.common.text import clean_line
from conversations import access, limits, permissions, queries
from conversations.actions.members import add_membership, remove_membership
from conversations.actions.messages import tombstone_message
from conversations.actions.ownership import set_role
from conversations.actions.rules import (
    active_user,
    check_role,
    get_member,
    is_deserted,
    memberships_of,
    require_another_owner,
    require_room_for_members,
    require_room_to_be_added,
)
from conversations.actions.settings import set_archived, set_unarchived
from conversations.actions.transactions import in_transaction
from conversations.models import Conversation, Instance, Membership, Message, Reveal, new_epoch


@in_transaction
def moderate_delete_message(staff: User, message_id: int) -> Message:
    """Delete any message. Raises ChatError: not_found, not_allowed (for notices)."""
    message = _message_for_staff(message_id)
    return (
        queries.with_details(message) if message.is_deleted else tombstone_message(message, staff)
    )


@in_transaction
def moderate_archive(staff: User, conversation_id: int) -> Conversation:
    conversation = _lock_for_staff("archive", conversation_id)
    return set_archived(conversation, staff)


@in_transaction
def moderate_unarchive(staff: User, conversation_id: int) -> Conversation:
    conversation = _lock_for_staff("archive", conversation_id)
    return set_unarchived(conversation, staff)


@in_transaction
def moderate_add_member(staff: User, conversation_id: int, user_id: int) -> Membership:
    """Add someone to a group. As when joining, the first active member becomes its owner.

    Administrators could read a private conversation by adding themselves, or an account they can use.
    Therefore adding anyone to one requires a recorded reason, as reading it does. Raises ChatError:
    not_found, direct_fixed, already_member, too_many, reason_required.
    """
    conversation = _lock_for_staff("add", conversation_id)
    if memberships_of(conversation).filter(user_id=user_id).exists():
        raise ChatError("already_member")
    person = active_user(user_id)
    if not conversation.is_open:
        _require_reveal(staff, conversation)
    require_room_for_members(conversation, 1)
    require_room_to_be_added([person])
    deserted = is_deserted(conversation)
    membership = add_membership(conversation, person, by=staff)
    return set_role(membership, Membership.Role.OWNER, by=staff) if deserted else membership


@in_transaction
def moderate_remove_member(staff: User, conversation_id: int, user_id: int) -> None:
    """Remove anyone. The last owner's ownership is passed on: see ownership.py.

    Raises ChatError: not_found, direct_fixed.
    """
    conversation = _lock_for_staff("remove", conversation_id)
    remove_membership(get_member(conversation, user_id), by=staff)


@in_transaction
def moderate_change_role(staff: User, conversation_id: int, user_id: int, role: str) -> Membership:
    """Change someone's role. Changing your own requires a recorded reason, as reading does.

    Raises ChatError: invalid, not_found, direct_fixed, reason_required, last_owner.
    """
    check_role(role)
    conversation = _lock_for_staff("change-role", conversation_id)
    if user_id == staff.pk:
        _require_reveal(staff, conversation)
    target = get_member(conversation, user_id)
    if role != Membership.Role.OWNER:
        require_another_owner(target)
    return set_role(target, role, by=staff)


@in_transaction
def reveal(staff: User, conversation_id: int, reason: str) -> Reveal:
    """Let an administrator view a private conversation for limits.REVEAL_SECONDS, and record the reason
    permanently.

    Raises ChatError: not_allowed, not_found, empty, too_long, bad_text (fields "reason").
    """
    reason = clean_line(reason, field="reason", max_length=limits.REASON_MAX)
    if not (staff.is_active and staff.is_staff):
        raise ChatError("not_allowed")
    conversation = _lock_for_staff("reveal", conversation_id)
    return Reveal.objects.create(
        staff=staff,
        conversation=conversation,
        title=queries.title_for_staff(conversation),
        reason=reason,
        # Not timestamps.now(), which can be overridden: access expires by real time.
        at=timezone.now(),
    )


def _require_reveal(staff: User, conversation: Conversation) -> None:
    """Raise ChatError("reason_required") unless they gave a reason that has not expired."""
    if not queries.is_revealed(staff, conversation.pk):
        raise ChatError("reason_required")


@in_transaction
def renew_epoch() -> str:
    """Start a new epoch and return it. Clients then discard their positions and reload."""
    instance, _made = Instance.objects.update_or_create(pk=1, defaults={"epoch": new_epoch()})
    return instance.epoch


def _lock_for_staff(action: str, conversation_id: int) -> Conversation:
    conversation = access.lock_conversation(conversation_id)
    access.require_as(permissions.STAFF, action, conversation)
    return conversation


def _message_for_staff(message_id: int) -> Message:
    conversation = _lock_for_staff("delete-any", access.conversation_id_of(message_id))
    message = Message.objects.select_related("author").get(pk=message_id)
    if not message.is_text:
        raise ChatError("not_allowed")
    message.conversation = conversation
    return message
