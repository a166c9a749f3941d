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
from chatty.common.threads import RETRY_SECONDS, DatabaseThreads
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

# After the first commit, wait for others: a batch costs nearly the same for one message as for fifty. Longer
# after a batch during which there were commits.
GATHER_SECONDS = 0.2
GATHER_SECONDS_BUSY = 0.5
# The share of the time that the batches of a reader take: catching up must not slow down everything else.
SHARE = 0.5
# The same while others commit: a burst of messages is stored first, and read afterwards. If it goes on for
# longer, the share grows in proportion to the lag, and is SHARE at LAG_SECONDS_MAX. On SQLite sooner, because
# its short batches hold fewer changes.
SHARE_BUSY = 0.1
LAG_SECONDS_MAX = {"sqlite": 4.0, "postgresql": 10.0}
BUSY_SECONDS = 0.1  # how long after a commit more are expected
# The longest pause for the sake of the share: a batch of seconds would otherwise keep what comes next waiting
# for nine times as long.
PAUSE_SECONDS_MAX = 1.0
SWEEP_SECONDS = 5.0  # between two sweeps of all conversations
# A sweep may take this share of the time of one processor, however many conversations there are.
SWEEP_SHARE = 0.02
# How long a short batch may take. The number of changes is adjusted to this. All batches are short on SQLite,
# because it has one writer, otherwise those while others commit.
TURN_SECONDS = {"sqlite": 0.005, "postgresql": 0.02}
CHANGES_FIRST = {"sqlite": 25, "postgresql": 200}  # before anything was measured
# With fewer, most of the time is not for changes: on a busy machine, no number keeps a batch within its turn.
CHANGES_LEAST = {"sqlite": 10, "postgresql": 100}

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
        # Subjects with changes -> since when this process knows.
        self._waiting: dict[Subject, float] = {}
        self._running: dict[Subject, float] = {}  # taken from those for the present batch
        # Those that have failed, since they were first taken: they are behind until they are handled. They
        # are in no hurry, though: see _share().
        self._delayed: dict[Subject, float] = {}
        self._active = False
        self.set_aside = 0  # changes, as of the last sweep
        self._pairs: set[tuple[int, int]] = set()  # memberships whose ids are to be looked up
        self._filled = asyncio.Event()
        self._woken_at = 0.0  # by a commit, the last time
        self._most = CHANGES_FIRST[connection.vendor]  # changes in a short batch
        sources = [str(Cursor.Source.CONVERSATION)]
        if reader.memberships:
            sources.append(str(Cursor.Source.MEMBERSHIP))
        self._sources = sources

    def wake(self, ids: Iterable[int], pairs: Iterable[tuple[int, int]]) -> None:
        """`ids`: of conversations; `pairs`: (conversation id, user id) of memberships."""
        self._woken_at = time.monotonic()
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
        return len({*self._waiting, *self._running, *self._delayed})

    def lag(self) -> float:
        """Return how long the first of them has been waiting, in seconds."""
        return _time_since(self._waiting, self._running, self._delayed)

    async def run(self) -> None:
        await self._threads.run_until_done(batches.start, self._reader)
        await self._look_whether_active()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._work())
            group.create_task(self._sweep())

    async def _work(self) -> None:
        while True:
            # Set already if there were commits during the last round.
            busy = self._filled.is_set()
            await self._filled.wait()
            await asyncio.sleep(GATHER_SECONDS_BUSY if busy else GATHER_SECONDS)
            # Cleared before the work: what comes during it is gathered for the next round.
            self._filled.clear()
            if self._pairs:
                pairs, self._pairs = self._pairs, set()
                ids = await self._threads.run_until_done(sweeps.membership_ids, pairs)
                self._add(str(Cursor.Source.MEMBERSHIP), ids)
            until = time.monotonic()
            while self._active and (source := self._take(until)):
                started = time.monotonic()
                try:
                    await self._run_batch(source)
                finally:
                    self._put_back(self._running)  # empty, unless the batch was interrupted
                    self._running.clear()
                await asyncio.sleep(self._pause(time.monotonic() - started))
            if self._active and self._waiting:
                self._filled.set()

    @property
    def _others_commit(self) -> bool:
        return time.monotonic() - self._woken_at < BUSY_SECONDS

    def _pause(self, seconds: float) -> float:
        """Return how long to pause after a batch that took `seconds`."""
        return min(seconds / self._share() - seconds, max(seconds, PAUSE_SECONDS_MAX))

    def _share(self) -> float:
        """Return the share of the time that batches may take now."""
        if not self._others_commit:
            return SHARE
        longest = LAG_SECONDS_MAX[connection.vendor]
        lag = _time_since(self._waiting, self._running)
        return min(max(SHARE_BUSY, SHARE * lag / longest), SHARE)

    def _take(self, until: float) -> str | None:
        """Take the subjects of the next batch: of one source, and waiting since `until` or longer. Return
        their source, None if there are none."""
        due = [subject for subject, since in self._waiting.items() if since <= until]
        if not due:
            return None
        source = due[0][0]
        same = (subject for subject in due if subject[0] == source)
        for subject in itertools.islice(same, batches.SUBJECTS_MAX):
            self._running[subject] = self._waiting.pop(subject)
        return source

    async def _run_batch(self, source: str) -> None:
        ids = [pk for _source, pk in self._running]
        is_short = connection.vendor == "sqlite" or self._others_commit
        most = self._most if is_short else batches.CHANGES_MAX
        started = time.monotonic()
        try:
            outcome = await self._threads.run(
                batches.run_batch, self._reader, source, ids, most=most
            )
        except DATABASE_ERRORS as error:
            logger.warning("Reader %s waits: %s", self.name, type(error).__name__)
            await asyncio.sleep(RETRY_SECONDS)
            return
        metrics.READER_CHANGES.labels(self.name).inc(outcome.changes)
        taken = self._running.copy()
        self._running.clear()
        for subject, since in taken.items():
            if subject[1] in outcome.delayed:
                self._delayed.setdefault(subject, since)
            else:
                self._delayed.pop(subject, None)
        self._put_back({(source, pk): taken[source, pk] for pk in outcome.more})
        self._add(source, outcome.busy)  # as if they had come now: in the next round
        if is_short and outcome.changes:
            self._adjust(time.monotonic() - started)

    def _put_back(self, subjects: dict[Subject, float]) -> None:
        for subject, since in subjects.items():
            self._waiting[subject] = min(since, self._waiting.get(subject, since))

    def _adjust(self, seconds: float) -> None:
        turn = TURN_SECONDS[connection.vendor]
        if seconds > turn:
            self._most = max(self._most // 2, CHANGES_LEAST[connection.vendor])
        elif seconds < turn / 2:
            self._most = min(self._most + self._most // 4 + 1, batches.CHANGES_MAX)

    async def _sweep(self) -> None:
        while True:
            await self._look_whether_active()
            for source in self._sources if self._active else ():
                after: int | None = 0
                behind: set[Subject] = set()
                while after is not None:
                    started = time.monotonic()
                    found = await self._threads.run_until_done(
                        sweeps.find_behind, self._reader, source, after
                    )
                    seconds = time.monotonic() - started
                    self._add(source, found.ids)
                    behind |= {(source, pk) for pk in found.ids}
                    after = found.end
                    if after is not None:
                        await asyncio.sleep(seconds / SWEEP_SHARE)
                self._forget_handled(source, behind)
            await asyncio.sleep(self._sweep_seconds)

    def _forget_handled(self, source: str, behind: set[Subject]) -> None:
        """Forget that subjects are delayed that another process has handled. `behind`: those of the source
        that a sweep has found."""
        for subject in [each for each in self._delayed if each[0] == source]:
            if subject not in behind:
                del self._delayed[subject]

    async def _look_whether_active(self) -> None:
        self._active = self._reader in await self._threads.run_until_done(deletions.active_readers)
        self.set_aside = await self._threads.run_until_done(batches.count_set_aside, self._reader)
        if self._active and self._waiting:
            self._filled.set()


def _time_since(*subjects: dict[Subject, float]) -> float:
    """Return for how long the first of them has been behind, in seconds."""
    since = min((at for each in subjects for at in each.values()), default=None)
    return 0.0 if since is None else time.monotonic() - since
