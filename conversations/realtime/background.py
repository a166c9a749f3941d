"""The background work of Chatty, without sockets: done by `serve`, or by `manage.py work` beside it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable

from channels.layers import get_channel_layer
from django.conf import settings

from chatty.common.threads import DatabaseThreads
from chatty.jobs.delivery_worker import Deliveries
from chatty.jobs.statistics import Statistics
from chatty.jobs.worker import Jobs
from chatty.ops import metrics
from conversations import publisher
from conversations.changefeed.runner import SWEEP_SECONDS, Readers
from conversations.realtime.supervision import end_all, start_all

THREADS = 2
SWEEP_SECONDS_UNWOKEN = 1.0  # of readers in a process without servers: no commit wakes them


class Background:
    """`parts`: the tasks to supervise, by name. With `works` off, it only counts what is waiting.
    `sweep_seconds`: between two searches of the readers for what no one has woken them for."""

    def __init__(self, *, works: bool, sweep_seconds: float = SWEEP_SECONDS) -> None:
        # Threads of its own: catching up must not take those of sockets.
        self._threads = DatabaseThreads(THREADS, "chatty-background")
        self.parts: dict[str, Callable[[], Awaitable[None]]] = {
            "statistics": Statistics(self._threads).run
        }
        self._readers: Readers | None = None
        self._workers: list[Jobs | Deliveries] = []
        if not works:
            return
        self._readers = Readers(self._threads, sweep_seconds=sweep_seconds)
        publisher.connect(self._readers)
        jobs, deliveries = Jobs(self._threads), Deliveries(self._threads)
        self._workers = [jobs, deliveries]
        self.parts |= {"jobs": jobs.run, "deliveries": deliveries.run, **self._readers.parts}

    def collect_metrics(self) -> None:
        if self._readers is not None:
            self._readers.collect_metrics()

    async def stop(self) -> None:
        """Finish what has begun, and give back the rest. The tasks still have to be ended."""
        if self._readers is not None:
            publisher.disconnect(self._readers)
        await asyncio.gather(*[worker.stop() for worker in self._workers])

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self._threads.close)


class _Running:
    """The background work of a process without sockets."""

    def __init__(self) -> None:
        self.background = Background(works=True, sweep_seconds=SWEEP_SECONDS_UNWOKEN)
        parts = dict(self.background.parts)
        self._publisher: publisher.Publisher | None = None
        if settings.REDIS_URL:
            self._publisher = publisher.Publisher(get_channel_layer(), origin=secrets.token_hex(8))
            publisher.connect(self._publisher)
            parts["publisher"] = self._publisher.run
        self._tasks = start_all(parts)

    def collect_metrics(self) -> None:
        self.background.collect_metrics()
        if self._publisher is not None:
            metrics.PUBLISHER_QUEUE.set(self._publisher.waiting)

    async def stop(self) -> None:
        await self.background.stop()
        if self._publisher is not None:
            publisher.disconnect(self._publisher)
        await end_all(self._tasks)
        await self.background.close()


_running: _Running | None = None


async def start() -> None:
    """Do the background work in the running loop, without an engine."""
    global _running
    _running = _Running()


async def stop() -> None:
    global _running
    running, _running = _running, None
    if running is not None:
        await running.stop()


def collect_metrics() -> None:
    metrics.collect_pool_metrics()
    if _running is not None:
        _running.collect_metrics()
