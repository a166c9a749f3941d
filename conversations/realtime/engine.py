"""The engine: all background tasks of a process, started and stopped together.

There is one engine per event loop. uvicorn starts it in its lifespan; on servers without lifespan support
(Daphne) the first socket does. Each task is supervised: failures are logged and the task is restarted.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable
from weakref import WeakKeyDictionary

from channels.layers import get_channel_layer
from django.conf import settings
from django.db import connection

from chatty.common.threads import DatabaseThreads
from chatty.ops import metrics
from conversations import protocol, publisher, queries
from conversations.realtime.background import Background
from conversations.realtime.batches import Batches
from conversations.realtime.database_log import DatabaseLog
from conversations.realtime.presence import Presence
from conversations.realtime.profiles import Profiles
from conversations.realtime.read_marks import ReadMarks
from conversations.realtime.relay import Relay
from conversations.realtime.supervision import end_all, start_all
from conversations.realtime.writer import Writer

logger = logging.getLogger(__name__)

NUMBERS_SECONDS = 1.0  # maximum age of metrics when another worker is scraped


class Engine:
    def __init__(self) -> None:
        origin = secrets.token_hex(8)
        layer = get_channel_layer()
        self.threads = DatabaseThreads(settings.SOCKET_THREADS, "chatty-sockets")
        self.batches = Batches(self.threads)
        self.writer = Writer()
        self.relay = Relay(layer, self.threads, origin=origin, tick=settings.TICK_SECONDS)
        self.presence = Presence(
            self.relay,
            self.threads,
            lease=settings.PRESENCE_SECONDS,
            most=settings.PRESENCE_MEMBERS,
        )
        self.read_marks = ReadMarks(self.relay, self.threads, most=settings.PRESENCE_MEMBERS)
        self.profiles = Profiles(self.relay, self.threads)
        self.background = Background(works=settings.BACKGROUND_WORK)
        self.addresses: Counter[str] = Counter()  # sockets per address, also unauthenticated ones
        publisher.connect(self.relay)
        self._epoch = ""
        parts: dict[str, Callable[[], Awaitable[None]]] = {
            "writer": self.writer.run,
            **self.relay.parts,
            "presence": self.presence.run,
            "read marks": self.read_marks.run,
            "profiles": self.profiles.run,
            "heartbeat": self._beat,
            "epoch": self._watch_epoch,
            "numbers": self._keep_numbers,
            **self.background.parts,
        }
        if connection.vendor == "sqlite":
            parts["database log"] = DatabaseLog(self.threads).run
        self.publisher: publisher.Publisher | None = None
        if settings.REDIS_URL:
            # Without Redis there are no other processes to publish to.
            self.publisher = publisher.Publisher(layer, origin=origin)
            publisher.connect(self.publisher)
            parts["publisher"] = self.publisher.run
        self._tasks = start_all(parts)

    async def epoch(self) -> str:
        """Return the epoch. Only the first call needs a query; _watch_epoch() keeps it up to date."""
        if not self._epoch:
            self._epoch = await self.threads.run(queries.epoch)
        return self._epoch

    async def close_sockets(self) -> None:
        """Store accepted messages, then close every socket with 1012."""
        await self.writer.drain()
        for socket in list(self.relay.sockets()):
            socket.end(protocol.CLOSE_RESTART)

    async def stop(self) -> None:
        """Close the sockets and stop all tasks. After this, changes are not published any more."""
        await self.close_sockets()
        self.presence.close()
        await self.background.stop()
        publisher.disconnect(self.relay)
        if self.publisher is not None:
            publisher.disconnect(self.publisher)
        await end_all(self._tasks)
        self.relay.close()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self.writer.close)
        await loop.run_in_executor(None, self.threads.close)
        await self.background.close()

    async def _beat(self) -> None:
        """Send `heartbeat` to every socket. Spread over the interval: some sockets each second."""
        second = 0
        while True:
            await asyncio.sleep(1)
            second = (second + 1) % protocol.HEARTBEAT_SECONDS
            for socket in list(self.relay.sockets()):
                if id(socket) // 64 % protocol.HEARTBEAT_SECONDS == second:
                    socket.write(protocol.HEARTBEAT)

    async def _watch_epoch(self) -> None:
        """Close all sockets when the epoch changes: after a restore, all positions are invalid."""
        while True:
            await asyncio.sleep(settings.TICK_SECONDS)
            before, self._epoch = self._epoch, await self.threads.run(queries.epoch)
            if before and before != self._epoch:
                logger.warning("The epoch changed: asking all clients to reconnect")
                for socket in list(self.relay.sockets()):
                    socket.end(protocol.CLOSE_RESTART)

    async def _keep_numbers(self) -> None:
        while True:
            await asyncio.sleep(NUMBERS_SECONDS)
            self.collect_metrics()

    def collect_metrics(self) -> None:
        """Update the metrics that are not counted as events happen."""
        metrics.collect_pool_metrics()
        metrics.DELIVERIES.inc(self.relay.take_deliveries())
        metrics.WRITER_QUEUE.set(self.writer.waiting)
        metrics.LAYER_UP.set(self.relay.layer_is_up)
        metrics.PEOPLE_ONLINE.set(self.presence.count)
        self.background.collect_metrics()
        if self.publisher is not None:
            metrics.PUBLISHER_QUEUE.set(self.publisher.waiting)


_engines: WeakKeyDictionary[asyncio.AbstractEventLoop, Engine] = WeakKeyDictionary()


def current() -> Engine:
    """Return the engine of the running loop. The first call starts it."""
    loop = asyncio.get_running_loop()
    engine = _engines.get(loop)
    if engine is None:
        engine = _engines[loop] = Engine()
    return engine


async def start() -> None:
    current()


def collect_metrics() -> None:
    """Update the metrics of the running loop's engine, if there is one."""
    engine = _engines.get(asyncio.get_running_loop())
    if engine is not None:
        engine.collect_metrics()


def layer_state() -> str:
    """Return "ok", "down" or "unused" (without REDIS_URL, or on Daphne before the first socket)."""
    engine = _engines.get(asyncio.get_running_loop())
    if engine is None or engine.publisher is None:
        return "unused"
    return "ok" if engine.relay.layer_is_up else "down"


async def close_sockets() -> None:
    """Close the sockets of the running loop's engine. Its tasks run until stop()."""
    engine = _engines.get(asyncio.get_running_loop())
    if engine is not None:
        await engine.close_sockets()


async def stop() -> None:
    """Stop the engine of the running loop, if there is one."""
    engine = _engines.pop(asyncio.get_running_loop(), None)
    if engine is not None:
        await engine.stop()
