"""A single socket: frames during a database outage, and reads while its user is removed."""

from __future__ import annotations

from unittest.mock import AsyncMock, Mock

import pytest
from django.db import OperationalError

from accounts import socket_auth, tokens
from accounts.models import User
from accounts.socket_auth import SocketIdentity
from conversations import actions, protocol, queries
from conversations.models import Conversation
from conversations.sockets import reads
from conversations.sockets.consumer import ChatConsumer
from conversations.sockets.limits import FAILURES
from conversations.sockets.reads import Arrival
from conversations.tests.helpers import raises_chat_error, say


class FakeSendBuffer:
    """A send buffer that keeps what is written."""

    closing = False

    def __init__(self) -> None:
        self.written: list[str] = []
        self.code: int | None = None

    def put(self, frames: protocol.EncodedFrames) -> None:
        self.written += frames.texts

    def close(self, code: int, last_frames: protocol.EncodedFrames | None = None) -> None:
        self.code = code


@pytest.mark.parametrize(
    ("failure", "code", "closed"),
    [
        (OperationalError("gone"), "unavailable", None),
        (RuntimeError("broken"), "server_error", protocol.CLOSE_INTERNAL),
    ],
)
async def test_database_outage_sends_errors_and_keeps_the_socket(
    failure, code, closed, monkeypatch
):
    async def fail(self, frame):
        raise failure

    monkeypatch.setattr(ChatConsumer, "_handle", fail)
    socket = ChatConsumer()
    socket.scope = {"headers": []}
    socket.send_buffer = ear = FakeSendBuffer()
    socket.write = ear.put
    text = '{"type":"sync","conversation":7,"version":3}'
    for _ in range(FAILURES):
        await socket._handle_message({"text": text})
    assert len(ear.written) == FAILURES
    assert all(f'"code":"{code}"' in words and '"conversation":7' in words for words in ear.written)
    assert ear.code == closed


def test_changes_are_not_sent_to_a_member_removed_while_reading(
    alice: User, bob: User, group: Conversation, monkeypatch
):
    read = queries.changes_since
    assert reads.read_changes(bob, group.pk, 0).version > 0

    def overtaken(*args, **kwargs):
        monkeypatch.setattr(queries, "changes_since", read)
        actions.remove_member(alice, group.pk, bob.pk)
        say(alice, group, "Now that he is gone")
        return read(*args, **kwargs)

    monkeypatch.setattr(queries, "changes_since", overtaken)
    with raises_chat_error("not_found"):
        reads.read_changes(bob, group.pk, 0)


@pytest.mark.parametrize("door", ["messages", "message"])
def test_api_returns_404_to_a_member_removed_while_reading(
    door: str, alice: User, bob: User, group: Conversation, api_of, monkeypatch
):
    client = api_of(bob)
    message = say(alice, group, "While he is here")
    address, reading = {
        "messages": (f"/api/conversations/{group.pk}/messages/", "history"),
        "message": (f"/api/messages/{message.pk}/", "with_details"),
    }[door]
    assert client.get(address).status_code == 200
    read = getattr(queries, reading)

    def overtaken(*args, **kwargs):
        monkeypatch.setattr(queries, reading, read)
        actions.remove_member(alice, group.pk, bob.pk)
        actions.edit_message(alice, message.pk, "Now that he is gone")
        return read(*args, **kwargs)

    monkeypatch.setattr(queries, reading, overtaken)
    answer = client.get(address)
    assert answer.status_code == 404
    assert b"Now that he is gone" not in answer.content


@pytest.mark.parametrize("conversations", [2, 12])
def test_query_count_of_a_handshake_is_constant(
    conversations: int, alice: User, bob: User, django_assert_num_queries
):
    for number in range(conversations):
        say(alice, actions.open_direct(alice, bob.pk) if number == 0 else _room(alice, bob))
    access_token = tokens.begin(bob, client="a program").access
    scope = {"headers": [(b"authorization", f"Bearer {access_token}".encode())]}
    # The sign-in, the list with its versions, and the names of the others.
    with django_assert_num_queries(3):
        identity = socket_auth.identify(scope)
        rows, versions = reads.read_rooms(identity.user)
    assert len(rows) == len(versions) == conversations


def _room(alice: User, bob: User) -> Conversation:
    return actions.create_conversation(alice, name="Room", member_ids=[bob.pk])


async def test_changes_while_a_socket_is_authenticated_are_not_missed():
    """The relay expects it before the database is read, and it reads again what has changed since."""
    socket = ChatConsumer()
    socket.send_buffer = Mock()
    socket.scope = {"headers": []}
    user = User(pk=7, name="Bob", clock=3)
    steps: list[str] = []

    def note(name, **then):
        def step(*_, **__):
            steps.append(name)
            for attribute, value in then.items():
                setattr(socket, attribute, value)
            return []

        return step

    async def read(*_):
        steps.append("read")
        return Arrival(SocketIdentity(user, "sid", "token", 2**40), [], {})

    async def epoch():
        return "epoch"

    socket.engine = Mock(epoch=epoch)
    socket.engine.batches.run = read
    socket.engine.threads.run = AsyncMock(side_effect=lambda *_: ([], {}))
    relay = socket.engine.relay
    relay.sockets_of.return_value = ()
    relay.expect.side_effect = note("expect")
    relay.register.side_effect = note("register", is_stale=True)  # something has changed since
    relay.recheck.side_effect = note("recheck")
    relay.join.side_effect = note("join")
    await socket._authenticate()
    assert steps == ["expect", "read", "register", "recheck", "join"]
    socket.engine.threads.run.assert_awaited_once_with(reads.read_rooms, user)
