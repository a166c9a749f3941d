"""What the channel layer carries from one process to the others.

The vocabulary is closed and each event is complete: whoever hears one needs no other. An event of a
kind this process does not know (a newer version runs beside it) is ignored, never an error.

LAYER_TYPE names a version. Events carry finished frames, so it changes whenever the subprotocol does
(protocol.SUBPROTOCOL), and whenever the same event would mean something else. Processes of two
versions then ignore each other's events, and the tick of each reads from the database what the
others changed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import msgspec

LAYER_TYPE = "chatty.event.v2"  # the `type` of every layer message: one handler for all kinds
ALL_PROCESSES = "everybody"  # the group of every process


class Event(msgspec.Struct, frozen=True, tag_field="kind"):
    """Any event. `group` names who is to hear it."""

    @property
    def group(self) -> str:
        raise NotImplementedError


class ConversationChanged(Event, frozen=True, tag="changed"):
    """One version of a conversation: `text` is the finished `message` frame.

    `gone`: users who are no longer members once this has been passed.
    """

    conversation: int
    version: int
    text: str
    gone: tuple[int, ...] = ()

    @property
    def group(self) -> str:
        return conversation_group(self.conversation)


class ConversationDeleted(Event, frozen=True, tag="deleted"):
    """A conversation was deleted for good."""

    conversation: int

    @property
    def group(self) -> str:
        return conversation_group(self.conversation)


class EphemeralEvent(Event, frozen=True, tag="ephemeral"):
    """Something fleeting in a conversation (typing). May be lost, is never repaired."""

    conversation: int
    text: str

    @property
    def group(self) -> str:
        return conversation_group(self.conversation)


class UserFrame(Event, frozen=True, tag="user_frame"):
    """A finished frame for all sockets of one user."""

    user: int
    text: str

    @property
    def group(self) -> str:
        return user_group(self.user)


class MembershipChanged(Event, frozen=True, tag="membership"):
    """A user's place in a conversation changed (added | removed | role | level | deleted): read
    their memberships again and tell their sockets. Only hurries what the clock would show."""

    user: int
    conversation: int
    change: str

    @property
    def group(self) -> str:
        return user_group(self.user)


class ReadMarkMoved(Event, frozen=True, tag="read_mark"):
    """Somebody's read mark moved: for the others. May be lost, is never repaired."""

    conversation: int
    user: int

    @property
    def group(self) -> str:
        return conversation_group(self.conversation)


class PresenceLease(Event, frozen=True, tag="presence"):
    """These people have sockets at the process that says so; it says so again while they do.

    `moved`: what they belong to changed, so others than before may be to know.
    """

    users: tuple[int, ...]
    moved: bool = False

    @property
    def group(self) -> str:
        return ALL_PROCESSES


class ProfileChanged(Event, frozen=True, tag="profile"):
    """Somebody has another name or face. May be lost: pages are drawn with what is true."""

    user: int

    @property
    def group(self) -> str:
        return ALL_PROCESSES


class SignedOut(Event, frozen=True, tag="signed_out"):
    """Sign-ins of a user ended: `sids`, or all when None, but never `except_sid`."""

    user: int
    code: int
    sids: tuple[str, ...] | None = None
    except_sid: str | None = None

    @property
    def group(self) -> str:
        return user_group(self.user)


_AnyEvent = (
    ConversationChanged
    | ConversationDeleted
    | EphemeralEvent
    | UserFrame
    | MembershipChanged
    | ReadMarkMoved
    | PresenceLease
    | ProfileChanged
    | SignedOut
)


def conversation_group(conversation_id: int) -> str:
    return f"conversation.{conversation_id}"


def user_group(user_id: int) -> str:
    return f"user.{user_id}"


def to_layer(events: Sequence[Event], origin: str) -> dict[str, Any]:
    """Return the layer's message that carries events of one group, in order."""
    return {"type": LAYER_TYPE, "origin": origin, "events": msgspec.json.encode(events).decode()}


def from_layer(message: dict[str, Any]) -> tuple[Event, ...]:
    """Return its events, without any that this process does not understand."""
    if message.get("type") != LAYER_TYPE:
        return ()
    try:
        found = _several.decode(message.get("events", ""))
    except (msgspec.DecodeError, TypeError):
        return ()
    events: list[Event] = []
    for each in found:
        with contextlib.suppress(msgspec.ValidationError):
            events.append(_one.decode(each))
    return tuple(events)


_several = msgspec.json.Decoder(list[msgspec.Raw])
_one: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_AnyEvent)
