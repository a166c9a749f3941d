"""Runs what the apps have registered in chatty.common.upkeep, at the start and every hour."""

from __future__ import annotations

import asyncio
import logging

from chatty.common import upkeep
from chatty.common.errors import DATABASE_AWAY
from conversations.realtime.threads import DatabaseThreads

logger = logging.getLogger(__name__)

EVERY_SECONDS = 3600.0
PAUSE_SECONDS = 0.05  # after each transaction, for everybody else's


class Upkeep:
    def __init__(self, threads: DatabaseThreads) -> None:
        self._threads = threads

    async def run(self) -> None:
        while True:
            await self.purge()
            await asyncio.sleep(EVERY_SECONDS)

    async def purge(self) -> None:
        """Run every purge once. One that fails keeps none of the others back."""
        for name, purge in upkeep.registered().items():
            gone = 0
            try:
                steps = await self._threads.run(purge)
                while (removed := await self._threads.run(next, steps, None)) is not None:
                    gone += removed
                    await asyncio.sleep(PAUSE_SECONDS)
            except DATABASE_AWAY as error:
                logger.warning("%s could not be purged: %s", name, type(error).__name__)
            except Exception:
                logger.exception("%s could not be purged", name)
            if gone:
                logger.info("removed %s %s that had run out", gone, name)
