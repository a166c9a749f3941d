"""Two `serve` processes on one PostgreSQL and one Redis are one chat, also during an outage of Redis.

Alice is at the first server, Bob at the second, Carol is not in it.
"""

from __future__ import annotations

import contextlib
import threading
import time
from operator import gt

import pytest
import redis

from tests.installations import eventually
from tests.sockets import Client, Member, new_key, new_member, open_sockets

pytestmark = [pytest.mark.servers, pytest.mark.xdist_group("two servers")]

AT_ONCE = 1.0  # seconds, with the channel layer
BY_ITSELF = 6.0  # without it


@pytest.fixture(scope="module")
def installation(builder):
    with contextlib.closing(builder.production()) as installation:
        yield installation


@pytest.fixture(scope="module")
def servers(installation):
    pair = tuple(
        installation.serve(LIMIT_FRAMES="100000/s", PRESENCE_SECONDS="6") for _ in range(2)
    )
    yield pair
    for server in pair:
        assert " ERROR " not in server.output()  # outages are not errors


@pytest.fixture(scope="module")
def people(servers):
    here, there = servers
    return [Member(s, n).sign_in() for s, n in ((here, "Alice"), (there, "Bob"), (there, "Carol"))]


@pytest.fixture
def alice(people):
    return people[0]


@pytest.fixture
def bob(people):
    return people[1]


@pytest.fixture
def call():
    with open_sockets() as opened:
        yield opened


@pytest.fixture
def stopped(installation):
    """stopped("killed" | "hanging") makes Redis unavailable; it is restored at the end."""

    def stop(how):
        installation.redis.stop() if how == "killed" else installation.redis.hang()

    yield stop
    started(installation)


def started(installation):
    """Make Redis available again."""
    installation.redis.start()
    installation.redis.wake()


def count_reports(servers, state):
    """Return how often each server has logged this state: "unavailable" or "available again"."""
    return [server.output().count(f"Channel layer: {state}") for server in servers]


def assert_heard_through_layer(
    speaker: Client, listener: Client, conversation: int, seconds: float
):
    """Wait until a typing frame gets through: only the channel layer carries those between processes. Return
    how long it took."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        speaker.say("typing", conversation=conversation)
        with contextlib.suppress(AssertionError):
            listener.take("typing", seconds=0.5, conversation=conversation)
            return time.monotonic() - began
    raise AssertionError(f"Nothing came through the layer in {seconds} s.")


def assert_message_comes_through_layer(speaker: Client, listener: Client, conversation: int):
    """Send messages until one arrives live: on a busy machine, the other server can find one in the database
    before it hears of it."""
    for number in range(5):
        body = f"{number} of {new_key()}"
        speaker.send_and_wait(conversation, body)
        with contextlib.suppress(AssertionError):
            listener.expect_message(conversation, body, AT_ONCE)
            return
    raise AssertionError("No message came through the layer at once.")


def test_members_on_both_servers_can_chat(alice, bob, people, call):
    tea = alice.create_conversation(bob)
    hers, his, outside = call(alice), call(bob), call(people[2])
    assert_heard_through_layer(hers, his, tea, 5)
    sent = hers.send_and_wait(tea, "from here")
    heard = his.expect_body(tea, "from here")
    assert (heard["version"], heard["id"]) == (sent["version"], sent["id"])
    assert_message_comes_through_layer(hers, his, tea)
    assert_message_comes_through_layer(his, hers, tea)
    alice.ask("PATCH", f"/api/messages/{sent['id']}/", {"body": "edited here"})
    his.expect_body(tea, "edited here")
    assert outside.received("message", conversation=tea) == []


def test_key_is_idempotent_across_servers(alice, bob, servers, call):
    tea = alice.create_conversation(bob)
    elsewhere = alice.again(servers[1])
    here, there, his = call(alice), call(elsewhere), call(bob)
    for _ in range(20):
        key = new_key()
        here.send(tea, key, key)
        there.send(tea, key, key)
        answers = [client.take("sent", key=key) for client in (here, there)]
        assert answers[0] == answers[1]
    rows = [m for m in alice.read_messages(tea) if m["kind"] == "text"]
    assert len(rows) == 20
    # Events of two servers can overtake each other. What was overtaken arrives as a repair.
    assert his.transcript(tea, 20) == [(row["seq"], row["body"]) for row in rows]
    assert his.received("message", conversation=tea) == []


def test_both_servers_deliver_messages_in_the_same_order(alice, bob, call):
    tea = alice.create_conversation(bob)
    hers, his = call(alice), call(bob)
    count = 150

    def talk(client, name):
        for number in range(count):
            client.send(tea, f"{name} {number}")

    talkers = [threading.Thread(target=talk, args=each) for each in ((hers, "A"), (his, "B"))]
    for thread in talkers:
        thread.start()
    for thread in talkers:
        thread.join()
    transcripts = [client.transcript(tea, 2 * count) for client in (hers, his)]
    assert transcripts[0] == transcripts[1]
    assert [m["seq"] for m in alice.read_messages(tea)] == list(range(1, 2 * count + 3))


def test_removal_and_readmission_take_effect_on_the_other_server(alice, bob, call):
    tea = alice.create_conversation(bob)
    hers, his = call(alice), call(bob)
    assert_heard_through_layer(hers, his, tea, 5)
    alice.ask("DELETE", f"/api/conversations/{tea}/members/{bob.id}/")
    his.take("conversation", AT_ONCE, change="removed", conversation__id=tea)
    alice.post_message(tea, "without him")
    hers.expect_message(tea, "without him")
    his.expect_nothing(0.5, "message", message__body="without him")
    alice.ask("POST", f"/api/conversations/{tea}/members/", {"users": [bob.id]})
    his.take("conversation", AT_ONCE, change="added", conversation__id=tea)
    alice.post_message(tea, "with him")
    his.expect_message(tea, "with him", 2)


def test_signing_out_at_one_server_closes_sockets_at_the_other(servers, call):
    guest = new_member(servers[0])
    client = call(guest)
    elsewhere = Member(servers[1], guest.name, guest.token)
    elsewhere.ask("POST", "/api/token/logout/", {})
    began = time.monotonic()
    assert client.close_code() == 4001
    assert time.monotonic() - began < AT_ONCE


def test_presence_is_shared_between_servers_until_one_is_killed(installation, servers, call):
    there = installation.serve(PRESENCE_SECONDS="3")
    alice, guest = new_member(servers[0]), new_member(there)
    tea = alice.create_conversation(guest)
    hers, theirs = call(alice), call(guest)
    tab = call(guest.again(servers[0]))
    theirs.take_if("that she is here", lambda f: alice.id in f.get("online", ()), 8)
    hers.take_if("that they are here", lambda f: guest.id in f.get("online", ()), 8)
    theirs.say("read", conversation=tea, seq=1)
    guest.post_message(tea, "to be seen")
    seq = hers.expect_message(tea, "to be seen", BY_ITSELF)["message"]["seq"]
    hers.say("read", conversation=tea, seq=seq)
    marked = {"user": alice.id, "seq": seq}
    theirs.take_if("mark", lambda f: f["type"] == "seen" and marked in f["marks"], BY_ITSELF)
    tab.close()
    # Another window is open at the other server.
    hers.expect_nothing(4, "presence", offline=[guest.id])
    began = time.monotonic()
    there.kill()
    hers.take("presence", 10, offline=[guest.id])
    assert time.monotonic() - began < 8
    there.start()
    back = call(guest)
    assert hers.take("presence", 8, online=[guest.id])
    # The server that was started again hears of her a moment later.
    back.take_if("that she is here", lambda f: alice.id in f.get("online", ()), 8)


@pytest.mark.parametrize("how", ["killed", pytest.param("hanging", marks=pytest.mark.long)])
def test_presence_is_per_server_without_redis_and_recovers(
    installation, servers, call, stopped, how
):
    alice, guest = new_member(servers[0]), new_member(servers[1])
    alice.create_conversation(guest)
    hers, theirs = call(alice), call(guest)
    hers.take_if("that they are here", lambda f: guest.id in f.get("online", ()), 8)
    stopped(how)
    hers.take("presence", 12, offline=[guest.id])
    friend = new_member(servers[0])
    alice.create_conversation(friend)
    call(friend)
    hers.take_if("the friend here", lambda f: friend.id in f.get("online", ()), 8)
    assert theirs.is_open()
    started(installation)
    hers.take_if("the guest again", lambda f: guest.id in f.get("online", ()), 20)


@pytest.mark.parametrize("what", ["flushed", "clients killed"])
def test_flushing_redis_or_killing_its_clients_loses_nothing(
    what, installation, servers, alice, bob, call
):
    tea = alice.create_conversation(bob)
    hers, his = call(alice), call(bob)
    assert_heard_through_layer(hers, his, tea, 5)
    with redis.Redis.from_url(installation.redis.url) as client:
        if what == "flushed":
            client.flushall()
        else:
            for kind in ("normal", "pubsub"):
                client.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
    hers.send_and_wait(tea, "all the same")
    if what == "flushed":
        his.expect_message(tea, "all the same", AT_ONCE)
    else:
        his.expect_body(tea, "all the same", BY_ITSELF)
    assert_heard_through_layer(hers, his, tea, 10)


@pytest.mark.parametrize("how", ["killed", pytest.param("hanging", marks=pytest.mark.long)])
def test_messages_arrive_within_seconds_without_redis(
    installation, servers, alice, bob, call, stopped, how
):
    tea = alice.create_conversation(bob)
    hers, his = call(alice), call(bob)
    assert_heard_through_layer(hers, his, tea, 10)
    eventually(
        lambda: count_reports(servers, "unavailable") == count_reports(servers, "available again")
    )
    before = count_reports(servers, "unavailable")
    stopped(how)

    for number in range(3):
        began = time.monotonic()
        hers.send_and_wait(tea, f"dark {number}", key=new_key())
        assert time.monotonic() - began < AT_ONCE  # senders never wait for the channel layer
        his.expect_body(tea, f"dark {number}", BY_ITSELF)
    began = time.monotonic()
    late = call(bob)  # a new socket
    assert time.monotonic() - began < 3
    his.send_and_wait(tea, "from the other side")
    hers.expect_body(tea, "from the other side", BY_ITSELF)
    late.expect_body(tea, "from the other side", BY_ITSELF)
    assert alice.post_message(tea, "by REST")["seq"]
    his.expect_body(tea, "by REST", BY_ITSELF)
    eventually(lambda: all(map(gt, count_reports(servers, "unavailable"), before)))

    started(installation)
    eventually(
        lambda: count_reports(servers, "available again") == count_reports(servers, "unavailable")
    )
    assert_heard_through_layer(hers, his, tea, 15)
    assert_heard_through_layer(his, hers, tea, 15)
    for number in range(5):
        began = time.monotonic()
        hers.send_and_wait(tea, f"light {number}")
        his.expect_body(tea, f"light {number}", AT_ONCE)
        took = time.monotonic() - began
        assert took < AT_ONCE
    bodies = [m["body"] for m in alice.read_messages(tea) if m["kind"] == "text"]
    wanted = [f"dark {n}" for n in range(3)] + ["from the other side", "by REST"]
    assert bodies == wanted + [f"light {n}" for n in range(5)]


@pytest.mark.parametrize("how", ["killed", pytest.param("hanging", marks=pytest.mark.long)])
def test_removal_and_sign_out_take_effect_within_seconds_without_redis(
    installation, servers, alice, bob, call, stopped, how
):
    guest = new_member(servers[0])
    tea = alice.create_conversation(bob)
    hers, his, theirs = call(alice), call(bob), call(guest)
    assert_heard_through_layer(hers, his, tea, 10)
    stopped(how)
    alice.ask("DELETE", f"/api/conversations/{tea}/members/{bob.id}/")
    alice.post_message(tea, "without him")
    his.take("conversation", BY_ITSELF, change="removed", conversation__id=tea)
    Member(servers[1], guest.name, guest.token).ask("POST", "/api/token/logout/", {})
    assert theirs.close_code(BY_ITSELF) == 4001
    his.expect_nothing(0.5, "message", message__body="without him")
    synced = his.received("synced", conversation=tea)
    assert [m["body"] for f in synced for m in f["messages"] if m["body"]] == []
    started(installation)
    assert_heard_through_layer(hers, call(alice.again(servers[1])), tea, 15)
