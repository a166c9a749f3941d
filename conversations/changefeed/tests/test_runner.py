"""Readers are woken by commits, and find without being woken what they have missed."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import asynccontextmanager

import pytest
from django.db import OperationalError, connection

from chatty.common.threads import DatabaseThreads
from chatty.jobs import claims
from chatty.ops import metrics
from conversations import actions, publisher
from conversations.changefeed import batches, runner
from conversations.changefeed.models import Cursor, ReaderState, SetAsideChange
from conversations.changefeed.runner import Readers
from conversations.realtime.supervision import end_all, supervise
from conversations.tests.helpers import log_of, say

pytestmark = pytest.mark.django_db(transaction=True)

CONVERSATION = str(Cursor.Source.CONVERSATION)


@pytest.fixture
async def threads():
    threads = DatabaseThreads(2, "test")
    yield threads
    threads.close()


@asynccontextmanager
async def running(threads: DatabaseThreads, *, woken: bool = True, sweep_seconds: float = 3600.0):
    """Run the registered readers as the engine does. `woken`: whether commits wake them."""
    readers = Readers(threads, sweep_seconds=sweep_seconds)
    if woken:
        publisher.connect(readers)
    tasks = [asyncio.create_task(supervise(name, run)) for name, run in readers.parts.items()]
    try:
        yield readers
    finally:
        publisher.disconnect(readers)
        await end_all(tasks)


async def until(condition, seconds: float = 15.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - of values that threads change
            await asyncio.sleep(0.02)


async def test_a_commit_wakes_the_reader(notebook, alice, pair, threads):
    async with running(threads):
        await until(lambda: notebook.created)
        message = await threads.run(say, alice, pair)
        await until(lambda: message.pk in notebook.created)


async def test_a_read_mark_wakes_a_reader_of_memberships(notebook, alice, bob, pair, threads):
    async with running(threads):
        await until(lambda: any(batch.memberships for batch in notebook.batches))
        message = await threads.run(say, alice, pair)
        await until(lambda: message.pk in notebook.created)
        notebook.batches.clear()
        await threads.run(actions.mark_read, bob, pair.pk, message.seq)
        await until(lambda: any(batch.memberships for batch in notebook.batches))


async def test_what_was_there_before_the_start_is_found(notebook, alice, pair, threads):
    message = await threads.run(say, alice, pair)
    async with running(threads, woken=False):
        await until(lambda: message.pk in notebook.created)


async def test_a_lost_wake_up_is_made_good_by_the_next_sweep(notebook, alice, pair, threads):
    async with running(threads, woken=False, sweep_seconds=0.1):
        await until(lambda: notebook.created)
        message = await threads.run(say, alice, pair)
        await until(lambda: message.pk in notebook.created)


async def test_two_processes_share_the_work_and_nothing_is_done_twice(
    notebook, alice, pair, threads
):
    others = DatabaseThreads(2, "other")
    async with running(threads), running(others, sweep_seconds=0.1):
        messages = []
        for number in range(30):
            messages.append(await threads.run(say, alice, pair, f"text {number}"))
            await asyncio.sleep(0.01)
        await until(lambda: messages[-1].pk in notebook.created)
    others.close()
    assert notebook.created == [row.pk for row in await threads.run(log_of, pair)]


async def test_the_reader_goes_on_when_the_database_is_back(
    notebook, alice, pair, threads, monkeypatch
):
    monkeypatch.setattr(runner, "RETRY_SECONDS", 0.01)
    failed = []
    run_batch = batches.run_batch

    def fail_at_first(*args, **options):
        if len(failed) < 3:
            failed.append(args)
            raise OperationalError("the connection is lost")
        return run_batch(*args, **options)

    monkeypatch.setattr(batches, "run_batch", fail_at_first)
    async with running(threads):
        message = await threads.run(say, alice, pair)
        await until(lambda: message.pk in notebook.created)
    assert len(failed) == 3


async def test_a_failing_reader_does_not_hold_up_another(make_notebook, alice, pair, threads):
    failing, other = make_notebook("failing"), make_notebook("other")

    def refuse(batch) -> None:
        raise ValueError

    failing.refuses = refuse
    async with running(threads):
        message = await threads.run(say, alice, pair)
        await until(lambda: message.pk in other.created)
    assert failing.created == []


async def test_an_administrator_can_stop_a_reader(notebook, alice, pair, threads):
    await threads.run(batches.start, notebook.reader)
    await threads.run(ReaderState.objects.update, active=False)
    async with running(threads, sweep_seconds=0.05):
        await threads.run(say, alice, pair)
        await asyncio.sleep(0.6)
        assert notebook.created == []
        await threads.run(ReaderState.objects.update, active=True)
        await until(lambda: notebook.created)


async def test_metrics_say_how_far_behind_a_reader_is(notebook, alice, pair, threads, monkeypatch):
    monkeypatch.setattr(runner, "GATHER_SECONDS", 3600.0)
    async with running(threads) as readers:
        await threads.run(say, alice, pair)
        await until(lambda: readers._tasks[0].behind == 3)  # with the two memberships
        await asyncio.sleep(0.05)
        readers.collect_metrics()
    assert metrics.READER_BEHIND.labels("notebook")._value.get() == 3
    assert metrics.READER_LAG.labels("notebook")._value.get() >= 0.05
    assert not await threads.run(Cursor.objects.exists)


async def test_batches_are_short_and_rare_while_others_commit(notebook, threads, monkeypatch):
    """So that a burst of messages is not slower because of the readers. They catch up afterwards."""
    limits = []

    def note_limit(reader, source, ids, *, most):
        limits.append(most)
        return batches.Outcome()

    monkeypatch.setattr(batches, "run_batch", note_limit)
    (task,) = Readers(threads)._tasks
    shares = []
    half = runner.LAG_SECONDS_MAX[connection.vendor] / 2
    for commits_ago, lag in ((0, 0), (0, half), (0, 60), (1, 0)):
        task.wake([7], [])
        task._woken_at -= commits_ago
        task._waiting = {(CONVERSATION, 7): time.monotonic() - lag}
        shares.append(round(task._share(), 2))
        assert task._take(time.monotonic()) == CONVERSATION
        await task._run_batch(CONVERSATION)
    assert shares == [0.1, 0.25, 0.5, 0.5]
    task.wake([7], [])
    task._waiting = {(CONVERSATION, 7): time.monotonic()}
    pauses = [round(task._pause(seconds), 2) for seconds in (0.02, 0.5, 3)]
    assert pauses == [0.18, 1.0, 3.0]  # a long batch doesn't keep what comes next waiting
    short = runner.CHANGES_FIRST[connection.vendor]
    later = short if connection.vendor == "sqlite" else batches.CHANGES_MAX
    assert limits == [short, short, short, later]


async def test_metrics_count_what_was_set_aside(notebook, pair, threads):
    aside = SetAsideChange(reader="notebook", conversation_id=pair.pk, error="ValueError")
    await threads.run(aside.save)
    async with running(threads) as readers:
        await until(lambda: readers._tasks[0].set_aside == 1)
        readers.collect_metrics()
    assert metrics.READER_SET_ASIDE.labels("notebook")._value.get() == 1


async def test_changes_behind_the_claim_of_another_process_are_not_left_to_a_sweep(
    notebook, alice, pair, threads, monkeypatch
):
    run_batch = batches.run_batch
    busy = []

    def watched(*args, **options):
        outcome = run_batch(*args, **options)
        busy.extend(outcome.busy)
        return outcome

    monkeypatch.setattr(batches, "run_batch", watched)
    async with running(threads) as readers:
        await until(lambda: notebook.created and readers._tasks[0].behind == 0)
        cursors = Cursor.objects.filter(source=Cursor.Source.CONVERSATION, subject_id=pair.pk)
        (cursor,) = await threads.run(claims.claim, cursors, 1)
        message = await threads.run(say, alice, pair)
        await until(lambda: pair.pk in busy)
        assert message.pk not in notebook.created
        await threads.run(claims.give_back, cursor)
        await until(lambda: message.pk in notebook.created)


async def test_metrics_include_what_has_failed_until_it_is_handled(notebook, alice, pair, threads):
    def refuse(batch) -> None:
        raise ValueError

    notebook.refuses = refuse
    async with running(threads, sweep_seconds=0.05) as readers:
        (task,) = readers._tasks
        await until(lambda: task.lag() >= 2.0)  # although it was tried several times since
        assert task.behind == 3  # with the two memberships
        task._woken_at = time.monotonic()
        assert task._share() < runner.SHARE  # it does not take more time from others
        notebook.refuses = lambda batch: None
        await threads.run(claims.try_again, Cursor.objects.all())
        await until(lambda: task.lag() == 0.0)
        assert task.behind == 0
        # Handled by another process: it is no longer found.
        task._delayed[CONVERSATION, pair.pk] = 0.0
        await until(lambda: not task._delayed)


async def test_metrics_include_the_batch_that_is_being_handled(notebook, pair, threads):
    go = threading.Event()
    notebook.refuses = lambda batch: go.wait(20)
    try:
        async with running(threads) as readers:
            (task,) = readers._tasks
            await until(lambda: task._running)
            assert task.behind >= 1
            assert not task._waiting.keys() & task._running
            await until(lambda: task.lag() >= 0.05)
            assert task._running
            go.set()
            await until(lambda: task.behind == 0)
    finally:
        go.set()


async def test_a_reader_whose_task_fails_is_restarted(notebook, alice, pair, threads, monkeypatch):
    run_batch = batches.run_batch
    failed = []

    def fail_at_first(*args, **options):
        if not failed:
            failed.append(args)
            raise RuntimeError("a fault of ours")
        return run_batch(*args, **options)

    monkeypatch.setattr(batches, "run_batch", fail_at_first)
    async with running(threads):
        await until(lambda: notebook.created)
    assert failed
