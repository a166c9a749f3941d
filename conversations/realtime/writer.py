"""Group commit: messages from many sockets are stored in one transaction.

Each commit costs a disk flush, regardless of its size. Messages that arrive during a commit are queued,
and the next transaction stores all of them. One bad message must not affect the others:

- Expected rejections: actions.send_messages() returns an error for each rejected message.
- A statement fails: the batch is split in halves until the message that causes it is alone.
- A conversation is locked by another transaction: the rest of the batch is stored. The messages for that
  conversation return to the head of the queue, and fail with `busy` after BUSY_SECONDS.
- The database is down: all messages fail with `unavailable`. Some may have been committed; clients find
  out by sending them again with the same key.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from chatty.common.errors import ChatError
from chatty.common.threads import DatabaseThreads
from chatty.ops import metrics
from conversations import actions
from conversations.actions import Draft, Sent

logger = logging.getLogger(__name__)

BATCH_MAX = 256
QUEUE_MAX = 4_096  # drafts; when full, senders get `busy`
LOCK_SECONDS = 0.5  # how long a batch waits for locks before it skips locked conversations
BUSY_SECONDS = 3.0  # how long a draft waits for its conversation in total
DRAIN_SECONDS = 10.0

Result = Sent | ChatError

for _outcome in ("stored", "busy", "unavailable"):
    metrics.SENDS.labels(_outcome)  # export them from the start, for alerts


@dataclass(slots=True)
class _Waiting:
    draft: Draft
    answer: Callable[[Result], None]
    since: float = field(default_factory=time.monotonic)


class Writer:
    """Stores messages from sockets. Belongs to one event loop.

    Only one batch is stored at a time, which keeps the messages in a conversation in order.
    """

    def __init__(self) -> None:
        self._threads = DatabaseThreads(1, "chatty-writer")
        self._queue: deque[_Waiting] = deque()
        self._filled = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._open = True

    def offer(self, draft: Draft, answer: Callable[[Result], None]) -> None:
        """Queue a draft. `answer` is called in the event loop with the result.

        Raises ChatError("busy") if the queue is full or the process is shutting down.
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
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._queue:
                await self._store_next()
            self._idle.set()

    async def drain(self) -> None:
        """Accept no more drafts, and wait until the queued ones are stored."""
        self._open = False
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                await self._idle.wait()
        except TimeoutError:
            logger.error("%s message(s) could not be stored before shutdown", len(self._queue))

    def close(self) -> None:
        self._threads.close()

    async def _store_next(self) -> None:
        batch = [self._queue.popleft() for _ in range(min(len(self._queue), BATCH_MAX))]
        results: Sequence[Result]
        began = time.monotonic()
        try:
            results = await self._threads.run(store, [waiting.draft for waiting in batch])
        except Exception:
            logger.exception("A batch of %s message(s) failed", len(batch))
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
                await asyncio.sleep(0.05)  # only locked conversations are left: don't spin


def store(drafts: Sequence[Draft]) -> list[Result]:
    """Store drafts and return the result of each, in order. Never raises.

    Tries them all together first, then without locked conversations, then in halves.
    """
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
        # It fails even alone, so this is a bug. Log the type only: the error can contain the message.
        logger.error("A message could not be stored (%s)", type(error).__name__)
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
        logger.exception("A response could not be sent")
