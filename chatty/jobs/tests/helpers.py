"""Jobs and deliveries in tests, with and without a worker."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from types import ModuleType

import pytest
from django.utils import timezone

from chatty.common.threads import DatabaseThreads
from chatty.jobs import deliveries, queue


def run_jobs() -> int:
    """Run a step of each job that is due, and return how many."""
    jobs = queue.claim(100)
    for job in jobs:
        queue.run(job)
    return len(jobs)


def purge(name: str) -> None:
    """Remove everything of this name that has expired (chatty/jobs/upkeep.py)."""
    queue.ensure(f"purge_{name}")
    while run_jobs():
        pass


def send_waiting() -> int:
    """Send the deliveries that are due, in this thread, and return how many there were."""
    found = deliveries.claim(100, {}, 100, [], "")
    started_at = timezone.now()
    for claimed in found:
        kind = deliveries.kind_of(claimed.delivery)
        try:
            prepared = kind.prepare(claimed.delivery)
            if prepared is not None:
                kind.send(prepared)
        except Exception as error:
            deliveries.fail(claimed, error, started_at)
        else:
            deliveries.finish(claimed, sent=prepared is not None)
    return len(found)


async def eventually(threads: DatabaseThreads, condition: Callable[[], object]) -> None:
    """Wait until a condition is met. It may read the database."""
    async with asyncio.timeout(15):
        while not await threads.run(condition):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def watch_idle(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType
) -> Callable[[], Awaitable[bool]]:
    """Return a coroutine function that waits until a worker has found nothing to do. `module`: the one
    with the sweep_delay() of the worker."""
    idle = threading.Event()
    sweep_delay = module.sweep_delay

    def watched(*args: object) -> float:
        seconds: float = sweep_delay(*args)
        idle.set()
        return seconds

    monkeypatch.setattr(module, "sweep_delay", watched)
    return lambda: asyncio.to_thread(idle.wait, 10)
