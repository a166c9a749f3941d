"""The engine runs the registered purges."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.db import OperationalError
from django.utils import timezone

from chatty.common import upkeep
from chatty.common.threads import DatabaseThreads
from conversations.realtime import engine
from conversations.realtime import upkeep as module
from conversations.realtime.upkeep import Upkeep


@pytest.fixture
def threads():
    threads = DatabaseThreads(1, "test-upkeep")
    yield threads
    threads.close()


@pytest.fixture
def purges(monkeypatch):
    found = {}
    monkeypatch.setattr(upkeep, "_purges", found)
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0)
    return found


async def test_all_registered_purges_run_to_completion(threads, purges, caplog):
    steps = []

    def purge(name, numbers):
        def run():
            for number in numbers:
                steps.append(name)
                yield number

        return run

    upkeep.register("teas", purge("tea", [100, 100, 7]))
    upkeep.register("cups", purge("cup", []))
    upkeep.register("spoons", purge("spoon", [1]))
    with caplog.at_level("INFO"):
        await Upkeep(threads).purge()
    assert steps == ["tea"] * 3 + ["spoon"]
    assert caplog.messages == [
        "Removed 207 expired teas",
        "Removed 1 expired spoons",
    ]


@pytest.mark.parametrize("error", [ValueError, OperationalError])
async def test_failing_purge_does_not_stop_the_others(threads, purges, caplog, error):
    def fail():
        raise error
        yield 0

    upkeep.register("broken", fail)
    upkeep.register("teas", lambda: iter([1]))
    with caplog.at_level("INFO"):
        await Upkeep(threads).purge()
    assert caplog.messages[0].startswith("Expired broken could not be removed")
    assert caplog.messages[1:] == ["Removed 1 expired teas"]


async def test_purges_are_repeated(threads, purges, monkeypatch):
    monkeypatch.setattr(module, "EVERY_SECONDS", 0.01)
    times, enough = [], asyncio.Event()

    def purge():
        times.append(1)
        if len(times) == 3:
            loop.call_soon_threadsafe(enough.set)
        return iter([])

    loop = asyncio.get_running_loop()
    upkeep.register("teas", purge)
    task = asyncio.create_task(Upkeep(threads).run())
    await asyncio.wait_for(enough.wait(), 10)
    task.cancel()


@pytest.mark.django_db(transaction=True)
async def test_engine_start_purges_expired_sessions(threads):
    def prepare():
        past = timezone.now() - timedelta(days=1)
        Session.objects.create(session_key="old", session_data="", expire_date=past)

    await threads.run(prepare)
    await engine.start()
    try:
        async with asyncio.timeout(10):
            while await threads.run(Session.objects.count):  # noqa: ASYNC110  # in the database
                await asyncio.sleep(0.02)
    finally:
        await engine.stop()
