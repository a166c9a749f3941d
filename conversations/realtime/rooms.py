"""What the relay knows: rooms, the people in them and their sockets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from conversations.events import ConversationChanged
from conversations.protocol import EncodedFrames


class Socket(Protocol):
    """What the relay needs of a consumer."""

    user_id: int
    name: str  # of its user, as it was last read
    sid: str
    rooms: set[int]
    has_joined: bool  # join() has put it into its first rooms
    is_stale: bool  # its memberships changed while it was still being let in

    def write(self, frames: EncodedFrames) -> None: ...

    def end(self, code: int) -> None: ...


@dataclass(slots=True, eq=False)
class Room:
    """A conversation as this process follows it. `last`: the version passed on to the sockets."""

    id: int
    last: int
    sockets: set[Socket] = field(default_factory=set)
    early: dict[int, ConversationChanged] = field(default_factory=dict)
    pending: list[str] = field(default_factory=list)  # on to the sockets, with the next write
    pending_length: int = 0
    repairing: bool = False
    empty_since: float | None = None


@dataclass(slots=True, eq=False)
class Person:
    """Somebody with sockets here. `clock`: of what their sockets' rooms were read."""

    id: int
    clock: int
    sockets: set[Socket] = field(default_factory=set)
