"""Jobs: called once per request, again if asked for while they run, never lost."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import OperationalError, connection, connections, transaction
from django.utils import timezone

from chatty.common.threads import DatabaseThreads
from chatty.jobs import claims, queue, wakeups, worker
from chatty.jobs.models import Job
from chatty.jobs.tests.helpers import run_jobs

NAME = "boil"


class Kettle:
    """A job that notes its calls, and behaves as its list says."""

    def __init__(self) -> None:
        self.calls: list[dict] = []
        self.results: list = []

    def __call__(self, **arguments):
        self.calls.append(arguments)
        result = self.results.pop(0) if self.results else None
        if isinstance(result, Exception):
            raise result
        return result() if callable(result) else result


@pytest.fixture(autouse=True)
def _no_other_jobs(monkeypatch):
    monkeypatch.setattr(queue, "_registered", {})


@pytest.fixture
def kettle() -> Iterator[Kettle]:
    kettle = Kettle()
    queue.register(NAME, kettle)
    yield kettle
    queue.unregister(NAME)


def make_due() -> None:
    Job.objects.update(due_at=timezone.now())


@pytest.mark.django_db
class TestQueue:
    def test_job_is_called_with_its_arguments_and_removed(self, kettle):
        queue.enqueue(NAME, {"cups": 2})
        queue.enqueue(NAME)
        assert run_jobs() == 2
        assert kettle.calls == [{"cups": 2}, {}]
        assert not Job.objects.exists()

    def test_unknown_name_is_an_error(self):
        with pytest.raises(LookupError):
            queue.enqueue("polish")

    def test_job_of_another_version_is_left_alone(self, kettle):
        Job.objects.create(name="polish")
        assert run_jobs() == 0
        assert Job.objects.get().failures == 0

    def test_job_waits_for_its_time(self, kettle):
        queue.enqueue(NAME, run_after=timezone.now() + timedelta(minutes=1))
        assert run_jobs() == 0
        make_due()
        assert run_jobs() == 1

    def test_same_key_is_one_job_at_the_earlier_time(self, kettle):
        later = timezone.now() + timedelta(minutes=1)
        queue.enqueue(NAME, {"cups": 1}, key="a", run_after=later)
        queue.enqueue(NAME, {"cups": 1}, key="a", run_after=later + timedelta(minutes=1))
        assert Job.objects.get().due_at == later
        queue.enqueue(NAME, {"cups": 1}, key="a")
        queue.enqueue(NAME, {"cups": 2}, key="b")
        assert run_jobs() == 2
        assert kettle.calls == [{"cups": 2}, {"cups": 1}] or kettle.calls == [
            {"cups": 1},
            {"cups": 2},
        ]

    def test_job_that_is_asked_for_while_it_runs_runs_again(self, kettle):
        queue.enqueue(NAME, key="a")
        kettle.results = [lambda: queue.enqueue(NAME, key="a")]
        assert [run_jobs(), run_jobs(), run_jobs()] == [1, 1, 0]

    def test_job_that_is_asked_for_later_while_it_runs_waits(self, kettle):
        later = timezone.now() + timedelta(minutes=1)
        queue.enqueue(NAME, key="a")
        kettle.results = [lambda: queue.enqueue(NAME, key="a", run_after=later)]
        assert [run_jobs(), run_jobs()] == [1, 0]
        assert Job.objects.get().due_at == later

    def test_job_of_several_steps_is_called_until_it_is_done(self, kettle):
        queue.enqueue(NAME)
        kettle.results = [queue.again(), queue.again(60), None]
        assert [run_jobs(), run_jobs(), run_jobs()] == [1, 1, 0]
        make_due()
        assert run_jobs() == 1
        assert not Job.objects.exists()

    def test_failing_job_writes_nothing_and_is_repeated(self, kettle):
        queue.enqueue(NAME)

        def fail():
            Job.objects.create(name="written")
            raise ValueError("a secret")

        kettle.results = [fail]
        assert run_jobs() == 1
        job = Job.objects.get()
        assert (job.name, job.error, job.failures) == (NAME, "ValueError", 1)
        assert run_jobs() == 0
        make_due()
        assert run_jobs() == 1
        assert not Job.objects.exists()

    def test_asking_again_shortens_no_delay_after_a_failure(self, kettle):
        queue.enqueue(NAME, key="a")
        kettle.results = [ValueError()] * 3
        run_jobs()
        before = Job.objects.get().due_at
        queue.enqueue(NAME, key="a")
        assert Job.objects.get().due_at == before

    def test_asking_again_for_a_job_that_was_set_aside_tries_it_again(self, kettle):
        queue.enqueue(NAME, key="a")
        Job.objects.update(set_aside_at=timezone.now(), failures=10)
        queue.ensure(NAME, key="a")
        assert run_jobs() == 0
        queue.enqueue(NAME, key="a")
        assert run_jobs() == 1

    def test_trouble_of_the_database_is_no_failure_of_the_job(self, kettle):
        queue.enqueue(NAME)
        kettle.results = [OperationalError("the connection is lost")]
        run_jobs()
        job = Job.objects.get()
        assert (job.failures, job.claim, job.error) == (0, "", "")

    def test_late_job_changes_nothing(self, kettle):
        queue.enqueue(NAME)
        (late,) = queue.claim(1)
        Job.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
        (job,) = queue.claim(1)
        kettle.results = [lambda: Job.objects.create(name="written") and None]
        queue.run(late)
        assert list(Job.objects.all()) == [job]

    def test_search_of_a_job_runs_outside_of_its_transaction(self):
        depths = []

        def prepare(cups):
            depths.append(len(connection.savepoint_ids))
            return cups + 1

        def function(prepared, cups):
            depths.append(len(connection.savepoint_ids))
            assert (prepared, cups) == (3, 2)

        queue.register("steep", function, prepare=prepare)
        try:
            queue.enqueue("steep", {"cups": 2})
            run_jobs()
        finally:
            queue.unregister("steep")
        assert depths == [depths[1] - 1, depths[1]]
        assert not Job.objects.exists()

    def test_recurring_job_exists_once(self):
        queue.register("rinse", lambda: queue.again(60), recurring=True)
        try:
            queue.ensure_recurring()
            queue.ensure_recurring()
            assert run_jobs() == 1
            assert run_jobs() == 0
            queue.ensure_recurring()
            assert run_jobs() == 0
        finally:
            queue.unregister("rinse")


@pytest.mark.django_db(transaction=True)
class TestTransactions:
    def test_job_of_a_transaction_that_is_rolled_back_is_not_run(self, kettle):
        with pytest.raises(ValueError, match="no"), transaction.atomic():
            queue.enqueue(NAME, key="a")
            raise ValueError("no")
        assert run_jobs() == 0

    def test_same_key_from_many_threads_is_one_job(self, kettle):
        start = threading.Barrier(4)
        errors = []

        def ask():
            try:
                start.wait()
                for _ in range(20):
                    with transaction.atomic():
                        queue.enqueue(NAME, key="a")
            except Exception as error:
                errors.append(error)
            finally:
                connections.close_all()

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert errors == []
        assert Job.objects.count() == 1

    def test_no_request_is_missed_by_a_job_that_ends_at_the_same_time(self, kettle):
        """Each request is a number that the job must have seen in the end."""
        written = [0]
        seen = [0]
        ended = threading.Event()

        def note():
            seen[0] = written[0]

        kettle.results = [note] * 1000

        def work():
            try:
                while not ended.is_set() or Job.objects.exists():
                    run_jobs()
            finally:
                connections.close_all()

        thread = threading.Thread(target=work)
        thread.start()
        try:
            for number in range(1, 60):
                with transaction.atomic():
                    queue.enqueue(NAME, key="a")
                    written[0] = number
        finally:
            ended.set()
            thread.join()
        assert seen == written

    @pytest.mark.postgres
    def test_job_ends_after_a_request_that_is_not_committed_yet(self, kettle):
        queue.enqueue(NAME, key="a")
        (job,) = queue.claim(1)
        with transaction.atomic():
            queue.enqueue(NAME, key="a")
            thread = threading.Thread(target=lambda: (queue.run(job), connections.close_all()))
            thread.start()
            thread.join(0.3)
            assert thread.is_alive()
        thread.join(10)
        assert run_jobs() == 1
        assert not Job.objects.exists()


@pytest.fixture
async def threads():
    threads = DatabaseThreads(2, "test-jobs")
    yield threads
    await asyncio.get_running_loop().run_in_executor(None, threads.close)


async def eventually(threads, condition, seconds=15.0):
    async with asyncio.timeout(seconds):
        while not await threads.run(condition):  # noqa: ASYNC110  # in the database
            await asyncio.sleep(0.02)


@pytest.mark.django_db(transaction=True)
class TestWorker:
    async def test_commit_wakes_the_worker(self, kettle, threads, monkeypatch):
        monkeypatch.setattr(claims, "IDLE_SWEEP_SECONDS", 60.0)
        jobs = worker.Jobs(threads)
        task = asyncio.create_task(jobs.run())
        try:
            await asyncio.sleep(0.3)
            await threads.run(queue.enqueue, NAME)
            await eventually(threads, lambda: kettle.calls)
        finally:
            task.cancel()
            await jobs.stop()

    async def test_lost_wake_up_is_a_delay(self, kettle, threads, monkeypatch):
        monkeypatch.setattr(claims, "IDLE_SWEEP_SECONDS", 0.1)
        monkeypatch.setattr(wakeups.Bells, "ring", lambda self: None)
        jobs = worker.Jobs(threads)
        task = asyncio.create_task(jobs.run())
        try:
            await asyncio.sleep(0.3)
            await threads.run(queue.enqueue, NAME)
            await eventually(threads, lambda: kettle.calls)
        finally:
            task.cancel()
            await jobs.stop()

    async def test_two_workers_share_the_work(self, kettle, threads):
        await threads.run(lambda: [queue.enqueue(NAME, {"number": n}) for n in range(60)])
        workers = [worker.Jobs(threads), worker.Jobs(threads)]
        tasks = [asyncio.create_task(each.run()) for each in workers]
        try:
            await eventually(threads, lambda: not Job.objects.exists())
        finally:
            for task in tasks:
                task.cancel()
            for each in workers:
                await each.stop()
        assert sorted(call["number"] for call in kettle.calls) == list(range(60))

    async def test_failing_job_does_not_keep_others_waiting(self, kettle, threads):
        def fail(**_):
            raise ValueError

        queue.register("spill", fail)
        try:
            await threads.run(queue.enqueue, "spill")
            await threads.run(queue.enqueue, NAME)
            jobs = worker.Jobs(threads)
            task = asyncio.create_task(jobs.run())
            await eventually(threads, lambda: kettle.calls)
            task.cancel()
            await jobs.stop()
        finally:
            queue.unregister("spill")

    async def test_stop_finishes_the_step_and_gives_the_rest_back(self, kettle, threads):
        inside, go = threading.Event(), threading.Event()

        def step():
            inside.set()
            go.wait(10)

        kettle.results = [step] * 10
        await threads.run(lambda: [queue.enqueue(NAME) for _ in range(5)])
        jobs = worker.Jobs(threads)
        task = asyncio.create_task(jobs.run())
        await asyncio.to_thread(inside.wait, 10)
        stop = asyncio.create_task(jobs.stop())
        await asyncio.sleep(0.1)
        go.set()
        await stop
        task.cancel()
        rows = await threads.run(lambda: list(Job.objects.values_list("claim", "failures")))
        assert rows == [("", 0)] * 4
