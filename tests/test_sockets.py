"""The protocol from a client's point of view: the same tests with every kind of real server.

Alice is the owner, Bob a member, Carol is not in it. `serve` on SQLite, `serve` on PostgreSQL and Redis, and
Daphne must behave alike.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import time
import urllib.request
from functools import partial
from typing import Any

import pytest
import websockets.sync.client
from channels_redis.pubsub import RedisPubSubChannelLayer
from websockets.exceptions import InvalidStatus

from conversations import limits, protocol
from conversations.events import LAYER_TYPE, EphemeralEvent, to_layer
from tests.cast import PASSWORD
from tests.installations import eventually
from tests.sockets import (
    Client,
    Member,
    connect,
    new_key,
    new_member,
    open_socket,
    open_sockets,
    try_connect,
)

pytestmark = pytest.mark.servers

LISTED = "https://board.example.net"

# All tests with one server run in one worker, which starts it once.
PLACES = [
    pytest.param("serve-sqlite", marks=pytest.mark.xdist_group("serve-sqlite")),
    *(
        pytest.param(name, marks=[pytest.mark.xdist_group(name), pytest.mark.long])
        for name in ("serve-postgres", "daphne-sqlite")
    ),
]


@pytest.fixture(scope="module", params=PLACES)
def place(request, builder):
    """A server, described by its name. It finds changes of other processes within a second."""
    kind, database = request.param.split("-")
    make = builder.sqlite if database == "sqlite" else builder.production
    with contextlib.closing(make()) as installation:
        quick = {"TICK_SECONDS": "1", "PRESENCE_SECONDS": "3", "API_ORIGINS": LISTED}
        server = installation.serve(kind=kind, LIMIT_FRAMES="100000/s", **quick)
        yield server
        assert " ERROR " not in server.output()


@pytest.fixture(scope="module")
def people(place):
    return [Member(place, name).sign_in() for name in ("Alice", "Bob", "Carol")]


@pytest.fixture(scope="module")
def patient(people):
    """A socket that stays idle while all others are in use."""
    client = open_socket(people[2])
    yield client
    client.close()


@pytest.fixture
def alice(people, patient):
    return people[0]


@pytest.fixture
def bob(people):
    return people[1]


@pytest.fixture
def carol(people):
    return people[2]


@pytest.fixture
def call():
    """call(person): a socket of this person, closed at the end of the test."""
    with open_sockets() as opened:
        yield opened


def texts(client, conversation):
    """Return the bodies of text messages that a client got live, in order."""
    frames = client.received("message", conversation=conversation, message__kind="text")
    return [frame["message"]["body"] for frame in frames]


# --- the handshake ---------------------------------------------------------------------------------


def test_handshake_credentials(place):
    guest, left, closed = (new_member(place) for _ in range(3))
    cookie, left_cookie, closed_cookie = (each.cookie() for each in (guest, left, closed))
    expired = guest.new_token(exp=int(time.time()) - 5)
    forged = guest.token[:-6] + ("aaaaaa" if not guest.token.endswith("aaaaaa") else "bbbbbb")
    end_everything(place, left, closed)

    def bearer(token):
        return {"Authorization": f"Bearer {token}"}

    cards = {
        "nothing": ({}, 4401, 4401),
        "cookie": ({"Cookie": cookie}, "hello", 4401),
        "bearer": (bearer(guest.token), "hello", "hello"),
        "both": ({"Cookie": cookie, **bearer(guest.token)}, "hello", "hello"),
        "cookie beside a bad token": ({"Cookie": cookie, **bearer("nonsense")}, 4401, 4401),
        "expired": (bearer(expired), 4401, 4401),
        "forged": (bearer(forged), 4401, 4401),
        "refresh as access": (bearer(guest.refresh), 4401, 4401),
        "ended token": (bearer(left.token), 4401, 4401),
        "ended cookie": ({"Cookie": left_cookie}, 4401, 4401),
        "closed account, token": (bearer(closed.token), 4403, 4403),
        "closed account, cookie": ({"Cookie": closed_cookie}, 4403, 4401),
        "made-up cookie": ({"Cookie": "chatty-session=nonsense"}, 4401, 4401),
    }
    for name, (headers, at_home, from_nowhere) in cards.items():
        assert try_connect(place, {"Origin": place.url, **headers}) == at_home, name
        assert try_connect(place, headers) == from_nowhere, f"{name}, without an Origin"


def end_everything(place, left, closed):
    """End all sign-ins of one and deactivate the other, as staff would."""
    place.manage(
        "shell",
        "-c",
        "from accounts import actions; from accounts.models import User;"
        f"actions.end_sign_ins(User.objects.get(email={left.email!r}));"
        f"actions.close_account(User.objects.get(email={closed.email!r}))",
    )


def test_foreign_origins_are_rejected(place, alice):
    port = place.port
    foreign = (
        "https://evil.example",
        "null",
        f"http://127.0.0.1:{port + 1}",
        "http://127.0.0.1",
        f"https://127.0.0.1:{port}",
        f"http://localhost:{port}",
        f"http://127.0.0.1:{port}.evil.example",
        f"http://127.0.0.1:{port}/",
        "nonsense",
    )
    for origin in foreign:
        headers = {"Origin": origin, "Authorization": f"Bearer {alice.token}"}
        # Daphne itself rejects values that are not origins.
        assert try_connect(place, headers) in ((403,) if place.kind == "serve" else (403, 400)), (
            origin
        )


def test_script_of_a_listed_origin_sends_its_token_in_the_first_frame(place):
    guest = new_member(place)
    handshake = {"Origin": LISTED, "Cookie": guest.cookie()}

    def started(first: str | bytes) -> Client:
        client = Client(connect(place, handshake))
        client.connection.send(first)
        return client

    client = started(json.dumps({"type": "auth", "token": guest.token}))
    assert client.take("hello")["user"]["id"] == guest.id
    client.say("auth", token=guest.token)  # from now on it renews
    assert client.take("error")["code"] == "token_invalid"
    assert client.is_open()
    client.close()
    for first, code in (
        ('{"type": "ping"}', "unauthenticated"),
        ('{"type": "auth", "token": ""}', "unauthenticated"),
        (json.dumps({"type": "auth", "token": guest.refresh}), "token_invalid"),
        ("{", "bad_frame"),
        (b"{}", "bad_frame"),
    ):
        client = started(first)
        assert client.close_code() == 4401
        assert [frame["code"] for frame in client.frames] == [code], first
    assert try_connect(place, {"Origin": LISTED, "Authorization": f"Bearer {guest.token}"}) == (
        "hello"
    )
    began = time.monotonic()
    assert try_connect(place, handshake) == 4401  # it says nothing
    assert time.monotonic() - began > 4
    assert try_connect(place, {"Origin": "https://other.example.net"}) == 403


def test_subprotocol_is_selected_when_offered(place, alice):
    headers = {"Authorization": f"Bearer {alice.token}"}
    for offered, spoken in (
        (("chatty.v2",), "chatty.v2"),
        (("chatty.v1", "chatty.v2"), "chatty.v2"),
        (("chatty.v2", "chatty.v1"), "chatty.v2"),
        (("other.v9", "chatty.v2"), "chatty.v2"),
        ((), None),
    ):
        connection = connect(place, headers, subprotocols=offered)
        assert connection.subprotocol == spoken, offered
        assert json.loads(connection.recv(timeout=10))["type"] == "hello"
        connection.close()


def test_trailing_slash_is_optional(place, alice):
    address = place.url.replace("http", "ws", 1) + "/ws"
    headers = {"Authorization": f"Bearer {alice.token}"}
    with websockets.sync.client.connect(address, additional_headers=headers, proxy=None) as socket:
        assert json.loads(socket.recv(timeout=10))["type"] == "hello"


def test_handshake_is_rejected_in_words(place):
    """At another path, and of another origin. Daphne can only send 403. The log is checked by `place`."""
    address = place.url.replace("http", "ws", 1)
    for path, origin, status, words in (
        ("/socket/", place.url, 404, "doesn’t exist"),
        ("/ws/", "https://evil.example", 403, "aren’t allowed"),
    ):
        with pytest.raises(InvalidStatus) as caught:
            websockets.sync.client.connect(address + path, origin=origin, proxy=None)
        answer = caught.value.response
        if place.kind == "serve":
            assert answer.status_code == status
            assert words in answer.body.decode()
        else:
            assert answer.status_code == 403


@pytest.mark.parametrize("path", ["/ws/", "/ws"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_request_that_opens_no_socket_is_answered_with_426(place, path, method):
    connection = http.client.HTTPConnection("127.0.0.1", place.port, timeout=10)
    with contextlib.closing(connection):
        connection.request(method, path, body=b"{}" if method == "POST" else None)
        answer = connection.getresponse()
        body = answer.read()
    assert (answer.status, answer.headers["Upgrade"]) == (426, "websocket")
    assert "upgrade" in ", ".join(answer.headers.get_all("Connection")).lower()
    assert body == (b"" if method == "HEAD" else b"Open a WebSocket at this address.")


@pytest.mark.parametrize("language", ["en", "de"])
def test_client_of_the_previous_version_is_asked_to_upgrade(place, alice, language):
    headers = {"Authorization": f"Bearer {alice.token}", "Accept-Language": language}
    connection = connect(place, headers, subprotocols=("chatty.v1", "other.v9"))
    assert connection.subprotocol == "chatty.v1"
    client = Client(connection)
    assert client.close_code() == protocol.CLOSE_BAD_CLIENT
    (frame,) = client.frames
    detail = {"en": "Chatty was updated.", "de": "Chatty wurde aktualisiert."}[language]
    assert frame.pop("detail").startswith(detail)
    assert frame == {"type": "upgrade", "subprotocols": ["chatty.v2"]}


def test_client_without_a_supported_version_is_told_which_are(place, alice):
    headers = {"Authorization": f"Bearer {alice.token}"}
    connection = connect(place, headers, subprotocols=("chatty.v9", "graphql-ws"))
    assert connection.subprotocol is None
    client = Client(connection)
    assert client.close_code() == protocol.CLOSE_BAD_CLIENT
    (frame,) = client.frames
    assert frame.pop("detail") == "Your app doesn’t support the version of this server."
    assert frame == {"type": "upgrade", "subprotocols": ["chatty.v2"]}


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"\x81\x82\x00\x00\x00\x00\xc3\x28", 1007),  # text that is not UTF-8
        (b"\x81\x02{}", 1002),  # without a mask
        (b"\xc1\x80\x00\x00\x00\x00", 1002),  # a reserved bit
        (b"\x83\x80\x00\x00\x00\x00", 1002),  # a reserved opcode
        (b"\x80\x80\x00\x00\x00\x00", 1002),  # a continuation of nothing
        (b"\x88\x81\x00\x00\x00\x00\x03", 1002),  # half a close code
    ],
)
def test_malformed_frame_closes_the_socket_without_an_error_in_the_log(
    place, alice, call, raw, code
):
    """chatty/tests/test_websocket_conformance.py has all cases. The log is checked by `place`."""
    if place.kind == "daphne":
        pytest.skip("has a WebSocket implementation of its own")
    client = call(alice)
    client.connection.socket.sendall(raw)
    assert client.close_code() == code


def test_hello_contains_user_limits_and_conversations(place, alice, bob, call):
    tea = alice.create_conversation(bob)
    alice.post_message(tea, "one")
    alice.post_message(tea, "two")
    hello = call(bob).take("hello")
    assert hello["user"] == {"id": bob.id, "name": "Bob", "hue": bob.id * 7 % 12, "picture": None}
    assert hello["limits"]["body"] == limits.BODY_MAX
    assert hello["heartbeat"] == protocol.HEARTBEAT_SECONDS
    assert len(hello["epoch"]) > 8
    assert hello["epoch"] == call(alice).take("hello")["epoch"]
    with urllib.request.urlopen(f"{alice.server.url}/sign-in/", timeout=10) as response:
        assert hello["build"] == response.headers["Chatty-Build"]
    (row,) = (row for row in hello["conversations"] if row["id"] == tea)
    page = bob.ask("GET", f"/api/conversations/{tea}/messages/")
    assert row["version"] == page["position"]
    assert row["last_seq"] == page["messages"][-1]["seq"]
    assert (row["unread"], row["unread_more"]) == (2, False)
    (row,) = (row for row in call(alice).take("hello")["conversations"] if row["id"] == tea)
    assert row["unread"] == 0


def test_sockets_per_user_are_limited(place):
    guest = new_member(place)
    with open_sockets() as opened:
        first, *_ = [opened(guest) for _ in range(20)]
        assert try_connect(place, {"Authorization": f"Bearer {guest.token}"}) == 4409
        assert first.is_open()


def test_sockets_per_address_are_limited_before_authentication(installation):
    server = installation.serve(TRUSTED_PROXIES="127.0.0.1", SOCKETS_PER_ADDRESS="3")
    guest = new_member(server)
    bearer = {"Authorization": f"Bearer {guest.token}"}
    full, free = ({"X-Forwarded-For": address} for address in ("203.0.113.7", "203.0.113.8"))
    with contextlib.ExitStack() as stack:
        kept = [stack.enter_context(connect(server, {**bearer, **full})) for _ in range(3)]
        assert try_connect(server, {**bearer, **full}) == 4409
        assert try_connect(server, full) == 4409
        assert try_connect(server, free) == 4401
        for _ in range(4):  # from the loopback address
            stack.enter_context(connect(server, bearer))
        assert try_connect(server, {**bearer, **free}) == "hello"
        kept[0].close()
        eventually(lambda: try_connect(server, {**bearer, **full}) == "hello")


def test_sockets_per_network_are_limited_to_ten_addresses(installation):
    server = installation.serve(TRUSTED_PROXIES="127.0.0.1", SOCKETS_PER_ADDRESS="1")
    guest = new_member(server)
    bearer = {"Authorization": f"Bearer {guest.token}"}
    with contextlib.ExitStack() as stack:
        for n in range(10):
            address = {"X-Forwarded-For": f"2001:db8:1:{n}::1"}
            stack.enter_context(connect(server, {**bearer, **address}))
        assert try_connect(server, {**bearer, "X-Forwarded-For": "2001:db8:1:ff::1"}) == 4409
        assert try_connect(server, {**bearer, "X-Forwarded-For": "2001:db8:2:1::1"}) == "hello"


# --- sending -----------------------------------------------------------------------------------------


def test_message_is_sent_to_members_only(alice, bob, carol, call):
    tea = alice.create_conversation(bob)
    hers, tab, his, outside = call(alice), call(alice), call(bob), call(carol)
    sent = hers.send_and_wait(tea, "Hello **Bob**")
    for client in (hers, tab, his):
        frame = client.expect_message(tea, "Hello **Bob**")
        message = frame["message"]
        assert (frame["version"], message["version"]) == (sent["version"], sent["version"])
        assert (message["id"], message["seq"]) == (sent["id"], sent["seq"])
        assert (message["author"]["id"], message["author"]["name"]) == (alice.id, "Alice")
        assert (message["key"], message["kind"]) == (sent["key"], "text")
        assert frame["change"] == {"action": "created", "user": alice.id}
    assert outside.received("message", conversation=tea) == []
    assert tab.received("sent") == []


def test_messages_arrive_in_order_without_version_gaps(alice, bob, call):
    tea = alice.create_conversation(bob)
    hers, his = call(alice), call(bob)
    for number in range(150):
        hers.send(tea, f"word {number}")
    sent = [hers.take("sent", conversation=tea) for _ in range(150)]
    assert [s["seq"] for s in sent] == list(range(sent[0]["seq"], sent[0]["seq"] + 150))
    his.expect_message(tea, "word 149")  # waits for the last one, and takes it
    heard = his.received("message", conversation=tea, message__kind="text")
    assert [f["message"]["body"] for f in heard] == [f"word {number}" for number in range(149)]
    versions = [f["version"] for f in heard]
    assert versions == list(range(versions[0], versions[0] + 149))


def test_key_is_idempotent_across_socket_and_api(alice, bob, call):
    tea = alice.create_conversation(bob)
    hers, other, his = call(alice), call(alice), call(bob)
    key = new_key()
    first = hers.send_and_wait(tea, "once", key)
    assert hers.send_and_wait(tea, "once", key) == first
    assert other.send_and_wait(tea, "once", key) == first
    path = f"/api/conversations/{tea}/messages/"
    status, answer = alice.call("POST", path, {"key": key, "body": "once"})
    assert status == 200
    assert answer.get("message", answer)["id"] == first["id"]
    for _ in range(30):
        hers.send(tea, "thirty times", "k-" + key)
        other.send(tea, "thirty times", "k-" + key)
    answers = [c.take("sent", key="k-" + key) for c in (hers, other) for _ in range(30)]
    assert {a["id"] for a in answers} == {answers[0]["id"]}
    his.expect_message(tea, "once")
    his.expect_message(tea, "thirty times")
    assert texts(his, tea) == []
    assert [m["body"] for m in alice.read_messages(tea) if m["kind"] == "text"] == [
        "once",
        "thirty times",
    ]


def test_key_of_another_message_is_rejected(alice, bob, call):
    tea, cake = alice.create_conversation(bob), alice.create_conversation(bob)
    hers = call(alice)
    key = hers.send_and_wait(tea, "first")["key"]
    for conversation, body in ((tea, "second"), (cake, "first")):
        hers.send(conversation, body, key)
        error = hers.take("error", key=key)
        assert (error["code"], error["retry"]) == ("key_reused", False)
    assert call(bob).send_and_wait(tea, "second", key)["key"] == key  # keys are per user
    bodies = [m["body"] for m in alice.read_messages(tea) if m["kind"] == "text"]
    assert bodies == ["first", "second"]


def test_reply_quotes_only_messages_of_the_same_conversation(alice, bob, call):
    tea, cake = alice.create_conversation(bob), alice.create_conversation(bob)
    hers, his = call(alice), call(bob)
    quoted = hers.send_and_wait(tea, "Milk?")["id"]
    his.send_and_wait(tea, "Yes please", reply_to=quoted)
    reply = hers.expect_message(tea, "Yes please")["message"]["reply_to"]
    assert (reply["id"], reply["excerpt"]) == (quoted, "Milk?")
    key = his.send(cake, "Yes please", reply_to=quoted)
    assert his.take("error", key=key)["code"] == "not_found"


# --- bad input ---------------------------------------------------------------------------------------


def test_invalid_messages_get_an_error_with_code_and_key(alice, bob, carol, call):
    tea = alice.create_conversation(bob)
    hers, his = call(alice), call(bob)
    theirs = carol.create_conversation()
    cases = [
        ("empty", tea, ""),
        ("empty", tea, " \n\t "),
        ("empty", tea, "\u200b\u2060"),
        ("too_long", tea, "x" * (limits.BODY_MAX + 1)),
        ("bad_text", tea, "a\x00b"),
        ("bad_text", tea, "a\x1bb"),
        ("not_found", theirs, "let me in"),
        ("not_found", 2**53 - 1, "is there anybody"),
    ]
    for code, conversation, body in cases:
        key = hers.send(conversation, body)
        error = hers.take("error", key=key)
        assert (error["code"], error["retry"]) == (code, False), body
        assert error["detail"]
        assert error["conversation"] == conversation
    assert hers.send_and_wait(tea, "x" * limits.BODY_MAX)["seq"]
    assert hers.send_and_wait(tea, "still here")["seq"]
    his.expect_message(tea, "still here")
    assert his.received("error") == []
    assert hers.received("error") == []


def test_inaccessible_and_missing_conversations_get_the_same_error(alice, carol, call):
    theirs = carol.create_conversation()
    client = call(alice)
    for kind, more in (("send", {"key": "k", "body": "x"}), ("sync", {"version": 0})):
        answers = []
        for conversation in (theirs, 2**52):
            client.say(kind, conversation=conversation, **more)
            error = client.take("error")
            error.pop("conversation", None)
            answers.append(error)
        assert answers[0] == answers[1]
        assert answers[0]["code"] == "not_found"
    for kind, more in (("typing", {}), ("read", {"seq": 1})):
        client.say(kind, conversation=theirs, **more)
        assert client.take("error")["code"] == "not_found"


BAD_FRAMES = {
    "no JSON": "hello?",
    "half a frame": '{"type":"send","key":"k1","body":"',
    "no object": "[1,2]",
    "null": "null",
    "empty": "",
    "no type": '{"conversation":1}',
    "unknown type": '{"type":"shout","key":"k1"}',
    "unknown field": '{"type":"ping","more":1}',
    "missing field": '{"type":"send","conversation":1,"key":"k1"}',
    "text for number": '{"type":"sync","conversation":"1","version":0}',
    "number for text": '{"type":"send","conversation":1,"key":"k1","body":5}',
    "null for text": '{"type":"send","conversation":1,"key":"k1","body":null}',
    "negative": '{"type":"sync","conversation":1,"version":-1}',
    "too big a number": '{"type":"sync","conversation":9007199254740993,"version":0}',
    "endless number": '{"type":"sync","conversation":' + "9" * 5000 + ',"version":0}',
    "NaN": '{"type":"sync","conversation":NaN,"version":0}',
    "fraction": '{"type":"sync","conversation":1.5,"version":0}',
    "true": '{"type":"sync","conversation":true,"version":0}',
    "lone surrogate": '{"type":"send","conversation":1,"key":"k1","body":"\\ud800"}',
    "deep list": "[" * 60_000,
    "deep object": '{"a":' * 10_000,
    "deep inside": '{"type":"send","conversation":1,"key":"k1","body":' + "[" * 50 + "]" * 50 + "}",
}


def test_bad_frames_get_an_error_and_the_socket_stays_open(place, alice, bob, call):
    tea = alice.create_conversation(bob)
    his = call(bob)
    for names in (list(BAD_FRAMES)[:11], list(BAD_FRAMES)[11:]):
        hers = call(alice)  # a second socket: twenty per minute would be too many for one
        for name in names:
            hers.connection.send(BAD_FRAMES[name])
            error = hers.take("error")
            assert error["code"] == "bad_frame", name
            assert error["detail"], name
            assert error.get("key") == ("k1" if '"k1"' in BAD_FRAMES[name] else None), name
            assert "Traceback" not in error["detail"]
        assert hers.send_and_wait(tea, "after all that")["seq"]
        his.expect_message(tea, "after all that")
    assert his.received("error") == []
    assert " ERROR " not in place.output()


def test_binary_frame_gets_an_error(alice, call):
    client = call(alice)
    client.connection.send(b'{"type":"ping"}')
    assert client.take("error")["code"] == "bad_frame"
    assert client.received("pong") == []


def test_deeply_nested_frame_does_not_affect_others(place, alice, bob, call):
    tea = alice.create_conversation(bob)
    bad, hers, his = call(alice), call(alice), call(bob)
    bad.connection.send("[" * 2 * protocol.FRAME_MAX)
    assert_too_big(place, bad)
    hers.send_and_wait(tea, "never mind")
    his.expect_message(tea, "never mind")


def test_size_of_frames_is_limited(place, alice, call):
    padded = '{"type":"ping"}' + " " * (protocol.FRAME_MAX - len('{"type":"ping"}'))
    client = call(alice)
    client.connection.send(padded)
    assert client.take("pong")
    client.connection.send(padded + " ")
    assert_too_big(place, client)


def assert_too_big(place, client):
    if place.kind == "serve":
        assert client.close_code() == 1009
    else:  # Daphne has no limit, so the frame gets to the consumer
        assert client.take("error")["code"] == "too_big"
        assert client.is_open()


def test_twenty_bad_frames_in_a_minute_close_the_socket(alice, bob, call):
    tea = alice.create_conversation(bob)
    bad, hers, his = call(alice), call(alice), call(bob)
    for _ in range(20):
        bad.connection.send("nonsense")
    assert bad.close_code() == 4400
    assert len([f for f in bad.frames if f["type"] == "error"]) == 20
    hers.send_and_wait(tea, "the others talk on")
    his.expect_message(tea, "the others talk on")


def test_archived_conversation_rejects_messages(alice, bob, call):
    tea = alice.create_conversation(bob)
    his = call(bob)
    alice.ask("PATCH", f"/api/conversations/{tea}/", {"archived": True})
    assert his.take("message", conversation=tea)["message"]["kind"] == "archived"
    key = his.send(tea, "too late")
    assert his.take("error", key=key)["code"] == "archived"
    alice.ask("PATCH", f"/api/conversations/{tea}/", {"archived": False})
    assert his.send_and_wait(tea, "in time again")["seq"]


# --- typing, names, read marks, presence -------------------------------------------------------------


def test_typing_is_sent_to_other_members_only(alice, bob, carol, call):
    tea = alice.create_conversation(bob)
    hers, his, outside = call(alice), call(bob), call(carol)
    hers.say("typing", conversation=tea)
    hers.say("typing", conversation=tea)
    frame = his.take("typing", conversation=tea)
    assert frame["user"] == {"id": alice.id, "name": "Alice"}
    assert hers.is_open()
    assert his.received("typing") == []  # the second one came too soon
    assert outside.received("typing") == []


def test_rename_is_sent_once_to_people_who_share_a_conversation(alice, bob, carol, call):
    tea = alice.create_conversation(bob)
    alice.create_conversation(bob)
    hers, his, others = call(alice), call(bob), call(carol)
    alice.ask("PATCH", "/api/me/", {"name": "Alice Liddell"})
    assert his.take("person")["user"]["name"] == "Alice Liddell"
    assert hers.take("person")["user"]["id"] == alice.id
    alice.ask("PATCH", "/api/me/", {"theme": "dark"})  # not sent to others
    alice.ask("PATCH", "/api/me/", {"hue": 3, "name": "Alice"})
    changed = his.take("person")["user"]
    assert (changed["hue"], changed["name"]) == (3, "Alice")
    alice.ask("PATCH", "/api/me/", {"name": "Alice P. Liddell"})
    his.take("person")
    hers.say("typing", conversation=tea)
    assert his.take("typing")["user"]["name"] == "Alice P. Liddell"
    alice.ask("PATCH", "/api/me/", {"name": "Alice"})
    assert others.received("person") == []


def test_read_mark_is_sent_to_own_sockets_and_other_members(alice, bob, carol, call):
    tea = alice.create_conversation(bob)
    seq = alice.post_message(tea, "read this")["seq"]
    his, tab, hers, outside = call(bob), call(bob), call(alice), call(carol)
    for mark in (1, seq, seq + 1000, 1):
        his.say("read", conversation=tea, seq=mark)
    assert tab.take("read", conversation=tea, seq=seq)["user"] == bob.id
    frame = hers.take("seen", 3, conversation=tea)
    assert frame["marks"] == [{"user": bob.id, "seq": seq}]
    tab.received()
    hello = call(bob).take("hello")
    (row,) = (row for row in hello["conversations"] if row["id"] == tea)
    assert (row["last_read_seq"], row["unread"]) == (seq, 0)
    assert hers.received("read") == []
    assert outside.received("seen") == []


def test_presence_is_sent_to_people_who_share_a_conversation(place, alice, call):
    guest, friend = new_member(place), new_member(place)
    tea = alice.create_conversation(guest)
    hers = call(alice)
    assert guest.id not in hers.take("presence", reset=True)["online"]
    theirs, outside = call(guest), call(friend)
    assert theirs.take("presence", reset=True)["online"] == [alice.id]
    assert outside.take("presence", reset=True)["online"] == []
    hers.take_if("the guest", lambda frame: guest.id in frame.get("online", ()))
    assert here_of(alice, tea, guest) is True
    theirs.close()
    began = time.monotonic()
    reload = call(guest)
    time.sleep(1.5)
    told = hers.received("presence")
    assert not any(guest.id in frame["online"] + frame["offline"] for frame in told)
    reload.close()
    hers.take_if("that the guest is gone", lambda frame: guest.id in frame.get("offline", ()), 8)
    assert time.monotonic() - began > 3
    assert here_of(alice, tea, guest) is False
    assert outside.received("presence") == []


def here_of(asker, conversation, member):
    """Return whether someone is online according to the API."""
    rows = asker.ask("GET", f"/api/conversations/{conversation}/members/")["results"]
    (here,) = (row["online"] for row in rows if row["user"]["id"] == member.id)
    return here


# --- catching up -------------------------------------------------------------------------------------


def test_sync_returns_missed_changes_once_in_order(alice, bob, call):
    tea = alice.create_conversation(bob)
    before = alice.post_message(tea, "before")
    kept = [alice.post_message(tea, f"missed {n}") for n in range(3)]
    alice.ask("PATCH", f"/api/messages/{before['id']}/", {"body": "before, edited"})
    alice.ask("DELETE", f"/api/messages/{kept[1]['id']}/")
    his = call(bob)
    his.say("sync", conversation=tea, version=before["version"])
    synced = his.take("synced", conversation=tea)
    assert (synced["from"], synced["more"], synced["reset"]) == (before["version"], False, False)
    bodies = [(m["body"], m["deleted_at"] is not None) for m in synced["messages"]]
    wanted = [("missed 0", False), ("missed 2", False), ("before, edited", False), ("", True)]
    assert bodies == wanted
    assert synced["version"] == synced["messages"][-1]["version"]
    his.say("sync", conversation=tea, version=synced["version"])
    again = his.take("synced", conversation=tea)
    assert (again["messages"], again["version"]) == ([], synced["version"])


def test_sync_is_paged(alice, bob, call):
    tea = alice.create_conversation(bob)
    hers = call(alice)
    for number in range(230):
        hers.send(tea, f"word {number}")
    for _ in range(230):
        hers.take("sent", conversation=tea)
    his, position, bodies, pages = call(bob), 0, [], 0
    while True:
        his.say("sync", conversation=tea, version=position)
        page = his.take("synced", conversation=tea)
        assert page["from"] == position
        assert len(page["messages"]) <= limits.SYNC_PAGE
        bodies += [m["body"] for m in page["messages"] if m["kind"] == "text"]
        position, pages = page["version"], pages + 1
        if not page["more"]:
            break
    assert bodies == [f"word {number}" for number in range(230)]
    assert pages == 3


def test_sync_pages_are_limited_in_bytes(alice, bob, call):
    tea = alice.create_conversation(bob)
    hers = call(alice)
    for _ in range(60):
        hers.send_and_wait(tea, "ä" * limits.BODY_MAX)
    his = call(bob)
    his.say("sync", conversation=tea, version=0)
    page = his.take("synced", conversation=tea)
    assert page["more"]
    assert len(json.dumps(page, ensure_ascii=False).encode()) < 2 * limits.SYNC_BYTES


def test_sync_resets_when_too_far_behind_or_ahead(place, alice, bob, call):
    tea = alice.create_conversation(bob)
    head = alice.post_message(tea, "only this")["version"]
    his = call(bob)
    his.say("sync", conversation=tea, version=head + 1)
    ahead = his.take("synced", conversation=tea)
    assert (ahead["reset"], ahead["messages"], ahead["version"]) == (True, [], head)
    hers = call(alice)
    for number in range(limits.SYNC_REACH):
        hers.send(tea, f"{number}")
    for _ in range(limits.SYNC_REACH):
        hers.take("sent", conversation=tea, seconds=20)
    his.say("sync", conversation=tea, version=head - 1)
    behind = his.take("synced", conversation=tea)
    assert (behind["reset"], behind["version"]) == (True, head + limits.SYNC_REACH)


# --- changes through the API arrive immediately --------------------------------------------------------


def test_edits_deletions_and_reactions_are_sent_with_their_change(alice, bob, carol, call):
    tea = alice.create_conversation(bob)
    his, outside = call(bob), call(carol)
    message = alice.post_message(tea, "Tee?")
    at = f"/api/messages/{message['id']}/"
    his.expect_message(tea, "Tee?")

    alice.ask("PATCH", at, {"body": "Tea?"})
    edited = his.expect_message(tea, "Tea?")
    assert edited["change"] == {"action": "edited", "user": alice.id}
    assert edited["message"]["edited_at"]
    assert edited["version"] == message["version"] + 1

    bob.ask("PUT", at + "reactions/%F0%9F%91%8D/")
    reacted = his.take("message", change__action="reacted", conversation=tea)
    assert reacted["change"] == {"action": "reacted", "user": bob.id, "emoji": "👍", "on": True}
    (group,) = reacted["message"]["reactions"]
    assert (group["emoji"], group["count"], group["users"]) == ("👍", 1, [bob.id])

    bob.ask("DELETE", at + "reactions/%F0%9F%91%8D/")
    taken = his.take("message", change__action="reacted", conversation=tea)
    assert (taken["change"]["on"], taken["message"]["reactions"]) == (False, [])

    alice.ask("DELETE", at)
    deleted = his.take("message", change__action="deleted", conversation=tea)["message"]
    assert (deleted["body"], deleted["html"]) == ("", "")
    assert deleted["deleted_at"]
    assert deleted["version"] == message["version"] + 4
    assert outside.received("message", conversation=tea) == []


def test_system_messages_are_sent_as_sentences(alice, bob, call):
    tea = alice.create_conversation(bob)
    his = call(bob)
    alice.ask("PATCH", f"/api/conversations/{tea}/", {"name": "Coffee", "topic": "Beans"})
    kinds = [his.take("message", conversation=tea)["message"] for _ in range(2)]
    assert [m["kind"] for m in kinds] == ["renamed", "topic"]
    assert "Alice" in kinds[0]["notice"]["text"]
    assert "Coffee" in kinds[0]["notice"]["text"]
    assert [m["body"] for m in kinds] == ["", ""]


# --- membership ----------------------------------------------------------------------------------------


def test_removed_member_gets_no_more_events(alice, bob, call):
    tea = alice.create_conversation(bob)
    hers, his = call(alice), call(bob)
    alice.ask("DELETE", f"/api/conversations/{tea}/members/{bob.id}/")
    removed = his.take("conversation", change="removed")
    assert removed["conversation"] == {"id": tea}
    alice.post_message(tea, "now that he is gone")
    hers.say("typing", conversation=tea)
    hers.expect_message(tea, "now that he is gone")
    assert his.received("message", message__body="now that he is gone") == []
    assert his.received("typing") == []
    assert hers.received("message", conversation=tea, message__kind="removed") != []
    key = his.send(tea, "am I?")
    assert his.take("error", key=key)["code"] == "not_found"
    his.say("sync", conversation=tea, version=0)
    assert his.take("error")["code"] == "not_found"


def test_removed_member_added_again_gets_events(alice, bob, call):
    tea = alice.create_conversation(bob)
    his = call(bob)
    for round_ in range(3):
        alice.ask("DELETE", f"/api/conversations/{tea}/members/{bob.id}/")
        alice.ask("POST", f"/api/conversations/{tea}/members/", {"users": [bob.id]})
        message = alice.post_message(tea, f"welcome back {round_}")
        his.take_if(f"message {message['version']}", partial(_contains, tea, message["version"]))


def _contains(conversation: int, version: int, frame: dict[str, Any]) -> bool:
    """Whether a client knows this message after the frame. A conversation that was read after the message
    was sent includes it: the message doesn't follow then."""
    if frame["type"] == "message":
        return frame["conversation"] == conversation and frame["version"] == version
    added = frame["type"] == "conversation" and frame["change"] == "added"
    about = frame["conversation"] if added else {}
    return added and about["id"] == conversation and about["version"] >= version


def test_added_member_gets_events_immediately(alice, bob, carol, call):
    tea = alice.create_conversation(bob)
    hers = call(carol)
    assert tea not in [row["id"] for row in hers.take("hello")["conversations"]]
    alice.ask("POST", f"/api/conversations/{tea}/members/", {"users": [carol.id]})
    added = hers.take("conversation", change="added", conversation__id=tea)["conversation"]
    assert (added["name"], added["role"], added["unread"]) == ("Tea", "member", 0)
    message = alice.post_message(tea, "welcome")
    heard = hers.expect_message(tea, "welcome")
    assert heard["version"] == message["version"]
    assert hers.send_and_wait(tea, "thank you")["seq"] == message["seq"] + 1


def test_joining_and_leaving_take_effect_immediately(alice, bob, carol, call):
    tea = alice.create_conversation(bob, access="open")
    hers, his = call(carol), call(bob)
    carol.ask("POST", f"/api/conversations/{tea}/join/")
    hers.take("conversation", change="added", conversation__id=tea)
    joined = his.take("message", message__kind="joined", conversation=tea)["message"]
    assert joined["author"]["id"] == carol.id
    hers.send_and_wait(tea, "hello")
    his.expect_message(tea, "hello")
    carol.ask("POST", f"/api/conversations/{tea}/leave/")
    hers.take("conversation", change="removed", conversation__id=tea)
    his.take("message", message__kind="left", conversation=tea)
    bob.post_message(tea, "she left")
    his.expect_message(tea, "she left")
    assert hers.received("message", message__body="she left") == []


def test_role_change_is_sent_to_the_affected_user(alice, bob, call):
    tea = alice.create_conversation(bob)
    hers, his = call(alice), call(bob)
    alice.ask("PATCH", f"/api/conversations/{tea}/members/{bob.id}/", {"role": "admin"})
    frame = his.take("conversation", change="role", conversation__id=tea)
    assert frame["conversation"]["role"] == "admin"
    assert his.take("message", message__kind="role", conversation=tea)
    assert hers.received("conversation", change="role") == []


def test_deleted_conversation_is_gone_for_everyone(alice, bob, carol, call):
    tea = alice.create_conversation(bob)
    alice.post_message(tea, "soon forgotten")
    hers, his, outside = call(alice), call(bob), call(carol)
    alice.ask("DELETE", f"/api/conversations/{tea}/")
    for client in (hers, his):
        frame = client.take("conversation", change="deleted")
        assert frame["conversation"] == {"id": tea}
    key = his.send(tea, "anybody?")
    assert his.take("error", key=key)["code"] == "not_found"
    assert outside.received("conversation", conversation__id=tea) == []


def test_direct_message_appears_for_the_other_person_with_its_first_message(place, call):
    dora, emil = new_member(place), new_member(place)
    hers, his = call(dora), call(emil)
    direct = dora.ask("POST", "/api/conversations/direct/", {"user": emil.id})["id"]
    hers.take("conversation", change="added", conversation__id=direct)
    assert his.received("conversation") == []
    hers.send_and_wait(direct, "Hello Emil")
    frame = his.take("conversation", change="added", conversation__id=direct)["conversation"]
    assert (frame["kind"], frame["name"]) == ("direct", dora.name)
    his.say("sync", conversation=direct, version=0)
    synced = his.take("synced", conversation=direct)
    assert [m["body"] for m in synced["messages"]] == ["Hello Emil"]
    assert his.send_and_wait(direct, "Hello Dora")["seq"] == 2
    hers.expect_message(direct, "Hello Dora")


# --- sign-ins ------------------------------------------------------------------------------------------


def test_signing_out_closes_the_sockets_of_that_sign_in(place, call):
    guest = new_member(place)
    other = guest.again()
    here, there = call(guest), call(other)
    guest.ask("POST", "/api/token/logout/", {})
    began = time.monotonic()
    assert here.close_code() == 4001
    assert time.monotonic() - began < 1
    assert there.is_open()


def test_ending_a_sign_in_closes_the_socket_of_its_page(place):
    guest = new_member(place)
    client = Client(connect(place, {"Origin": place.url, "Cookie": guest.cookie()}))
    with contextlib.closing(client):
        client.take("hello")
        rows = guest.ask("GET", "/api/me/sign-ins/")["results"]
        (page,) = (row for row in rows if row["kind"] == "web")
        guest.ask("DELETE", f"/api/me/sign-ins/{page['sid']}/")
        assert client.close_code() == 4001


def test_changing_the_password_closes_sockets_of_other_sign_ins(place, call):
    guest = new_member(place)
    other = guest.again()
    here, there = call(guest), call(other)
    change = {"old_password": PASSWORD, "new_password": "quite another battery staple"}
    guest.ask("POST", "/api/me/password/", change)
    assert there.close_code() == 4001
    assert here.is_open()


def test_deactivating_closes_all_sockets(place, call):
    left, closed = new_member(place), new_member(place)
    one, two = call(left), call(closed)
    end_everything(place, left, closed)  # by another process: found by the tick
    assert one.close_code() == 4001
    assert two.close_code() == 4403
    with pytest.raises(AssertionError, match="4403"):
        open_socket(closed)


def test_expiring_token_is_announced_and_can_be_renewed(place, call):
    guest, hasty = new_member(place), new_member(place)
    token = guest.token
    guest.token = guest.new_token(exp=int(time.time()) + 62)
    client = call(guest)
    assert client.take("auth_expiring")["seconds"] == 60
    client.say("auth", token=hasty.token)  # of another user
    assert client.take("error")["code"] == "token_invalid"
    client.say("auth", token="nonsense")
    assert client.take("error")["code"] == "token_invalid"
    client.say("auth", token=token)
    assert client.is_open()

    hasty.token = hasty.new_token(exp=int(time.time()) + 3)
    short = call(hasty)
    assert 0 < short.take("auth_expiring")["seconds"] <= 3
    began = time.monotonic()
    assert short.close_code() == 4401
    assert time.monotonic() - began < 4
    assert client.is_open()


def test_renewed_token_keeps_the_socket_open(place, call):
    guest = new_member(place)
    token, guest.token = guest.token, guest.new_token(exp=int(time.time()) + 3)
    client = call(guest)
    client.say("auth", token=token)
    client.expect_nothing(4, kind="error")
    assert client.is_open()


# --- the layer -----------------------------------------------------------------------------------------


def group_send(place, group, message):
    """Send as any other program with Channels would."""

    async def send():
        layer = RedisPubSubChannelLayer(hosts=[place.installation.redis.url], prefix="chatty")
        await layer.group_send(group, message)
        await layer.flush()

    asyncio.run(send())


def test_known_events_of_other_processes_are_delivered_and_unknown_ones_ignored(
    place, alice, bob, call
):
    if place.installation.redis is None:
        pytest.skip("needs Redis")
    tea = alice.create_conversation(bob)
    his = call(bob)
    group = f"conversation.{tea}"
    alice.post_message(tea, "before")
    his.expect_message(tea, "before")
    whisper = to_layer(
        [EphemeralEvent(tea, json.dumps({"type": "typing", "conversation": tea}))], "other"
    )
    deadline = time.monotonic() + 5  # until the group is subscribed
    while not his.received("typing", conversation=tea):
        assert time.monotonic() < deadline
        group_send(place, group, whisper)
    for odd in (
        {"type": LAYER_TYPE, "origin": "other", "events": '[{"kind": "dance"}]'},
        {"type": LAYER_TYPE, "origin": "other", "events": "dance"},
        {"type": LAYER_TYPE},
        {"type": "nobody.knows"},
        {"no": "type"},
        {"type": 5},
        {"type": LAYER_TYPE, "kind": ["changed"], "origin": "other"},
    ):
        group_send(place, group, odd)
    alice.post_message(tea, "after")
    his.expect_message(tea, "after")
    assert "failed. Restarting it" not in place.output()
    assert " ERROR " not in place.output()


# --- heartbeat and epoch -------------------------------------------------------------------------------


def test_quiet_socket_gets_a_heartbeat(patient):
    assert patient.take("heartbeat", seconds=protocol.HEARTBEAT_SECONDS + 5)
    assert patient.is_open()


def test_new_epoch_reconnects_everyone(place, alice, call):
    client = call(alice)
    before = client.take("hello")["epoch"]
    place.manage("shell", "-c", "from conversations import actions; actions.renew_epoch()")
    assert client.close_code() == (1012 if place.kind == "serve" else 1000)
    assert call(alice).take("hello")["epoch"] != before
