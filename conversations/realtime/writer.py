"""Group commit: what many sockets send at the same time becomes one transaction.

A commit costs a disk's flush, however little is in it. While one runs, arriving sends queue; the next
takes all of them. One refused, broken or blocked message never costs the others theirs:

- expected refusals are answered one by one by actions.send_messages;
- a statement the database refuses: the batch is halved until the culprit is alone;
- a conversation somebody else holds locked: the others are stored without it, it goes back to the
  head of the queue, and is answered `busy` after BUSY_SECONDS;
- no database: everybody is answered `unavailable`. Whether a commit got through is then unknown,
  and sending again with the same key settles it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from chatty.common.errors import ChatError
from chatty.ops import metrics
from conversations import actions
from conversations.actions import Draft, Sent
from conversations.realtime.threads import DatabaseThreads

logger = logging.getLogger(__name__)

BATCH_MAX = 256
QUEUE_MAX = 4_096  # drafts; beyond that senders are told to wait
LOCK_SECONDS = 0.5  # how long a batch waits for a locked conversation before it goes without
BUSY_SECONDS = 3.0  # how long a draft waits for its conversation altogether
DRAIN_SECONDS = 10.0

Result = Sent | ChatError

for _outcome in ("stored", "busy", "unavailable"):
    metrics.SENDS.labels(_outcome)  # there from the start, to be watched


@dataclass(slots=True)
class _Waiting:
    draft: Draft
    answer: Callable[[Result], None]
    since: float = field(default_factory=time.monotonic)


class Writer:
    """The one way from sockets to the database. Belongs to one event loop."""

    def __init__(self) -> None:
        self._threads = DatabaseThreads(1, "chatty-writer")
        self._queue: deque[_Waiting] = deque()
        self._filled = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._open = True

    def offer(self, draft: Draft, answer: Callable[[Result], None]) -> None:
        """Queue a draft; `answer` is called in the event loop once its fate is known.

        Raises ChatError("busy") when the queue is full or the process is about to end.
        """
        if not self._open or len(self._queue) >= QUEUE_MAX:
            metrics.SENDS.labels("busy").inc()
            raise ChatError("busy", retry_after=1)
        self._queue.append(_Waiting(draft, answer))
        self._idle.clear()
        self._filled.set()

    @property
    def waiting(self) -> int:
        return len(self._queue)

    async def run(self) -> None:
        """Store batches for ever."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._queue:
                await self._store_next()
            self._idle.set()

    async def drain(self) -> None:
        """Take nothing more and wait until all that was taken is stored."""
        self._open = False
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                await self._idle.wait()
        except TimeoutError:
            logger.error("%s message(s) could not be stored before the end", len(self._queue))

    def close(self) -> None:
        self._threads.close()

    async def _store_next(self) -> None:
        batch = [self._queue.popleft() for _ in range(min(len(self._queue), BATCH_MAX))]
        results: Sequence[Result]
        began = time.monotonic()
        try:
            results = await self._threads.run(store, [waiting.draft for waiting in batch])
        except Exception:
            logger.exception("a batch of %s message(s) failed", len(batch))
            results = [ChatError("unavailable", retry_after=1)] * len(batch)
        now = time.monotonic()
        again: list[_Waiting] = []
        outcomes: defaultdict[str, int] = defaultdict(int)
        for waiting, result in zip(batch, results, strict=True):
            if _is_busy(result) and now - waiting.since < BUSY_SECONDS:
                again.append(waiting)
            else:
                _answer(waiting, result)
                outcomes[result.code if isinstance(result, ChatError) else "stored"] += 1
                metrics.SEND_SECONDS.observe(now - waiting.since)
        _count(len(batch), now - began, outcomes)
        if again:
            self._queue.extendleft(reversed(again))
            if len(again) == len(self._queue):
                await asyncio.sleep(0.05)  # nothing else to do than to wait for those locks


def store(drafts: Sequence[Draft]) -> list[Result]:
    """Store drafts together as far as the database allows; return what became of each, in order."""
    try:
        return actions.send_messages(drafts, lock_seconds=LOCK_SECONDS)
    except ChatError as chat_error:
        if chat_error.code != "busy":
            return [chat_error] * len(drafts)
    except Exception as error:
        return _store_halves(drafts, error)
    try:
        return actions.send_messages(drafts, skip_locked=True)
    except ChatError as chat_error:
        return [chat_error] * len(drafts)
    except Exception as error:
        return _store_halves(drafts, error)


def _store_halves(drafts: Sequence[Draft], error: Exception) -> list[Result]:
    if len(drafts) == 1:
        # Alone and still refused: ours to mend. The words are the sender's, the log gets none.
        logger.error("a message could not be stored (%s)", type(error).__name__)
        return [ChatError("server_error")]
    middle = len(drafts) // 2
    return [*store(drafts[:middle]), *store(drafts[middle:])]


def _is_busy(result: Result) -> bool:
    return isinstance(result, ChatError) and result.code == "busy"


def _count(messages: int, seconds: float, outcomes: Mapping[str, int]) -> None:
    metrics.BATCH_MESSAGES.observe(messages)
    metrics.COMMIT_SECONDS.observe(seconds)
    for outcome, times in outcomes.items():
        metrics.SENDS.labels(outcome).inc(times)


def _answer(waiting: _Waiting, result: Result) -> None:
    try:
        waiting.answer(result)
    except Exception:
        logger.exception("an answer could not be given")
