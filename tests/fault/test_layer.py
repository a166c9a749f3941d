"""A full, idle or unreachable Redis causes delays of seconds, but no losses."""

from __future__ import annotations

import time

import pytest
import redis

from tests.installations import eventually
from tests.sockets import Member, new_key, open_sockets

pytestmark = [pytest.mark.servers, pytest.mark.slow]

BY_ITSELF = 8.0  # seconds until a message arrives without a notification


@pytest.fixture
def call():
    with open_sockets() as opened:
        yield opened


def talk(hers, his, conversation):
    """Both send a message; return the seconds until the slower one has arrived."""
    began = time.monotonic()
    there, back = new_key(), new_key()
    hers.send_and_wait(conversation, there)
    his.send_and_wait(conversation, back)
    his.expect_body(conversation, there, BY_ITSELF)
    hers.expect_body(conversation, back, BY_ITSELF)
    return time.monotonic() - began


@pytest.mark.long
def test_full_redis_does_not_stop_messages(production_installation, call):
    here, there = production_installation.serve(), production_installation.serve()
    alice, bob = Member(here, "Alice").sign_in(), Member(there, "Bob").sign_in()
    tea = alice.create_conversation(bob)
    hers, his = call(alice), call(bob)
    with redis.Redis.from_url(production_installation.redis.url) as client:
        client.config_set("maxmemory", "1")
        with pytest.raises(redis.exceptions.OutOfMemoryError):
            client.set("anything", "x")
        talk(hers, his, tea)
        alice.again()  # rate limits still work
        client.config_set("maxmemory", "0")
    talk(hers, his, tea)


@pytest.mark.long
def test_server_without_redis_still_delivers_messages(production_installation, call):
    here = production_installation.serve()
    # Nothing listens there.
    there = production_installation.serve(REDIS_URL="redis://127.0.0.1:1/0")
    alice, bob = Member(here, "Alice").sign_in(), Member(there, "Bob").sign_in()
    tea = alice.create_conversation(bob)
    hers, his = call(alice), call(bob)
    talk(hers, his, tea)
    known = {"status": "degraded", "database": "ok", "layer": "down"}
    eventually(lambda: bob.call("GET", "/readyz")[1] == known)
    talk(hers, his, tea)


@pytest.mark.long
def test_events_are_delivered_after_a_minute_of_silence(production_installation, call):
    here, there = production_installation.serve(), production_installation.serve()
    alice, bob = Member(here, "Alice").sign_in(), Member(there, "Bob").sign_in()
    tea = alice.create_conversation(bob)
    hers, his = call(alice), call(bob)
    talk(hers, his, tea)
    time.sleep(75)
    assert talk(hers, his, tea) < 1.5
