"""Calls the readers in the background: after commits in this process, and by sweeps that find the rest."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from django.db import connection

from chatty.common.errors import DATABASE_ERRORS
from chatty.common.threads import DatabaseThreads
from chatty.ops import metrics
from conversations.changefeed import batches, deletions, readers, sweeps
from conversations.changefeed.models import Cursor
from conversations.changefeed.readers import Reader
from conversations.events import (
    ConversationChanged,
    ConversationDeleted,
    Event,
    MembershipChanged,
    ReadMarkMoved,
)

logger = logging.getLogger(__name__)

# After the first commit, wait for others: a batch costs nearly the same for one message as for fifty.
GATHER_SECONDS = 0.2
SWEEP_SECONDS = 5.0  # between two sweeps of all conversations
# A sweep may take this share of the time of one processor, however many conversations there are.
SWEEP_SHARE = 0.02
# SQLite has one writer, so a batch must be short: the number of changes is adjusted to this.
TURN_SECONDS = 0.005
CHANGES_FIRST = 25  # on SQLite, before anything was measured
RETRY_SECONDS = 1.0  # after the database couldn't be reached

Subject = tuple[str, int]  # source, id


class Readers:
    """The background task of all readers. `sweep_seconds`: see SWEEP_SECONDS."""

    def __init__(self, threads: DatabaseThreads, *, sweep_seconds: float = SWEEP_SECONDS) -> None:
        self._threads = threads
        self._loop = asyncio.get_running_loop()
        self._tasks = [_ReaderTask(each, threads, sweep_seconds) for each in readers.registered()]

    def offer(self, events: tuple[Event, ...]) -> None:
        """Receive events, from any thread (publisher.Subscriber)."""
        if not self._tasks:
            return
        ids = {
            event.conversation
            for event in events
            if isinstance(event, ConversationChanged | ConversationDeleted)
        }
        pairs = {
            (event.conversation, event.user)
            for event in events
            if isinstance(event, MembershipChanged | ReadMarkMoved)
        }
        if ids or pairs:
            self._loop.call_soon_threadsafe(self._wake, ids, pairs)

    def _wake(self, ids: set[int], pairs: set[tuple[int, int]]) -> None:
        for each in self._tasks:
            each.wake(ids, pairs)

    @property
    def parts(self) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """Return the tasks to supervise, by name."""
        return {f"reader {task.name}": task.run for task in self._tasks}

    def collect_metrics(self) -> None:
        for task in self._tasks:
            metrics.READER_BEHIND.labels(task.name).set(task.behind)
            metrics.READER_LAG.labels(task.name).set(task.lag())
            metrics.READER_SET_ASIDE.labels(task.name).set(task.set_aside)


class _ReaderTask:
    """One reader in one process. Readers don't wait for each other."""

    def __init__(self, reader: Reader, threads: DatabaseThreads, sweep_seconds: float) -> None:
        self.name = reader.name
        self._reader = reader
        self._threads = threads
        self._sweep_seconds = sweep_seconds
        # Subjects with changes -> since when this process knows. Ordered: the longest waiting first.
        self._waiting: dict[Subject, float] = {}
        self._active = False
        self.set_aside = 0  # changes, as of the last sweep
        self._pairs: set[tuple[int, int]] = set()  # memberships whose ids are to be looked up
        self._filled = asyncio.Event()
        self._most = CHANGES_FIRST if connection.vendor == "sqlite" else batches.CHANGES_MAX
        sources = [str(Cursor.Source.CONVERSATION)]
        if reader.memberships:
            sources.append(str(Cursor.Source.MEMBERSHIP))
        self._sources = sources

    def wake(self, ids: Iterable[int], pairs: Iterable[tuple[int, int]]) -> None:
        """`ids`: of conversations; `pairs`: (conversation id, user id) of memberships."""
        if self._reader.memberships:
            self._pairs.update(pairs)
        self._add(str(Cursor.Source.CONVERSATION), ids)

    def _add(self, source: str, ids: Iterable[int]) -> None:
        now = time.monotonic()
        for pk in ids:
            self._waiting.setdefault((source, pk), now)
        if self._waiting or self._pairs:
            self._filled.set()

    @property
    def behind(self) -> int:
        """Return how many conversations and memberships wait, as far as this process knows."""
        return len(self._waiting)

    def lag(self) -> float:
        """Return how long the first of them has been waiting, in seconds."""
        since = next(iter(self._waiting.values()), None)
        return 0.0 if since is None else time.monotonic() - since

    async def run(self) -> None:
        await self._retry(batches.start, self._reader)
        await self._look_whether_active()
        work = asyncio.create_task(self._work())
        try:
            await self._sweep()
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    async def _work(self) -> None:
        while True:
            await self._filled.wait()
            await asyncio.sleep(GATHER_SECONDS)
            # Cleared before the work: what comes during it is gathered for the next round.
            self._filled.clear()
            if self._pairs:
                pairs, self._pairs = self._pairs, set()
                ids = await self._retry(sweeps.membership_ids, pairs)
                self._add(str(Cursor.Source.MEMBERSHIP), ids)
            until = time.monotonic()
            while self._active and (subjects := self._take(until)):
                started = time.monotonic()
                await self._run_batch(*subjects)
                # Pause as long as it took, so that catching up takes at most half of the time.
                await asyncio.sleep(time.monotonic() - started)
            if self._active and self._waiting:
                self._filled.set()

    def _take(self, until: float) -> tuple[str, dict[int, float]] | None:
        """Remove subjects of one source that have been waiting since `until` or longer. Return (source,
        id -> since when)."""
        found = [(key, since) for key, since in self._waiting.items() if since <= until]
        if not found:
            return None
        source = found[0][0][0]
        taken = {pk: since for (of, pk), since in found if of == source}
        taken = dict(itertools.islice(taken.items(), batches.SUBJECTS_MAX))
        for pk in taken:
            del self._waiting[source, pk]
        return source, taken

    async def _run_batch(self, source: str, taken: dict[int, float]) -> None:
        started = time.monotonic()
        try:
            outcome = await self._threads.run(
                batches.run_batch, self._reader, source, taken, most=self._most
            )
        except DATABASE_ERRORS as error:
            logger.warning("Reader %s waits: %s", self.name, type(error).__name__)
            self._put_back(source, taken)
            await asyncio.sleep(RETRY_SECONDS)
            return
        metrics.READER_CHANGES.labels(self.name).inc(outcome.changes)
        self._put_back(source, {pk: taken[pk] for pk in outcome.more})
        if connection.vendor == "sqlite" and outcome.changes:
            self._adjust(time.monotonic() - started)

    def _put_back(self, source: str, subjects: dict[int, float]) -> None:
        for pk, since in subjects.items():
            earlier = self._waiting.get((source, pk), since)
            self._waiting[source, pk] = min(since, earlier)

    def _adjust(self, seconds: float) -> None:
        if seconds > TURN_SECONDS:
            self._most = max(self._most // 2, 1)
        elif seconds < TURN_SECONDS / 2:
            self._most = min(self._most + self._most // 4 + 1, batches.CHANGES_MAX)

    async def _sweep(self) -> None:
        while True:
            await self._look_whether_active()
            for source in self._sources if self._active else ():
                after: int | None = 0
                while after is not None:
                    started = time.monotonic()
                    found = await self._retry(sweeps.find_behind, self._reader, source, after)
                    seconds = time.monotonic() - started
                    self._add(source, found.ids)
                    after = found.end
                    if after is not None:
                        await asyncio.sleep(seconds / SWEEP_SHARE)
            await asyncio.sleep(self._sweep_seconds)

    async def _look_whether_active(self) -> None:
        self._active = self._reader in await self._retry(deletions.active_readers)
        self.set_aside = await self._retry(batches.count_set_aside, self._reader)
        if self._active and self._waiting:
            self._filled.set()

    async def _retry(self, function: Callable[..., Any], *args: Any) -> Any:
        """Run it in a thread, until the database can be reached."""
        while True:
            try:
                return await self._threads.run(function, *args)
            except DATABASE_ERRORS:
                await asyncio.sleep(RETRY_SECONDS)
