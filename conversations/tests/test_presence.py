"""Presence, read marks and renames, with a clock that tests control: who gets them, how often, and who does
not."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from channels.layers import InMemoryChannelLayer
from django.db import OperationalError

from accounts import actions as account_actions
from accounts.models import User
from chatty.common.threads import DatabaseThreads
from conversations import actions, publisher, queries
from conversations.events import (
    Event,
    MembershipChanged,
    PresenceLease,
    ReadMarkMoved,
    from_layer,
    to_layer,
)
from conversations.models import Conversation, Membership
from conversations.realtime.presence import FRAME_IDS_MAX, Presence, online_users
from conversations.realtime.profiles import Profiles, _read
from conversations.realtime.read_marks import LATELY_SECONDS, ReadMarks
from conversations.realtime.relay import Relay
from conversations.tests.test_relay import FakeSocket
from conversations.tests.tools import do, versions
from tests.cast import create_extra

pytestmark = pytest.mark.django_db(transaction=True)

LEASE = 15.0
BEFORE_IT_SETTLES = LEASE / 2 - 1


class Wire:
    """Carries encoded events between the processes of a test. It can be cut."""

    def __init__(self) -> None:
        self.processes: list[FakeProcess] = []
        self.speaking: FakeProcess | None = None
        self.cut = False
        self.said: list[Event] = []

    def offer(self, events: tuple[Event, ...]) -> None:
        self.said += events
        for installation in self.processes:
            if installation is not self.speaking and self.cut:
                continue
            installation.relay._handle_all(from_layer(to_layer(events, "there")))


@dataclass(eq=False)
class FakeProcess:
    """One process: a relay, with presence, read marks and profiles."""

    relay: Relay
    presence: Presence
    marks: ReadMarks
    profiles: Profiles
    wire: Wire

    async def connect(self, user: User, *rooms: Conversation) -> FakeSocket:
        socket = FakeSocket(user.pk)
        self.relay.register(socket, clock=user.clock)
        self.relay.join(socket, await do(versions)([room.pk for room in rooms]))
        self.presence.add_socket(socket)
        self.marks.add_socket(socket)
        return socket

    async def run_rounds(self, count: int = 1) -> None:
        for _ in range(count):
            self.wire.speaking = self
            await self.presence.round()
            await self.marks.round()
            await self.profiles.round()


@dataclass
class FakeProcesses:
    """Two processes and their shared clock."""

    here: FakeProcess
    there: FakeProcess
    wire: Wire
    clock: SimpleNamespace

    async def advance(self, seconds: float) -> None:
        for _ in range(int(seconds)):
            self.clock.now += 1
            for installation in self.wire.processes:
                await installation.run_rounds()


@contextlib.asynccontextmanager
async def two_processes(most: int = 100, *, settled: bool = True) -> AsyncIterator[FakeProcesses]:
    clock, wire = SimpleNamespace(now=1000.0), Wire()
    threads = DatabaseThreads(2, "test-presence")
    for _ in range(2):
        relay = Relay(InMemoryChannelLayer(), threads, origin="here", tick=60)
        parts: dict[str, Any] = {"most": most, "clock": lambda: clock.now}
        presence = Presence(relay, threads, lease=LEASE, **parts)
        marks, profiles = ReadMarks(relay, threads, **parts), Profiles(relay, threads)
        wire.processes.append(FakeProcess(relay, presence, marks, profiles, wire))
    publisher.connect(wire)
    here, there = wire.processes
    both = FakeProcesses(here, there, wire, clock)
    try:
        if settled:
            await both.advance(LEASE)
        yield both
    finally:
        publisher.disconnect(wire)
        for installation in (here, there):
            installation.presence.close()
            installation.relay.close()
        await do(threads.close)()


def take_frames(socket: FakeSocket, kind: str = "presence") -> list[dict[str, Any]]:
    """Remove and return the frames of this kind that a socket got."""
    frames = [frame for frame in socket.received if frame["type"] == kind]
    socket.received = [frame for frame in socket.received if frame["type"] != kind]
    return frames


async def moves(both: FakeProcesses, reader: User, room: Conversation, seq: int) -> None:
    """Set someone's read mark to `seq` and publish it to all processes."""
    mark = Membership.objects.filter(conversation=room, user=reader)
    await do(mark.update)(last_read_seq=seq)
    both.wire.offer((ReadMarkMoved(room.pk, reader.pk),))


def presence(*here: User, gone: tuple[User, ...] = (), reset: bool = False) -> dict[str, Any]:
    def ids(people):
        return sorted(each.pk for each in people)

    return {"type": "presence", "online": ids(here), "offline": ids(gone), "reset": reset}


# --- presence --------------------------------------------------------------------------------------


async def test_connecting_sends_presence_to_the_user_and_to_others(alice, bob, carol, pair):
    async with two_processes() as both:
        hers = await both.here.connect(alice, pair)
        outside = await both.here.connect(carol)
        await both.advance(1)
        assert take_frames(hers) == [presence(reset=True)]
        his = await both.here.connect(bob, pair)
        tab = await both.here.connect(bob, pair)
        await both.advance(1)
        assert take_frames(his) == take_frames(tab) == [presence(alice, reset=True)]
        assert take_frames(hers) == [presence(bob)]
        await both.advance(3 * LEASE)
        assert take_frames(hers) == take_frames(his) == []
        assert take_frames(outside) == [presence(reset=True)]
        assert online_users([alice.pk, bob.pk, 10**9]) == {alice.pk, bob.pk}


async def test_reload_does_not_change_presence(alice, bob, pair):
    async with two_processes() as both:
        hers = await both.here.connect(alice, pair)
        his = await both.here.connect(bob, pair)
        await both.advance(1)
        take_frames(hers)
        for _ in range(10):
            both.here.relay.unregister(his)
            await both.advance(LEASE - 2)
            his = await both.here.connect(bob, pair)
            await both.advance(1)
        assert take_frames(hers) == []


async def test_user_goes_offline_when_the_last_lease_expires(alice, bob, pair):
    async with two_processes() as both:
        hers = await both.here.connect(alice, pair)
        one, two = await both.here.connect(bob, pair), await both.there.connect(bob, pair)
        await both.advance(1)
        take_frames(hers)
        both.here.relay.unregister(one)
        await both.advance(3 * LEASE)
        assert take_frames(hers) == []
        both.there.relay.unregister(two)
        await both.advance(LEASE - LEASE / 3 - 1)
        assert take_frames(hers) == []
        await both.advance(LEASE / 3 + 2)
        assert take_frames(hers) == [presence(gone=(bob,))]
        assert online_users([bob.pk]) == set()


async def test_users_of_a_killed_process_go_offline_within_the_lease(alice, bob, pair):
    async with two_processes() as both:
        hers = await both.here.connect(alice, pair)
        await both.there.connect(bob, pair)
        await both.advance(2)
        assert take_frames(hers)[-1] == presence(bob)
        both.wire.processes.remove(both.there)  # sends nothing any more, not even that it ends
        await both.advance(LEASE + 1)
        assert take_frames(hers) == [presence(gone=(bob,))]


async def test_presence_recovers_when_the_channel_layer_returns(alice, bob, mia):
    async with two_processes() as both:
        room = await do(actions.create_conversation)(
            alice, name="Garden", member_ids=[bob.pk, mia.pk]
        )
        hers = await both.here.connect(alice, room)
        await both.here.connect(mia, room)
        await both.there.connect(bob, room)
        await both.advance(2)
        take_frames(hers)
        both.wire.cut = True
        await both.advance(LEASE + 1)
        assert take_frames(hers) == [presence(gone=(bob,))]
        both.wire.cut = False
        await both.advance(LEASE / 3 + 1)
        assert take_frames(hers) == [presence(bob)]


async def test_restarted_process_does_not_report_everyone_offline(alice, bob, pair):
    async with two_processes(settled=False) as both:
        hers = await both.here.connect(alice, pair)
        await both.advance(BEFORE_IT_SETTLES)
        await both.here.connect(bob, pair)  # reconnects a little later
        assert take_frames(hers) == []
        await both.advance(2)
        assert take_frames(hers) == [presence(bob, reset=True)]


async def test_adding_a_member_sends_presence_to_both_sides(alice, bob, carol, pair, recorder):
    async with two_processes() as both:
        hers = await both.here.connect(alice, pair)
        theirs = await both.there.connect(carol)
        await both.advance(2)
        take_frames(hers), take_frames(theirs)
        await do(actions.add_members)(alice, pair.pk, [carol.pk])
        await both.advance(2)
        assert take_frames(theirs)[-1] == presence(alice, reset=True)
        assert presence(carol) in take_frames(hers)


async def test_removed_member_gets_no_more_presence(alice, bob, pair):
    async with two_processes() as both:
        hers = await both.here.connect(alice, pair)
        his = await both.there.connect(bob, pair)
        await both.advance(2)
        take_frames(hers), take_frames(his)
        await do(actions.remove_member)(alice, pair.pk, bob.pk)
        await both.advance(2)
        assert take_frames(his)[-1] == presence(reset=True)
        both.here.relay.unregister(hers)
        await both.advance(LEASE + 2)
        assert all(not frame["online"] and not frame["offline"] for frame in take_frames(his))


async def test_deactivated_account_is_not_online(alice, bob, pair):
    async with two_processes() as both:
        await both.here.connect(bob, pair)
        await both.advance(1)
        await do(account_actions.close_account)(bob)
        late = await both.here.connect(alice, pair)
        await both.advance(1)
        assert take_frames(late) == [presence(reset=True)]


async def test_presence_is_not_sent_in_large_conversations(alice, bob, mia, pair):
    async with two_processes(most=2) as both:
        await do(actions.add_members)(alice, pair.pk, [mia.pk])
        hers, his = await both.here.connect(alice, pair), await both.here.connect(bob, pair)
        await moves(both, bob, pair, 1)
        await both.advance(3)
        assert take_frames(hers) == take_frames(his) == [presence(reset=True)]
        assert take_frames(hers, "seen") == []


async def test_presence_can_be_disabled(alice, bob, pair, settings):
    settings.PRESENCE_MEMBERS = 0
    async with two_processes(most=0) as both:
        hers = await both.here.connect(alice, pair)
        await both.here.connect(bob, pair)
        await moves(both, bob, pair, 1)
        await both.advance(3)
        assert hers.received == []
        assert online_users([bob.pk]) == set()


async def test_database_outage_only_delays_presence(alice, bob, pair, monkeypatch):
    def gone(*args, **kwargs):
        raise OperationalError("gone")

    async with two_processes() as both:
        hers = await both.here.connect(alice, pair)
        await both.here.connect(bob, pair)
        with monkeypatch.context() as away:
            away.setattr(queries, "presence_peers", gone)
            await both.advance(3)
            assert take_frames(hers) == []
        await both.advance(1)
        assert take_frames(hers) == [presence(bob, reset=True)]


async def test_many_simultaneous_connections_send_one_frame_each(alice):
    people = [await do(create_extra)(f"Person{n}") for n in range(30)]
    room = await do(actions.create_conversation)(
        alice, name="Hall", member_ids=[each.pk for each in people]
    )
    async with two_processes() as both:
        hers = await both.here.connect(alice, room)
        await both.advance(1)
        take_frames(hers)
        ears = [await both.here.connect(each, room) for each in people]
        await both.advance(1)
        assert take_frames(hers) == [presence(*people)]
        assert [len(take_frames(socket)) for socket in ears] == [1] * len(people)
        for socket in ears:
            both.here.relay.unregister(socket)
        await both.advance(LEASE + 1)
        assert take_frames(hers) == [presence(gone=tuple(people))]


async def test_long_presence_list_is_split():
    async with two_processes() as both:
        socket = FakeSocket(1)
        both.here.presence._write({socket}, set(range(FRAME_IDS_MAX + 5)), {10**6}, reset=True)
        first, second = socket.received
        assert [first["reset"], second["reset"]] == [True, False]
        assert len(first["online"]) == FRAME_IDS_MAX
        assert (len(second["online"]), second["offline"]) == (5, [10**6])


async def test_messages_do_not_renew_leases(alice, bob, pair):
    async with two_processes() as both:
        await both.here.connect(alice, pair)
        await both.there.connect(bob, pair)
        await both.advance(LEASE)
        before = len([event for event in both.wire.said if isinstance(event, PresenceLease)])
        keys = itertools.count()

        def talk():
            for _ in range(50):
                actions.send_message(alice, pair.pk, key=f"k{next(keys)}", body="word")

        await do(talk)()
        await both.advance(LEASE)
        beats = (
            len([event for event in both.wire.said if isinstance(event, PresenceLease)]) - before
        )
        assert beats <= 2 * (3 + 1)


# --- read marks ------------------------------------------------------------------------------------


async def test_read_marks_are_batched_per_second(alice, bob, pair):
    async with two_processes() as both:
        hers, his = await both.here.connect(alice, pair), await both.there.connect(bob, pair)
        await both.advance(1)
        for seq in (1, 2):
            await moves(both, bob, pair, seq)
        await both.advance(2)
        wanted = {"type": "seen", "conversation": pair.pk, "marks": [{"user": bob.pk, "seq": 2}]}
        assert take_frames(hers, "seen") == take_frames(his, "seen") == [wanted]


async def test_out_of_order_read_marks_send_the_stored_one(alice, bob, pair):
    async with two_processes() as both:
        hers = await both.here.connect(alice, pair)
        await both.advance(1)
        await do(actions.send_message)(alice, pair.pk, key="one", body="One")
        last = (await do(actions.send_message)(alice, pair.pk, key="two", body="Two")).message.seq
        with recorded(both.wire) as text:
            await do(actions.mark_read)(bob, pair.pk, last - 1)
            await do(actions.mark_read)(bob, pair.pk, last)
        for event in reversed([each for each in text if isinstance(each, ReadMarkMoved)]):
            both.wire.offer((event,))
            await both.advance(1)
        assert [frame["marks"][0]["seq"] for frame in take_frames(hers, "seen")] == [last, last]
        await do(actions.mark_unread)(bob, pair.pk, last)
        await both.advance(1)
        assert [frame["marks"][0]["seq"] for frame in take_frames(hers, "seen")] == [last - 1]


@contextlib.contextmanager
def recorded(wire: Wire) -> Iterator[list[Event]]:
    """Hold back what is published inside the block; gives the events."""
    text: list[Event] = []
    recorder = SimpleNamespace(offer=text.extend)
    publisher.disconnect(wire)
    publisher.connect(recorder)
    try:
        yield text
    finally:
        publisher.disconnect(recorder)
        publisher.connect(wire)


@pytest.mark.parametrize("count", [10, 40])
async def test_burst_of_read_marks_sends_one_frame_per_member(count, alice):
    people = [await do(create_extra)(f"Reader{n}") for n in range(count)]
    room = await do(actions.create_conversation)(
        alice, name="Hall", member_ids=[each.pk for each in people]
    )
    async with two_processes() as both:
        ears = [await both.here.connect(each, room) for each in people]
        await both.advance(1)
        for seq in range(1, 6):
            await moves(both, people[0], room, seq)
        await do(Membership.objects.filter(conversation=room).update)(last_read_seq=5)
        for _ in range(5):
            for each in people:
                both.wire.offer((ReadMarkMoved(room.pk, each.pk),))
        await both.advance(1)
        frames = [take_frames(socket, "seen") for socket in ears]
        assert [len(each) for each in frames] == [1] * count
        assert {mark["seq"] for mark in frames[0][0]["marks"]} == {5}


def test_read_marks_of_takes_two_queries(alice, bob, pair, group, django_assert_num_queries):
    Membership.objects.filter(conversation=pair, user=bob).update(last_read_seq=2)
    readers = {pair.pk: {bob.pk}, group.pk: {alice.pk, bob.pk}}
    with django_assert_num_queries(2):
        marks = queries.read_marks_of(readers, most=100)
    assert marks[pair.pk] == {bob.pk: 2}
    assert marks[group.pk].keys() == {alice.pk, bob.pk}
    assert queries.read_marks_of(readers, most=2).keys() == {pair.pk}


async def test_new_socket_gets_recent_read_marks(alice, bob, pair):
    async with two_processes() as both:
        await both.here.connect(bob, pair)
        await moves(both, bob, pair, 1)
        await both.advance(2)
        late = await both.here.connect(alice, pair)
        await both.advance(1)
        assert [frame["marks"] for frame in take_frames(late, "seen")] == [
            [{"user": bob.pk, "seq": 1}]
        ]
        await both.advance(LATELY_SECONDS)
        later = await both.here.connect(alice, pair)
        await both.advance(1)
        assert take_frames(later, "seen") == []


async def test_removed_member_gets_no_read_marks(alice, bob, pair):
    async with two_processes() as both:
        his = await both.here.connect(bob, pair)
        await both.advance(1)
        await moves(both, alice, pair, 2)
        await do(actions.remove_member)(alice, pair.pk, bob.pk)
        await both.advance(1)
        assert take_frames(his, "seen") == []


async def test_mark_read_and_mark_unread_are_published(alice, bob, pair, recorder):
    await do(actions.mark_unread)(bob, pair.pk, 1)
    await do(actions.mark_read)(bob, pair.pk, 1)
    await do(actions.mark_read)(bob, pair.pk, 1)  # changes nothing
    marks = [event for event in recorder.events if isinstance(event, ReadMarkMoved)]
    assert marks == [ReadMarkMoved(pair.pk, bob.pk)] * 2


async def test_role_and_level_changes_do_not_refresh_presence(alice, bob, pair):
    async with two_processes() as both:
        await both.here.connect(bob, pair)
        await both.advance(1)
        both.wire.said.clear()
        for change in ("role", "level"):
            both.here.relay._handle_all((MembershipChanged(bob.pk, pair.pk, change),))
        assert both.wire.said == []


# --- renames ---------------------------------------------------------------------------------------


async def test_renames_are_batched_and_sent_to_people_who_share_a_conversation(
    alice, bob, carol, pair
):
    tea = await do(actions.create_conversation)(alice, name="Tea", member_ids=[bob.pk])
    other = await do(actions.create_conversation)(bob, name="Other", member_ids=[carol.pk])
    async with two_processes() as both:
        hers = await both.here.connect(alice, pair, tea)
        his = await both.there.connect(bob, pair, tea, other)
        outside = await both.there.connect(carol, other)
        await both.advance(1)
        for name in ("Alicia", "Alice Liddell"):
            await do(account_actions.update_profile)(alice, name=name)
        await both.advance(1)
        (frame,) = take_frames(his, "person")
        assert (frame["user"]["id"], frame["user"]["name"]) == (alice.pk, "Alice Liddell")
        assert take_frames(hers, "person") == [frame]
        assert hers.name == "Alice Liddell"
        assert take_frames(outside, "person") == []
        await both.advance(2)
        assert take_frames(his, "person") == []


async def test_rename_is_sent_after_a_database_outage(alice, bob, pair, monkeypatch):
    def away(_ids):
        raise OperationalError("away")

    async with two_processes() as both:
        his = await both.here.connect(bob, pair)
        await do(account_actions.update_profile)(alice, name="Alicia")
        with monkeypatch.context() as patched:
            patched.setattr(queries, "memberships_of", away)
            await both.here.profiles.round()
        assert take_frames(his, "person") == []
        await both.here.profiles.round()
        assert [frame["user"]["name"] for frame in take_frames(his, "person")] == ["Alicia"]


def test_publishing_renames_takes_two_queries(alice, bob, pair, django_assert_num_queries):
    with django_assert_num_queries(2):
        people, shared = _read({alice.pk, bob.pk})
    assert {each.pk for each in people} == set(shared) == {alice.pk, bob.pk}
