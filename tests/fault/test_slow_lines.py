"""Slow connections that sometimes stall: everything arrives, only later."""

from __future__ import annotations

import copy
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.fault.lines import Line
from tests.sockets import Member, open_sockets

pytestmark = [pytest.mark.servers, pytest.mark.slow]

WORDS = 100
PAUSE = 0.05  # between two messages
STALLS = (range(20, 40), range(50, 70), range(80, 95))  # messages sent while nothing gets through
# Both ways. Data that arrives while other data is delayed waits for that first.
LEAST, MOST = 2 * 0.2, 2 * 2 * 0.4
LONGEST_STALL = 20 * PAUSE
OWN = 1.0  # for the server and this machine


@pytest.fixture
def line(server):
    with Line("127.0.0.1", server.port) as line:
        yield line


def test_messages_over_a_slow_line_arrive_once_in_order_and_in_time(server, line):
    far = copy.copy(server)
    far.port = line.port
    alice, bob = (Member(server, name).sign_in() for name in ("Alice", "Bob"))
    tea = alice.create_conversation(bob)
    words = [f"word {number}" for number in range(WORDS)]
    output: dict[str, float] = {}

    def listen(client):
        """Return (text, time) in order of arrival."""
        heard: list[tuple[str, float]] = []
        while len(heard) < WORDS:
            arrived = client.transcript(tea, 1)
            heard += [(body, time.monotonic()) for _seq, body in arrived]
        return heard

    with open_sockets() as call, ThreadPoolExecutor(1) as pool:
        hers, his = call(alice.again(far)), call(bob.again(far))
        line.slow_down(0.3, jitter=0.1)
        listening = pool.submit(listen, his)
        keys = []
        for number, word in enumerate(words):
            if any(number == stall.start for stall in STALLS):
                line.hold_up()
            output[word] = time.monotonic()
            keys.append(hers.send(tea, word))
            time.sleep(PAUSE)
            if any(number == stall.stop - 1 for stall in STALLS):
                line.flow()
        heard = listening.result(30)
        acknowledged = [hers.take("sent") for _ in words]
        assert his.received("message") == []
        assert hers.received("error") == []

    assert [word for word, _when in heard] == words
    assert [sent["key"] for sent in acknowledged] == keys
    stored = [row for row in alice.read_messages(tea) if row["kind"] == "text"]
    assert [row["body"] for row in stored] == words
    assert [row["seq"] for row in stored] == [sent["seq"] for sent in acknowledged]
    waits = sorted(when - output[word] for word, when in heard)
    assert waits[0] > LEAST
    assert waits[int(WORDS * 0.99) - 1] < MOST + LONGEST_STALL + OWN
