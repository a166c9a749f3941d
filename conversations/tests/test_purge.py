"""Rows of deleted conversations are purged in the background, even if their event was lost."""

from __future__ import annotations

import asyncio

import pytest

from chatty.common.threads import DatabaseThreads
from conversations import actions, publisher
from conversations.models import Conversation, Message
from conversations.realtime.purge import Purge
from conversations.tests.helpers import say

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def threads():
    threads = DatabaseThreads(2, "test")
    yield threads
    threads.close()


async def purge_until_gone(purge: Purge, threads: DatabaseThreads, conversation: Conversation):
    task = asyncio.create_task(purge.run())
    try:
        async with asyncio.timeout(20):
            gone = False
            while not gone:
                gone = not await threads.run(Conversation.objects.filter(pk=conversation.pk).exists)
    finally:
        task.cancel()


async def test_conversations_deleted_before_the_start_are_purged(alice, pair, threads):
    await threads.run(say, alice, pair)
    await threads.run(actions.delete_conversation, alice, pair.pk)
    await purge_until_gone(Purge(threads), threads, pair)
    assert not await threads.run(Message.objects.filter(conversation_id=pair.pk).exists)


async def test_deletion_wakes_the_purge(alice, pair, threads):
    purge = Purge(threads)
    publisher.connect(purge)
    try:
        await purge._purge()
        purge._wake.clear()
        await threads.run(say, alice, pair)
        await asyncio.sleep(0)
        assert not purge._wake.is_set()
        await threads.run(actions.delete_conversation, alice, pair.pk)
        async with asyncio.timeout(20):
            await purge._wake.wait()
        await purge_until_gone(purge, threads, pair)
    finally:
        publisher.disconnect(purge)
