"""The client of docs/examples/: tokens, outbox and reconnecting.

Its copies of conversations are tested by the golden cases `event_orders.json`, and all of it together by the
proof of delivery (tests/test_proof.py).
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from docs.examples import chatty_client
from docs.examples.chatty_client import (
    AFTER_CLOSE,
    ApiError,
    Client,
    StoppedError,
    Tokens,
    UnsentMessages,
)
from tests.cast import PASSWORD
from tests.installations import eventually
from tests.sockets import new_member
from tests.test_docs import table

TOKEN_SECONDS = 4


def test_close_codes_are_handled_as_listed():
    listed = {int(row[0]): row[2] for row in table("Code") if row[0].isdigit()}
    assert {code: AFTER_CLOSE.get(code, "reconnect") for code in listed} == listed


# --- tokens ------------------------------------------------------------------------------------------


begun: list[int] = []  # when the present test did: tests before it may have taken minutes


@pytest.fixture(autouse=True)
def _begins():
    begun.append(int(time.time()))


def pair_of(number: int, *, seconds: int = 600) -> dict[str, str]:
    claims = json.dumps({"iat": begun[-1], "exp": begun[-1] + seconds}).encode()
    access = f"head.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.{number}"
    return {"access": access, "refresh": f"refresh {number}"}


def refusal(status: int) -> ApiError:
    return ApiError(status, {"code": "token_invalid", "detail": "No.", "retry": status >= 500})


@pytest.fixture
def server(monkeypatch):
    """A server that gives these answers, one after the other. Returns what it was asked."""
    answers: list = []
    asked: list = []

    def request(url, method, body=None, token=""):
        asked.append((url.removeprefix("http://chat/api/token/"), body.get("refresh")))
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def sleep(seconds):
        pass

    monkeypatch.setattr(chatty_client, "request", request)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    return answers, asked


async def test_all_tasks_share_one_refresh(server):
    answers, asked = server
    answers += [pair_of(1, seconds=0), pair_of(2)]
    tokens = Tokens("http://chat", "a@example.org", "secret")
    await tokens.access()
    got = await asyncio.gather(*(tokens.access() for _ in range(8)))
    assert set(got) == {pair_of(2)["access"]}
    assert asked == [("", None), ("refresh/", "refresh 1")]


async def test_refresh_token_is_repeated_after_a_lost_response(server):
    answers, asked = server
    answers += [pair_of(1, seconds=0), ConnectionResetError(), TimeoutError(), pair_of(2)]
    tokens = Tokens("http://chat", "a@example.org", "secret")
    await tokens.access()
    assert await tokens.access() == pair_of(2)["access"]
    assert asked[1:] == [("refresh/", "refresh 1")] * 3


async def test_ended_session_is_replaced_by_a_new_one(server):
    answers, asked = server
    answers += [pair_of(1, seconds=0), refusal(401), pair_of(2), refusal(401), refusal(401)]
    tokens = Tokens("http://chat", "a@example.org", "secret")
    await tokens.access()
    assert await tokens.access() == pair_of(2)["access"]
    tokens.expire()
    with pytest.raises(ApiError):  # the password was changed
        await tokens.access()
    assert [path for path, _ in asked] == ["", "refresh/", "", "refresh/", ""]


async def test_pair_is_stored_for_this_user_only(server, tmp_path):
    answers, _ = server
    answers += [pair_of(1)]
    path = tmp_path / "tokens.json"
    token = await Tokens("http://chat", "a@example.org", "secret", path).access()
    assert path.stat().st_mode & 0o777 == 0o600
    assert await Tokens("http://chat", "a@example.org", "forgotten", path).access() == token


# --- the outbox --------------------------------------------------------------------------------------


def entry(key: str, conversation: int = 7) -> dict:
    return {"conversation": conversation, "key": key, "body": key, "reply_to": None}


def test_outbox_sends_one_message_of_each_conversation_at_a_time():
    outbox = UnsentMessages()
    for each in (entry("a"), entry("b"), entry("c", 8)):
        outbox.add(each)

    def due(now: float) -> list[str]:
        return [each["key"] for each in outbox.take_due(now)]

    assert due(100.0) == ["a", "c"]
    assert due(101.0) == []  # waiting for the responses
    outbox.remove("a")
    assert due(102.0) == ["b"]
    outbox.wait("b", 150.0)  # the server said when
    assert due(149.0) == ["c"]  # there was no response to it
    assert due(151.0) == ["b"]
    outbox.retry_all()  # a new connection
    assert due(151.1) == ["b", "c"]


def test_outbox_survives_a_crash(tmp_path):
    path = tmp_path / "outbox.json"
    outbox = UnsentMessages(path)
    for key in "abc":
        outbox.add(entry(key))
    outbox.remove("b")
    assert list(UnsentMessages(path).entries) == ["a", "c"]


# --- with a real server ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def place(builder):
    with contextlib.closing(builder.sqlite()) as installation:
        yield installation.serve(ACCESS_TOKEN_SECONDS=str(TOKEN_SECONDS))


class Counted(Client):
    connections = 0

    def _start(self, hello):
        self.connections += 1
        super()._start(hello)


async def until(condition, seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


@pytest.mark.servers
async def test_client_outlives_its_token_and_stops_with_its_session(place, tmp_path):
    guest = new_member(place)
    tokens = Tokens(place.url, guest.email, PASSWORD, tmp_path / "tokens.json")
    client = Counted(place.url, tokens, UnsentMessages(tmp_path / "outbox.json"))
    running = asyncio.create_task(client.run())
    began = time.monotonic()
    room = (await client.call("POST", "/api/conversations/", {"name": "Notes"}))["id"]

    def shown() -> list[str]:
        messages = client.rooms[room].messages.values() if room in client.rooms else ()
        return [message["body"] for message in messages if message["kind"] == "text"]

    client.send(room, "one")
    await until(lambda: shown() == ["one"])
    await asyncio.sleep(max(0.0, TOKEN_SECONDS * 1.6 - (time.monotonic() - began)))
    client.send(room, "two")
    await until(lambda: shown() == ["one", "two"] and not client.unsent.entries)
    assert client.connections == 1  # `auth` kept the socket open

    client._socket.transport.abort()
    client.send(room, "three")  # offline
    await until(lambda: shown() == ["one", "two", "three"])
    assert client.connections == 2

    await client.call("POST", "/api/token/logout/", {})
    with pytest.raises(StoppedError) as stopped:
        await asyncio.wait_for(running, 20)
    assert stopped.value.code == 4001


@pytest.mark.servers
def test_program_prints_messages(place, tmp_path):
    guest, robot = new_member(place), new_member(place)
    room = guest.create_conversation(robot, name="Tea")
    no_proxy = {"no_proxy": "*", "NO_PROXY": "*"}
    account = {"CHATTY": place.url, "EMAIL": robot.email, "PASSWORD": PASSWORD}
    output = tmp_path / "output"
    with output.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, str(Path(chatty_client.__file__))],
            env={**os.environ, **no_proxy, **account},
            stdout=file,
            stderr=file,
        )
    try:
        eventually(lambda: "created" in output.read_text(), seconds=30)
        guest.sign_in().post_message(room, "Who brings the **biscuits**?")
        line = f"[{room}] {guest.name}: Who brings the biscuits?"
        eventually(lambda: line in output.read_text(), seconds=20)
    finally:
        process.kill()
        process.wait()
