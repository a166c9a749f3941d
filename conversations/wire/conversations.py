"""Conversations and their members. A conversation as a member sees it must never be sent to anyone else."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from accounts.wire import PersonOut, StatusOut
from chatty.common.entity_tags import entity_tag
from chatty.common.structs import NextPage, one_of
from conversations import permissions
from conversations.models import Audience, Conversation, Membership
from conversations.wire.messages import LastMessageOut

_Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class ConversationOut(msgspec.Struct, frozen=True):
    """A conversation as you see it as a member."""

    id: int
    kind: Annotated[str, one_of(Conversation.Kind)]
    access: Annotated[str, one_of(Conversation.Access)]
    name: Annotated[str, msgspec.Meta(description="In a direct message, the other person's name.")]
    unnamed: Annotated[
        bool,
        msgspec.Meta(description="A group without a name. `name` lists the other members."),
    ]
    topic: str
    version: Annotated[
        int,
        msgspec.Meta(
            description="Counts the changes. Pass it as `since_version` to get later ones."
        ),
    ]
    last_seq: int
    last_read_seq: int
    last_text_at: _Instant
    last: Annotated[
        LastMessageOut | None,
        msgspec.Meta(description="The message or notice with last_seq. Null if there is none."),
    ]
    unread: Annotated[
        int,
        msgspec.Meta(
            description="Number of messages from others in the 200 entries after last_read_seq."
        ),
    ]
    unread_more: Annotated[
        bool, msgspec.Meta(description="There are more entries after those 200.")
    ]
    mentions: Annotated[
        list[int], msgspec.Meta(description="The seqs of unread messages that mention you.")
    ]
    role: Annotated[str, one_of(Membership.Role, "Your role.")]
    level: Annotated[str, one_of(Membership.Level, "Which messages you are notified of.")]
    favourite: Annotated[bool, msgspec.Meta(description="You have it among your favourites.")]
    archived: bool
    posting: Annotated[str, one_of(Audience, "Who can send messages.")]
    adding: Annotated[str, one_of(Audience, "Who can add people.")]
    inviting: Annotated[str, one_of(Audience, "Who can invite people.")]
    renaming: Annotated[str, one_of(Audience, "Who can change name and topic.")]
    mentioning_all: Annotated[str, one_of(Audience, "Who can mention everyone with @all.")]
    pinning: Annotated[str, one_of(Audience, "Who can pin messages.")]
    slow_mode: Annotated[
        int,
        msgspec.Meta(description="Seconds between two messages of a member. 0: slow mode is off."),
    ]
    can: Annotated[
        list[str], msgspec.Meta(description="What you can do now, by the names of permissions.")
    ]
    other: Annotated[
        PersonOut | None,
        msgspec.Meta(
            description="The other person in a direct message (you, for notes to yourself). Null for "
            "groups."
        ),
    ]
    status: Annotated[StatusOut | None, msgspec.Meta(description="What that person is up to.")]


def conversation_tag(conversation: ConversationOut | Conversation) -> str:
    """Return the entity tag of a conversation. It changes with what PATCH can change."""
    c = conversation
    archived = c.is_archived if isinstance(c, Conversation) else c.archived
    # A direct message has no settings, and is shown with the other person's name.
    if c.kind != Conversation.Kind.GROUP:
        return entity_tag(c.id, archived)
    restrictions = (getattr(c, setting) for setting in permissions.settings())
    return entity_tag(c.id, archived, c.name, c.topic, c.access, c.slow_mode, *restrictions)


class ConversationsOut(msgspec.Struct, frozen=True):
    """A page of your conversations."""

    results: list[ConversationOut]
    next: NextPage


class PublicConversationOut(msgspec.Struct, frozen=True):
    """A public conversation, as people who are not members can see it."""

    id: int
    name: str
    topic: str
    members_count: int
    joined: Annotated[bool, msgspec.Meta(description="You are a member.")]
    removed: Annotated[bool, msgspec.Meta(description="You were removed and can't join again.")]


class PublicConversationsOut(msgspec.Struct, frozen=True):
    """A page of public conversations."""

    results: list[PublicConversationOut]
    next: NextPage


class MemberOut(msgspec.Struct, frozen=True):
    """A member of a conversation."""

    user: PersonOut
    role: Annotated[str, one_of(Membership.Role)]
    joined_at: _Instant
    last_read_seq: Annotated[
        int | None,
        msgspec.Meta(description="The last message they have read. Null in large conversations."),
    ]
    status: StatusOut | None
    online: Annotated[
        bool | None,
        msgspec.Meta(description="They have Chatty open. Null in large conversations."),
    ]
    active: Annotated[
        bool,
        msgspec.Meta(
            description="False: their account is deactivated, so mentions don't reach them."
        ),
    ]


class MembersOut(msgspec.Struct, frozen=True):
    results: list[MemberOut]


class RemovalOut(msgspec.Struct, frozen=True):
    """Someone who was removed from a conversation and can't join again."""

    user: PersonOut
    removed_at: _Instant


class RemovalsOut(msgspec.Struct, frozen=True):
    results: list[RemovalOut]
