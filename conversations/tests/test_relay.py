"""The relay: whatever the channel layer does to events, every socket gets every version, in order."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from channels.layers import InMemoryChannelLayer
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts import actions as account_actions
from accounts.models import SignIn, User
from chatty.common.errors import ChatError
from chatty.common.threads import DatabaseThreads
from conversations import actions, events, publisher, queries
from conversations.events import ConversationChanged, Event
from conversations.models import Conversation, Membership
from conversations.protocol import EncodedFrames
from conversations.realtime import repairs, rooms
from conversations.realtime.relay import Relay
from conversations.realtime.supervision import supervise
from conversations.tests import helpers
from conversations.tests.helpers import message_json
from conversations.tests.tools import BaseFakeSocket, do, until, versions

pytestmark = pytest.mark.django_db(transaction=True)


THREADS = 2


@dataclass(eq=False)
class FakeSocket(BaseFakeSocket):
    """A socket that remembers what it got, and applies it as a client does."""

    received: list[dict[str, Any]] = field(default_factory=list)
    writes: list[int] = field(default_factory=list)  # number of frames in each
    code: int | None = None

    def write(self, frames: EncodedFrames) -> None:
        self.received += map(json.loads, frames.texts)
        self.writes.append(len(frames.texts))

    def end(self, code: int) -> None:
        self.code = code

    def versions(self) -> list[int]:
        return [frame["version"] for frame in self.received if frame["type"] == "message"]

    def transcript(self, start: int) -> tuple[dict[int, dict[str, Any]], int]:
        """Return what a client that knew everything up to `start` knows now: rows and position."""
        rows: dict[int, dict[str, Any]] = {}
        position = start
        for frame in self.received:
            if frame["type"] == "message":
                assert frame["version"] <= position + 1, f"a gap after {position}: {frame}"
                rows[frame["message"]["id"]] = frame["message"]
                position = max(position, frame["version"])
            elif frame["type"] == "synced":
                assert frame["from"] <= position, f"a gap after {position}: {frame}"
                for message in frame["messages"]:
                    rows[message["id"]] = message
                position = max(position, frame["version"])
        return rows, position


class Recorder(helpers.Recorder):
    """Collects what is published, so that a test can pass it on when and how it likes."""

    def changes(self) -> list[ConversationChanged]:
        return [event for event in self.events if isinstance(event, ConversationChanged)]

    def take(self) -> tuple[Event, ...]:
        taken, self.events = tuple(self.events), []
        return taken


@pytest.fixture
def recorder():
    recorder = Recorder()
    publisher.connect(recorder)
    yield recorder
    publisher.disconnect(recorder)


@dataclass
class People:
    alice: User
    bob: User
    carol: User
    room: Conversation


@pytest.fixture
def people(db) -> People:
    alice, bob, carol = (
        User.objects.create(email=f"{name.lower()}@example.org", name=name)
        for name in ("Alice", "Bob", "Carol")
    )
    room = actions.create_conversation(alice, name="Tea room", member_ids=[bob.pk])
    for user in (alice, bob, carol):
        user.refresh_from_db()
    return People(alice, bob, carol, Conversation.objects.get(pk=room.pk))


@contextlib.asynccontextmanager
async def running_relay(layer: Any = None, *, tick: float = 60) -> AsyncIterator[Relay]:
    threads = DatabaseThreads(THREADS, "test-relay")
    relay = Relay(layer or InMemoryChannelLayer(), threads, origin="here", tick=tick)
    parts = relay.parts
    del parts["tick"]  # tests call it themselves
    tasks = [asyncio.create_task(supervise(name, run)) for name, run in parts.items()]
    try:
        yield relay
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        relay.close()
        await do(threads.close)()


async def connect(relay: Relay, user: User, *rooms: Conversation) -> FakeSocket:
    """Return a joined socket of a signed-in user who knows everything there is."""
    socket = FakeSocket(user.pk, await do(sign_in)(user))
    relay.register(socket, clock=await do(lambda: User.objects.get(pk=user.pk).clock)())
    relay.join(socket, await do(versions)([room.pk for room in rooms]))
    await settle(relay)
    return socket


async def settle(relay: Relay) -> None:
    """Wait for the checks that joining requests. Under load, they would otherwise find what a test writes
    next before its events arrive."""
    layer = relay._layer
    mute = isinstance(layer._layer, MuteLayer) and not layer._layer.works
    checks = relay._repairs, relay._rechecks
    await until(
        lambda: (
            not any(each._unverified for each in checks)
            and (mute or layer._wanted <= layer._subscribed)
        )
    )
    barrier = threading.Barrier(THREADS)
    await asyncio.gather(*[relay._repairs._threads.run(barrier.wait) for _ in range(THREADS)])
    await until(lambda: not relay._tasks)


def sign_in(user: User) -> str:
    expires_at = timezone.now() + timedelta(days=1)
    return SignIn.objects.create(user=user, kind="web", expires_at=expires_at).sid


def say(user: User, conversation: Conversation, *keys: str) -> None:
    for key in keys:
        actions.send_message(user, conversation.pk, key=key, body=f"words of {key}")


async def test_events_in_order_are_delivered_immediately(people: People, recorder: Recorder):
    async with running_relay() as relay:
        socket = await connect(relay, people.bob, people.room)
        await do(say)(people.alice, people.room, "a", "b", "c")
        relay._handle_all(recorder.take())
        first = people.room.version + 1
        assert socket.versions() == [first, first + 1, first + 2]
        assert relay._repairs.count == 0


async def test_simultaneous_events_are_batched_in_order(people: People, recorder: Recorder):
    async with running_relay() as relay:
        other = await do(actions.create_conversation)(people.alice, name="Kitchen")
        alice = await connect(relay, people.alice, people.room, other)
        bob = await connect(relay, people.bob, people.room)
        recorder.take()
        for key in ("a", "b", "c"):
            await do(say)(people.alice, people.room, key)
            await do(say)(people.alice, other, f"other-{key}")
        a, other_a, b, other_b, c, other_c = recorder.take()
        typing = events.EphemeralEvent(people.room.pk, '{"type":"typing"}')
        relay._handle_all((a, other_a, b, other_b, typing, c, other_c))
        assert [frame["type"] for frame in bob.received] == [
            "message",
            "message",
            "typing",
            "message",
        ]
        assert bob.versions() == [a.version, b.version, c.version]
        assert bob.writes == [2, 1, 1]
        assert alice.writes == [2, 2, 1, 1, 1]
        relay._handle_all(recorder.take())
        assert len(bob.writes) == 3


async def test_write_size_is_limited(people: People, recorder: Recorder, monkeypatch):
    monkeypatch.setattr(rooms, "WRITE_MAX", 1)
    async with running_relay() as relay:
        bob = await connect(relay, people.bob, people.room)
        await do(say)(people.alice, people.room, "a", "b", "c")
        relay._handle_all(recorder.take())
        assert bob.writes == [1, 1, 1]
        assert len(bob.versions()) == 3


async def test_duplicates_are_dropped(people: People, recorder: Recorder):
    async with running_relay() as relay:
        socket = await connect(relay, people.bob, people.room)
        await do(say)(people.alice, people.room, "a", "b")
        changes = recorder.take()
        relay._handle_all(changes + changes)
        relay._handle_all(changes)
        assert len(socket.versions()) == 2


async def test_early_events_wait_for_their_predecessors(people: People, recorder: Recorder):
    async with running_relay() as relay:
        socket = await connect(relay, people.bob, people.room)
        await do(say)(people.alice, people.room, "a", "b", "c")
        one, two, three = recorder.take()
        relay._handle_all((three, two))
        assert socket.versions() == []
        relay._handle_all((one,))
        assert socket.versions() == [one.version, two.version, three.version]
        assert relay._repairs.count == 0


async def test_lost_event_is_read_from_the_database(people: People, recorder: Recorder):
    async with running_relay() as relay:
        socket = await connect(relay, people.bob, people.room)
        await do(say)(people.alice, people.room, "a", "b", "c")
        _lost, _lost_too, three = recorder.take()
        relay._handle_all((three,))
        await until(lambda: any(frame["type"] == "synced" for frame in socket.received))
        rows, position = socket.transcript(people.room.version)
        assert [row["body"] for row in rows.values()] == ["words of a", "words of b", "words of c"]
        assert position == people.room.version + 3
        assert relay._repairs.count == 1


async def test_lost_last_event_is_found_by_the_tick(people: People, recorder: Recorder):
    async with running_relay() as relay:
        socket = await connect(relay, people.bob, people.room)
        await do(say)(people.alice, people.room, "a")
        assert recorder.take()  # published to no one
        await relay.tick()
        await until(lambda: socket.received)
        rows, position = socket.transcript(people.room.version)
        assert [row["body"] for row in rows.values()] == ["words of a"]
        assert position == people.room.version + 1


async def test_event_between_reading_and_joining_is_delivered(people: People, recorder: Recorder):
    async with running_relay() as relay:
        socket = FakeSocket(people.bob.pk)
        relay.register(socket, clock=people.bob.clock)
        read = await do(versions)([people.room.pk])
        await do(say)(people.alice, people.room, "between")
        relay._handle_all(recorder.take())  # the room is not known yet: dropped
        assert relay.join(socket, read) == read
        await until(lambda: socket.received)
        assert [row["body"] for row in socket.transcript(read[people.room.pk])[0].values()] == [
            "words of between"
        ]


async def test_join_returns_the_current_version_of_the_room(people: People, recorder: Recorder):
    async with running_relay() as relay:
        await connect(relay, people.bob, people.room)
        stale = await do(versions)([people.room.pk])
        await do(say)(people.alice, people.room, "a")
        relay._handle_all(recorder.take())
        late = FakeSocket(people.alice.pk)
        relay.register(late, clock=people.alice.clock)
        heard = relay.join(late, stale)
        assert heard[people.room.pk] == stale[people.room.pk] + 1


async def test_removed_member_gets_no_events_after_the_removal(people: People, recorder: Recorder):
    async with running_relay() as relay:
        alice = await connect(relay, people.alice, people.room)
        bob = await connect(relay, people.bob, people.room)
        await do(say)(people.alice, people.room, "before")
        await do(actions.remove_member)(people.alice, people.room.pk, people.bob.pk)
        await do(say)(people.alice, people.room, "after")
        changes = recorder.take()
        assert any(isinstance(event, events.MembershipChanged) for event in changes)
        relay._handle_all(event for event in changes if isinstance(event, ConversationChanged))
        await until(lambda: any(frame["type"] == "conversation" for frame in bob.received))
        assert [f["message"]["body"] for f in bob.received if f["type"] == "message"] == [
            "words of before"
        ]
        assert bob.received[-1] == {
            "type": "conversation",
            "change": "removed",
            "conversation": {"id": people.room.pk},
        }
        assert len(alice.versions()) == 3


async def test_lost_removal_takes_effect_with_the_repair(people: People, recorder: Recorder):
    async with running_relay() as relay:
        alice = await connect(relay, people.alice, people.room)
        bob = await connect(relay, people.bob, people.room)
        await do(actions.remove_member)(people.alice, people.room.pk, people.bob.pk)
        await do(say)(people.alice, people.room, "after")
        *_lost, last = recorder.changes()
        relay._handle_all((last,))
        await until(lambda: any(frame["type"] == "synced" for frame in alice.received))
        assert people.room.pk not in bob.rooms
        assert "words of after" not in json.dumps(bob.received)


async def test_unpublished_removal_is_found_by_the_clock(people: People, recorder: Recorder):
    async with running_relay() as relay:
        bob = await connect(relay, people.bob, people.room)
        await do(lambda: Membership.objects.filter(user=people.bob).delete())()
        await do(account_actions.bump_clock)([people.bob.pk])
        await relay.tick()
        await until(lambda: people.room.pk not in bob.rooms)
        await until(lambda: bob.received)
        assert bob.received[-1]["change"] == "removed"


async def test_added_member_gets_events_from_then_on(people: People, recorder: Recorder):
    async with running_relay() as relay:
        carol = await connect(relay, people.carol)
        await do(say)(people.alice, people.room, "before")
        await do(actions.add_members)(people.alice, people.room.pk, [people.carol.pk])
        relay._handle_all(recorder.take())
        await until(lambda: carol.received)
        (frame,) = carol.received
        assert frame["change"] == "added"
        assert frame["conversation"]["name"] == "Tea room"
        assert frame["conversation"]["unread"] == 0
        await do(say)(people.alice, people.room, "after")
        relay._handle_all(recorder.take())
        assert [f["message"]["body"] for f in carol.received if f["type"] == "message"] == [
            "words of after"
        ]


async def test_joining_socket_gets_no_membership_frames(people: People, recorder: Recorder):
    async with running_relay() as relay:
        waiting = FakeSocket(people.bob.pk, await do(sign_in)(people.bob))
        relay.register(waiting, clock=people.bob.clock)
        joined = await connect(relay, people.bob, people.room)
        await do(actions.change_role)(people.alice, people.room.pk, people.bob.pk, "admin")
        relay._handle_all(
            event for event in recorder.take() if isinstance(event, events.MembershipChanged)
        )
        assert waiting.is_stale
        await until(lambda: joined.received)
        assert waiting.rooms == set()
        assert [frame["change"] for frame in joined.received] == ["role"]
        # It joined with an outdated list. After a recheck it is in the right rooms.
        relay.join(waiting, {})
        relay.recheck(people.bob.pk)
        await until(lambda: people.room.pk in waiting.rooms)


@pytest.mark.parametrize("change", ["removed", "signed out"])
async def test_change_while_a_socket_is_authenticated_is_noticed(
    change: str, people: People, recorder: Recorder
):
    """Its user and rooms are read before it can be registered."""
    async with running_relay() as relay:
        sid = await do(sign_in)(people.bob)
        arriving, other = FakeSocket(people.bob.pk, sid), FakeSocket(people.carol.pk)
        relay.expect(arriving)
        relay.expect(other)
        read = await do(versions)([people.room.pk])
        if change == "removed":
            await do(actions.remove_member)(people.alice, people.room.pk, people.bob.pk)
        else:
            await do(account_actions.end_sign_in)(sid)
        relay._handle_all(recorder.take())
        relay.register(arriving, clock=people.bob.clock)
        relay.register(other, clock=people.carol.clock)
        assert (arriving.is_stale, other.is_stale) == (True, False)
        # As the consumer does.
        relay.recheck(people.bob.pk)
        relay.join(arriving, read)
        if change == "removed":
            await until(lambda: people.room.pk not in arriving.rooms)
        else:
            await until(lambda: arriving.code is not None)


async def test_rejected_socket_is_forgotten(people: People):
    async with running_relay() as relay:
        socket = FakeSocket(0)
        relay.expect(socket)
        relay.unregister(socket)
        assert not relay._rooms._arriving


async def test_member_removed_and_added_again_stays_connected(people: People, recorder: Recorder):
    async with running_relay() as relay:
        bob = await connect(relay, people.bob, people.room)
        await do(actions.remove_member)(people.alice, people.room.pk, people.bob.pk)
        await do(actions.add_members)(people.alice, people.room.pk, [people.bob.pk])
        relay._handle_all(recorder.take())
        await until(lambda: people.room.pk in bob.rooms)
        await until(lambda: any(frame["type"] == "conversation" for frame in bob.received))
        changes = {frame["change"] for frame in bob.received if frame["type"] == "conversation"}
        assert changes == {"added"}
        await do(say)(people.alice, people.room, "welcome-back")
        relay._handle_all(recorder.take())
        await until(lambda: "words of welcome-back" in json.dumps(bob.received))


async def test_deleted_conversation_ends_for_everyone(people: People, recorder: Recorder):
    async with running_relay() as relay:
        bob = await connect(relay, people.bob, people.room)
        await do(actions.delete_conversation)(people.alice, people.room.pk)
        ended = [
            event for event in recorder.take() if isinstance(event, events.ConversationDeleted)
        ]
        relay._handle_all(ended)
        assert bob.rooms == set()
        assert bob.received[-1]["change"] == "deleted"


async def test_unpublished_deletion_is_found_by_the_tick(people: People, recorder: Recorder):
    async with running_relay() as relay:
        bob = await connect(relay, people.bob, people.room)
        await do(actions.delete_conversation)(people.alice, people.room.pk)
        await relay.tick()
        await until(lambda: bob.rooms == set())
        assert bob.received[0]["change"] == "deleted"


async def test_ending_a_sign_in_closes_only_its_sockets(people: People, recorder: Recorder):
    async with running_relay() as relay:
        phone = await connect(relay, people.bob, people.room)
        laptop = await connect(relay, people.bob, people.room)
        alice = await connect(relay, people.alice, people.room)
        relay._handle_all((events.SignedOut(people.bob.pk, 4001, (phone.sid, alice.sid)),))
        assert (phone.code, laptop.code, alice.code) == (4001, None, None)
        relay._handle_all((events.SignedOut(people.bob.pk, 4403, None, laptop.sid),))
        assert laptop.code is None
        relay._handle_all((events.SignedOut(people.bob.pk, 4403),))
        assert laptop.code == 4403


async def test_unpublished_end_of_a_sign_in_is_found_by_the_clock(
    people: People, recorder: Recorder
):
    async with running_relay() as relay:
        one = await connect(relay, people.bob, people.room)
        two = await connect(relay, people.bob, people.room)
        await do(account_actions.end_sign_in)(two.sid)
        await relay.tick()
        await until(lambda: two.code is not None)
        assert (one.code, two.code) == (None, 4001)


async def test_unpublished_deactivation_is_found_by_the_tick(people: People, recorder: Recorder):
    async with running_relay() as relay:
        bob = await connect(relay, people.bob, people.room)
        alice = await connect(relay, people.alice, people.room)
        await do(account_actions.close_account)(people.bob)
        await relay.tick()
        await until(lambda: bob.code is not None)
        assert bob.code == 4403
        assert alice.code is None


async def test_client_far_behind_gets_a_reset(people: People, recorder: Recorder, monkeypatch):
    monkeypatch.setattr("conversations.limits.SYNC_REACH", 3)
    async with running_relay() as relay:
        socket = await connect(relay, people.bob, people.room)
        await do(say)(people.alice, people.room, *"abcde")
        recorder.take()
        await relay.tick()
        await until(lambda: socket.received and socket.received[-1].get("reset"))
        frame = socket.received[-1]
        assert frame["type"] == "synced"
        assert frame["messages"] == []
        await do(say)(people.alice, people.room, "f")
        relay._handle_all(recorder.take())
        assert socket.versions() == [frame["version"] + 1]


async def test_long_repair_is_paged(people: People, recorder: Recorder, monkeypatch):
    monkeypatch.setattr("conversations.limits.SYNC_PAGE", 2)
    monkeypatch.setattr("conversations.queries.changes_since.__kwdefaults__", {"limit": 2})
    async with running_relay() as relay:
        socket = await connect(relay, people.bob, people.room)
        await do(say)(people.alice, people.room, *"abcde")
        recorder.take()
        await relay.tick()
        await until(lambda: len(socket.received) == 3)
        assert [len(frame["messages"]) for frame in socket.received] == [2, 2, 1]
        assert [frame["more"] for frame in socket.received] == [True, True, False]
        rows, position = socket.transcript(people.room.version)
        assert len(rows) == 5
        assert position == people.room.version + 5


async def test_failed_repair_is_retried_by_the_tick(
    people: People, recorder: Recorder, monkeypatch
):
    monkeypatch.setattr(repairs, "catch_up", lambda *_: 1 / 0)
    async with running_relay() as relay:
        socket = await connect(relay, people.bob, people.room)
        await do(say)(people.alice, people.room, "a", "b")
        relay._handle_all(recorder.changes()[1:])
        await until(lambda: relay._repairs.count == 1)
        await until(lambda: not relay._tasks)
        assert socket.received == []
        monkeypatch.undo()
        await relay.tick()
        await until(lambda: socket.received)
        assert len(socket.transcript(people.room.version)[0]) == 2


class MuteLayer(InMemoryChannelLayer):
    """A channel layer that fails until a test enables it."""

    works = False
    refused = 0

    async def group_add(self, group: str, channel: str) -> None:
        if not self.works:
            self.refused += 1
            raise ConnectionError("no layer")
        await super().group_add(group, channel)


async def test_failed_subscription_is_retried(people: People, recorder: Recorder):
    layer = MuteLayer()
    async with running_relay(layer) as relay:
        socket = await connect(relay, people.bob, people.room)
        await until(lambda: layer.refused)
        assert f"conversation.{people.room.pk}" not in relay._layer._subscribed
        layer.works = True
        await relay.tick()
        await until(lambda: f"conversation.{people.room.pk}" in relay._layer._subscribed)
        await do(say)(people.alice, people.room, "a")
        (event,) = recorder.changes()
        await layer.group_send(event.group, events.to_layer([event], "elsewhere"))
        await until(lambda: socket.versions() == [people.room.version + 1])


async def test_what_happened_before_subscribing_to_a_person_is_found(
    people: People, recorder: Recorder
):
    """Otherwise who signs out elsewhere, just after a socket has connected, would stay until the tick."""
    layer = MuteLayer()
    async with running_relay(layer) as relay:
        socket = await connect(relay, people.bob, people.room)
        await do(account_actions.end_sign_in)(socket.sid)
        assert socket.code is None
        layer.works = True
        relay._layer.retry_subscriptions()
        await until(lambda: socket.code == 4001)


async def test_events_of_other_processes_are_delivered_but_not_own_echoes(
    people: People, recorder: Recorder
):
    layer = InMemoryChannelLayer()
    async with running_relay(layer) as relay:
        socket = await connect(relay, people.bob, people.room)
        await until(lambda: f"conversation.{people.room.pk}" in relay._layer._subscribed)
        whisper = events.EphemeralEvent(people.room.pk, '{"type":"typing"}')
        await layer.group_send(whisper.group, events.to_layer([whisper], "here"))
        await layer.group_send(whisper.group, {"type": "unknown.kind"})
        await layer.group_send(
            whisper.group, {"type": events.LAYER_TYPE, "events": '[{"kind": "tomorrow"}]'}
        )
        await layer.group_send(whisper.group, events.to_layer([whisper], "elsewhere"))
        await until(lambda: socket.received)
        assert socket.received == [{"type": "typing"}]


async def test_empty_rooms_are_dropped_after_a_while(
    people: People, recorder: Recorder, monkeypatch
):
    async with running_relay() as relay:
        socket = await connect(relay, people.bob, people.room)
        relay.unregister(socket)
        await relay.tick()
        assert people.room.pk in relay._rooms.by_id
        monkeypatch.setattr(rooms, "LINGER_SECONDS", -1)
        await relay.tick()
        assert people.room.pk not in relay._rooms.by_id
        assert f"conversation.{people.room.pk}" not in relay._layer._wanted


async def test_failing_socket_does_not_affect_others(
    people: People, recorder: Recorder, monkeypatch
):
    async with running_relay() as relay:
        ears = [await connect(relay, people.bob, people.room) for _ in range(4)]
        broken = next(iter(relay.sockets_in(people.room.pk)))

        def fail(_words: EncodedFrames) -> None:
            raise RuntimeError("the connection is gone")

        monkeypatch.setattr(broken, "write", fail)
        await do(say)(people.alice, people.room, "a")
        relay._handle_all(recorder.take())
        assert [len(socket.received) for socket in ears if socket is not broken] == [1, 1, 1]


async def test_unregistered_socket_is_not_written_to(people: People, recorder: Recorder):
    async with running_relay() as relay:
        socket = await connect(relay, people.bob, people.room)
        relay.unregister(socket)
        relay.unregister(socket)
        await do(say)(people.alice, people.room, "a")
        relay._handle_all(recorder.take())
        assert socket.received == []
        assert not relay.sockets_of(people.bob.pk)


@settings(
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_every_socket_gets_the_same_transcript_for_any_interleaving(
    people: People, data: st.DataObject
):
    """Sends, edits, deletions and reactions, with events lost, duplicated and shuffled, and sockets that
    connect at any time: in the end everyone knows what a fresh read of the database returns."""
    recorder = Recorder()
    publisher.connect(recorder)
    try:
        asyncio.run(_interleave(people, data, recorder))
    finally:
        publisher.disconnect(recorder)


async def _interleave(people: People, data: st.DataObject, recorder: Recorder) -> None:
    start = (await do(versions)([people.room.pk]))[people.room.pk]
    async with running_relay() as relay:
        ears = [
            await connect(relay, people.bob, people.room),
            await connect(relay, people.alice, people.room),
        ]
        starts = [start, start]
        written: list[int] = []
        bells: list[ConversationChanged] = []
        for step in range(data.draw(st.integers(3, 12))):
            action = data.draw(st.sampled_from(["send", "send", "edit", "delete", "react", "seat"]))
            if action == "seat":
                starts.append((await do(versions)([people.room.pk]))[people.room.pk])
                ears.append(await connect(relay, people.bob, people.room))
            elif action == "send" or not written:
                # Unique: all examples write into one room, and a repeated key publishes nothing.
                key = helpers.new_key()
                sent = await do(actions.send_message)(
                    people.alice, people.room.pk, key=key, body=f"step {step}"
                )
                written.append(sent.message.pk)
            else:
                pk = data.draw(st.sampled_from(written))
                with contextlib.suppress(ChatError):
                    match action:
                        case "edit":
                            await do(actions.edit_message)(people.alice, pk, f"edited {step}")
                        case "delete":
                            await do(actions.delete_message)(people.alice, pk)
                        case "react":
                            await do(actions.react)(people.bob, pk, "👍")
            fresh = [event for event in recorder.take() if isinstance(event, ConversationChanged)]
            for bell in fresh:
                bells += [bell] * data.draw(st.sampled_from([0, 1, 1, 1, 2]))
            heard_now: bool = data.draw(st.booleans())
            if heard_now:
                relay._handle_all(data.draw(st.permutations(bells)))
                bells = []
        relay._handle_all(bells)
        await relay.tick()
        head = (await do(versions)([people.room.pk]))[people.room.pk]
        room = relay._rooms.by_id[people.room.pk]
        await until(lambda: room.last == head and not room.early)
        truth = await do(_transcript)(people.room)
        for socket, known in zip(ears, starts, strict=True):
            rows, position = socket.transcript(known)
            assert position == head
            expected = {pk: row for pk, row in truth.items() if row["version"] > known}
            assert {pk: rows[pk] for pk in expected} == expected


def _transcript(conversation: Conversation) -> dict[int, dict[str, Any]]:
    page = queries.history(conversation, limit=100)  # more than one example creates
    return {message.pk: message_json(message) for message in page.messages}
