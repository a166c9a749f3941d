"""Requests of different clients are interleaved, however many one client sends."""

from __future__ import annotations

import asyncio

import pytest

from chatty.common.errors import ChatError
from chatty.server.admission import client_of
from chatty.server.fair_queue import Client, FairQueue

ANN, BEN, CLEO = (Client((name,), f"192.0.2.{number}") for number, name in enumerate("abc"))


class Line:
    """A queue that records the order in which requests begin."""

    def __init__(self, *, running: int, waiting: int = 100, of_client: int | None = None) -> None:
        """`of_client`: how many slots one client can hold, instead of its share of `running`."""
        self.turns = FairQueue(running=running, waiting=waiting)
        if of_client:
            self.turns.of_client_max = of_client
        self.begun: list[Client] = []

    async def comes(self, client: Client, times: int = 1) -> list[asyncio.Task[None]]:
        tasks = [asyncio.create_task(self._begin(client)) for _ in range(times)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return tasks

    async def _begin(self, client: Client) -> None:
        await self.turns.begin(client)
        self.begun.append(client)

    async def ends(self, client: Client) -> None:
        self.turns.end(client)
        await asyncio.sleep(0)
        await asyncio.sleep(0)


async def test_one_client_leaves_slots_for_others():
    line = Line(running=12)
    await line.comes(ANN, 20)
    assert line.begun == [ANN]
    await line.comes(BEN)
    assert line.begun == [ANN, BEN]


async def test_one_client_gets_a_twelfth_of_the_slots():
    line = Line(running=24)
    await line.comes(ANN, 20)
    assert line.begun == [ANN, ANN]


async def test_changing_credentials_does_not_bring_more_slots():
    line = Line(running=12, waiting=4, of_client=2)
    made_up = [Client((f"made up {number}", "a"), ANN.address) for number in range(6)]
    waiting = [task for client in made_up for task in await line.comes(client)][2:]
    assert line.begun == made_up[:2]
    await line.comes(BEN, 3)
    assert line.begun[2:] == [BEN, BEN]  # the third one waits in the queue
    assert isinstance(waiting[-1].exception(), ChatError)


async def test_one_address_leaves_slots_for_others_with_any_credentials():
    line = Line(running=12)
    for number in range(20):
        await line.comes(Client((f"token {number}",), "192.0.2.9"))
    assert len(line.begun) == 9
    await line.comes(BEN)
    assert line.begun[-1] == BEN


async def test_anonymous_requests_are_limited_by_address():
    line = Line(running=12)
    await line.comes(Client((), "192.0.2.9"), 20)
    assert len(line.begun) == 9
    await line.comes(BEN)
    assert line.begun[-1] == BEN


async def test_free_slot_goes_to_the_client_with_fewest_then_first():
    line = Line(running=3, of_client=2)
    await line.comes(ANN, 4)
    await line.comes(BEN, 1)
    await line.comes(BEN, 1)
    await line.comes(CLEO, 1)
    assert line.begun == [ANN, ANN, BEN]
    await line.ends(ANN)
    assert line.begun[3:] == [CLEO]
    await line.ends(CLEO)
    assert line.begun[4:] == [ANN]  # Ann and Ben have one slot each, and Ann was first
    await line.ends(ANN)
    assert line.begun[5:] == [ANN]


async def test_client_with_most_requests_in_a_full_queue_loses_one():
    line = Line(running=2, waiting=4, of_client=2)
    waiting = (await line.comes(ANN, 6))[2:]
    assert len(line.begun) == 2
    await line.comes(BEN)
    assert isinstance(waiting[-1].exception(), ChatError)
    assert not any(task.done() for task in waiting[:-1])
    await line.ends(ANN)
    assert line.begun[2:] == [BEN]


async def test_client_with_as_many_requests_is_rejected_when_full():
    line = Line(running=2, waiting=2, of_client=2)
    await line.comes(ANN, 3)
    await line.comes(BEN)
    refused = await line.comes(BEN)
    assert refused[0].exception().code == "busy"
    refused = await line.comes(CLEO)  # everyone has one
    assert refused[0].exception().code == "busy"


async def test_cancelled_waiter_takes_no_slot():
    line = Line(running=2, of_client=2)
    *_, waiting = await line.comes(ANN, 3)
    waiting.cancel()
    await line.ends(ANN)
    await line.comes(BEN)
    assert line.begun == [ANN, ANN, BEN]


async def test_slot_of_a_waiter_cancelled_after_release_is_passed_on():
    line = Line(running=2, of_client=2)
    *_, waiting = await line.comes(ANN, 3)
    line.turns.end(ANN)  # the slot is handed over, but
    waiting.cancel()  # the waiter is cancelled before it notices
    await line.comes(BEN)
    assert line.begun == [ANN, ANN, BEN]
    assert waiting.cancelled()


async def test_finished_clients_leave_no_state():
    line = Line(running=2, of_client=2)
    await line.comes(ANN, 2)
    await line.ends(ANN)
    await line.ends(ANN)
    assert not line.turns._held


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ([], [], True),
        ([(b"authorization", b"Bearer a")], [(b"authorization", b"Bearer a")], True),
        ([(b"authorization", b"Bearer a")], [(b"authorization", b"Bearer b")], False),
        ([(b"cookie", b"x=1; chatty-session=a")], [(b"cookie", b"chatty-session=a; y=2")], True),
        ([(b"cookie", b"chatty-session=a")], [(b"cookie", b"chatty-session=b")], False),
        ([(b"cookie", b"x=1")], [], True),
        (
            [(b"cookie", b"x=1"), (b"cookie", b"chatty-session=a")],
            [(b"cookie", b"chatty-session=a")],
            True,
        ),
        (
            [(b"cookie", b"chatty-session=a"), (b"authorization", b"b")],
            [(b"authorization", b"b")],
            False,
        ),
        ([(b"cookie", b"chatty-session=\xff\xfe")], [], False),
        ([(b"cookie", b"chatty-session=\\777")], [], False),
        ([(b"authorization", b"")], [], True),
    ],
)
def test_client_is_identified_by_credentials_or_address(one, other, same):
    first, second = (client_of({"client": ["192.0.2.1", 1], "headers": h}) for h in (one, other))
    assert (first == second) is same
    assert first.address == "192.0.2.1"
    assert "Bearer" not in repr(first)


def test_only_two_credentials_of_a_request_are_read():
    head = [(b"authorization", b"%d" % n) for n in range(2000)]
    head += [(b"cookie", b"chatty-session=%d" % n) for n in range(2000)]
    assert len(client_of({"client": ["192.0.2.1", 1], "headers": head}).credentials) == 2
