"""Every acknowledged message is stored, once and in order, whatever crashes in between."""

from __future__ import annotations

import signal
import time

import pytest

from tests.fault.workload import Workload
from tests.installations import eventually
from tests.markers import postgres_is_long
from tests.sockets import Member, try_connect

pytestmark = [pytest.mark.servers, pytest.mark.slow]

FAST = {"LIMIT_FRAMES": "100000/s", "TICK_SECONDS": "1"}


def gather(server, **changes):
    return Workload(
        *(Member(server, name).sign_in() for name in ("Alice", "Bob", "Carol")), **changes
    )


def is_still(workload: Workload) -> bool:
    """Whether no message is acknowledged for half a second."""
    before = count_sent(workload)
    time.sleep(0.5)
    return before == count_sent(workload)


def count_sent(workload: Workload) -> int:
    return sum(len(speaker.sent) for speaker in workload.speakers)


def gather_apart(here, there):
    """Alice is at one server, the others are at the other."""
    seats = ((here, "Alice"), (there, "Bob"), (there, "Carol"))
    return Workload(*(Member(server, name).sign_in() for server, name in seats))


@postgres_is_long
def test_killed_server_loses_and_repeats_nothing(any_installation):
    server = any_installation.serve(**FAST)
    workload = gather(server)
    workload.start()
    for share in (0.1, 0.4, 0.7):
        workload.wait_until_said(share)
        server.kill()  # -9
        server.start()
    workload.assert_nothing_lost_nothing_twice()
    assert all(speaker.calls > 1 for speaker in workload.speakers if speaker.sent)


@postgres_is_long
def test_stopped_server_stores_accepted_messages_and_exits_cleanly(any_installation):
    server = any_installation.serve(**FAST)
    workload = gather(server)
    workload.start()
    for share in (0.2, 0.6):
        workload.wait_until_said(share)
        assert server.terminate() == 0
        server.start()
    workload.assert_nothing_lost_nothing_twice()
    assert " ERROR " not in server.output()


@pytest.mark.long
def test_killing_one_of_two_servers_does_not_affect_the_other(production_installation):
    here, there = production_installation.serve(**FAST), production_installation.serve(**FAST)
    workload = gather_apart(here, there)
    workload.start()
    workload.wait_until_said(0.3)
    here.kill()
    here.start()
    workload.assert_nothing_lost_nothing_twice()
    bobs = [speaker for speaker in workload.speakers if speaker.person is workload.bob]
    assert [speaker.calls for speaker in bobs] == [1] * 10
    assert workload.follower.calls == 1


@pytest.mark.long
def test_restarting_two_servers_in_turn_loses_nothing(production_installation):
    here, there = production_installation.serve(**FAST), production_installation.serve(**FAST)
    workload = gather_apart(here, there)
    workload.start()
    for server, share in ((here, 0.2), (there, 0.6)):
        workload.wait_until_said(share)
        assert server.terminate() == 0
        server.start()
    workload.assert_nothing_lost_nothing_twice()
    for server in (here, there):
        assert " ERROR " not in server.output()


def test_database_crash_loses_nothing(own_installation):
    own_installation.postgres.keep_promises()
    server = own_installation.serve(**FAST)
    workload = gather(server)
    workload.start()
    workload.wait_until_said(0.3)
    own_installation.postgres.crash()
    headers = {"Authorization": f"Bearer {workload.alice.token}"}
    assert try_connect(server, headers) == 1011  # try again later
    status, answer = workload.alice.call("GET", "/api/conversations/")
    assert (status, answer["code"]) == (503, "unavailable")
    # What was committed before the crash may still be on its way to the clients. Nothing comes after it.
    eventually(lambda: is_still(workload))
    before = count_sent(workload)
    status, answer = workload.alice.call("GET", "/api/conversations/")
    assert (status, answer["code"]) == (503, "unavailable")
    assert count_sent(workload) == before
    own_installation.postgres.start()
    workload.assert_nothing_lost_nothing_twice()
    codes = {code for speaker in workload.speakers for code in speaker.retries}
    assert codes <= {"unavailable", "busy"}
    assert "unavailable" in codes
    # No socket was closed.
    assert [speaker.calls for speaker in workload.speakers] == [1] * 20


@pytest.mark.parametrize("seconds", [2, pytest.param(120, marks=pytest.mark.long)])
@postgres_is_long
def test_hung_server_loses_nothing(seconds, any_installation):
    server = any_installation.serve(**FAST)
    workload = gather(server, each=10)
    workload.start()
    workload.wait_until_said(0.3)
    assert server.process is not None
    server.process.send_signal(signal.SIGSTOP)
    workload.follower.join(seconds)  # no one gets a response in this time
    server.process.send_signal(signal.SIGCONT)
    workload.assert_nothing_lost_nothing_twice()
