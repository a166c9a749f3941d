"""What actions report to the publisher about messages. The publisher makes the frames."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from conversations.frames import Action
from conversations.models import Message


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
