"""Runs jobs in the background of a process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time

from django.db import connection

from chatty.common.errors import DATABASE_ERRORS
from chatty.common.threads import RETRY_SECONDS, DatabaseThreads
from chatty.jobs import claims, queue, wakeups
from chatty.jobs.extending import extend_claims
from chatty.jobs.models import Job

logger = logging.getLogger(__name__)

CLAIMED_MAX = 10  # at a time: a claim costs a commit
EXTEND_SECONDS = claims.LEASE_SECONDS / 3
STOP_SECONDS = 5.0  # for the step that is running


class Jobs:
    """The background task of all jobs: `run` is restarted if it fails."""

    def __init__(self, threads: DatabaseThreads) -> None:
        self._threads = threads
        self._wakeup = wakeups.ThreadsafeEvent()
        self._claimed: list[Job] = []
        self._stopping = False
        self._ended = asyncio.Event()
        self._ended.set()
        wakeups.jobs.add(self._wakeup)

    async def run(self) -> None:
        self._ended.clear()
        try:
            await self._threads.run_until_done(queue.ensure_recurring)
            while not self._stopping:
                await self._wakeup.wait(await self._run_due())
        finally:
            self._ended.set()
        await asyncio.Event().wait()  # or it would be restarted

    async def _run_due(self) -> float:
        """Run what is due. Return how long to wait for more, in seconds."""
        while not self._stopping:
            self._claimed += await self._threads.run_until_done(queue.claim, CLAIMED_MAX)
            if not self._claimed:
                break
            await self._run_claimed()
        return await self._threads.run_until_done(claims.sweep_delay, queue.known())

    async def _run_claimed(self) -> None:
        while self._claimed and not self._stopping:
            started = time.monotonic()
            await self._run_step(self._claimed.pop(0))
            if connection.vendor == "sqlite":
                # Pause as long as the step took, so that jobs take at most half of the writer's time.
                await asyncio.sleep(time.monotonic() - started)

    async def _run_step(self, job: Job) -> None:
        extend = asyncio.create_task(
            extend_claims(
                self._threads,
                lambda: [job, *self._claimed],
                every=EXTEND_SECONDS,
                lease=claims.LEASE_SECONDS,
            )
        )
        try:
            await self._threads.run(queue.run, job)
        except DATABASE_ERRORS as error:
            # The claim runs out by itself, and the job is repeated.
            logger.warning("Jobs are waiting for the database: %s", type(error).__name__)
            await asyncio.sleep(RETRY_SECONDS)
        finally:
            extend.cancel()

    async def stop(self) -> None:
        """Finish the step that is running, and give the other claims back."""
        self._stopping = True
        wakeups.jobs.remove(self._wakeup)
        self._wakeup.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), STOP_SECONDS)
        claimed, self._claimed = self._claimed, []
        try:
            await self._threads.run(claims.give_all_back, claimed)
        except DATABASE_ERRORS:
            return  # they run out
