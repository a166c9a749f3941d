"""Removes the rows of deleted conversations in the background, in small batches."""

from __future__ import annotations

import asyncio
import logging
import time

from chatty.common.threads import DatabaseThreads
from conversations import actions
from conversations.events import ConversationDeleted, Event

logger = logging.getLogger(__name__)

# How often to look for conversations that a killed process did not finish.
SWEEP_SECONDS = 600.0


class Purge:
    """Runs at the start, after each deletion in this process, and every SWEEP_SECONDS."""

    def __init__(self, threads: DatabaseThreads) -> None:
        self._threads = threads
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()

    def offer(self, events: tuple[Event, ...]) -> None:
        """Receive events, from any thread (publisher.Subscriber)."""
        if any(isinstance(event, ConversationDeleted) for event in events):
            self._loop.call_soon_threadsafe(self._wake.set)

    async def run(self) -> None:
        while True:
            self._wake.clear()
            gone = await self._purge()
            if gone:
                logger.info("Removed %s message(s) of deleted conversations", gone)
            try:
                async with asyncio.timeout(SWEEP_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _purge(self) -> int:
        gone = 0
        while True:
            started = time.monotonic()
            batch = await self._threads.run(actions.purge_batch)
            if batch is None:
                return gone
            gone += batch
            # Pause as long as the batch took, so that this uses at most half of the time for writes.
            await asyncio.sleep(min(time.monotonic() - started, 1.0))
