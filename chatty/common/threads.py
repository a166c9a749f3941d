"""A thread pool for the database queries of sockets and of background work.

With Channels' database_sync_to_async() all sockets of a process share one thread, and one slow query
blocks everyone. A thread per task would need a connection per task. The size of this pool is part of the
budget of database connections.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, ParamSpec, TypeVar

from django.db import connections

from chatty.common.call_stack import call_with_stack_space
from chatty.common.errors import DATABASE_ERRORS

logger = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

RETRY_SECONDS = 1.0  # after the database could not be reached
IDS_MAX = 4_000  # ids in one statement
# How long an idle thread keeps its connection. The pool passes them around, so that each batch of messages
# got another one, whose PostgreSQL process had to warm up: a third of its CPU time. It is short, because
# only the pool checks whether a connection still works.
KEEP_SECONDS = 0.05


@dataclass(slots=True)
class _Job:
    run: Callable[[], Any]
    loop: asyncio.AbstractEventLoop
    result: asyncio.Future[Any]


class DatabaseThreads:
    """Runs functions that use the ORM. Coroutines must not use the database in any other way.

    ThreadPoolExecutor needs three locks and two futures for each job, and would have to make room on the
    call stack for each. That was a fifth of the CPU time of the event loop when people sent messages.
    """

    def __init__(self, size: int, name: str) -> None:
        self._size = size
        self._name = name
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._threads: list[Thread] = []
        self._open = True

    async def run(self, job: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a job and return its result. Cancelling this does not stop a job that has started."""
        if not self._open:
            raise RuntimeError("The threads have been closed.")
        loop = asyncio.get_running_loop()
        result: asyncio.Future[R] = loop.create_future()
        self._jobs.put(_Job(partial(job, *args, **kwargs), loop, result))
        if len(self._threads) < self._size:
            name = f"{self._name}_{len(self._threads)}"
            # A daemon, so that a process that ends without close() does not wait for jobs.
            thread = Thread(target=call_with_stack_space, args=[self._work], name=name, daemon=True)
            self._threads.append(thread)
            thread.start()
        return await result

    async def run_until_done(self, job: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """As run(), again and again until the database can be reached."""
        failed = False
        while True:
            try:
                return await self.run(job, *args, **kwargs)
            except DATABASE_ERRORS as error:
                if not failed:
                    logger.warning(
                        "%s is waiting for the database: %s", self._name, type(error).__name__
                    )
                failed = True
                await asyncio.sleep(RETRY_SECONDS)

    def close(self) -> None:
        """Wait for running jobs, and cancel those that are queued."""
        self._open = False
        with contextlib.suppress(Empty):
            while True:
                job = self._jobs.get_nowait()
                if job is not None:
                    _tell(job, job.result.cancel)
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        try:
            while (job := self._next_job()) is not None:
                if not job.result.cancelled():
                    _tell(job, _answer(job))
                del job  # or it would be kept until the next one
        finally:
            close_connections()

    def _next_job(self) -> _Job | None:
        try:
            return self._jobs.get(timeout=KEEP_SECONDS)
        except Empty:
            # The thread must go on whatever happens: with the writer's only one, all sends would stop.
            with contextlib.suppress(Exception):
                close_connections()
            return self._jobs.get()


def _answer(job: _Job) -> Callable[[], Any]:
    """Run the job, and return a function that sets its result or error."""
    try:
        try:
            return partial(_set_result, job.result, job.run())
        finally:
            close_connections(only_broken=True)
    except BaseException as error:
        return partial(_set_error, job.result, error)


def _tell(job: _Job, answer: Callable[[], Any]) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed: no one waits any more
        job.loop.call_soon_threadsafe(answer)


def _set_result(future: asyncio.Future[R], result: R) -> None:
    if not future.done():
        future.set_result(result)


def _set_error(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)


def close_connections(*, only_broken: bool = False) -> None:
    """Close or give back this thread's connections, or only those in which an error occurred."""
    for connection in connections.all(initialized_only=True):
        # A connection to SQLite belongs to this thread and is expensive to open: keep it until an error
        # occurs. A connection to PostgreSQL returns to the pool.
        if connection.errors_occurred or not (only_broken or connection.vendor == "sqlite"):
            connection.close_if_unusable_or_obsolete()
