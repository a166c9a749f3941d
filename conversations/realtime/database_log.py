"""Truncates SQLite's write-ahead log every minute."""

from __future__ import annotations

import asyncio
import logging
import sqlite3

from chatty.common.threads import DatabaseThreads
from chatty.sqlite import erasing

logger = logging.getLogger(__name__)

LOG_SECONDS = 60.0  # between two attempts to truncate SQLite's log
LOG_WARNING_AFTER = 10  # failed attempts in a row


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
