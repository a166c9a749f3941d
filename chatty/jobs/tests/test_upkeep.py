"""Purges: recurring jobs in short steps."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chatty.jobs import queue, upkeep
from chatty.jobs.models import Job
from chatty.jobs.tests.helpers import run_jobs

pytestmark = pytest.mark.django_db

SESSIONS = "purge_sessions"
DAY = timedelta(days=1)


def session(days):
    Session.objects.create(
        session_key=f"key{days}", session_data="", expire_date=timezone.now() + days * DAY
    )


def test_each_step_is_one_short_transaction(monkeypatch):
    monkeypatch.setattr(upkeep, "BATCH", 3)
    for days in range(1, 12):
        session(-days)
    queue.ensure(SESSIONS)
    left = []
    while True:
        with CaptureQueriesContext(connection) as asked:
            if not run_jobs():
                break
        left.append(Session.objects.count())
        deletes = [each["sql"] for each in asked if "django_session" in each["sql"]]
        assert len(deletes) <= 2  # select, delete
    assert left == [8, 5, 2, 0, 0]


def test_purge_is_repeated_every_hour():
    queue.ensure(SESSIONS)
    before = timezone.now()
    assert run_jobs() == 1
    wait = Job.objects.get(name=SESSIONS).due_at - before
    assert 3590 < wait.total_seconds() < 3610
    session(-1)
    Job.objects.update(due_at=before)
    assert run_jobs() == 1
    assert not Session.objects.exists()


def test_row_that_is_extended_meanwhile_stays():
    session(-1)
    queue.ensure(SESSIONS)
    found = queue._registered[SESSIONS]
    keys = found.prepare()
    Session.objects.update(expire_date=timezone.now() + DAY)
    assert keys
    assert found.function(keys) == queue.again(upkeep.EVERY_SECONDS)
    assert Session.objects.count() == 1


def test_every_purge_is_enqueued_at_the_start():
    queue.ensure_recurring()
    names = set(Job.objects.values_list("name", flat=True))
    assert {
        SESSIONS,
        "purge_sign_ins",
        "purge_excerpts",
        "purge_deleted_conversations",
    } <= names
