"""The one teller. Grep `fanout.` to find everything Chatty announces.

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

from chatty import metrics
from conversations.realtime.events import Event, to_layer

logger = logging.getLogger(__name__)

QUEUE_MAX = 10_000  # events waiting for the layer; beyond that the oldest are dropped
PUBLISH_SECONDS = 1.0  # a layer that takes longer is treated as gone


class Outlet(Protocol):
    def offer(self, events: tuple[Event, ...]) -> None:
        """Take events from any thread. Must return at once."""


# Replaced, never changed in place: tell() may be walking it in another thread.
_outlets: tuple[Outlet, ...] = ()


def connect(outlet: Outlet) -> None:
    global _outlets
    _outlets = (*_outlets, outlet)


def disconnect(outlet: Outlet) -> None:
    global _outlets
    _outlets = tuple(each for each in _outlets if each is not outlet)


def tell(*events: Event) -> None:
    """Tell this process's relay at once, and the other processes through the layer."""
    for outlet in _outlets:
        try:
            outlet.offer(events)
        except Exception:
            # The words are stored; whoever missed the bell finds them by the tick.
            logger.exception("an outlet refused events")


def tell_after_commit(*events: Event) -> None:
    transaction.on_commit(partial(tell, *events), robust=True)


class Publisher:
    """Passes events on to the channel layer, one after the other, from one task.

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
                await self._publish(self._queue.popleft())
            self._filled.clear()

    async def _publish(self, event: Event) -> None:
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                await self._layer.group_send(event.group, to_layer(event, self._origin))
        except Exception as error:
            self._failed += 1
            metrics.PUBLISHER_FAILURES.inc()
            # The first, the second, the 4th, the 8th...: say it, do not flood the log.
            if self._failed & (self._failed - 1) == 0:
                logger.warning("channel layer: %s event(s) not passed on (%r)", self._failed, error)
