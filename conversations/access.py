"""Permissions.

Conversations and messages are always looked up for a user, and ChatError("not_found") is raised whether
they are missing or not accessible. Otherwise the answer would reveal that a private conversation exists.

`lock=True` is for writing transactions. It locks the conversation row first (several rows in order of
id), so that a permission checked here still holds when the transaction commits.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from accounts.models import User
from chatty.common.errors import ChatError
from conversations.models import Conversation, Membership, Message


def member_of(user: User, conversation_id: int, *, lock: bool = False) -> Membership:
    """Return the user's membership with its conversation and user. One query, two with `lock`.

    Raises ChatError("not_found"), or ChatError("account_closed") for a deactivated account.
    """
    if lock:
        lock_conversation(conversation_id)
    membership = (
        Membership.objects.filter(
            user_id=user.pk, conversation_id=conversation_id, conversation__deleted_at=None
        )
        .select_related("conversation", "user")
        .first()
    )
    if membership is None:
        raise ChatError("not_found")
    if not membership.user.is_active:
        raise ChatError("account_closed")
    return membership


@contextmanager
def reading(user: User, conversation_id: int) -> Iterator[Membership]:
    """Check before and after the block that the user is a member. Raises ChatError as member_of() does.

    The second check is needed because the rows are read without a lock: if the user is removed at the
    same time, they could include messages that were sent after the removal.
    """
    yield member_of(user, conversation_id)
    member_of(user, conversation_id)


def message_for(user: User, message_id: int, *, lock: bool = False) -> tuple[Message, Membership]:
    """Return a message that the user can read, and their membership in its conversation.

    Raises ChatError as member_of() does.
    """
    membership = member_of(user, conversation_id_of(message_id), lock=lock)
    # Read it after locking: another writer may have changed it while we waited for the lock.
    rows = Message.objects.select_related("author")
    message = rows.filter(pk=message_id, conversation__deleted_at=None).first()
    if message is None:  # its conversation has just been deleted
        raise ChatError("not_found")
    message.conversation = membership.conversation
    return message, membership


def conversation_id_of(message_id: int) -> int:
    """Return the conversation of a message, without checking access. Raises ChatError("not_found")."""
    rows = Message.objects.filter(pk=message_id)
    conversation_id: int | None = rows.values_list("conversation_id", flat=True).first()
    if conversation_id is None:
        raise ChatError("not_found")
    return conversation_id


def lock_conversation(conversation_id: int) -> Conversation:
    """Lock a conversation and return it. Raises ChatError("not_found") if it is missing or deleted.

    Uses FOR NO KEY UPDATE, because FOR UPDATE would also block every insert with a foreign key to the
    row. On SQLite, which has no row locks, writing transactions are exclusive.
    """
    rows: Any = Conversation.objects.select_for_update(no_key=True)
    conversation: Conversation | None = rows.filter(pk=conversation_id, deleted_at=None).first()
    if conversation is None:
        raise ChatError("not_found")
    return conversation


def can_post(membership: Membership) -> bool:
    return not membership.conversation.is_archived


def can_manage(membership: Membership) -> bool:
    """Whether the member can rename, archive, change topic and access, and add and remove members."""
    return not membership.conversation.is_direct and membership.role in (
        Membership.Role.OWNER,
        Membership.Role.ADMIN,
    )


def can_delete_conversation(membership: Membership) -> bool:
    return not membership.conversation.is_direct and membership.is_owner


def can_edit(membership: Membership, message: Message) -> bool:
    return _is_live_text(message) and message.author_id == membership.user_id


def can_delete(membership: Membership, message: Message) -> bool:
    return _is_live_text(message) and (
        message.author_id == membership.user_id or can_manage(membership)
    )


def can_react(membership: Membership, message: Message) -> bool:
    return _is_live_text(message) and can_post(membership)


def can_change_role(membership: Membership, target: Membership, role: str) -> bool:
    """Owners can change every role. Admins can appoint and dismiss admins, but can't change owners."""
    if not can_manage(membership):
        return False
    owner = Membership.Role.OWNER
    return membership.is_owner or owner not in (target.role, role)


def can_remove(membership: Membership, target: Membership) -> bool:
    return can_manage(membership) and (membership.is_owner or not target.is_owner)


def _is_live_text(message: Message) -> bool:
    return message.is_text and not message.is_deleted
