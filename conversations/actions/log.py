"""New entries of a conversation, and the events that publish changes."""

from __future__ import annotations

from typing import Any

from accounts.actions import bump_clock
from accounts.models import User
from chatty.common import timestamps
from conversations import bulk, notices, protocol, publisher
from conversations.events import ConversationChanged, MembershipChanged
from conversations.frames import Action, Change, MessageFrame
from conversations.models import Conversation, Message
from conversations.wire import message_to_wire

# Default values of all fields, in order. Looking them up for each new message doubles the time that
# Django needs to create it.
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
    """Add a notice to a locked conversation and publish it.

    Name, roles and members only change together with a notice, so these changes and the messages have
    one order. `came` and `gone`: ids of the users who became members or stopped being members.
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
    """Increment the conversation's counters and return its next entry. The caller saves both."""
    conversation.last_seq += 1
    conversation.version += 1
    message = Message(*DEFAULTS)
    message.conversation, message.author = conversation, author
    message.seq, message.version = conversation.last_seq, conversation.version
    message.created_at = timestamps.now()
    return message


def set_no_reactions(message: Message) -> None:
    """Fill the cache of a new message's reactions, which saves a query when it is published."""
    message.reacted, message.reactors = [], {}


def change_event(
    message: Message,
    action: Action,
    user_id: int | None,
    *,
    gone: tuple[int, ...] = (),
    **about: Any,
) -> ConversationChanged:
    frame = MessageFrame.of(message_to_wire(message), Change(action, user_id, **about))
    return ConversationChanged(
        conversation=message.conversation_id,
        version=message.version,
        text=protocol.encode(frame),
        gone=gone,
    )
