"""Threads for the database work of sockets.

Channels gives all sockets of a process one thread, so that one slow query stalls everybody; and a
thread per task would take a connection per task. Here is one small pool, whose size is part of the
connection budget.
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

IDS_MAX = 4_000  # of one statement


class DatabaseThreads:
    """Runs functions that use the ORM; the only way from coroutines to the database."""

    def __init__(self, size: int, name: str) -> None:
        self._pool = ThreadPoolExecutor(size, thread_name_prefix=name)

    async def run(self, job: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what the job returns. Cancelling the wait does not stop the job."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, lambda: _tidily(job, *args, **kwargs))

    def close(self) -> None:
        """Let running jobs end, start none of the waiting ones."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def _tidily(job: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    try:
        return call_with_room(job, *args, **kwargs)
    finally:
        for connection in connections.all(initialized_only=True):
            # SQLite's is this thread's own and dear to open: it stays until something goes wrong.
            # PostgreSQL's goes back to the pool.
            if connection.vendor != "sqlite" or connection.errors_occurred:
                connection.close_if_unusable_or_obsolete()
