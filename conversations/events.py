"""The events that processes send each other through the channel layer.

Each event is complete: a process can handle it without having received any other. Events of an unknown
kind, from a newer version during an upgrade, are ignored.

LAYER_TYPE contains a version. Events carry encoded frames, so change it together with the subprotocol
(protocol.SUBPROTOCOL), and whenever the meaning of an event changes. Processes of two versions then
ignore each other's events, and each finds the other's changes in the database with the next tick.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import msgspec

LAYER_TYPE = "chatty.event.v2"  # the `type` of every layer message
ALL_PROCESSES = "everybody"  # the group that every process subscribes to


class Event(msgspec.Struct, frozen=True, tag_field="kind"):
    """Base class of all events. `group` is the channel layer group it is sent to."""

    @property
    def group(self) -> str:
        raise NotImplementedError


class ConversationChanged(Event, frozen=True, tag="changed"):
    """One version of a conversation. `text` is the encoded `message` frame.

    `gone`: ids of users who are no longer members after this version.
    """

    conversation: int
    version: int
    text: str
    gone: tuple[int, ...] = ()

    @property
    def group(self) -> str:
        return conversation_group(self.conversation)


class ConversationDeleted(Event, frozen=True, tag="deleted"):
    conversation: int

    @property
    def group(self) -> str:
        return conversation_group(self.conversation)


class EphemeralEvent(Event, frozen=True, tag="ephemeral"):
    """A frame for the members of a conversation that is not stored (typing). If lost, it is not resent."""

    conversation: int
    text: str

    @property
    def group(self) -> str:
        return conversation_group(self.conversation)


class UserFrame(Event, frozen=True, tag="user_frame"):
    """An encoded frame for all sockets of one user."""

    user: int
    text: str

    @property
    def group(self) -> str:
        return user_group(self.user)


class MembershipChanged(Event, frozen=True, tag="membership"):
    """A user's membership changed (added | removed | role | level | favourite | deleted): receivers read
    their memberships again and update their sockets. If lost, the next tick finds it by the user's clock."""

    user: int
    conversation: int
    change: str

    @property
    def group(self) -> str:
        return user_group(self.user)


class ReadMarkMoved(Event, frozen=True, tag="read_mark"):
    """A member's read mark moved, for the other members. If lost, it is not resent."""

    conversation: int
    user: int

    @property
    def group(self) -> str:
        return conversation_group(self.conversation)


class PresenceLease(Event, frozen=True, tag="presence"):
    """These users have sockets on the sending process, which repeats this while they do.

    `moved`: their memberships changed, so the set of people who see their presence may have changed.
    """

    users: tuple[int, ...]
    moved: bool = False

    @property
    def group(self) -> str:
        return ALL_PROCESSES


class ProfileChanged(Event, frozen=True, tag="profile"):
    """A user changed their name or avatar. May be lost: pages are rendered with the current profile."""

    user: int

    @property
    def group(self) -> str:
        return ALL_PROCESSES


class SignedOut(Event, frozen=True, tag="signed_out"):
    """Sessions of a user ended: those in `sids`, or all if None, but never `except_sid`."""

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
    """Return a channel layer message with these events, which must all be for the same group."""
    return {"type": LAYER_TYPE, "origin": origin, "events": msgspec.json.encode(events).decode()}


def from_layer(message: dict[str, Any]) -> tuple[Event, ...]:
    """Return the events of a message, without those of kinds that this version doesn't know."""
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
