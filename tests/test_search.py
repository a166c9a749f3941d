"""Message search on real servers: the index follows within seconds, and after a crash."""

from __future__ import annotations

import time

import pytest

from chatty.jobs.claims import LEASE_SECONDS
from tests.installations import eventually
from tests.sockets import new_key

pytestmark = pytest.mark.servers

BEHIND = 2.0  # seconds that the index may be behind
EACH = 100  # messages sent at about 100 a second


def room_of(alice, bob) -> int:
    _status, people = alice.call("GET", "/api/users/?q=bob")
    given = {"name": "Garden", "members": [person["id"] for person in people["results"]]}
    status, made = alice.call("POST", "/api/conversations/", given)
    assert status == 201
    return made["id"]


def say(who, room: int, body: str) -> int:
    path = f"/api/conversations/{room}/messages/"
    status, message = who.call("POST", path, {"key": new_key(), "body": body})
    assert status == 201
    return message["id"]


def found(who, text: str) -> list[str]:
    status, page = who.call("GET", f"/api/search/?q={text}&limit=50")
    assert status == 200
    return [result["message"]["body"] for result in page["results"]]


@pytest.mark.parametrize(
    ("any_installation", "behind"),
    [
        ("sqlite", 15.0),  # beside other tests, it would measure those
        pytest.param("sqlite", BEHIND, marks=pytest.mark.long),
        pytest.param("postgres", BEHIND, marks=pytest.mark.long),
    ],
    indirect=["any_installation"],
)
def test_index_follows_within_seconds_and_after_a_crash(any_installation, behind, person):
    server = any_installation.serve(LIMIT_SEARCH="10000/m")
    alice, bob, carol = (person(server, name).sign_in() for name in ("Alice", "Bob", "Carol"))
    room = room_of(alice, bob)
    ids = []
    for number in range(EACH):
        began = time.monotonic()
        ids.append(say(alice, room, f"Number {number} beans"))
        time.sleep(max(0.0, 0.01 - (time.monotonic() - began)))
    began = time.monotonic()
    eventually(lambda: found(bob, f"%22number {EACH - 1} beans%22".replace(" ", "+")), seconds=15)
    assert time.monotonic() - began < behind
    assert len(found(bob, "beans")) == 50
    assert found(carol, "beans") == []

    # Written just before the server is killed.
    last = say(bob, room, "Peas")
    assert alice.call("DELETE", f"/api/messages/{ids[0]}/")[0] == 200
    server.kill()
    server.start()
    # If it was killed while it indexed, its claim has to run out first.
    eventually(lambda: found(alice, "peas") == ["Peas"], seconds=LEASE_SECONDS + 15)
    assert found(alice, "%22number+0+beans%22") == []
    assert bob.call("PATCH", f"/api/messages/{last}/", {"body": "Carrots"})[0] == 200
    assert found(alice, "peas") == []
    eventually(lambda: found(alice, "carrots") == ["Carrots"], seconds=15)
