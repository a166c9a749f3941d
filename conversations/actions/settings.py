"""Settings of groups: name, topic, access, archiving."""

from __future__ import annotations

from accounts.models import User
from chatty.common import timestamps
from conversations import access
from conversations.actions.log import write_notice
from conversations.actions.rules import (
    check_access,
    clean_name,
    clean_topic,
    require_managed,
    require_not_archived,
)
from conversations.actions.transactions import in_transaction
from conversations.models import Conversation, Message


def update_conversation(
    user: User,
    conversation_id: int,
    *,
    name: str | None = None,
    topic: str | None = None,
    access: str | None = None,
    archived: bool | None = None,
) -> Conversation:
    """Change name, topic or access, archive or unarchive (None: no change), in one transaction and with
    one notice for each value that really changes.

    Raises ChatError: empty, too_long, bad_text, invalid, not_found, not_allowed, archived.
    """
    if name is not None:
        name = clean_name(name)
    if topic is not None:
        topic = clean_topic(topic)
    if access is not None:
        check_access(access)
    return _update(user, conversation_id, name, topic, access, archived)


@in_transaction
def _update(
    user: User,
    conversation_id: int,
    name: str | None,
    topic: str | None,
    new_access: str | None,
    archived: bool | None,
) -> Conversation:
    membership = access.member_of(user, conversation_id, lock=True)
    conversation = require_managed(membership, even_archived=archived is not None)
    if archived is False:
        set_unarchived(conversation, membership.user)
    if (name, topic, new_access) != (None, None, None):
        require_not_archived(conversation)
    if name is not None and name != conversation.name:
        data = {"old": conversation.name, "new": name}
        conversation.name = name
        conversation.save(update_fields=["name"])
        write_notice(conversation, membership.user, Message.Kind.RENAMED, data)
    if topic is not None and topic != conversation.topic:
        data = {"old": conversation.topic, "new": topic}
        conversation.topic = topic
        conversation.save(update_fields=["topic"])
        write_notice(conversation, membership.user, Message.Kind.TOPIC, data)
    if new_access is not None and new_access != conversation.access:
        conversation.access = new_access
        conversation.save(update_fields=["access"])
        write_notice(conversation, membership.user, Message.Kind.ACCESS, {"access": new_access})
    if archived:
        set_archived(conversation, membership.user)
    return conversation


def archive(user: User, conversation_id: int) -> Conversation:
    """Make a group read-only. Archiving it again changes nothing."""
    return update_conversation(user, conversation_id, archived=True)


def unarchive(user: User, conversation_id: int) -> Conversation:
    return update_conversation(user, conversation_id, archived=False)


def set_archived(conversation: Conversation, by: User) -> Conversation:
    if not conversation.is_archived:
        conversation.archived_at = timestamps.now()
        conversation.save(update_fields=["archived_at"])
        write_notice(conversation, by, Message.Kind.ARCHIVED)
    return conversation


def set_unarchived(conversation: Conversation, by: User) -> Conversation:
    if conversation.is_archived:
        conversation.archived_at = None
        conversation.save(update_fields=["archived_at"])
        write_notice(conversation, by, Message.Kind.UNARCHIVED)
    return conversation
