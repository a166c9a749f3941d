"""Servers with a deliberate bug. The proof is only worth something if it finds each of them.

    python -m proof.sabotage NAME manage.py serve ...

Nothing else imports this module, and no setting enables it.
"""

from __future__ import annotations

import sys
import time
from typing import Any

SABOTAGES = ("ack-before-commit", "no-repair", "leak-after-removal", "stale-quotes")
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
    messages.excerpt = lambda message: first.setdefault(message.pk, excerpt(message))


def main() -> None:
    name, *arguments = sys.argv[1:]
    import django

    django.setup()
    sabotage = {
        "ack-before-commit": ack_before_commit,
        "no-repair": no_repair,
        "leak-after-removal": leak_after_removal,
        "stale-quotes": stale_quotes,
    }[name]
    sabotage()
    if arguments[0] == "manage.py":
        from django.core.management import execute_from_command_line

        execute_from_command_line(arguments)
    else:
        from daphne.cli import CommandLineInterface

        CommandLineInterface().run(arguments[2:])  # after: -m daphne


if __name__ == "__main__":
    main()
