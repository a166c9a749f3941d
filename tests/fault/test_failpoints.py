"""Crashes around a commit. Sending again with the same key resolves each."""

from __future__ import annotations

import contextlib

import pytest

from tests.fault.failing import MOMENTS, WORD
from tests.markers import first_of, on_each_database
from tests.sockets import Member, new_key, open_socket, open_sockets

pytestmark = [pytest.mark.servers, pytest.mark.slow]

STORED = {"before-commit": False, "after-commit": True, "before-ack": True}


@on_each_database(
    MOMENTS,
    short={("sqlite", "before-commit"), ("postgres", "after-commit"), ("sqlite", "before-ack")},
)
def test_crash_around_a_commit_leaves_one_message_and_no_gap(moment, any_installation):
    server = any_installation.serve(failing=moment, TICK_SECONDS="1")
    alice, bob = (Member(server, name).sign_in() for name in ("Alice", "Bob"))
    tea, key = alice.create_conversation(bob), new_key()
    with open_sockets() as opened:
        mine, his = opened(alice), opened(bob)
        before = mine.send_and_wait(tea, "before")
        mine.send(tea, WORD, key)
        assert server.process.wait(10) == 9
        assert [f for f in mine.frames if f["type"] == "sent"] == []
        last = his.transcript(tea, 1)[-1]
        assert last == (before["seq"], "before")
    server.start()
    stored = [message["seq"] for message in alice.read_messages(tea) if message["body"] == WORD]
    assert stored == ([before["seq"] + 1] if STORED[moment] else [])
    with open_sockets() as opened:
        mine, his = opened(alice), opened(bob)
        his.say("sync", conversation=tea, version=before["version"])
        missed = his.take("synced", conversation=tea)["messages"]
        assert [each["body"] for each in missed] == [WORD] * len(stored)
        again = mine.send_and_wait(tea, WORD, key)
        assert again["seq"] == before["seq"] + 1
        assert mine.send_and_wait(tea, WORD, key)["id"] == again["id"]
        assert mine.send_and_wait(tea, "after")["seq"] == again["seq"] + 1
        his.expect_message(tea, "after")
    bodies = [message["body"] for message in bob.read_messages(tea) if message["kind"] == "text"]
    assert bodies == ["before", WORD, "after"]


@pytest.mark.parametrize("moment", first_of("after-commit", "before-ack"))
def test_unpublished_message_of_a_crashed_server_is_found_by_another(
    moment, production_installation
):
    failing = production_installation.serve(failing=moment, TICK_SECONDS="1")
    other = production_installation.serve(TICK_SECONDS="1")
    alice, bob = Member(failing, "Alice").sign_in(), Member(other, "Bob").sign_in()
    tea = alice.create_conversation(bob)
    with (
        contextlib.closing(open_socket(alice)) as mine,
        contextlib.closing(open_socket(bob)) as his,
    ):
        mine.send(tea, WORD)
        assert failing.process.wait(10) == 9
        his.expect_body(tea, WORD, seconds=5)
        assert his.is_open()
