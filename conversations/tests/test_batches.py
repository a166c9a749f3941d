"""Small database jobs of many callers share a thread, but not their errors."""

from __future__ import annotations

import asyncio
import threading

import pytest
from django.db import DatabaseError, connection

from chatty.common.errors import ChatError
from conversations.realtime.batches import AT_ONCE, BATCH_MAX, Batches
from conversations.realtime.threads import DatabaseThreads
from conversations.tests.tools import do, until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def threads():
    opened = DatabaseThreads(4, "test-batches")
    yield opened
    await do(opened.close)()


async def test_jobs_that_arrive_while_others_run_share_a_thread(threads):
    batches, gate = Batches(threads), threading.Event()
    ran: list[int] = []

    def job(number: int) -> int:
        gate.wait(10)
        ran.append(threading.get_ident())
        return number

    jobs = [asyncio.create_task(batches.run(job, n)) for n in range(AT_ONCE + BATCH_MAX)]
    await asyncio.sleep(0)
    gate.set()
    assert await asyncio.gather(*jobs) == list(range(AT_ONCE + BATCH_MAX))
    assert len(ran) == AT_ONCE + BATCH_MAX
    assert len(set(ran)) <= AT_ONCE + 1


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
