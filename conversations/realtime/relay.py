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
from conversations import queries
from conversations.events import (
    ConversationChanged,
    ConversationDeleted,
    EphemeralEvent,
    Event,
    MembershipChanged,
    SignedOut,
    UserFrame,
)
from conversations.realtime.catch_up import catch_up
from conversations.realtime.layer import LayerConnection
from conversations.realtime.rooms import Room, Rooms, Socket
from conversations.realtime.standing import Rechecks
from conversations.realtime.threads import IDS_MAX, DatabaseThreads

logger = logging.getLogger(__name__)

HOLD_SECONDS = 0.25  # how long an early event waits for the one before it


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
        self._rooms = Rooms(self, now=time.monotonic)
        self._unverified: set[int] = set()  # rooms to be compared with the database soon
        self._unverified_filled = asyncio.Event()
        self._rechecks = Rechecks(self._rooms, threads)
        self.run_rechecks = self._rechecks.run
        self._listeners: dict[type[Event], list[Callable[[Any], None]]] = defaultdict(list)
        self._tasks: set[asyncio.Task[None]] = set()
        self.repairs = 0

    # --- sockets come and go ---------------------------------------------------------------------

    def register(self, socket: Socket, *, clock: int) -> None:
        """Take note of a socket that is being let in; see Rooms.register()."""
        self._rooms.register(socket, clock=clock)

    def join(self, socket: Socket, versions: dict[int, int]) -> dict[int, int]:
        """Put a socket into its rooms; see Rooms.join()."""
        return self._rooms.join(socket, versions)

    def unregister(self, socket: Socket) -> None:
        """Take a socket out of everything. Doing it again changes nothing."""
        self._rooms.unregister(socket)

    def people(self) -> Collection[int]:
        """Return who has sockets here."""
        return self._rooms.people.keys()

    def sockets_of(self, user_id: int) -> Collection[Socket]:
        return self._rooms.sockets_of(user_id)

    def sockets_in(self, conversation_id: int) -> Collection[Socket]:
        return self._rooms.sockets_in(conversation_id)

    def sockets(self) -> Iterator[Socket]:
        return self._rooms.sockets()

    def write(self, sockets: Collection[Socket], *texts: str) -> None:
        """Write frames, encoded once, to these sockets of this process."""
        self._rooms.write(sockets, *texts)

    def take_deliveries(self) -> int:
        """Return how many there were since this was asked last."""
        return self._rooms.take_deliveries()

    # --- what rooms ask for (rooms.Requests) -----------------------------------------------------

    def subscribe(self, group: str) -> None:
        self._layer.subscribe(group)

    def unsubscribe(self, group: str) -> None:
        self._layer.unsubscribe(group)

    def check_soon(self, conversation_id: int) -> None:
        self._unverified.add(conversation_id)
        self._unverified_filled.set()

    def repair_later(self, room: Room) -> None:
        self._loop.call_later(HOLD_SECONDS, self._repair_if_behind, room)

    def recheck(self, user_id: int, *notes: tuple[str, int]) -> None:
        """Have a user's memberships read again soon. `notes`: (change, conversation) to tell them."""
        self._rechecks.add(user_id, *notes)

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
                    self._rooms.flush()  # whatever else is said stays in its place among them
                self._handle(event)
            except Exception:
                logger.exception("an event could not be passed on")
        self._rooms.flush()

    def _handle(self, event: Event) -> None:
        match event:
            case ConversationChanged():
                self._rooms.receive(event)
            case EphemeralEvent():
                if room := self._rooms.by_id.get(event.conversation):
                    self._rooms.write(room.sockets, event.text)
            case UserFrame():
                if person := self._rooms.people.get(event.user):
                    self._rooms.write(person.sockets, event.text)
            case MembershipChanged():
                self._rechecks.add(event.user, (event.change, event.conversation))
            case SignedOut():
                self._rechecks.sign_out(event)
            case ConversationDeleted():
                self._rooms.end(event.conversation)
        for work in self._listeners.get(type(event), ()):
            work(event)

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
                    self._rooms.end(room.id)
                    return
                if page.reset:
                    metrics.RESETS.inc()
                self._rooms.deliver_page(room, page)
                more = page.more
        finally:
            # A failure leaves the room behind: the next tick tries again.
            self._rooms.end_repair(room)
        self._rooms.deliver_held(room)

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
        known = {pk: room.last for pk in ids if (room := self._rooms.by_id.get(pk)) is not None}
        behind: list[Room] = []
        for pk, version in (await self._threads.run(queries.changed_versions, known)).items():
            room = self._rooms.by_id.get(pk)
            if version is None:
                self._rooms.end(pk)
            elif room is not None and version > room.last:
                behind.append(room)
        return behind

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
        self._rooms.drop_lingering()
        if self._layer.check_if_back():
            self._unverified.update(self._rooms.by_id)
            self._unverified_filled.set()
        self._spawn(self._layer.probe())  # not waited for: a hung layer must not make repairs late
        self._layer.retry_subscriptions()
        ids = [room.id for room in self._rooms.by_id.values() if room.sockets]
        behind: list[Room] = []
        for start in range(0, len(ids), IDS_MAX):
            behind += await self._rooms_behind(ids[start : start + IDS_MAX])
        if behind:
            # Most likely their events are on the way: behind means still behind in a moment.
            lasts = {room.id: room.last for room in behind}
            await asyncio.sleep(HOLD_SECONDS)
            self._unverified.update(r.id for r in behind if r.last == lasts[r.id] and r.sockets)
            self._unverified_filled.set()
        await self._rechecks.compare_clocks()

    # --- the layer -----------------------------------------------------------------------------------

    def _check_group(self, group: str) -> None:
        """What was published before the subscription stood has passed us by."""
        kind, _, pk = group.partition(".")
        if kind == "conversation":
            self.check_soon(int(pk))

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
