"""Group commit: messages are stored together where possible, and one message never delays another."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator

import pytest
from django.db import DataError, OperationalError, connection, transaction

from accounts.models import User
from chatty.common.errors import ChatError
from conversations import actions, bulk
from conversations.actions import Draft, Sent
from conversations.models import Conversation, Message
from conversations.realtime import writer as writer_module
from conversations.realtime.supervision import supervise
from conversations.realtime.writer import Result, Writer, store
from conversations.tests import helpers
from conversations.tests.tools import do

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def room(alice: User) -> Conversation:
    return actions.create_conversation(alice, name="Tea room")


@pytest.fixture
def other_room(alice: User) -> Conversation:
    return actions.create_conversation(alice, name="Coffee room")


def draft(user: User, room: Conversation, key: str, body: str = "hello") -> Draft:
    return helpers.draft(user.pk, room.pk, key, body)


def codes(results: list[Result]) -> list[str]:
    return [result.code if isinstance(result, ChatError) else "sent" for result in results]


@contextlib.asynccontextmanager
async def running_writer() -> AsyncIterator[Writer]:
    writer = Writer()
    task = asyncio.create_task(supervise("writer", writer.run))
    try:
        yield writer
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await do(writer.close)()


async def send(writer: Writer, *drafts: Draft) -> list[Result]:
    """Offer all drafts at once; return the results in the same order."""
    loop = asyncio.get_running_loop()
    answers: list[asyncio.Future[Result]] = [loop.create_future() for _ in drafts]
    for each, answer in zip(drafts, answers, strict=True):
        writer.offer(each, answer.set_result)
    async with asyncio.timeout(10):
        return await asyncio.gather(*answers)


async def test_simultaneous_messages_are_stored_in_batches_in_order(
    alice: User, room: Conversation, monkeypatch
):
    batches: list[int] = []
    real = writer_module.store

    def counting(drafts):
        batches.append(len(drafts))
        return real(drafts)

    monkeypatch.setattr(writer_module, "store", counting)
    async with running_writer() as writer:
        results = await send(writer, *[draft(alice, room, f"k{n}", f"{n}") for n in range(300)])
    assert batches == [256, 44]
    seqs = [result.message.seq for result in results if isinstance(result, Sent)]
    assert seqs == list(range(2, 302))  # 1 is the system message of its creation
    bodies = await do(
        lambda: list(Message.objects.order_by("seq").values_list("body", flat=True))
    )()
    assert bodies == ["", *[str(n) for n in range(300)]]


def test_rejected_message_does_not_affect_the_others(alice: User, carol: User, room: Conversation):
    results = store(
        [
            draft(alice, room, "one"),
            draft(carol, room, "outsider"),
            draft(alice, room, "blank", "  \n "),
            draft(alice, room, "nul", "a\0b"),
            draft(alice, room, "bad key!"),
            draft(alice, room, "two"),
        ]
    )
    assert codes(results) == ["sent", "not_found", "empty", "bad_text", "invalid", "sent"]
    assert Message.objects.filter(kind="text").count() == 2


def test_equal_keys_in_one_batch_share_one_row(alice: User, room: Conversation):
    results = store(
        [
            draft(alice, room, "k", "same"),
            draft(alice, room, "k", "same"),
            draft(alice, room, "k", "different"),
        ]
    )
    assert codes(results) == ["sent", "sent", "key_reused"]
    first, second, _third = results
    assert isinstance(first, Sent)
    assert isinstance(second, Sent)
    assert (first.created, second.created) == (True, False)
    assert first.message.pk == second.message.pk
    assert Message.objects.filter(kind="text").count() == 1


def test_message_rejected_by_the_database_is_isolated(alice: User, room: Conversation, monkeypatch):
    real = actions.send_messages
    calls: list[int] = []

    def refusing(drafts, **how):
        calls.append(len(drafts))
        if any(each.key == "culprit" for each in drafts):
            raise DataError("this one")
        return real(drafts, **how)

    monkeypatch.setattr(actions, "send_messages", refusing)
    drafts = [draft(alice, room, f"k{n}") for n in range(10)]
    drafts[7] = draft(alice, room, "culprit")
    results = store(drafts)
    assert codes(results) == ["sent"] * 7 + ["server_error"] + ["sent"] * 2
    assert len(calls) < 12  # by halving, not one by one
    seqs = list(Message.objects.filter(kind="text").order_by("seq").values_list("key", flat=True))
    assert seqs == [f"k{n}" for n in range(10) if n != 7]


def test_deadlock_is_retried_once(alice: User, room: Conversation, monkeypatch):
    class DeadlockError(Exception):
        sqlstate = "40P01"

    real = bulk.store
    tries: list[int] = []

    def deadlocked(messages, conversations, **how):
        tries.append(len(messages))
        if len(tries) == 1:
            raise OperationalError("deadlock detected") from DeadlockError()
        real(messages, conversations, **how)

    monkeypatch.setattr(bulk, "store", deadlocked)
    assert codes(store([draft(alice, room, "k")])) == ["sent"]
    assert len(tries) == 2
    assert Message.objects.filter(kind="text").count() == 1


async def test_database_outage_returns_unavailable_to_everyone(
    alice: User, room: Conversation, monkeypatch
):
    async with running_writer() as writer:
        with monkeypatch.context() as broken:

            def gone(*_args, **_how):
                raise OperationalError("server closed the connection unexpectedly")

            broken.setattr(bulk, "lock_send_context", gone)
            results = await send(writer, *[draft(alice, room, f"k{n}") for n in range(3)])
            assert codes(results) == ["unavailable"] * 3
            assert all(result.retry for result in results if isinstance(result, ChatError))
        # Sending them again with the same keys succeeds.
        results = await send(writer, *[draft(alice, room, f"k{n}") for n in range(3)])
        assert codes(results) == ["sent"] * 3


async def test_writer_survives_an_unexpected_error(alice: User, room: Conversation, monkeypatch):
    async with running_writer() as writer:
        with monkeypatch.context() as broken:
            broken.setattr(writer_module, "store", lambda drafts: 1 / 0)
            assert codes(await send(writer, draft(alice, room, "k"))) == ["unavailable"]
        assert codes(await send(writer, draft(alice, room, "k"))) == ["sent"]


async def test_full_queue_raises_busy(alice: User, room: Conversation, monkeypatch):
    monkeypatch.setattr(writer_module, "QUEUE_MAX", 2)
    writer = Writer()
    writer.offer(draft(alice, room, "a"), print)
    writer.offer(draft(alice, room, "b"), print)
    with pytest.raises(ChatError, match="busy"):
        writer.offer(draft(alice, room, "c"), print)
    await do(writer.close)()


async def test_drain_stores_accepted_messages_and_rejects_new_ones(alice: User, room: Conversation):
    answers: list[Result] = []
    async with running_writer() as writer:
        for n in range(20):
            writer.offer(draft(alice, room, f"k{n}"), answers.append)
        await writer.drain()
        assert codes(answers) == ["sent"] * 20
        with pytest.raises(ChatError, match="busy"):
            writer.offer(draft(alice, room, "late"), answers.append)
    assert await do(Message.objects.filter(kind="text").count)() == 20


async def test_failing_callback_does_not_affect_the_others(alice: User, room: Conversation):
    async with running_writer() as writer:

        def fails(_result: Result) -> None:
            raise RuntimeError("the socket is gone")

        writer.offer(draft(alice, room, "gone"), fails)
        assert codes(await send(writer, draft(alice, room, "here"))) == ["sent"]
    assert await do(Message.objects.filter(kind="text").count)() == 2


@contextlib.contextmanager
def held(room: Conversation):
    """Lock the row of the conversation from another connection."""
    locked, release = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                Conversation.objects.select_for_update().get(pk=room.pk)
                locked.set()
                release.wait(20)
        finally:
            connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    assert locked.wait(5)
    try:
        yield release
    finally:
        release.set()
        thread.join()


@pytest.mark.postgres
async def test_messages_to_other_conversations_do_not_wait_for_a_lock(
    alice: User, room: Conversation, other_room: Conversation
):
    async with running_writer() as writer:
        with held(room) as release:
            start = time.monotonic()
            stuck = asyncio.create_task(send(writer, draft(alice, room, "stuck")))
            free = await send(writer, *[draft(alice, other_room, f"free{n}") for n in range(5)])
            assert codes(free) == ["sent"] * 5
            assert time.monotonic() - start < 2.5
            assert not stuck.done()
            release.set()
            assert codes(await stuck) == ["sent"]


@pytest.mark.postgres
async def test_conversation_locked_for_long_returns_busy(
    alice: User, room: Conversation, monkeypatch
):
    monkeypatch.setattr(writer_module, "BUSY_SECONDS", 0.8)
    async with running_writer() as writer:
        with held(room):
            assert codes(await send(writer, draft(alice, room, "stuck"))) == ["busy"]
        assert codes(await send(writer, draft(alice, room, "stuck"))) == ["sent"]


@pytest.mark.parametrize("nested", [True, False])
def test_messages_of_a_larger_transaction_are_committed_with_it(alice, room, nested):
    """store() commits by itself, but only if nothing else is left to commit."""
    inner = transaction.atomic(savepoint=False) if nested else contextlib.nullcontext()
    with pytest.raises(ZeroDivisionError), transaction.atomic(), inner:
        helpers.say(alice, room, "Undone")
        raise ZeroDivisionError
    assert not Message.objects.filter(body="Undone").exists()
    helpers.say(alice, room, "Done")
    connection.close()  # whatever is not committed is lost
    assert Message.objects.filter(body="Done").exists()
