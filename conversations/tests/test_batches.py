"""Small database jobs of many callers share a thread, but not their errors."""

from __future__ import annotations

import asyncio
import threading

import pytest
from django.db import DatabaseError, connection

from chatty.common.errors import ChatError
from chatty.common.threads import DatabaseThreads
from conversations.realtime.batches import AT_ONCE, BATCH_MAX, Batches
from conversations.tests.tools import do, until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def threads():
    opened = DatabaseThreads(4, "test-batches")
    yield opened
    await do(opened.close)()


async def fill(batches: Batches, gate: threading.Event) -> list[asyncio.Task]:
    """Start as many batches as run at once. They end when the gate opens."""
    held = []
    for _ in range(AT_ONCE):
        held.append(asyncio.create_task(batches.run(gate.wait, 10)))
        await until(lambda: len(batches._running) == len(held) and not batches._waiting)
    return held


async def test_jobs_that_arrive_while_others_run_share_a_thread(threads):
    batches, gate = Batches(threads), threading.Event()
    held = await fill(batches, gate)
    jobs = [asyncio.create_task(batches.run(threading.get_ident)) for _ in range(BATCH_MAX)]
    await until(lambda: len(batches._waiting) == BATCH_MAX)
    gate.set()
    assert len(set(await asyncio.gather(*jobs))) == 1
    assert all(await asyncio.gather(*held))


async def test_jobs_of_cancelled_callers_do_not_run(threads):
    batches, gate = Batches(threads), threading.Event()
    held = await fill(batches, gate)
    ran: list[str] = []
    jobs = [asyncio.create_task(batches.run(ran.append, name)) for name in ("gone", "here")]
    await asyncio.sleep(0)
    jobs[0].cancel()
    gate.set()
    await asyncio.gather(*held, *jobs, return_exceptions=True)
    assert ran == ["here"]


async def test_closed_threads_cancel_all_callers():
    opened = DatabaseThreads(1, "test-batches")
    batches = Batches(opened)
    await do(opened.close)()
    jobs = [asyncio.create_task(batches.run(int)) for _ in range(AT_ONCE * BATCH_MAX + 3)]
    await asyncio.wait(jobs, timeout=5)
    assert all(job.cancelled() for job in jobs)


async def test_slow_job_does_not_delay_later_batches(threads):
    batches, gate = Batches(threads), threading.Event()
    slow = asyncio.create_task(batches.run(gate.wait, 10))
    await until(lambda: batches._running and not batches._waiting)
    assert await batches.run(lambda: "fast") == "fast"
    gate.set()
    assert await slow


async def test_each_caller_gets_its_own_error(threads):
    batches, gate = Batches(threads), threading.Event()

    def fail():
        raise ChatError("unauthenticated")

    def break_connection():
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM no_such_table")

    def read():
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            return cursor.fetchone()

    waiting = [asyncio.create_task(batches.run(gate.wait, 10)) for _ in range(AT_ONCE)]
    jobs = [asyncio.create_task(batches.run(job)) for job in (read, fail, break_connection, read)]
    await asyncio.sleep(0)
    gate.set()
    first, refused, broken, last = await asyncio.gather(*jobs, return_exceptions=True)
    assert (first, last) == ((1,), (1,))
    assert isinstance(refused, ChatError)
    assert isinstance(broken, DatabaseError)
    await asyncio.gather(*waiting)


async def test_cancelled_caller_does_not_stop_the_others(threads):
    batches, gate = Batches(threads), threading.Event()
    waiting = [asyncio.create_task(batches.run(gate.wait, 10)) for _ in range(AT_ONCE)]
    gone, stays = (asyncio.create_task(batches.run(lambda: "answer")) for _ in range(2))
    await asyncio.sleep(0)
    gone.cancel()
    gate.set()
    assert await stays == "answer"
    await until(lambda: not batches._running)
    await asyncio.gather(*waiting)
