"""A conversation's log: the next entry of it, and how a change of it is told."""

from __future__ import annotations

from typing import Any

from accounts.actions import bump_clock
from accounts.models import User
from chatty.common import timestamps
from conversations import bulk, notices, protocol, publisher
from conversations.events import ConversationChanged, MembershipChanged
from conversations.models import Conversation, Message
from conversations.wire import message_to_wire

# Of all fields, in order. Django takes as long to look them up for a new message as for all the rest.
DEFAULTS = tuple(field.get_default() for field in Message._meta.concrete_fields)


def write_notice(
    conversation: Conversation,
    author: User | None,
    kind: str,
    data: notices.Data | None = None,
    *,
    came: tuple[int, ...] = (),
    gone: tuple[int, ...] = (),
) -> Message:
    """Write a notice into the log of a locked conversation and have it told.

    Name, roles and members change only together with one, so they stand in the same order as the
    words. `came` and `gone`: whose membership this changes.
    """
    message = next_message(conversation, author)
    message.kind, message.data = kind, data or {}
    bulk.insert_messages([message])
    set_no_reactions(message)
    conversation.save(update_fields=["version", "last_seq"])
    if came or gone:
        bump_clock({*came, *gone})
    change = change_event(message, "notice", author.pk if author else None, gone=gone)
    memberships = [MembershipChanged(pk, conversation.pk, "added") for pk in came]
    memberships += [MembershipChanged(pk, conversation.pk, "removed") for pk in gone]
    publisher.publish_after_commit(change, *memberships)
    return message


def next_message(conversation: Conversation, author: User | None) -> Message:
    """Return the next entry of a conversation's log, its counters moved on: both still unsaved."""
    conversation.last_seq += 1
    conversation.version += 1
    message = Message(*DEFAULTS)
    message.conversation, message.author = conversation, author
    message.seq, message.version = conversation.last_seq, conversation.version
    message.created_at = timestamps.now()
    return message


def set_no_reactions(message: Message) -> None:
    """Have a new message told as what it is, one nobody has reacted to, without a query."""
    message.reacted = []


def change_event(
    message: Message,
    action: str,
    user_id: int | None,
    *,
    gone: tuple[int, ...] = (),
    **about: Any,
) -> ConversationChanged:
    frame = protocol.message(
        message=message_to_wire(message), change={"action": action, "user": user_id, **about}
    )
    return ConversationChanged(
        conversation=message.conversation_id,
        version=message.version,
        text=protocol.encode(frame),
        gone=gone,
    )
