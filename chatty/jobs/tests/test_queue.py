"""Jobs: called once per request, again if asked for while they run, never lost."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from django.db import OperationalError, connection, connections, transaction
from django.utils import timezone

from chatty.jobs import claims, queue, statistics, wakeups, worker
from chatty.jobs.models import Job
from chatty.jobs.tests.helpers import eventually, run_jobs, watch_idle
from chatty.ops import metrics

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
    """What a test registers is removed at its end, too."""
    monkeypatch.setattr(queue, "_registered", {})


@pytest.fixture
def kettle() -> Kettle:
    kettle = Kettle()
    queue.register(NAME, kettle)
    return kettle


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

    def test_clock_that_was_set_back_delays_only_what_was_planned(self, kettle):
        queue.register("rinse", lambda: queue.again(60), recurring=True)
        queue.ensure_recurring()
        assert run_jobs() == 1
        ahead = timezone.now() + timedelta(days=1)
        Job.objects.update(due_at=ahead)
        queue.enqueue(NAME)
        Job.objects.filter(name=NAME).update(due_at=ahead, created_at=ahead)
        queue.enqueue(NAME, run_after=ahead)
        assert run_jobs() == 2
        assert Job.objects.get(name=NAME).due_at == ahead
        assert run_jobs() == 0

    def test_same_key_is_one_job_at_the_earlier_time(self, kettle):
        later = timezone.now() + timedelta(minutes=1)
        queue.enqueue(NAME, {"cups": 1}, key="a", run_after=later)
        queue.enqueue(NAME, {"cups": 1}, key="a", run_after=later + timedelta(minutes=1))
        assert Job.objects.get().due_at == later
        queue.enqueue(NAME, {"cups": 1}, key="a")
        queue.enqueue(NAME, {"cups": 2}, key="b")
        assert run_jobs() == 2
        assert kettle.calls == [{"cups": 1}, {"cups": 2}]

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

    def test_job_that_ends_the_process_is_set_aside_alone(self, kettle):
        class Killed(BaseException):
            pass

        def kill():
            raise Killed

        queue.register("spill", kill)
        queue.enqueue("spill")
        queue.enqueue(NAME)
        for number in range(12):
            Job.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
            with contextlib.suppress(Killed):
                run_jobs()
            assert len(kettle.calls) == (number >= 2)  # not kept waiting until then
        job = Job.objects.get()
        assert (job.name, job.error) == ("spill", claims.KILLED)
        assert job.set_aside_at is not None
        assert kettle.calls == [{}]

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
        queue.enqueue("steep", {"cups": 2})
        run_jobs()
        assert depths == [depths[1] - 1, depths[1]]
        assert not Job.objects.exists()

    def test_metrics_count_the_time_of_the_step_and_not_of_the_job(self, kettle):
        queue.enqueue(NAME)
        Job.objects.update(
            created_at=timezone.now() - timedelta(days=30),
            due_at=timezone.now() - timedelta(seconds=100),
        )
        age = metrics.JOBS_AGE.labels(NAME)._value
        (job,) = queue.claim(1)
        statistics.update_metrics()
        assert 100 <= age.get() < 1000
        claims.fail(job, ValueError())
        statistics.update_metrics()
        assert age.get() == 0
        assert metrics.JOBS_WAITING.labels(NAME)._value.get() == 1

    def test_metrics_of_work_that_is_not_due(self, kettle):
        queue.enqueue(NAME)
        Job.objects.update(due_at=timezone.now() + timedelta(seconds=100))
        statistics.update_metrics()
        assert metrics.JOBS_AGE.labels(NAME)._value.get() == 0
        assert metrics.JOBS_WAITING.labels(NAME)._value.get() == 0

    def test_recurring_job_exists_once(self):
        queue.register("rinse", lambda: queue.again(60), recurring=True)
        queue.ensure_recurring()
        queue.ensure_recurring()
        assert run_jobs() == 1
        assert run_jobs() == 0
        queue.ensure_recurring()
        assert run_jobs() == 0


@pytest.mark.django_db(transaction=True)
class TestTransactions:
    def test_job_of_a_transaction_that_is_rolled_back_is_not_run(self, kettle):
        with pytest.raises(ValueError, match="no"), transaction.atomic():
            queue.enqueue(NAME, key="a")
            raise ValueError("no")
        assert run_jobs() == 0

    def test_failing_wake_up_does_not_fail_the_commit(self, kettle, monkeypatch, caplog):
        def send(self):
            raise RuntimeError("no")

        monkeypatch.setattr(wakeups.Wakeups, "send", send)
        queue.enqueue(NAME)
        with transaction.atomic():
            queue.enqueue(NAME)
        assert caplog.text.count("Error calling") == 2
        assert run_jobs() == 2

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


def test_wake_up_of_a_worker_whose_loop_has_ended_does_nothing():
    async def make():
        return wakeups.ThreadsafeEvent()

    asyncio.run(make()).set()


@asynccontextmanager
async def working(threads, number=1):
    """Run workers, as in several processes."""
    workers = [worker.Jobs(threads) for _ in range(number)]
    tasks = [asyncio.create_task(each.run()) for each in workers]
    try:
        yield workers
    finally:
        for task in tasks:
            task.cancel()
        for each in workers:
            await each.stop()


@pytest.mark.django_db(transaction=True)
class TestWorker:
    @pytest.mark.parametrize("woken", [True, False], ids=["woken", "by-a-sweep"])
    async def test_worker_that_waits_finds_a_new_job(self, kettle, threads, monkeypatch, woken):
        monkeypatch.setattr(claims, "IDLE_SWEEP_SECONDS", 60.0 if woken else 0.1)
        if not woken:
            monkeypatch.setattr(wakeups.Wakeups, "send", lambda self: None)
        until_idle = watch_idle(monkeypatch, claims)
        async with working(threads):
            assert await until_idle()
            await threads.run(queue.enqueue, NAME)
            await eventually(threads, lambda: kettle.calls)

    async def test_two_workers_share_the_work(self, kettle, threads):
        await threads.run(lambda: [queue.enqueue(NAME, {"number": n}) for n in range(60)])
        async with working(threads, 2):
            await eventually(threads, lambda: not Job.objects.exists())
        assert sorted(call["number"] for call in kettle.calls) == list(range(60))

    async def test_failing_job_does_not_keep_others_waiting(self, kettle, threads):
        def fail(**_):
            raise ValueError

        queue.register("spill", fail)
        await threads.run(queue.enqueue, "spill")
        await threads.run(queue.enqueue, NAME)
        async with working(threads):
            await eventually(threads, lambda: kettle.calls)

    async def test_claims_are_extended_while_a_job_takes_long(self, kettle, threads, monkeypatch):
        """Its own, and those of the jobs behind it."""
        monkeypatch.setattr(worker, "EXTEND_SECONDS", 0.05)
        inside, go = threading.Event(), threading.Event()
        queue.register("steep", lambda waited: None, prepare=lambda: inside.set() or go.wait(20))
        await threads.run(lambda: [queue.enqueue(name) for name in ("steep", NAME)])
        claimed_until = Job.objects.values_list("claimed_until", flat=True)
        try:
            async with working(threads):
                await eventually(threads, inside.is_set)
                before = await threads.run(lambda: max(claimed_until.all()))
                await eventually(threads, lambda: min(claimed_until.all()) > before)
                go.set()
                await eventually(threads, lambda: not Job.objects.exists())
        finally:
            go.set()

    async def test_stop_finishes_the_step_and_gives_the_rest_back(self, kettle, threads):
        inside, go = threading.Event(), threading.Event()

        def step():
            inside.set()
            go.wait(10)

        kettle.results = [step] * 10
        await threads.run(lambda: [queue.enqueue(NAME) for _ in range(5)])
        async with working(threads) as (jobs,):
            await asyncio.to_thread(inside.wait, 10)
            stop = asyncio.create_task(jobs.stop())
            await asyncio.sleep(0)  # it has begun
            go.set()
            await stop
            rows = await threads.run(lambda: list(Job.objects.values_list("claim", "failures")))
            assert rows == [("", 0)] * 4
