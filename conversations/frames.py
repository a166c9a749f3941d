"""The WebSocket frames with messages, conversations or people. The others are in protocol.py."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from accounts.quiet_hours import QuietHours
from accounts.wire import PersonOut, StatusOut
from conversations import limits
from conversations.changes import Action
from conversations.protocol import FRAME_MAX, ServerFrame
from conversations.wire import ConversationOut, MessageOut


class Limits(msgspec.Struct, frozen=True):
    body: Annotated[int, msgspec.Meta(description="Code points of a message.")]
    frame: Annotated[int, msgspec.Meta(description="Bytes of a frame from the client.")]
    files: Annotated[int, msgspec.Meta(description="Files of a message.")]
    file: Annotated[int, msgspec.Meta(description="Bytes of a file.")]

    @classmethod
    def now(cls) -> Limits:
        return cls(limits.BODY_MAX, FRAME_MAX, limits.FILES_MAX, limits.file_max())


class HelloFrame(ServerFrame, tag="hello", frozen=True):
    user: PersonOut
    epoch: str
    build: Annotated[str, msgspec.Meta(description="Of the scripts, styles and templates.")]
    heartbeat: Annotated[int, msgspec.Meta(description="Seconds between heartbeats.")]
    limits: Limits
    conversations: list[ConversationOut]
    quiet_hours: Annotated[
        QuietHours | None, msgspec.Meta(description="When the user gets no notifications.")
    ] = None


class Change(msgspec.Struct, frozen=True):
    """What happened to a message. `emoji`: of a reaction. `on`: of a reaction or a pin."""

    action: Action
    user: int | None
    emoji: str | UnsetType = UNSET
    on: bool | UnsetType = UNSET


class MessageFrame(ServerFrame, tag="message", frozen=True):
    conversation: int
    version: int
    message: MessageOut
    change: Change

    @classmethod
    def of(cls, message: MessageOut, change: Change) -> MessageFrame:
        return cls(message.conversation, message.version, message, change)


class SyncedFrame(ServerFrame, tag="synced", frozen=True, rename={"start": "from"}):
    conversation: int
    start: int
    version: int
    messages: list[MessageOut]
    more: bool
    reset: bool


class ConversationFrame(ServerFrame, tag="conversation", frozen=True):
    change: Annotated[
        str, msgspec.Meta(extra_json_schema={"enum": ["added", "role", "level", "favourite"]})
    ]
    conversation: ConversationOut


class PersonFrame(ServerFrame, tag="person", frozen=True):
    user: PersonOut
    status: StatusOut | None = None


class QuietHoursFrame(ServerFrame, tag="quiet_hours", frozen=True):
    quiet_hours: QuietHours | None
