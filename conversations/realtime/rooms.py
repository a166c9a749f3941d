"""What the relay knows: rooms, the people in them and their sockets.

For each conversation that somebody here belongs to there is a Room: the last version passed on, and the
sockets. Events of exactly the next version pass; older ones are doubles; newer ones are held until what
is missing has come.

Nothing here waits, reads the database or knows the channel layer. What needs one of these is asked for
through Requests.
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

LINGER_SECONDS = 60.0  # how long a room without sockets keeps its subscription
# Characters of one write to a socket: the most that somebody who reads nothing costs on top.
WRITE_MAX = 64 * 1024


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


class Requests(Protocol):
    """What rooms ask for and do not wait for. Each only takes note, and returns at once."""

    def subscribe(self, group: str) -> None:
        """Have the events of this group come here."""

    def unsubscribe(self, group: str) -> None: ...

    def check_soon(self, conversation_id: int) -> None:
        """Compare a room with the database: it may have missed something."""

    def repair_later(self, room: Room) -> None:
        """Read what a room misses, unless that has come in a moment."""

    def recheck(self, user_id: int, *notes: tuple[str, int]) -> None:
        """Read a user's memberships again. `notes`: (change, conversation) to tell them."""


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


class Rooms:
    """All rooms of a process. `now` returns the time in seconds, from any start."""

    def __init__(self, requests: Requests, *, now: Callable[[], float]) -> None:
        self.by_id: dict[int, Room] = {}
        self.people: dict[int, Person] = {}
        self._requests = requests
        self._now = now
        self._deliveries = 0
        self._unwritten: list[Room] = []  # while events are being heard, and never after

    # --- sockets come and go ---------------------------------------------------------------------

    def register(self, socket: Socket, *, clock: int) -> None:
        """Take note of a socket that is being let in: from now on, what concerns its user marks it
        stale, so that memberships read meanwhile are read again."""
        person = self.people.get(socket.user_id)
        if person is None:
            person = self.people[socket.user_id] = Person(socket.user_id, clock)
            self._requests.subscribe(user_group(socket.user_id))
        # The older clock: what it misses is read again, a newer one might hide a change.
        person.clock = min(person.clock, clock)
        person.sockets.add(socket)

    def join(self, socket: Socket, versions: dict[int, int]) -> dict[int, int]:
        """Put a socket into its rooms. `versions`: of the conversations, as just read.

        Returns the version each room has passed on already. The socket hears every later one.
        """
        delivered: dict[int, int] = {}
        for conversation_id, version in versions.items():
            room = self.by_id.get(conversation_id)
            if room is None:
                room = self.by_id[conversation_id] = Room(conversation_id, version)
                self._requests.subscribe(conversation_group(conversation_id))
                # What happened between that reading and now passed us by.
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
        """Take a socket out of everything. Doing it again changes nothing."""
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
        person = self.people.get(user_id)
        if person is not None:
            for socket in person.sockets:
                socket.is_stale = True

    def end(self, conversation_id: int) -> None:
        """Close the room of a conversation that was deleted."""
        room = self.by_id.pop(conversation_id, None)
        if room is None:
            return
        frame = protocol.conversation(change="deleted", conversation={"id": conversation_id})
        self.write(room.sockets, protocol.encode(frame))
        for socket in room.sockets:
            socket.rooms.discard(conversation_id)
        room.sockets.clear()  # a repair may still hold the room
        self._requests.unsubscribe(conversation_group(conversation_id))

    def drop_lingering(self) -> None:
        """Forget rooms that have had no sockets for long."""
        horizon = self._now() - LINGER_SECONDS
        for room in list(self.by_id.values()):
            if room.empty_since is not None and room.empty_since < horizon and not room.repairing:
                del self.by_id[room.id]
                self._requests.unsubscribe(conversation_group(room.id))

    # --- events ----------------------------------------------------------------------------------

    def receive(self, event: ConversationChanged) -> None:
        """Pass an event on in its order. Sockets hear it with the next flush()."""
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
            # They hear what came before, then they go, then the words follow.
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
            # They may have been added again since: ask.
            self._requests.recheck(user_id, ("removed", room.id))

    # --- repairs ---------------------------------------------------------------------------------

    def deliver_page(self, room: Room, page: CatchUp) -> None:
        """Send one page of what a room missed."""
        if page.reset:
            # Nobody read through what lies between: ask the database who is still a member.
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
        """Send what arrived during a repair, as far as it follows."""
        self._deliver_early(room)
        self.flush()
        if room.early:
            self._requests.repair_later(room)

    # --- writing ---------------------------------------------------------------------------------

    def flush(self) -> None:
        """Write what was received: each room's in one go, since writing is what a delivery costs."""
        rooms, self._unwritten = self._unwritten, []
        for room in rooms:
            texts, room.pending, room.pending_length = room.pending, [], 0
            self.write(room.sockets, *texts)

    def write(self, sockets: Collection[Socket], *texts: str) -> None:
        """Write frames, encoded once, to these sockets of this process."""
        frames = EncodedFrames(*texts)
        self._deliveries += len(sockets) * len(texts)
        for socket in sockets:
            try:
                socket.write(frames)
            except Exception:
                # Whatever is wrong with this one, the others are to hear it.
                logger.exception("a socket could not be written to")

    def take_deliveries(self) -> int:
        """Return how many there were since this was asked last."""
        taken, self._deliveries = self._deliveries, 0
        return taken
