"""Tasks that run as long as the process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping

logger = logging.getLogger(__name__)

RESTART_SECONDS = 0.5  # before a failed task is restarted


def start_all(parts: Mapping[str, Callable[[], Awaitable[None]]]) -> list[asyncio.Task[None]]:
    return [asyncio.create_task(supervise(name, run)) for name, run in parts.items()]


async def supervise(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run a task, and restart it whenever it ends or fails."""
    while True:
        try:
            await run()
        except TimeoutError:
            logger.warning("%s timed out. Restarting it", name)
        except Exception:
            logger.exception("%s failed. Restarting it", name)
        await asyncio.sleep(RESTART_SECONDS)


async def end_all(tasks: Collection[asyncio.Task[None]]) -> None:
    """Cancel tasks until they are done.

    Once is not enough. wait_for() in Python 3.11, which the Redis client uses, swallows a cancellation
    that coincides with its result, and the server would never exit.
    """
    waiting = set(tasks)
    while waiting:
        for task in waiting:
            task.cancel()
        _done, waiting = await asyncio.wait(waiting, timeout=0.5)
