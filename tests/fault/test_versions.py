"""Another version of Chatty beside this one, as in a rolling upgrade: unknown events and rows cause no
errors, and events that are missing are found in the database."""

from __future__ import annotations

import asyncio
import contextlib
import json
import urllib.request

import pytest
from channels_redis.pubsub import RedisPubSubChannelLayer

from conversations import events, protocol
from tests.fault.failing import FORMER_VERSION
from tests.installations import eventually
from tests.markers import first_of
from tests.sockets import Client, Member, connect, open_socket

pytestmark = [pytest.mark.servers, pytest.mark.slow]

# As a later version might store it: in one transaction, with an unknown kind.
_NOTICE = """
from django.db import transaction
from django.utils import timezone
from conversations.models import Conversation, Message
with transaction.atomic():
    tea = Conversation.objects.select_for_update().get(pk={tea})
    tea.version, tea.last_seq = tea.version + 1, tea.last_seq + 1
    tea.save()
    Message.objects.create(conversation=tea, seq=tea.last_seq, version=tea.version, kind={kind!r},
        data={data!r}, author_id={author}, created_at=timezone.now())
"""


@pytest.fixture
def server(production_installation):
    return production_installation.serve(TICK_SECONDS="0.5")


@pytest.fixture
def publish(production_installation):
    """publish(group, message, ...) sends as another process would through Redis."""

    def published(group, *messages):
        async def say():
            layer = RedisPubSubChannelLayer(
                hosts=[production_installation.redis.url], prefix="chatty"
            )
            for message in messages:
                await layer.group_send(group, message)
            await layer.flush()

        asyncio.run(say())

    return published


def event(*said):
    return {"type": events.LAYER_TYPE, "origin": "tomorrow", "events": json.dumps(said)}


def whisper(conversation, text, **more):
    words = json.dumps({"type": "typing", "conversation": conversation, "text": text})
    return {"kind": "ephemeral", "conversation": conversation, "text": words, **more}


def test_unknown_events_are_ignored(people, call, server, publish):
    alice, bob, _carol = people
    tea = alice.create_conversation(bob)
    hers, his = call(alice), call(bob)

    def is_listening():
        publish(events.conversation_group(tea), event(whisper(tea, "listening?")))
        return his.received("typing", text="listening?")

    eventually(is_listening)
    unknown = {"kind": "tomorrow", "conversation": tea, "user": bob.id, "planet": "Mars"}
    for group in (
        events.conversation_group(tea),
        events.user_group(bob.id),
        events.ALL_PROCESSES,
    ):
        publish(
            group,
            {"type": "tomorrow.event", "planet": "Mars"},
            {"type": events.LAYER_TYPE, "kind": "tomorrow"},
            {"type": events.LAYER_TYPE, "origin": "tomorrow", "events": {"in": "another form"}},
            event(unknown),
            # Known kinds with unknown contents.
            event(
                {"kind": "changed", "conversation": str(tea)}, {"kind": "presence", "users": "all"}
            ),
            event({"kind": "membership", "user": bob.id, "conversation": tea, "change": "moved"}),
        )
    # Known events beside them are delivered, also with additional fields.
    group = events.conversation_group(tea)
    publish(group, event(unknown, whisper(tea, "known", planet="Mars"), unknown))
    his.take("typing", text="known")
    hers.send_and_wait(tea, "still here")
    his.expect_message(tea, "still here")
    assert alice.call("GET", "/readyz")[1]["layer"] == "ok"
    assert " ERROR " not in server.output()
    assert "Traceback" not in server.output()


@pytest.mark.parametrize(
    ("kind", "data"),
    first_of(
        ("tomorrow", {"planet": "Mars"}), ("role", {"user": 3, "name": "Bob", "role": "poet"})
    ),
    ids=["a kind", "a role"],
)
def test_unknown_system_message_is_shown_with_a_fallback(kind, data, people, call, server):
    alice, bob, carol = people
    tea = alice.create_conversation(bob, carol)
    hers, his = call(alice), call(bob)
    his.send_and_wait(tea, "before")
    notice = _NOTICE.format(tea=tea, kind=kind, data=data, author=alice.id)
    server.manage("shell", "-c", notice)
    # It was not published: the tick finds it, so it is read and rendered here.
    synced = his.take_if("the notice", lambda f: f["type"] == "synced" and f["messages"])
    (heard,) = synced["messages"]
    assert (heard["kind"], heard["notice"]["data"]) == (kind, data)
    assert heard["notice"]["text"].startswith("Alice ")
    hers.send_and_wait(tea, "after")
    his.expect_message(tea, "after")

    carols = call(carol)
    carols.say("sync", conversation=tea, version=synced["from"])
    assert heard in carols.take("synced", conversation=tea)["messages"]
    assert [row["kind"] for row in bob.read_messages(tea)][-3:] == ["text", kind, "text"]
    page = urllib.request.Request(f"{server.url}/c/{tea}/", headers={"Cookie": bob.cookie()})
    with contextlib.closing(urllib.request.urlopen(page, timeout=10)) as answer:
        assert heard["notice"]["text"] in answer.read().decode()
    assert " ERROR " not in server.output()


def test_two_versions_side_by_side_lose_nothing(production_installation, call):
    former = production_installation.serve(failing=FORMER_VERSION, TICK_SECONDS="0.5")
    present = production_installation.serve(TICK_SECONDS="0.5")
    alice = Member(former, "Alice").sign_in()
    bob, carol = (Member(present, name).sign_in() for name in ("Bob", "Carol"))
    tea = alice.create_conversation(bob)

    def call_former(person):
        headers = {"Authorization": f"Bearer {person.token}"}
        return Client(connect(person.server, headers, subprotocols=("chatty.v1",)))

    hers, his, carols = call_former(alice), call(bob), call(carol)
    assert hers.connection.subprotocol == "chatty.v1"
    count = 50
    for number in range(count):
        hers.send(tea, f"from the former {number}")
        his.send(tea, f"from the present {number}")
    heard = [client.transcript(tea, 2 * count) for client in (hers, his)]
    assert heard[0] == heard[1]
    assert [seq for seq, _ in heard[0]] == sorted(seq for seq, _ in heard[0])

    sent = hers.send_and_wait(tea, "before")
    his.expect_body(tea, "before")
    alice.ask("PATCH", f"/api/messages/{sent['id']}/", {"body": "edited"})
    his.expect_body(tea, "edited")
    members = f"/api/conversations/{tea}/members/"
    alice.ask("POST", members, {"users": [carol.id]})
    carols.take("conversation", change="added")
    alice.ask("DELETE", f"{members}{carol.id}/")
    carols.take("conversation", change="removed")

    elsewhere = alice.again(present)
    window = open_socket(elsewhere)
    assert window.take("hello")
    elsewhere.server = former
    elsewhere.ask("POST", "/api/token/logout/", {"refresh": elsewhere.refresh})
    assert window.close_code() == protocol.CLOSE_SIGNED_OUT

    lost = call_former(alice.again(present))  # a proxy can route it to either
    assert lost.close_code() == protocol.CLOSE_BAD_CLIENT
    assert [frame["type"] for frame in lost.frames] == ["upgrade"]

    alice.ask("DELETE", f"/api/conversations/{tea}/")
    his.take("conversation", change="deleted")
    hers.close()
    for server in (former, present):
        assert " ERROR " not in server.output()
        assert "Traceback" not in server.output()
