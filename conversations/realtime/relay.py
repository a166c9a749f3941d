"""The relay: one per process. Hears what happens and passes it to this process's sockets, in order.

For each conversation that somebody here belongs to it keeps a Room: the last version passed on, and
the sockets. Events of exactly the next version pass; older ones are doubles; newer ones are held a
moment, then what is missing is read from the database and sent as `synced`. So whatever the channel
layer loses, doubles or reorders, every socket hears every version, once, in order.

Lost *last* events reveal themselves by nothing. The tick finds them: every few seconds it compares the
rooms' versions, and the clocks of the people, with the database.

Everything here runs in one event loop; other threads come in by `offer` alone.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import islice
from typing import Any

from chatty.ops import metrics
from conversations import protocol, queries
from conversations.events import (
    ConversationChanged,
    ConversationDeleted,
    EphemeralEvent,
    Event,
    MembershipChanged,
    SignedOut,
    UserFrame,
    conversation_group,
    user_group,
)
from conversations.protocol import EncodedFrames
from conversations.realtime.catch_up import CatchUp, catch_up
from conversations.realtime.layer import LayerConnection
from conversations.realtime.rooms import Person, Room, Socket
from conversations.realtime.standing import read_standing, standing_frames
from conversations.realtime.threads import DatabaseThreads

logger = logging.getLogger(__name__)

HOLD_SECONDS = 0.25  # how long an early event waits for the one before it
LINGER_SECONDS = 60.0  # how long a room without sockets keeps its subscription
IDS_MAX = 4_000  # of one statement
RECHECK_MAX = 100  # people read again together
# Characters of one write to a socket: the most that somebody who reads nothing costs on top.
WRITE_MAX = 64 * 1024


class Relay:
    def __init__(self, layer: Any, threads: DatabaseThreads, *, origin: str, tick: float) -> None:
        self._threads = threads
        self._tick_seconds = tick
        self._layer = LayerConnection(
            layer, origin=origin, tick=tick, handle=self._handle_all, subscribed=self._check_group
        )
        self.run_receivers = self._layer.run_receivers
        self.run_subscriptions = self._layer.run_subscriptions
        self._loop = asyncio.get_running_loop()
        self._rooms: dict[int, Room] = {}
        self._people: dict[int, Person] = {}
        self._unverified: set[int] = set()  # rooms to be compared with the database soon
        self._unverified_filled = asyncio.Event()
        self._rechecks: dict[int, list[tuple[str, int]]] = {}
        self._rechecks_filled = asyncio.Event()
        self._listeners: dict[type[Event], list[Callable[[Any], None]]] = defaultdict(list)
        self._tasks: set[asyncio.Task[None]] = set()
        self.repairs = 0
        self._deliveries = 0
        self._unwritten: list[Room] = []  # while events are being heard, and never after

    # --- sockets come and go ---------------------------------------------------------------------

    def register(self, socket: Socket, *, clock: int) -> None:
        """Take note of a socket that is being let in: from now on, what concerns its user marks it
        dirty, so that memberships read meanwhile are read again."""
        person = self._people.get(socket.user_id)
        if person is None:
            person = self._people[socket.user_id] = Person(socket.user_id, clock)
            self._layer.subscribe(user_group(socket.user_id))
        # The older clock: what it misses is read again, a newer one might hide a change.
        person.clock = min(person.clock, clock)
        person.sockets.add(socket)

    def join(self, socket: Socket, versions: dict[int, int]) -> dict[int, int]:
        """Put a socket into its rooms. `versions`: of the conversations, as just read.

        Returns the version each room has passed on already. The socket hears every later one.
        """
        delivered: dict[int, int] = {}
        for conversation_id, version in versions.items():
            room = self._rooms.get(conversation_id)
            if room is None:
                room = self._rooms[conversation_id] = Room(conversation_id, version)
                self._layer.subscribe(conversation_group(conversation_id))
                # What happened between that reading and now passed us by.
                self._check_soon(conversation_id)
            elif version > room.last:
                self._check_soon(conversation_id)
            room.sockets.add(socket)
            room.empty_since = None
            socket.rooms.add(conversation_id)
            delivered[conversation_id] = room.last
        socket.has_joined = True
        return delivered

    def recheck(self, user_id: int) -> None:
        """Have a user's memberships read again: they kept changing while a socket was let in."""
        self._recheck(user_id)

    def unregister(self, socket: Socket) -> None:
        """Take a socket out of everything. Doing it again changes nothing."""
        for conversation_id in list(socket.rooms):
            self._leave_room(socket, conversation_id)
        person = self._people.get(socket.user_id)
        if person is not None:
            person.sockets.discard(socket)
            if not person.sockets:
                del self._people[socket.user_id]
                self._layer.unsubscribe(user_group(socket.user_id))

    def people(self) -> Collection[int]:
        """Return who has sockets here."""
        return self._people.keys()

    def sockets_of(self, user_id: int) -> Collection[Socket]:
        person = self._people.get(user_id)
        return person.sockets if person else ()

    def sockets_in(self, conversation_id: int) -> Collection[Socket]:
        room = self._rooms.get(conversation_id)
        return room.sockets if room else ()

    def sockets(self) -> Iterator[Socket]:
        for person in self._people.values():
            yield from person.sockets

    def take_deliveries(self) -> int:
        """Return how many there were since this was asked last."""
        taken, self._deliveries = self._deliveries, 0
        return taken

    def _leave_room(self, socket: Socket, conversation_id: int) -> None:
        socket.rooms.discard(conversation_id)
        room = self._rooms.get(conversation_id)
        if room is not None:
            room.sockets.discard(socket)
            if not room.sockets and room.empty_since is None:
                room.empty_since = time.monotonic()

    # --- hearing ---------------------------------------------------------------------------------

    def listen(self, kind: type[Event], work: Callable[[Any], None]) -> None:
        """Call `work(event)` with each event of this kind, after what the relay itself does."""
        self._listeners[kind].append(work)

    def offer(self, events: tuple[Event, ...]) -> None:
        """publisher.Subscriber: take this process's own events, from any thread."""
        self._loop.call_soon_threadsafe(self._handle_all, events)

    def _handle_all(self, events: Iterable[Event]) -> None:
        """Hear events that came together, such as those of one commit. What they say in the same
        conversation is written to a socket at once: writing is what a delivery costs."""
        for event in events:
            try:
                if not isinstance(event, ConversationChanged):
                    self._flush()  # whatever else is said stays in its place among them
                self._handle(event)
            except Exception:
                logger.exception("an event could not be passed on")
        self._flush()

    def _handle(self, event: Event) -> None:
        match event:
            case ConversationChanged():
                self._handle_change(event)
            case EphemeralEvent():
                if room := self._rooms.get(event.conversation):
                    self.write(room.sockets, event.text)
            case UserFrame():
                if person := self._people.get(event.user):
                    self.write(person.sockets, event.text)
            case MembershipChanged():
                self._recheck(event.user, (event.change, event.conversation))
            case SignedOut():
                self._sign_out(event)
            case ConversationDeleted():
                self._end(event.conversation)
        for work in self._listeners.get(type(event), ()):
            work(event)

    def _handle_change(self, event: ConversationChanged) -> None:
        room = self._rooms.get(event.conversation)
        if room is None:
            for user_id in event.gone:
                self._mark_stale(user_id)
        elif event.version == room.last + 1 and not room.repairing:
            self._deliver(room, event)
            self._deliver_early(room)
        elif event.version > room.last:
            room.early[event.version] = event
            if not room.repairing and len(room.early) == 1:
                self._loop.call_later(HOLD_SECONDS, self._repair_if_behind, room)

    def _deliver(self, room: Room, event: ConversationChanged) -> None:
        if event.gone:
            # They hear what came before, then they go, then the words follow.
            self._flush()
            for user_id in event.gone:
                self._remove_from_room(user_id, room)
        if not room.pending:
            self._unwritten.append(room)
        room.pending.append(event.text)
        room.pending_length += len(event.text)
        room.last = event.version
        if room.pending_length > WRITE_MAX:
            self._flush()

    def _flush(self) -> None:
        rooms, self._unwritten = self._unwritten, []
        for room in rooms:
            texts, room.pending, room.pending_length = room.pending, [], 0
            self.write(room.sockets, *texts)

    def _deliver_early(self, room: Room) -> None:
        while event := room.early.pop(room.last + 1, None):
            self._deliver(room, event)

    def _remove_from_room(self, user_id: int, room: Room) -> None:
        self._mark_stale(user_id)
        person = self._people.get(user_id)
        if person is not None:
            for socket in person.sockets:
                if room.id in socket.rooms:
                    self._leave_room(socket, room.id)
            # They may have been added again since: ask.
            self._recheck(user_id, ("removed", room.id))

    def _mark_stale(self, user_id: int) -> None:
        person = self._people.get(user_id)
        if person is not None:
            for socket in person.sockets:
                socket.is_stale = True

    def _end(self, conversation_id: int) -> None:
        room = self._rooms.pop(conversation_id, None)
        if room is None:
            return
        frame = protocol.conversation(change="deleted", conversation={"id": conversation_id})
        self.write(room.sockets, protocol.encode(frame))
        for socket in room.sockets:
            socket.rooms.discard(conversation_id)
        room.sockets.clear()  # a repair may still hold the room
        self._layer.unsubscribe(conversation_group(conversation_id))

    def _sign_out(self, event: SignedOut) -> None:
        person = self._people.get(event.user)
        if person is None:
            return
        for socket in list(person.sockets):
            meant = event.sids is None or socket.sid in event.sids
            if meant and socket.sid != event.except_sid:
                socket.end(event.code)

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

    # --- repairing -------------------------------------------------------------------------------

    def _repair_if_behind(self, room: Room) -> None:
        if room.early and not room.repairing:
            self._start_repair(room)

    def _start_repair(self, room: Room) -> None:
        room.repairing = True
        self._spawn(self._repair(room))

    async def _repair(self, room: Room) -> None:
        """Send what the room missed, page by page, then what arrived meanwhile."""
        self.repairs += 1
        metrics.REPAIRS.inc()
        try:
            more = True
            while more:
                page = await self._threads.run(catch_up, room.id, room.last)
                if page is None:
                    self._end(room.id)
                    return
                self._deliver_page(room, page)
                more = page.more
        finally:
            # A failure leaves the room behind: the next tick tries again.
            room.repairing = False
            for version in [version for version in room.early if version <= room.last]:
                del room.early[version]
        self._deliver_early(room)
        self._flush()
        if room.early:
            self._loop.call_later(HOLD_SECONDS, self._repair_if_behind, room)

    def _deliver_page(self, room: Room, page: CatchUp) -> None:
        if page.reset:
            metrics.RESETS.inc()
            # Nobody read through what lies between: ask the database who is still a member.
            for user_id in {socket.user_id for socket in room.sockets}:
                self._recheck(user_id)
        for user_id in page.gone:
            self._remove_from_room(user_id, room)
        if page.version > room.last or page.reset:
            self.write(room.sockets, page.text)
            room.last = page.version

    def _check_soon(self, conversation_id: int) -> None:
        self._unverified.add(conversation_id)
        self._unverified_filled.set()

    async def run_checks(self) -> None:
        """Compare unsure rooms with the database, many at a time, for ever."""
        while True:
            if not self._unverified:
                await self._unverified_filled.wait()
            self._unverified_filled.clear()
            ids = list(islice(self._unverified, IDS_MAX))
            self._unverified.difference_update(ids)
            await self._check(ids)

    async def _check(self, ids: list[int]) -> None:
        for room in await self._rooms_behind(ids):
            if not room.repairing:
                self._start_repair(room)

    async def _rooms_behind(self, ids: list[int]) -> list[Room]:
        """Return the rooms the database is ahead of. Those it has no longer are closed."""
        known = {pk: room.last for pk in ids if (room := self._rooms.get(pk)) is not None}
        behind: list[Room] = []
        for pk, version in (await self._threads.run(queries.changed_versions, known)).items():
            room = self._rooms.get(pk)
            if version is None:
                self._end(pk)
            elif room is not None and version > room.last:
                behind.append(room)
        return behind

    # --- people's memberships and sign-ins -----------------------------------------------------------

    def _recheck(self, user_id: int, *notes: tuple[str, int]) -> None:
        """Have a user's memberships read again soon. `notes`: (change, conversation) to tell them."""
        if user_id in self._people:
            self._mark_stale(user_id)
            self._rechecks.setdefault(user_id, []).extend(notes)
            self._rechecks_filled.set()

    async def run_rechecks(self) -> None:
        """Read again what changed for people, for ever."""
        while True:
            if not self._rechecks:
                await self._rechecks_filled.wait()
            self._rechecks_filled.clear()
            some = list(islice(self._rechecks, RECHECK_MAX))
            notes = {user_id: self._rechecks.pop(user_id) for user_id in some}
            try:
                await self._recheck_now(notes)
            except Exception:
                for user_id, about in notes.items():
                    self._recheck(user_id, *about)
                raise  # to be logged; we are started again in a moment

    async def _recheck_now(self, notes: dict[int, list[tuple[str, int]]]) -> None:
        sids = {s.sid for pk in notes if (p := self._people.get(pk)) for s in p.sockets}
        found = await self._threads.run(read_standing, list(notes), sids)
        told: list[tuple[int, str, int]] = []
        for user_id, about in notes.items():
            person = self._people.get(user_id)
            if person is None:
                continue
            if user_id not in found.clocks:
                for socket in list(person.sockets):
                    socket.end(protocol.CLOSE_ACCOUNT_CLOSED)
                continue
            person.clock = found.clocks[user_id]
            changes = {conversation: change for change, conversation in about}
            allowed = found.versions[user_id]
            for socket in list(person.sockets):
                if socket.sid in sids and socket.sid not in found.valid_sids:
                    socket.end(protocol.CLOSE_SIGNED_OUT)
                    continue
                if not socket.has_joined:
                    continue  # marked dirty: whoever lets it in reads again
                for conversation in socket.rooms - allowed.keys():
                    self._leave_room(socket, conversation)
                    changes.setdefault(conversation, "removed")
                new = {pk: allowed[pk] for pk in allowed.keys() - socket.rooms}
                self.join(socket, new)
                for conversation in new:
                    changes.setdefault(conversation, "added")
            told += [(user_id, change, pk) for pk, change in changes.items()]
        for user_id, text in await self._threads.run(standing_frames, told) if told else ():
            if person := self._people.get(user_id):
                self.write(person.sockets, text)

    # --- the tick ----------------------------------------------------------------------------------

    async def run_tick(self) -> None:
        """Find what the layer lost, for ever: every `tick` seconds, every second while it is down."""
        while True:
            up = self.layer_is_up
            seconds = self._tick_seconds if up else min(1.0, self._tick_seconds)
            await asyncio.sleep(seconds)
            await self.tick()

    async def tick(self) -> None:
        """Compare everything this process follows with the database."""
        self._drop_lingering()
        if self._layer.check_if_back():
            self._unverified.update(self._rooms)
            self._unverified_filled.set()
        self._spawn(self._layer.probe())  # not waited for: a hung layer must not make repairs late
        self._layer.retry_subscriptions()
        ids = [room.id for room in self._rooms.values() if room.sockets]
        behind: list[Room] = []
        for start in range(0, len(ids), IDS_MAX):
            behind += await self._rooms_behind(ids[start : start + IDS_MAX])
        if behind:
            # Most likely their events are on the way: behind means still behind in a moment.
            lasts = {room.id: room.last for room in behind}
            await asyncio.sleep(HOLD_SECONDS)
            self._unverified.update(r.id for r in behind if r.last == lasts[r.id] and r.sockets)
            self._unverified_filled.set()
        await self._compare_clocks()

    async def _compare_clocks(self) -> None:
        ids = list(self._people)
        for start in range(0, len(ids), IDS_MAX):
            some = ids[start : start + IDS_MAX]
            known = {
                pk: person.clock for pk in some if (person := self._people.get(pk)) is not None
            }
            for pk, clock in (await self._threads.run(queries.changed_clocks, known)).items():
                person = self._people.get(pk)
                if person is not None and clock != person.clock:
                    self._recheck(pk)

    def _drop_lingering(self) -> None:
        horizon = time.monotonic() - LINGER_SECONDS
        for room in list(self._rooms.values()):
            if room.empty_since is not None and room.empty_since < horizon and not room.repairing:
                del self._rooms[room.id]
                self._layer.unsubscribe(conversation_group(room.id))

    # --- the layer -----------------------------------------------------------------------------------

    def _check_group(self, group: str) -> None:
        """What was published before the subscription stood has passed us by."""
        kind, _, pk = group.partition(".")
        if kind == "conversation":
            self._check_soon(int(pk))

    @property
    def layer_is_up(self) -> bool:
        return self._layer.is_up

    # --- tasks -----------------------------------------------------------------------------------------

    def _spawn(self, work: Any) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.warning("a repair failed and will be tried again: %r", error)

    def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
