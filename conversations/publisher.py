"""The one teller. Grep `publisher.` to find everything Chatty announces.

Only what is committed is told. Telling never blocks the one who tells, and never fails them: the
database is the truth and this is the doorbell; what a lost event leaves open, the relays' ticks close.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from functools import partial
from typing import Any, Protocol

from django.db import transaction

from chatty.ops import metrics
from conversations.events import Event, to_layer

logger = logging.getLogger(__name__)

QUEUE_MAX = 10_000  # events waiting for the layer; beyond that the oldest are dropped
GATHERED_MAX = 200  # events looked through at once; a `text` may have 30 KB
PUBLISH_SECONDS = 1.0  # a layer that takes longer is treated as gone


class Subscriber(Protocol):
    def offer(self, events: tuple[Event, ...]) -> None:
        """Take events from any thread. Must return at once."""


# Replaced, never changed in place: tell() may be walking it in another thread.
_subscribers: tuple[Subscriber, ...] = ()


def connect(subscriber: Subscriber) -> None:
    global _subscribers
    _subscribers = (*_subscribers, subscriber)


def disconnect(subscriber: Subscriber) -> None:
    global _subscribers
    _subscribers = tuple(each for each in _subscribers if each is not subscriber)


def publish(*events: Event) -> None:
    """Tell this process's relay at once, and the other processes through the layer."""
    for subscriber in _subscribers:
        try:
            subscriber.offer(events)
        except Exception:
            # The words are stored; whoever missed the bell finds them by the tick.
            logger.exception("an outlet refused events")


def publish_after_commit(*events: Event) -> None:
    transaction.on_commit(partial(publish, *events), robust=True)


class Publisher:
    """Passes events on to the channel layer, each group's in order, from one task.

    Belongs to one event loop. `origin` names its process, whose own relay has heard it all before.
    A hung or dead layer costs events, never a sender's time.
    """

    def __init__(self, layer: Any, *, origin: str) -> None:
        self._layer = layer
        self._origin = origin
        self._loop = asyncio.get_running_loop()
        self._queue: deque[Event] = deque(maxlen=QUEUE_MAX)
        self._filled = asyncio.Event()
        self._failed = 0

    def offer(self, events: tuple[Event, ...]) -> None:
        self._loop.call_soon_threadsafe(self._take, events)

    def _take(self, events: tuple[Event, ...]) -> None:
        overflow = len(self._queue) + len(events) - QUEUE_MAX
        if overflow > 0:
            metrics.PUBLISHER_DROPS.inc(overflow)
        self._queue.extend(events)
        self._filled.set()

    @property
    def waiting(self) -> int:
        return len(self._queue)

    async def run(self) -> None:
        """Publish for ever."""
        while True:
            await self._filled.wait()
            while self._queue:
                for group, events in self._take_by_group().items():
                    await self._publish(group, events)
            self._filled.clear()

    def _take_by_group(self) -> dict[str, list[Event]]:
        """Take what waits, group by group. A trip to Redis costs the same for ten events as for one,
        and each process that hears it pays again; so what queues up behind a trip shares the next."""
        groups: dict[str, list[Event]] = {}
        for _ in range(min(len(self._queue), GATHERED_MAX)):
            event = self._queue.popleft()
            groups.setdefault(event.group, []).append(event)
        return groups

    async def _publish(self, group: str, events: list[Event]) -> None:
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                await self._layer.group_send(group, to_layer(events, self._origin))
        except Exception as error:
            before, self._failed = self._failed, self._failed + len(events)
            metrics.PUBLISHER_FAILURES.inc(len(events))
            # The first, the second, the 4th, the 8th...: say it, do not flood the log.
            if before.bit_length() != self._failed.bit_length():
                logger.warning("channel layer: %s event(s) not passed on (%r)", self._failed, error)
