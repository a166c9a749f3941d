"""Rows of deleted conversations are removed by a job, after the readers of the change feed know."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from django.utils import timezone

from chatty.common import timestamps
from chatty.common.threads import DatabaseThreads
from chatty.jobs import queue
from chatty.jobs.models import Job
from chatty.jobs.tests.helpers import run_jobs
from conversations import actions
from conversations.changefeed import deletions
from conversations.models import Conversation, Message
from conversations.realtime import engine
from conversations.tests.helpers import say

pytestmark = pytest.mark.django_db


@pytest.fixture
def _all_readers_know(monkeypatch):
    monkeypatch.setattr(deletions, "all_readers_know", lambda pk: True)


def run_all_jobs():
    while run_jobs():
        pass


@pytest.mark.usefixtures("_all_readers_know")
def test_deletion_enqueues_a_job_that_removes_the_rows(alice, pair):
    say(alice, pair)
    actions.delete_conversation(alice, pair.pk)
    assert Message.objects.filter(conversation_id=pair.pk).exists()
    run_all_jobs()
    assert not Message.objects.filter(conversation_id=pair.pk).exists()
    assert not Conversation.objects.filter(pk=pair.pk).exists()
    assert not Job.objects.filter(name="purge_conversation").exists()


@pytest.mark.usefixtures("_all_readers_know")
def test_conversations_without_a_job_are_found(alice, pair):
    actions.delete_conversation(alice, pair.pk)
    Job.objects.all().delete()
    queue.ensure_recurring()
    run_all_jobs()
    assert not Conversation.objects.filter(pk=pair.pk).exists()


def test_purge_that_was_set_aside_waits_for_an_administrator(alice, pair):
    actions.delete_conversation(alice, pair.pk)
    Job.objects.update(set_aside_at=timezone.now(), failures=10)
    queue.ensure_recurring()
    run_all_jobs()
    assert Conversation.objects.filter(pk=pair.pk).exists()


def test_purge_waits_for_readers_for_an_hour(alice, pair, monkeypatch, caplog):
    say(alice, pair)
    monkeypatch.setattr(deletions, "all_readers_know", lambda pk: False)
    actions.delete_conversation(alice, pair.pk)
    run_all_jobs()
    job = Job.objects.get()
    assert job.due_at > timezone.now()
    assert Message.objects.filter(conversation_id=pair.pk).exists()
    Job.objects.update(due_at=timezone.now())
    Conversation.objects.filter(pk=pair.pk).update(
        deleted_at=timestamps.now() - timedelta(minutes=61)
    )
    run_all_jobs()
    assert not Conversation.objects.filter(pk=pair.pk).exists()
    assert f"Conversation {pair.pk} was removed before all readers knew" in caplog.text


@pytest.mark.django_db(transaction=True)
async def test_engine_removes_rows_of_deleted_conversations(alice, pair):
    threads = DatabaseThreads(2, "test")
    try:
        await threads.run(say, alice, pair)
        await engine.start()
        await threads.run(actions.delete_conversation, alice, pair.pk)
        async with asyncio.timeout(20):
            while await threads.run(Conversation.objects.filter(pk=pair.pk).exists):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    finally:
        await engine.stop()
        threads.close()
