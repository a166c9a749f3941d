"""Conversations and their members. A conversation as a member sees it must never be sent to anyone else."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from accounts.wire import PersonOut
from chatty.common.structs import NextPage
from conversations.models import Conversation, Membership
from conversations.wire.choices import one_of

_Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class ConversationOut(msgspec.Struct, frozen=True):
    """A conversation as you see it as a member."""

    id: int
    kind: Annotated[str, one_of(Conversation.Kind)]
    access: Annotated[str, one_of(Conversation.Access)]
    name: Annotated[str, msgspec.Meta(description="In a direct message, the other person's name.")]
    topic: str
    version: Annotated[
        int, msgspec.Meta(description="Counts the changes in the conversation: see since_version.")
    ]
    last_seq: int
    last_read_seq: int
    last_text_at: _Instant
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
    archived: bool
    other: Annotated[
        PersonOut | None,
        msgspec.Meta(
            description="The other person in a direct message (you, for notes to yourself). Null for "
            "groups."
        ),
    ]


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
    online: Annotated[
        bool | None,
        msgspec.Meta(description="They have Chatty open. Null in large conversations."),
    ]


class MembersOut(msgspec.Struct, frozen=True):
    results: list[MemberOut]


class RemovalOut(msgspec.Struct, frozen=True):
    """Someone who was removed from a conversation and can't join again."""

    user: PersonOut
    removed_at: _Instant


class RemovalsOut(msgspec.Struct, frozen=True):
    results: list[RemovalOut]
