"""Runs small database jobs of many sockets together in one thread."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ParamSpec, TypeVar

from chatty.common.threads import DatabaseThreads, close_connections

P = ParamSpec("P")
R = TypeVar("R")
Job = Callable[[], Any]

BATCH_MAX = 16  # jobs
AT_ONCE = 2  # batches, so that a slow job doesn't delay all others


class Batches:
    """For jobs of a few fast queries that many clients need at the same time, such as after a restart.

    Jobs that arrive while others run are collected, and run one after the other in one thread. Switching
    to a thread and back and taking a connection from the pool costs more than such a query.
    """

    def __init__(self, threads: DatabaseThreads) -> None:
        self._threads = threads
        self._waiting: deque[tuple[Job, asyncio.Future[Any]]] = deque()
        self._running: set[asyncio.Task[None]] = set()

    async def run(self, job: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a job and return its result. Cancelling this does not stop a job that has started."""
        result: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((partial(job, *args, **kwargs), result))
        if len(self._running) < AT_ONCE:
            task = asyncio.create_task(self._run_waiting())
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return await result

    async def _run_waiting(self) -> None:
        while self._waiting:
            count = min(len(self._waiting), BATCH_MAX)
            taken = [self._waiting.popleft() for _ in range(count)]
            batch = [(job, future) for job, future in taken if not future.done()]
            if not batch:
                continue  # all their callers were cancelled
            try:
                results = await self._threads.run(_run_all, [job for job, _result in batch])
            except (RuntimeError, asyncio.CancelledError):  # the threads are closed
                for _job, future in (*batch, *self._waiting):
                    future.cancel()
                self._waiting.clear()
                return
            for (_job, future), result in zip(batch, results, strict=True):
                if future.done():
                    continue  # its caller was cancelled while it ran
                if isinstance(result, Exception):
                    future.set_exception(result)
                else:
                    future.set_result(result)


def _run_all(jobs: Sequence[Job]) -> list[Any]:
    """Return the result or the exception of each job."""
    return [_run_one(job) for job in jobs]


def _run_one(job: Job) -> Any:
    try:
        return job()
    except Exception as error:
        # The error may have made the connection unusable, and the next job must not notice.
        close_connections(only_broken=True)
        return error
