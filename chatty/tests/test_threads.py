"""Database work of sockets runs in threads, whose connections return to the pool."""

from __future__ import annotations

import asyncio
import threading

import pytest
from django.db import OperationalError, connection

from chatty.common import threads as threads_module
from chatty.common.threads import DatabaseThreads
from tests.installations import eventually


@pytest.fixture
def threads():
    made = DatabaseThreads(2, "test")
    yield made
    made.close()


async def test_results_and_exceptions_are_passed_on(threads: DatabaseThreads):
    assert await threads.run(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await threads.run(divmod, 7, 0)
    names = await asyncio.gather(*[threads.run(threading.current_thread) for _ in range(20)])
    assert {thread.name for thread in names} <= {"test_0", "test_1"}


async def test_job_is_repeated_until_the_database_can_be_reached(threads, monkeypatch, caplog):
    monkeypatch.setattr(threads_module, "RETRY_SECONDS", 0.0)
    errors = [OperationalError("down"), OperationalError("down")]

    def job() -> str:
        if errors:
            raise errors.pop()
        return "done"

    assert await threads.run_until_done(job) == "done"
    assert caplog.text.count("test is waiting for the database: OperationalError") == 1
    with pytest.raises(ZeroDivisionError):
        await threads.run_until_done(divmod, 7, 0)


async def test_cancelled_job_runs_to_its_end_or_not_at_all():
    threads = DatabaseThreads(1, "test")
    started, may_end, done = threading.Event(), threading.Event(), []

    def hold() -> None:
        started.set()
        may_end.wait(5)
        done.append("first")

    first = asyncio.create_task(threads.run(hold))
    queued = asyncio.create_task(threads.run(done.append, "queued"))
    await asyncio.to_thread(started.wait, 5)
    first.cancel()
    queued.cancel()
    await asyncio.wait([first, queued])
    may_end.set()
    await threads.run(done.append, "last")
    assert done == ["first", "last"]
    threads.close()


async def test_close_waits_for_running_jobs_and_cancels_queued_ones():
    threads = DatabaseThreads(1, "test")
    started, may_end, done = threading.Event(), threading.Event(), []

    def work() -> None:
        started.set()
        may_end.wait(5)
        done.append("running")

    running = asyncio.create_task(threads.run(work))
    queued = asyncio.create_task(threads.run(done.append, "queued"))
    await asyncio.to_thread(started.wait, 5)
    closing = asyncio.create_task(asyncio.to_thread(threads.close))
    await asyncio.wait([queued])
    assert not closing.done()
    may_end.set()
    await closing
    await running
    with pytest.raises(asyncio.CancelledError):
        await queued
    assert done == ["running"]
    with pytest.raises(RuntimeError):
        await threads.run(done.append, "late")


async def test_thread_survives_a_connection_that_cannot_be_closed(monkeypatch):
    def fail(**_: bool) -> None:
        raise OSError("broken pipe")

    monkeypatch.setattr(threads_module, "KEEP_SECONDS", 0.01)
    threads = DatabaseThreads(1, "test")
    thread = await threads.run(threading.current_thread)
    monkeypatch.setattr(threads_module, "close_connections", fail)
    with pytest.raises(OSError, match="broken pipe"):
        await threads.run(divmod, 7, 2)
    await asyncio.sleep(0.05)  # it closes connections while it is idle
    monkeypatch.undo()
    assert await threads.run(threading.current_thread) is thread
    threads.close()


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
async def test_connection_is_kept_for_the_next_job_and_then_returned(monkeypatch):
    monkeypatch.setattr(threads_module, "KEEP_SECONDS", 0.5)
    threads = DatabaseThreads(1, "test")

    def session() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            return int(cursor.fetchone()[0])

    def idle() -> int:
        pool = connection.pool
        return int(pool.get_stats()["pool_available"])

    first = await threads.run(session)
    taken = idle()
    assert await threads.run(session) == first
    await asyncio.to_thread(eventually, lambda: idle() == taken + 1)
    threads.close()
