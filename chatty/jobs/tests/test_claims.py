"""Claims: one process at a time, taken over when they run out, set aside after too many failures."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import OperationalError, connection, connections, transaction
from django.utils import timezone

from chatty.jobs import claims
from chatty.jobs.models import Job

pytestmark = pytest.mark.django_db


def make(number: int = 1, **values) -> list[Job]:
    return [Job.objects.create(name=f"job {each}", **values) for each in range(number)]


def claim(limit: int = 10, **options) -> list[Job]:
    return claims.claim(Job.objects.all(), limit, **options)


def run_out(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(claimed_until=timezone.now() - timedelta(seconds=1))


def test_what_is_claimed_is_claimed_once():
    first, second, third = make(3)
    assert claim(2) == [first, second]
    assert claim() == [third]
    assert claim() == []


def test_the_longest_due_comes_first_and_what_is_not_due_never():
    now = timezone.now()
    (early,) = make(due_at=now - timedelta(seconds=2))
    (earlier,) = make(due_at=now - timedelta(seconds=5))
    make(due_at=now + timedelta(days=300))
    assert claim() == [earlier, early]


def test_a_claim_that_ran_out_is_taken_over_and_the_late_process_changes_nothing():
    make()
    (late,) = claim()
    run_out(late)
    (job,) = claim()
    assert job.claim != late.claim
    assert job.failures == 2
    for end in (claims.finish, claims.release, claims.give_back, claims.extend):
        with pytest.raises(claims.ClaimLostError):
            end(late)
    with pytest.raises(claims.ClaimLostError):
        claims.fail(late, ValueError("late"))
    claims.finish(job)
    assert not Job.objects.exists()


def test_the_work_of_a_late_process_is_rolled_back():
    make()
    (late,) = claim()
    run_out(late)
    (job,) = claim()
    with pytest.raises(claims.ClaimLostError), transaction.atomic():
        make()
        claims.finish(late)
    assert list(Job.objects.all()) == [job]


def test_an_extended_claim_is_not_taken_over():
    make()
    (job,) = claim(lease=0.0)
    claims.extend(job)
    assert claim() == []


def test_a_claim_that_was_ended_is_not_extended():
    make()
    (job,) = claim()
    claims.release(job)
    with pytest.raises(claims.ClaimLostError):
        claims.extend(job)
    assert claim() == [job]


def test_a_failure_delays_and_ten_set_aside(caplog):
    make()
    delays = []
    for attempt in range(1, 11):
        Job.objects.update(due_at=timezone.now())
        (job,) = claim()
        assert job.failures == attempt
        before = timezone.now()
        claims.fail(job, ValueError("a secret"))
        delays.append(round((job.due_at - before).total_seconds()))
    assert delays == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
    job.refresh_from_db()
    assert job.set_aside_at is not None
    assert job.error == "ValueError"  # a message may quote what people wrote
    assert "was set aside: ValueError" in caplog.text
    Job.objects.update(due_at=timezone.now())
    assert claim() == []
    assert claims.try_again(Job.objects.all()) == 1
    assert claim() == [job]


def test_work_that_ends_its_process_is_set_aside(caplog):
    make()
    for _ in range(Job.FAILURES_MAX):
        (job,) = claim()
        run_out(job)
    assert claim() == []
    job.refresh_from_db()
    assert (job.error, job.claim) == (claims.KILLED, "")
    assert job.set_aside_at is not None


def test_success_forgets_failures_and_giving_back_does_not_count():
    make()
    (job,) = claim()
    claims.fail(job, ValueError())
    Job.objects.update(due_at=timezone.now())
    (job,) = claim()
    claims.give_back(job)
    job.refresh_from_db()
    assert (job.failures, job.claim, job.error) == (1, "", "ValueError")
    (job,) = claim()
    claims.release(job, arguments={"step": 2})
    job.refresh_from_db()
    assert (job.failures, job.error, job.arguments) == (0, "", {"step": 2})


def test_a_clock_that_was_set_back_neither_holds_claims_nor_delays():
    claimed, failed, planned = make(3)
    ahead = timezone.now() + timedelta(days=1)
    Job.objects.filter(pk=claimed.pk).update(claim="x", claimed_until=ahead)
    Job.objects.filter(pk=failed.pk).update(failures=3, due_at=ahead)
    Job.objects.filter(pk=planned.pk).update(due_at=ahead)
    assert set(claim()) == {claimed, failed}


def test_trouble_of_the_database_is_told_from_failures():
    assert claims.is_database_trouble(OperationalError("the connection is lost"))
    assert not claims.is_database_trouble(ValueError())
    slow = OperationalError("canceling statement due to statement timeout")
    slow.__cause__ = Exception()
    slow.__cause__.sqlstate = "57014"
    assert not claims.is_database_trouble(slow)


WRONG_STATEMENTS = {
    "sqlite": "SELECT nothing FROM nowhere",
    # An entry of a B-tree has about 2,700 bytes at most. This text can't be compressed.
    "postgresql": "CREATE TEMPORARY TABLE long (t text UNIQUE); INSERT INTO long SELECT"
    " string_agg(md5(n::text), '') FROM generate_series(1, 500) AS n",
}


def test_statement_that_can_not_succeed_is_no_trouble_of_the_database():
    with pytest.raises(OperationalError) as caught, transaction.atomic():
        connection.cursor().execute(WRONG_STATEMENTS[connection.vendor])
    assert not claims.is_database_trouble(caught.value)


@pytest.mark.django_db(transaction=True)
def test_threads_that_claim_at_once_share_the_work():
    make(40)
    found: list[Job] = []
    start = threading.Barrier(4)

    def work():
        try:
            start.wait()
            while jobs := claim(3):
                found.extend(jobs)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(job.pk for job in found) == sorted(Job.objects.values_list("pk", flat=True))
    assert len(found) == 40
