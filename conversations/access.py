"""Who can see and do what. The rules are the rows of the permission table (permissions.py).

Conversations and messages are always looked up for a user, and ChatError("not_found") is raised whether
they are missing or not accessible. Otherwise the answer would reveal that a private conversation exists.

`lock=True` is for writing transactions. It locks the conversation row first (several rows in order of
id), so that a permission checked here still holds when the transaction commits.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from django.utils.translation import gettext_lazy as _

from accounts.models import User
from chatty.common.errors import ChatError
from chatty.common.rows import attach, column_count, columns_of, instance_from_row, instance_maker
from chatty.statements import fetch_rows, in_ids, list_ids
from conversations import permissions
from conversations.models import Conversation, Membership, Message

# Raw SQL, because every request and frame about a conversation needs it, most of them twice: the ORM took
# 680 µs, of which the database needed 60.
_MEMBERSHIP = """
    FROM conversations_membership m
    JOIN conversations_conversation c ON c.id = m.conversation_id
    JOIN accounts_user u ON u.id = m.user_id
    WHERE m.user_id = %s AND m.conversation_id = %s AND c.deleted_at IS NULL"""
_ACTIVE_MEMBERSHIPS = """SELECT m.conversation_id, u.is_active
    FROM conversations_membership m
    JOIN conversations_conversation c ON c.id = m.conversation_id
    JOIN accounts_user u ON u.id = m.user_id
    WHERE m.user_id = %s AND m.conversation_id {ids} AND c.deleted_at IS NULL"""
_IS_ACTIVE_MEMBER = f"SELECT u.is_active {_MEMBERSHIP}"

# What can be done with a message -> its rows of the permission table: for one's own messages, and for those
# of others (None: no one can). Other actions have one row for both.
_MESSAGE_ACTIONS: dict[str, tuple[str, str | None]] = {
    "edit": ("edit-own", None),
    "delete": ("delete-own", "delete-any"),
}


def member_of(user: User, conversation_id: int, *, lock: bool = False) -> Membership:
    """Return the user's membership with its conversation and user. One query, two with `lock`.

    Raises ChatError("not_found"), or ChatError("account_closed") for a deactivated account.
    """
    if lock:
        lock_conversation(conversation_id)
    rows = fetch_rows(_membership_statement(), [user.pk, conversation_id])
    if not rows:
        raise ChatError("not_found")
    (row,) = rows
    membership = instance_from_row(Membership, row)
    start = column_count(Membership)
    attach(membership, "conversation", instance_maker(Conversation, start=start)(row))
    start += column_count(Conversation)
    attach(membership, "user", instance_maker(User, start=start)(row))
    if not membership.user.is_active:
        raise ChatError("account_closed")
    return membership


@cache
def _membership_statement() -> str:
    columns = (columns_of(Membership, "m"), columns_of(Conversation, "c"), columns_of(User, "u"))
    return f"SELECT {', '.join(columns)} {_MEMBERSHIP}"


@contextmanager
def reading(user: User, conversation_id: int) -> Iterator[Membership]:
    """Check before and after the block that the user is a member. Raises ChatError as member_of() does.

    The second check is needed because the rows are read without a lock: if the user is removed at the
    same time, they could include messages that were sent after the removal.
    """
    yield member_of(user, conversation_id)
    rows = fetch_rows(_IS_ACTIVE_MEMBER, [user.pk, conversation_id])
    if not rows:
        raise ChatError("not_found")
    if not rows[0][0]:
        raise ChatError("account_closed")


def readable(user: User, conversation_ids: Collection[int]) -> set[int]:
    """Return those of these conversations that the user is a member of, after rows of them were read: see
    reading(). One query. Raises ChatError("account_closed")."""
    rows = fetch_rows(
        _ACTIVE_MEMBERSHIPS.format(ids=in_ids()), [user.pk, list_ids(conversation_ids)]
    )
    if not all(is_active for _conversation_id, is_active in rows):
        raise ChatError("account_closed")
    return {conversation_id for conversation_id, _is_active in rows}


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


def kind_of(conversation: Conversation) -> str:
    """Return the kind of a conversation in the permission table."""
    return permissions.kind_of(conversation.kind, conversation.access)


def state_of(conversation: Conversation) -> str:
    if conversation.deleted_at is not None:
        return permissions.DELETED
    return permissions.ARCHIVED if conversation.is_archived else permissions.ACTIVE


def refusal(action: str, membership: Membership) -> ChatError | None:
    """Return why the member can't do this, None if they can. Makes no query."""
    conversation, role = membership.conversation, membership.role
    codes, setting = permissions.rules_of_members(action)
    if conversation.deleted_at is not None:
        return ChatError("not_found")
    code = codes[role, conversation.kind, conversation.access, conversation.archived_at is None]
    if code is not None:
        return ChatError(code)
    if setting and role == "member" and getattr(conversation, setting) == permissions.ONLY_ADMINS:
        return ChatError("not_allowed", _ONLY_ADMINS.get(setting))
    return None


def refusal_as(role: str, action: str, conversation: Conversation) -> ChatError | None:
    """Return why people with this role of the permission table can't do this, whatever the settings."""
    key = (role, kind_of(conversation), state_of(conversation))
    code = permissions.refusals(action)[key]
    return None if code is None else ChatError(code)


def allows(action: str, membership: Membership) -> bool:
    return refusal(action, membership) is None


def require(action: str, membership: Membership) -> Conversation:
    """Return the conversation. Raises ChatError if the member can't do this."""
    if (error := refusal(action, membership)) is not None:
        raise error
    return membership.conversation


def require_as(role: str, action: str, conversation: Conversation) -> None:
    if (error := refusal_as(role, action, conversation)) is not None:
        raise error


def message_refusal(action: str, membership: Membership, message: Message) -> ChatError | None:
    """Return why the member can't do this with a message, such as "edit", "delete" or "react"."""
    own, others = _MESSAGE_ACTIONS.get(action, (action, action))
    is_own = message.author_id == membership.user_id
    error = refusal(own if is_own or others is None else others, membership)
    if error is not None:
        return error
    if message.is_deleted:
        return ChatError("deleted")
    if message.is_text and (is_own or others is not None):
        return None
    return ChatError("not_allowed")


def can(membership: Membership) -> list[str]:
    """Return what the member can do now, in words of the permission table.

    Pages decide by these words what they show (static/css/components/message_actions.css).
    """
    conversation = membership.conversation
    kind, state = kind_of(conversation), state_of(conversation)
    return permissions.can(membership.role, kind, state, conversation)


def words_by_role(conversation: Conversation) -> dict[str, dict[str, str]]:
    """Return role -> word -> setting, see permissions.words(), while the conversation is not archived.

    For pages, whose reader can get another role while they are open.
    """
    kind = kind_of(conversation)
    return {
        str(role): permissions.words(role, kind, permissions.ACTIVE) for role in Membership.Role
    }


def words_in_archive(conversation: Conversation) -> list[str]:
    """Return what some members can do even if the conversation is archived."""
    kind = kind_of(conversation)
    return [
        word
        for word in permissions.words(permissions.OWNER, kind, permissions.ACTIVE)
        if word in permissions.words(permissions.OWNER, kind, permissions.ARCHIVED)
    ]


def can_change_role(membership: Membership, target: Membership, role: str) -> bool:
    """Owners can change every role. Admins can appoint and dismiss admins, but can't change owners."""
    if not allows("change-role", membership):
        return False
    owner = Membership.Role.OWNER
    return membership.is_owner or owner not in (target.role, role)


def can_remove(membership: Membership, target: Membership) -> bool:
    return allows("remove", membership) and (membership.is_owner or not target.is_owner)


_ONLY_ADMINS = {
    "posting": _("Only admins can post here."),
    "adding": _("Only admins can add people here."),
    "inviting": _("Only admins can invite people here."),
    "renaming": _("Only admins can change the name and the topic here."),
    "pinning": _("Only admins can pin messages here."),
}
