"""A thread pool for the database queries of sockets.

With Channels' database_sync_to_async() all sockets of a process share one thread, and one slow query
blocks everyone. A thread per task would need a connection per task. The size of this pool is part of the
budget of database connections.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from django.db import connections

from chatty.common.call_stack import call_with_room

P = ParamSpec("P")
R = TypeVar("R")

IDS_MAX = 4_000  # ids in one statement


class DatabaseThreads:
    """Runs functions that use the ORM. Coroutines must not use the database in any other way."""

    def __init__(self, size: int, name: str) -> None:
        self._pool = ThreadPoolExecutor(size, thread_name_prefix=name)

    async def run(self, job: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a job and return its result. Cancelling this does not stop the job."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, lambda: _tidily(job, *args, **kwargs))

    def close(self) -> None:
        """Wait for running jobs, and cancel those that are queued."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def _tidily(job: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    try:
        return call_with_room(job, *args, **kwargs)
    finally:
        for connection in connections.all(initialized_only=True):
            # A connection to SQLite belongs to this thread and is expensive to open: keep it until an
            # error occurs. A connection to PostgreSQL returns to the pool.
            if connection.vendor != "sqlite" or connection.errors_occurred:
                connection.close_if_unusable_or_obsolete()
