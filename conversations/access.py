"""Who may what. Every door comes in through the user, so that *missing* and *forbidden* are one
answer: ChatError("not_found"). Nobody learns that a conversation exists by asking for it.

`lock=True` is for writing transactions: it locks the conversation's row first (two rows in order of
id where two are needed), so that what is decided here still holds when the transaction commits.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from accounts.models import User
from chatty.common.errors import ChatError
from conversations.models import Conversation, Membership, Message


def member_of(user: User, conversation_id: int, *, lock: bool = False) -> Membership:
    """Return the user's membership, its conversation and user loaded. One query, two with lock.

    Raises ChatError("not_found"), or "account_closed" when the account was closed meanwhile.
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
    """Let a member read in the block what is said; both ends raise as member_of does.

    Asked before, so that nobody has us read who may not; and again after: who is removed while
    rows are being read must not see what was said from then on.
    """
    yield member_of(user, conversation_id)
    member_of(user, conversation_id)


def message_for(user: User, message_id: int, *, lock: bool = False) -> tuple[Message, Membership]:
    """Return a message the user may read and the membership that lets them.

    Raises ChatError("not_found") as member_of does.
    """
    membership = member_of(user, conversation_id_of(message_id), lock=lock)
    # Read after the lock: another writer may have changed it while we waited.
    rows = Message.objects.select_related("author")
    message = rows.filter(pk=message_id, conversation__deleted_at=None).first()
    if message is None:  # its conversation was deleted since
        raise ChatError("not_found")
    message.conversation = membership.conversation
    return message, membership


def conversation_id_of(message_id: int) -> int:
    """Return where a message stands. Raises ChatError("not_found"). Asks nothing about access."""
    rows = Message.objects.filter(pk=message_id)
    conversation_id: int | None = rows.values_list("conversation_id", flat=True).first()
    if conversation_id is None:
        raise ChatError("not_found")
    return conversation_id


def lock_conversation(conversation_id: int) -> Conversation:
    """Return the locked row. Raises ChatError("not_found") for a missing or deleted one.

    FOR NO KEY UPDATE: a plain FOR UPDATE would also block every insert that refers to the row.
    On SQLite the transaction itself is exclusive.
    """
    rows: Any = Conversation.objects.select_for_update(no_key=True)
    conversation: Conversation | None = rows.filter(pk=conversation_id, deleted_at=None).first()
    if conversation is None:
        raise ChatError("not_found")
    return conversation


def can_post(membership: Membership) -> bool:
    return not membership.conversation.is_archived


def can_manage(membership: Membership) -> bool:
    """Rename, topic, access, archive, add and remove members, make admins."""
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
    """Owners give and take every role; admins make and unmake admins, but touch no owner."""
    if not can_manage(membership):
        return False
    owner = Membership.Role.OWNER
    return membership.is_owner or owner not in (target.role, role)


def can_remove(membership: Membership, target: Membership) -> bool:
    return can_manage(membership) and (membership.is_owner or not target.is_owner)


def _is_live_text(message: Message) -> bool:
    return message.is_text and not message.is_deleted
