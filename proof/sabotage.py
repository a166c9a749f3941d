"""Deliberate bugs for servers. The proof is only worth something if it finds each of them.

Only proof/server.py applies them, and no setting enables them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

_DAWDLE_SECONDS = 0.25


def ack_before_commit() -> None:
    """Send `sent` when the rows are written, and commit a moment later."""
    import asyncio

    from django.db import transaction

    from conversations.realtime import writer

    async def store_next(self: Any) -> None:
        batch = [self._queue.popleft() for _ in range(min(len(self._queue), writer.BATCH_MAX))]

        def work() -> None:
            with transaction.atomic():
                results = writer.store([waiting.draft for waiting in batch])
                for waiting, result in zip(batch, results, strict=True):
                    loop.call_soon_threadsafe(waiting.answer, result)
                time.sleep(_DAWDLE_SECONDS)

        loop = asyncio.get_running_loop()
        await self._threads.run(work)

    writer.Writer._store_next = store_next  # type: ignore[method-assign]


def no_repair() -> None:
    """Never read events that the channel layer lost from the database."""
    from conversations.realtime.repairs import Repairs

    Repairs._start_repair = lambda self, room: None  # type: ignore[method-assign]


def leak_after_removal() -> None:
    """Keep sending events of a conversation to people who were removed from it."""
    from conversations.realtime import rooms, standing

    known: dict[int, dict[int, int]] = {}
    read = standing.read_standing

    def read_standing(user_ids: list[int], sids: Any) -> standing.Standing:
        found = read(user_ids, sids)
        for user_id in user_ids:
            ever = known.setdefault(user_id, {})
            ever.update(found.versions[user_id])
            found.versions[user_id] = dict(ever)
        return found

    rooms.Rooms._remove_from_room = lambda self, user_id, room: None  # type: ignore[method-assign]
    standing.read_standing = read_standing


def stale_quotes() -> None:
    """Keep showing the original excerpt of a message that was edited or deleted."""
    from conversations.wire import messages

    first: dict[int, str] = {}
    excerpt = messages.excerpt

    def first_excerpt(message: Any) -> str:
        return first.setdefault(message.pk, excerpt(message))

    messages.excerpt = first_excerpt


def forget_cursor() -> None:
    """Let readers continue at the present after a restart, instead of where they were."""
    from django.db import connection, transaction

    from conversations.changefeed import batches

    start = batches.start

    def start_now(reader: Any) -> None:
        start(reader)
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "UPDATE changefeed_cursor SET version = (SELECT version FROM conversations_conversation c "
                "WHERE c.id = subject_id), seq = (SELECT last_seq FROM conversations_conversation c "
                "WHERE c.id = subject_id) WHERE source = 'conversation'"
            )

    batches.start = start_now


def lose_wake_up() -> None:
    """Never wake readers after a commit: only their sweeps find what has changed."""
    from conversations.changefeed.runner import Readers

    Readers.offer = lambda self, events: None  # type: ignore[method-assign]


BY_NAME: dict[str, Callable[[], None]] = {
    "ack-before-commit": ack_before_commit,
    "no-repair": no_repair,
    "leak-after-removal": leak_after_removal,
    "stale-quotes": stale_quotes,
    "forget-cursor": forget_cursor,
    "lose-wake-up": lose_wake_up,
}
SABOTAGES = tuple(BY_NAME)
HARMLESS = ("lose-wake-up",)  # the proof must pass nevertheless
