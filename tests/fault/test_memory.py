"""Many clients that do not read, and one that floods, fit into the memory of a small server."""

from __future__ import annotations

import contextlib
import json
import re
import urllib.request
from pathlib import Path

import pytest

from tests.fault.test_clients import masked
from tests.fault.test_slow_reader import BODY, sleeper
from tests.installations import eventually
from tests.sockets import Member, open_sockets

pytestmark = [pytest.mark.servers, pytest.mark.slow]

ENOUGH = 300 * 1024 * 1024  # for the whole process
FLOOD = 800  # messages; beyond a thousand they are not sent one by one
SLEEPERS = 40  # none of them reads; every other one repeatedly requests everything
ASKED = 200  # times
PAGE = 240_000  # minimum bytes of a response to that


def most_resident_bytes(pid):
    """Return the peak since the process started."""
    told = Path(f"/proc/{pid}/status").read_text()
    return 1024 * int(re.search(r"^VmHWM:\s+(\d+) kB$", told, re.MULTILINE)[1])


def closed_as_too_slow(server):
    with urllib.request.urlopen(f"{server.url}/metrics", timeout=10) as answer:
        told = answer.read().decode()
    return float(
        re.search(r'^chatty_websocket_closes_total{code="4408"} (\S+)$', told, re.MULTILINE)[1]
    )


@pytest.mark.long
def test_memory_is_bounded_with_a_flood_and_many_non_readers(installation):
    server = installation.serve(LIMIT_FRAMES="100000/s", SOCKETS_PER_USER="100")
    alice, bob, carol = (Member(server, name).sign_in() for name in ("Alice", "Bob", "Carol"))
    tea = alice.create_conversation(bob, carol)
    everything = json.dumps({"type": "sync", "conversation": tea, "version": 0}).encode()

    def is_over():
        assert most_resident_bytes(server.process.pid) < ENOUGH
        return closed_as_too_slow(server) == SLEEPERS

    with open_sockets() as call, contextlib.ExitStack() as stack:
        hers, his = call(alice), call(bob)
        lines = [stack.enter_context(contextlib.closing(sleeper(carol))) for _ in range(SLEEPERS)]
        for number in range(FLOOD):
            hers.send(tea, f"{number} {BODY}")
        heard = his.transcript(tea, FLOOD // 2)  # so that there is something to request
        for line in lines[::2]:
            with contextlib.suppress(ConnectionError):
                line.sendall(masked(1, everything) * ASKED)
        heard += his.transcript(tea, FLOOD - len(heard))
        his.say("sync", conversation=tea, version=0)
        eventually(is_over, 30)
        assert [int(body.split()[0]) for _seq, body in heard] == list(range(FLOOD))
        # If the server kept it for clients that do not read, it would not fit.
        answer = his.take("synced", conversation=tea)
        assert len(json.dumps(answer, ensure_ascii=False).encode()) > PAGE
        assert PAGE * ASKED * SLEEPERS / 2 > 3 * ENOUGH
        hers.send_and_wait(tea, "after the flood")
        his.expect_message(tea, "after the flood")
    assert most_resident_bytes(server.process.pid) < ENOUGH
    assert " ERROR " not in server.output()
