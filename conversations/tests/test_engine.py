"""Shutdown of the engine."""

from __future__ import annotations

import asyncio
import contextlib

from conversations.realtime.supervision import end_all


async def _deaf(times: int) -> None:
    """Swallow this many cancellations, as libraries on Python 3.11 sometimes do."""
    for _ in range(times):
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
    await asyncio.Event().wait()


async def test_end_all_cancels_again_if_a_cancellation_is_swallowed():
    tasks = [asyncio.create_task(_deaf(times)) for times in (0, 1, 2)]
    await asyncio.sleep(0)
    await asyncio.wait_for(end_all(tasks), 5)
    assert all(task.cancelled() for task in tasks)


async def test_end_all_accepts_an_empty_list():
    await end_all([])
