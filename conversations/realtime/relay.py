"""The relay: one per process. Hears what happens and passes it to this process's sockets, in order.

It takes events in and composes what does the work: rooms.py puts events in order and holds early ones
for a moment; repairs.py then reads what is missing from the database, to be sent as `synced`; standing.py
reads what people may hear; layer.py hears the other processes. So whatever the channel layer loses,
doubles or reorders, every socket hears every version, once, in order.

Lost *last* events reveal themselves by nothing. The tick finds them: every few seconds it compares the
rooms' versions, and the clocks of the people, with the database.

Everything here runs in one event loop; other threads come in by `offer` alone.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Iterator
from typing import Any

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
from conversations.realtime.threads import DatabaseThreads

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
        """Return what is to be kept running beside it, by the name that is used in the log."""
        return {
            "ears": self._layer.run_receivers,
            "subscriptions": self._layer.run_subscriptions,
            "checks": self._repairs.run_checks,
            "rechecks": self._rechecks.run,
            "tick": self._run_tick,
        }

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
        self._repairs.check_soon(conversation_id)

    def repair_later(self, room: Room) -> None:
        self._repairs.repair_later(room)

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

    # --- the tick ----------------------------------------------------------------------------------

    async def _run_tick(self) -> None:
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
            self._repairs.check_all()
        self._spawn(self._layer.probe())  # not waited for: a hung layer must not make repairs late
        self._layer.retry_subscriptions()
        await self._repairs.compare_versions()
        await self._rechecks.compare_clocks()

    # --- the layer -----------------------------------------------------------------------------------

    def _check_group(self, group: str) -> None:
        """What was published before the subscription stood has passed us by."""
        kind, _, pk = group.partition(".")
        if kind == "conversation":
            self._repairs.check_soon(int(pk))

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
            logger.warning("a repair failed and will be tried again: %r", error)

    def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
