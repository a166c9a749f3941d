"""Runs the purges registered in chatty.common.upkeep at the start and every hour, and truncates SQLite's
write-ahead log every minute."""

from __future__ import annotations

import asyncio
import logging
import sqlite3

from chatty.common import upkeep
from chatty.common.errors import DATABASE_ERRORS
from chatty.common.threads import DatabaseThreads
from chatty.sqlite import erasing

logger = logging.getLogger(__name__)

EVERY_SECONDS = 3600.0
PAUSE_SECONDS = 0.05  # after each transaction, so that others get their turn
LOG_SECONDS = 60.0  # between two attempts to truncate SQLite's log
LOG_WARNING_AFTER = 10  # failed attempts in a row


class Upkeep:
    def __init__(self, threads: DatabaseThreads) -> None:
        self._threads = threads

    async def run(self) -> None:
        while True:
            await self.purge()
            await asyncio.sleep(EVERY_SECONDS)

    async def purge(self) -> None:
        """Run every purge once. If one fails, the others still run."""
        for name, purge in upkeep.registered().items():
            gone = 0
            try:
                steps = await self._threads.run(purge)
                while (removed := await self._threads.run(next, steps, None)) is not None:
                    gone += removed
                    await asyncio.sleep(PAUSE_SECONDS)
            except DATABASE_ERRORS as error:
                logger.warning("Expired %s could not be removed: %s", name, type(error).__name__)
            except Exception:
                logger.exception("Expired %s could not be removed", name)
            if gone:
                logger.info("Removed %s expired %s", gone, name)


class DatabaseLog:
    """Truncates SQLite's write-ahead log, so that deleted text does not remain in it."""

    def __init__(self, threads: DatabaseThreads) -> None:
        self._threads = threads
        self._failures = 0  # in a row

    async def run(self) -> None:
        while True:
            await asyncio.sleep(LOG_SECONDS)
            await self.truncate()

    async def truncate(self) -> None:
        """Try once. After LOG_WARNING_AFTER failures in a row, log a warning."""
        reason = "another program is reading the database"
        try:
            if await self._threads.run(erasing.truncate_log):
                self._failures = 0
                return
        except (sqlite3.Error, OSError) as error:
            reason = str(error)
        self._failures += 1
        if self._failures % LOG_WARNING_AFTER == 0:
            logger.warning(
                "Deleted text may still be in SQLite's write-ahead log, which could not be emptied %s times "
                "in a row: %s",
                self._failures,
                reason,
            )
