"""Settings of groups: name, topic, access, who can do what, slow mode, archiving."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import gettext_lazy as _

from accounts.models import User
from chatty.common import timestamps
from chatty.common.entity_tags import Tags, require_match
from chatty.common.errors import ChatError
from conversations import access
from conversations.actions.log import write_notice
from conversations.actions.members import release_people
from conversations.actions.rules import (
    check_access,
    check_permission,
    clean_name,
    clean_topic,
)
from conversations.actions.transactions import in_transaction
from conversations.models import Audience, Conversation, Message
from conversations.wire import conversation_tag


def update_conversation(
    user: User,
    conversation_id: int,
    *,
    name: str | None = None,
    topic: str | None = None,
    access: str | None = None,
    archived: bool | None = None,
    if_match: Tags = None,
    **permissions: str | int,
) -> Conversation:
    """Change name, topic or access, archive or unarchive (None: no change), and what PERMISSIONS names, in
    one transaction and with one notice for each value that really changes. Making it private also restricts
    inviting to admins, and letting only admins post also pinning, unless PERMISSIONS says otherwise.

    Raises ChatError: empty, too_long, bad_text, invalid, not_found, not_allowed, archived,
    precondition_failed.
    """
    if name is not None:
        name = clean_name(name)
    if topic is not None:
        topic = clean_topic(topic)
    if access is not None:
        check_access(access)
    for setting, value in permissions.items():
        check_permission(setting, value)
    return _update(user, conversation_id, name, topic, access, archived, permissions, if_match)


@in_transaction
def _update(
    user: User,
    conversation_id: int,
    name: str | None,
    topic: str | None,
    new_access: str | None,
    archived: bool | None,
    permissions: Mapping[str, str | int],
    if_match: Tags,
) -> Conversation:
    membership = access.member_of(user, conversation_id, lock=True)
    conversation = membership.conversation
    if archived is not None:
        access.require("archive", membership)
    require_match(if_match, conversation_tag(conversation))
    if archived is False:
        set_unarchived(conversation, membership.user)
    if name is not None or topic is not None:
        access.require("rename", membership)
    if new_access is not None:
        access.require("set-access", membership)
        if new_access == Conversation.Access.OPEN and not (name or conversation.name):
            text = _("Give it a name first.")
            raise ChatError("empty", text, fields={"name": [text]})
    if permissions:
        access.require("change-permissions", membership)
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
        release_people(conversation)
        write_notice(conversation, membership.user, Message.Kind.ACCESS, {"access": new_access})
        if not conversation.is_open:
            # As in a new private one. Links that members have sent while anyone could join end with it.
            permissions = {"inviting": Audience.ADMINS, **permissions}
    if permissions.get("posting") == Audience.ADMINS and conversation.posting != Audience.ADMINS:
        # Each pin writes a notice, and people who can't post shouldn't add to the conversation with those.
        permissions = {**permissions, "pinning": permissions.get("pinning", Audience.ADMINS)}
    for setting, new in permissions.items():
        old = getattr(conversation, setting)
        if new != old:
            setattr(conversation, setting, new)
            conversation.save(update_fields=[setting])
            change = {"setting": setting, "old": old, "new": new}
            write_notice(conversation, membership.user, Message.Kind.PERMISSIONS, change)
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
