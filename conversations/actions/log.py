"""New entries of a conversation."""

from __future__ import annotations

from accounts.actions import bump_clock
from accounts.models import User
from chatty.common import timestamps
from conversations import bulk, notices, publisher
from conversations.changes import MessageChanged
from conversations.events import MembershipChanged
from conversations.models import Conversation, Message

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
    change = MessageChanged(message, "notice", author.pk if author else None, gone=gone)
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
