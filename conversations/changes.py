"""What actions report to the publisher. The publisher makes the frames."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from conversations.models import Message

Action = Literal["created", "edited", "deleted", "reacted", "pinned", "notice"]


class MessageChanged(msgspec.Struct, frozen=True):
    """A message or notice was created or changed, and got `message.version`.

    The message must be as a query returns it, with its reactions. `user_id`: who did it. `gone`: ids of users
    who are no longer members after this version. `emoji`: of a reaction. `on`: of a reaction or a pin.
    """

    message: Message
    action: Action
    user_id: int | None
    gone: tuple[int, ...] = ()
    emoji: str | UnsetType = UNSET
    on: bool | UnsetType = UNSET


class ReadMarkChanged(msgspec.Struct, frozen=True):
    """A member has read up to `seq`, or has marked what follows as unread."""

    conversation_id: int
    user_id: int
    seq: int


class JoinRequestChanged(msgspec.Struct, frozen=True):
    """What became of someone's request to join: see protocol.JoinRequestFrame."""

    conversation_id: int
    user_id: int
    state: str


class JoinRequestsChanged(msgspec.Struct, frozen=True):
    """How many requests to join are `waiting` for these managers."""

    conversation_id: int
    waiting: int
    managers: tuple[int, ...]


Reported = MessageChanged | ReadMarkChanged | JoinRequestChanged | JoinRequestsChanged
