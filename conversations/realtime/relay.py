"""The relay of a process: receives events and delivers them to the process's sockets in order.

It combines these parts:

- rooms.py puts events in order and holds early ones for a moment.
- repairs.py reads versions that are still missing from the database, and sends them as `synced`.
- standing.py reads which conversations people can access.
- layer.py receives the events of other processes.

Every socket thus gets every version once and in order, even if the channel layer loses, duplicates or
reorders events.

A lost event is noticed when a later one arrives, but the last one has none after it. Therefore the tick
compares the versions of rooms and the clocks of people with the database every few seconds.

Everything runs in one event loop. From other threads, only offer() may be called.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Iterator
from typing import Any

from chatty.common.threads import DatabaseThreads
from conversations.events import (
    ConversationChanged,
    ConversationDeleted,
    EphemeralEvent,
    Event,
    MembershipChanged,
    SignedOut,
    UserFrame,
)
from conversations.realtime.layer import LayerConnection
from conversations.realtime.repairs import Repairs
from conversations.realtime.rooms import Room, Rooms, Socket
from conversations.realtime.standing import Rechecks

logger = logging.getLogger(__name__)


class Relay:
    def __init__(self, layer: Any, threads: DatabaseThreads, *, origin: str, tick: float) -> None:
        self._tick_seconds = tick
        self._loop = asyncio.get_running_loop()
        self._rooms = Rooms(self, now=time.monotonic)
        self._rechecks = Rechecks(self._rooms, threads)
        self._repairs = Repairs(self._rooms, threads, spawn=self._spawn)
        self._layer = LayerConnection(
            layer, origin=origin, tick=tick, handle=self._handle_all, subscribed=self._check_group
        )
        self._listeners: dict[type[Event], list[Callable[[Any], None]]] = defaultdict(list)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def parts(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """Return the coroutines that the engine has to keep running, by their names in the log."""
        return {
            "ears": self._layer.run_receivers,
            "subscriptions": self._layer.run_subscriptions,
            "checks": self._repairs.run_checks,
            "rechecks": self._rechecks.run,
            "clocks": self._rechecks.run_checks,
            "tick": self._run_tick,
        }

    # --- sockets ---------------------------------------------------------------------------------

    def expect(self, socket: Socket) -> None:
        """Prepare for a socket before its user and memberships are read; see Rooms.expect()."""
        self._rooms.expect(socket)

    def register(self, socket: Socket, *, clock: int) -> None:
        """Register a socket; see Rooms.register()."""
        self._rooms.register(socket, clock=clock)

    def join(self, socket: Socket, versions: dict[int, int]) -> dict[int, int]:
        """Add a socket to its rooms; see Rooms.join()."""
        return self._rooms.join(socket, versions)

    def unregister(self, socket: Socket) -> None:
        """Remove a socket from everything. Repeating it changes nothing."""
        self._rooms.unregister(socket)

    def people(self) -> Collection[int]:
        """Return the ids of users with sockets on this process."""
        return self._rooms.people.keys()

    def sockets_of(self, user_id: int) -> Collection[Socket]:
        return self._rooms.sockets_of(user_id)

    def sockets_in(self, conversation_id: int) -> Collection[Socket]:
        return self._rooms.sockets_in(conversation_id)

    def sockets(self) -> Iterator[Socket]:
        return self._rooms.sockets()

    def write(self, sockets: Collection[Socket], *texts: str) -> None:
        """Write frames to sockets. They are encoded once."""
        self._rooms.write(sockets, *texts)

    def take_deliveries(self) -> int:
        """Return the number of deliveries since the last call."""
        return self._rooms.take_deliveries()

    # --- rooms.Requests --------------------------------------------------------------------------

    def subscribe(self, group: str) -> None:
        self._layer.subscribe(group)

    def unsubscribe(self, group: str) -> None:
        self._layer.unsubscribe(group)

    def check_soon(self, conversation_id: int) -> None:
        self._repairs.check_soon(conversation_id)

    def repair_later(self, room: Room) -> None:
        self._repairs.repair_later(room)

    def recheck(self, user_id: int, *notes: tuple[str, int]) -> None:
        """Schedule reading a user's memberships again. `notes`: (change, conversation id) to send to them."""
        self._rechecks.add(user_id, *notes)

    # --- events ----------------------------------------------------------------------------------

    def listen(self, kind: type[Event], work: Callable[[Any], None]) -> None:
        """Call `work(event)` for each event of this kind, after the relay has handled it."""
        self._listeners[kind].append(work)

    def offer(self, events: tuple[Event, ...]) -> None:
        """Receive this process's own events, from any thread (publisher.Subscriber)."""
        self._loop.call_soon_threadsafe(self._handle_all, events)

    def _handle_all(self, events: Iterable[Event]) -> None:
        """Handle events that arrived together, such as those of one commit. Their frames for the same
        conversation are written at once, because writes are most of the cost of a delivery."""
        for event in events:
            try:
                if not isinstance(event, ConversationChanged):
                    self._rooms.flush()  # keeps other frames in order with the messages
                self._handle(event)
            except Exception:
                logger.exception("An event could not be delivered")
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

    # --- the tick ----------------------------------------------------------------------------------

    async def _run_tick(self) -> None:
        """Find lost events every `tick` seconds, and every second while the layer is down."""
        while True:
            up = self.layer_is_up
            seconds = self._tick_seconds if up else min(1.0, self._tick_seconds)
            await asyncio.sleep(seconds)
            await self.tick()

    async def tick(self) -> None:
        """Compare all rooms and people of this process with the database."""
        self._rooms.drop_lingering()
        if self._layer.check_if_back():
            self._repairs.check_all()
        self._spawn(self._layer.probe())  # not awaited: a hanging layer must not delay repairs
        self._layer.retry_subscriptions()
        await self._repairs.compare_versions()
        await self._rechecks.compare_clocks()

    # --- the layer -----------------------------------------------------------------------------------

    def _check_group(self, group: str) -> None:
        """Check a room or a person after subscribing: events published before that were missed."""
        kind, _, pk = group.partition(".")
        if kind == "conversation":
            self._repairs.check_soon(int(pk))
        elif kind == "user":
            self._rechecks.check_soon(int(pk))

    @property
    def layer_is_up(self) -> bool:
        return self._layer.is_up

    # --- tasks -----------------------------------------------------------------------------------------

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.warning("Filling a gap failed and will be retried: %r", error)

    def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
