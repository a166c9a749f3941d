"""The state of the relay: rooms, people and their sockets.

There is a Room for each conversation with a member connected to this process. It has the last delivered
version and the sockets. An event is delivered if it has exactly the next version. Older ones are
duplicates and are ignored; newer ones are held until the missing versions have arrived.

This module does no I/O: it never awaits, and uses neither the database nor the channel layer. It asks for
such work through Requests. Therefore nothing runs between reading and changing its state.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from conversations import protocol
from conversations.events import ConversationChanged, conversation_group, user_group
from conversations.protocol import EncodedFrames

if TYPE_CHECKING:
    from conversations.realtime.catch_up import CatchUp

logger = logging.getLogger(__name__)

LINGER_SECONDS = 60.0  # how long a room without sockets stays subscribed
# Characters of one write to a socket. A client that reads nothing can exceed its send buffer by this much.
WRITE_MAX = 64 * 1024


class Socket(Protocol):
    """The interface of a consumer that the relay needs."""

    user_id: int
    name: str  # the user's name when it was last read
    sid: str
    rooms: set[int]
    has_joined: bool  # join() has added it to its rooms
    is_stale: bool  # the user's memberships changed after it was registered

    def write(self, frames: EncodedFrames) -> None: ...

    def end(self, code: int) -> None: ...


class Requests(Protocol):
    """Work that rooms ask for. The methods only schedule it and return immediately."""

    def subscribe(self, group: str) -> None:
        """Receive the events of this group."""

    def unsubscribe(self, group: str) -> None: ...

    def check_soon(self, conversation_id: int) -> None:
        """Compare a room's version with the database, because it may have missed events."""

    def repair_later(self, room: Room) -> None:
        """Read missing versions from the database, unless they arrive within a moment."""

    def recheck(self, user_id: int, *notes: tuple[str, int]) -> None:
        """Read a user's memberships again. `notes`: (change, conversation id) to send to their sockets."""


@dataclass(slots=True, eq=False)
class Room:
    """A conversation that this process follows. `last`: the last version delivered to its sockets."""

    id: int
    last: int
    sockets: set[Socket] = field(default_factory=set)
    early: dict[int, ConversationChanged] = field(default_factory=dict)
    pending: list[str] = field(default_factory=list)  # frames for the next write
    pending_length: int = 0
    repairing: bool = False
    empty_since: float | None = None


@dataclass(slots=True, eq=False)
class Person:
    """A user with sockets on this process. `clock`: their clock when the rooms were read."""

    id: int
    clock: int
    sockets: set[Socket] = field(default_factory=set)


class Rooms:
    """All rooms of a process. `now` returns a monotonic time in seconds."""

    def __init__(self, requests: Requests, *, now: Callable[[], float]) -> None:
        self.by_id: dict[int, Room] = {}
        self.people: dict[int, Person] = {}
        self._requests = requests
        self._now = now
        self._deliveries = 0
        self._unwritten: list[Room] = []  # rooms with pending frames; flush() empties it
        # Sockets that are not registered yet, with the users who were marked stale since expect().
        self._arriving: dict[Socket, set[int]] = {}

    # --- sockets ---------------------------------------------------------------------------------

    def expect(self, socket: Socket) -> None:
        """Prepare for a socket whose user is not known yet. This comes before the database is read: if
        the user's memberships or sessions change from now on, the socket is marked stale when it is
        registered, and they are read again."""
        self._arriving[socket] = set()

    def register(self, socket: Socket, *, clock: int) -> None:
        """Register a socket, whose user is now known. It is marked stale whenever the user's memberships
        change."""
        if socket.user_id in self._arriving.pop(socket, ()):
            socket.is_stale = True
        person = self.people.get(socket.user_id)
        if person is None:
            person = self.people[socket.user_id] = Person(socket.user_id, clock)
            self._requests.subscribe(user_group(socket.user_id))
        # Keep the older clock: that costs a recheck at worst, while a newer one could hide a change.
        person.clock = min(person.clock, clock)
        person.sockets.add(socket)

    def join(self, socket: Socket, versions: dict[int, int]) -> dict[int, int]:
        """Add a socket to its rooms. `versions`: conversation id -> version, as just read.

        Returns the last delivered version of each room. The socket gets every later one.
        """
        delivered: dict[int, int] = {}
        for conversation_id, version in versions.items():
            room = self.by_id.get(conversation_id)
            if room is None:
                room = self.by_id[conversation_id] = Room(conversation_id, version)
                self._requests.subscribe(conversation_group(conversation_id))
                # Events between reading the version and subscribing are lost.
                self._requests.check_soon(conversation_id)
            elif version > room.last:
                self._requests.check_soon(conversation_id)
            room.sockets.add(socket)
            room.empty_since = None
            socket.rooms.add(conversation_id)
            delivered[conversation_id] = room.last
        socket.has_joined = True
        return delivered

    def leave(self, socket: Socket, conversation_id: int) -> None:
        socket.rooms.discard(conversation_id)
        room = self.by_id.get(conversation_id)
        if room is not None:
            room.sockets.discard(socket)
            if not room.sockets and room.empty_since is None:
                room.empty_since = self._now()

    def unregister(self, socket: Socket) -> None:
        """Remove a socket from everything. Repeating it changes nothing."""
        self._arriving.pop(socket, None)
        for conversation_id in list(socket.rooms):
            self.leave(socket, conversation_id)
        person = self.people.get(socket.user_id)
        if person is not None:
            person.sockets.discard(socket)
            if not person.sockets:
                del self.people[socket.user_id]
                self._requests.unsubscribe(user_group(socket.user_id))

    def sockets_of(self, user_id: int) -> Collection[Socket]:
        person = self.people.get(user_id)
        return person.sockets if person else ()

    def sockets_in(self, conversation_id: int) -> Collection[Socket]:
        room = self.by_id.get(conversation_id)
        return room.sockets if room else ()

    def sockets(self) -> Iterator[Socket]:
        for person in self.people.values():
            yield from person.sockets

    def mark_stale(self, user_id: int) -> None:
        for missed in self._arriving.values():
            missed.add(user_id)
        person = self.people.get(user_id)
        if person is not None:
            for socket in person.sockets:
                socket.is_stale = True

    def end(self, conversation_id: int) -> None:
        """Close the room of a conversation that was deleted."""
        room = self.by_id.pop(conversation_id, None)
        if room is None:
            return
        frame = protocol.GoneFrame("deleted", protocol.GoneConversation(conversation_id))
        self.write(room.sockets, protocol.encode(frame))
        for socket in room.sockets:
            socket.rooms.discard(conversation_id)
        room.sockets.clear()  # a running repair may still have a reference to the room
        self._requests.unsubscribe(conversation_group(conversation_id))

    def drop_lingering(self) -> None:
        """Drop rooms that have had no sockets for LINGER_SECONDS."""
        horizon = self._now() - LINGER_SECONDS
        for room in list(self.by_id.values()):
            if room.empty_since is not None and room.empty_since < horizon and not room.repairing:
                del self.by_id[room.id]
                self._requests.unsubscribe(conversation_group(room.id))

    # --- events ----------------------------------------------------------------------------------

    def receive(self, event: ConversationChanged) -> None:
        """Deliver an event, or hold it until it is next. Sockets get it with the next flush()."""
        room = self.by_id.get(event.conversation)
        if room is None:
            for user_id in event.gone:
                self.mark_stale(user_id)
        elif event.version == room.last + 1 and not room.repairing:
            self._deliver(room, event)
            self._deliver_early(room)
        elif event.version > room.last:
            room.early[event.version] = event
            if not room.repairing and len(room.early) == 1:
                self._requests.repair_later(room)

    def _deliver(self, room: Room, event: ConversationChanged) -> None:
        if event.gone:
            # Former members get the earlier frames, but not this one: write those before removing them.
            self.flush()
            for user_id in event.gone:
                self._remove_from_room(user_id, room)
        if not room.pending:
            self._unwritten.append(room)
        room.pending.append(event.text)
        room.pending_length += len(event.text)
        room.last = event.version
        if room.pending_length > WRITE_MAX:
            self.flush()

    def _deliver_early(self, room: Room) -> None:
        while event := room.early.pop(room.last + 1, None):
            self._deliver(room, event)

    def _remove_from_room(self, user_id: int, room: Room) -> None:
        self.mark_stale(user_id)
        person = self.people.get(user_id)
        if person is not None:
            for socket in person.sockets:
                if room.id in socket.rooms:
                    self.leave(socket, room.id)
            # Ask the database, because they may have been added again since.
            self._requests.recheck(user_id, ("removed", room.id))

    # --- repairs ---------------------------------------------------------------------------------

    def deliver_page(self, room: Room, page: CatchUp) -> None:
        """Send a page of the versions that a room missed."""
        if page.reset:
            # The skipped versions may contain removals: ask the database who is still a member.
            for user_id in {socket.user_id for socket in room.sockets}:
                self._requests.recheck(user_id)
        for user_id in page.gone:
            self._remove_from_room(user_id, room)
        if page.version > room.last or page.reset:
            self.write(room.sockets, page.text)
            room.last = page.version

    def end_repair(self, room: Room) -> None:
        room.repairing = False
        for version in [version for version in room.early if version <= room.last]:
            del room.early[version]

    def deliver_held(self, room: Room) -> None:
        """Deliver events that were held during a repair, as far as they are next."""
        self._deliver_early(room)
        self.flush()
        if room.early:
            self._requests.repair_later(room)

    # --- writing ---------------------------------------------------------------------------------

    def flush(self) -> None:
        """Write the pending frames, those of each room at once: writes are most of the cost of a delivery."""
        rooms, self._unwritten = self._unwritten, []
        for room in rooms:
            texts, room.pending, room.pending_length = room.pending, [], 0
            self.write(room.sockets, *texts)

    def write(self, sockets: Collection[Socket], *texts: str) -> None:
        """Write frames to sockets. They are encoded once."""
        frames = EncodedFrames(*texts)
        self._deliveries += len(sockets) * len(texts)
        for socket in sockets:
            try:
                socket.write(frames)
            except Exception:
                # A broken socket must not keep the others from getting the frames.
                logger.exception("A WebSocket could not be written to")

    def take_deliveries(self) -> int:
        """Return the number of deliveries since the last call."""
        taken, self._deliveries = self._deliveries, 0
        return taken
