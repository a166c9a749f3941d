"""Rooms: order, duplicates, gaps and recipients. No event loop, no database, no channel layer."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conversations.events import ConversationChanged
from conversations.protocol import EncodedFrames
from conversations.realtime import rooms as rooms_module
from conversations.realtime.catch_up import CatchUp
from conversations.realtime.rooms import Room, Rooms
from conversations.tests.tools import BaseFakeSocket

ALICE, BOB, CAROL = 1, 2, 3
TEA, KITCHEN = 10, 20


@dataclass(eq=False)
class FakeSocket(BaseFakeSocket):
    writes: list[tuple[str, ...]] = field(default_factory=list)
    fails: bool = False

    def write(self, frames: EncodedFrames) -> None:
        if self.fails:
            raise RuntimeError("the connection is gone")
        self.writes.append(frames.texts)

    def end(self, code: int) -> None: ...

    @property
    def texts(self) -> list[str]:
        return [text for texts in self.writes for text in texts]


class FakeRequests:
    """Records what rooms request."""

    def __init__(self) -> None:
        self.groups: set[str] = set()
        self.checks: list[int] = []
        self.repairs: list[Room] = []
        self.rechecks: list[tuple[Any, ...]] = []

    def subscribe(self, group: str) -> None:
        self.groups.add(group)

    def unsubscribe(self, group: str) -> None:
        self.groups.discard(group)

    def check_soon(self, conversation_id: int) -> None:
        self.checks.append(conversation_id)

    def repair_later(self, room: Room) -> None:
        self.repairs.append(room)

    def recheck(self, user_id: int, *notes: tuple[str, int]) -> None:
        self.rechecks.append((user_id, *notes))


class Setting:
    """Rooms, their requests, and a clock that a test controls."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.requests = FakeRequests()
        self.rooms = Rooms(self.requests, now=lambda: self.seconds)

    def connect(self, user_id: int, versions: dict[int, int]) -> FakeSocket:
        socket = FakeSocket(user_id)
        self.rooms.register(socket, clock=0)
        self.rooms.join(socket, versions)
        return socket

    def receive(self, *changes: ConversationChanged) -> None:
        for change in changes:
            self.rooms.receive(change)
        self.rooms.flush()


@pytest.fixture
def setting() -> Setting:
    return Setting()


def change(
    version: int, conversation: int = TEA, gone: tuple[int, ...] = ()
) -> ConversationChanged:
    return ConversationChanged(conversation, version, f"{conversation}:{version}", gone)


def page(
    version: int, *, gone: tuple[int, ...] = (), more: bool = False, reset: bool = False
) -> CatchUp:
    return CatchUp(f"synced:{version}", version, gone, more, reset)


# --- order ---------------------------------------------------------------------------------------


def test_events_of_one_room_are_batched_in_order(setting: Setting):
    socket = setting.connect(BOB, {TEA: 5})
    setting.receive(change(6), change(7))
    assert socket.writes == [("10:6", "10:7")]


def test_nothing_is_written_before_flush(setting: Setting):
    socket = setting.connect(BOB, {TEA: 5})
    setting.rooms.receive(change(6))
    assert socket.writes == []
    setting.rooms.flush()
    setting.rooms.flush()
    assert socket.writes == [("10:6",)]


def test_rooms_are_written_in_order_of_their_first_event(setting: Setting):
    socket = setting.connect(BOB, {TEA: 0, KITCHEN: 0})
    setting.receive(change(1, KITCHEN), change(1, TEA), change(2, KITCHEN))
    assert socket.writes == [("20:1", "20:2"), ("10:1",)]


def test_duplicate_and_older_events_are_dropped(setting: Setting):
    socket = setting.connect(BOB, {TEA: 5})
    setting.receive(change(4), change(5), change(6), change(6))
    setting.receive(change(6))
    assert socket.texts == ["10:6"]
    assert setting.requests.repairs == []


def test_early_event_is_held_until_its_predecessor(setting: Setting):
    socket = setting.connect(BOB, {TEA: 5})
    setting.receive(change(8), change(7))
    assert socket.texts == []
    assert setting.requests.repairs == [setting.rooms.by_id[TEA]]  # requested once
    setting.receive(change(6))
    assert socket.texts == ["10:6", "10:7", "10:8"]
    assert setting.rooms.by_id[TEA].early == {}


def test_event_of_an_unknown_room_is_ignored(setting: Setting):
    setting.receive(change(1))
    assert setting.rooms.by_id == {}


def test_write_size_is_limited(setting: Setting, monkeypatch):
    monkeypatch.setattr(rooms_module, "WRITE_MAX", 8)
    socket = setting.connect(BOB, {TEA: 0})
    setting.receive(change(1), change(2), change(3), change(4))
    assert socket.writes == [("10:1", "10:2", "10:3"), ("10:4",)]


def test_failing_socket_does_not_affect_other_sockets(setting: Setting):
    sockets = [setting.connect(BOB, {TEA: 0}) for _ in range(4)]
    next(iter(setting.rooms.sockets_in(TEA))).fails = True
    setting.receive(change(1))
    assert sorted(len(socket.writes) for socket in sockets) == [0, 1, 1, 1]


def test_frame_is_encoded_once_for_all_sockets(setting: Setting, monkeypatch):
    made: list[EncodedFrames] = []

    class Counted(EncodedFrames):
        def __init__(self, *texts: str) -> None:
            super().__init__(*texts)
            made.append(self)

    monkeypatch.setattr(rooms_module, "EncodedFrames", Counted)
    for _ in range(5):
        setting.connect(BOB, {TEA: 0})
    setting.receive(change(1), change(2))
    assert len(made) == 1


def test_deliveries_are_counted_per_socket_and_frame(setting: Setting):
    setting.connect(ALICE, {TEA: 0})
    setting.connect(BOB, {TEA: 0})
    setting.receive(change(1), change(2), change(3))
    assert setting.rooms.take_deliveries() == 6
    assert setting.rooms.take_deliveries() == 0


# --- sockets connect and disconnect --------------------------------------------------------------


def test_first_socket_subscribes_and_checks_its_room(setting: Setting):
    socket = FakeSocket(BOB)
    setting.rooms.register(socket, clock=0)
    assert setting.rooms.join(socket, {TEA: 5}) == {TEA: 5}
    assert setting.requests.groups == {"user.2", "conversation.10"}
    assert setting.requests.checks == [TEA]
    assert socket.has_joined
    assert socket.rooms == {TEA}


def test_later_socket_gets_the_current_version(setting: Setting):
    setting.connect(BOB, {TEA: 5})
    setting.receive(change(6))
    late = FakeSocket(ALICE)
    setting.rooms.register(late, clock=0)
    assert setting.rooms.join(late, {TEA: 5}) == {TEA: 6}
    assert setting.requests.checks == [TEA]


def test_socket_ahead_of_its_room_causes_a_check(setting: Setting):
    setting.connect(BOB, {TEA: 5})
    setting.connect(ALICE, {TEA: 7})
    assert setting.requests.checks == [TEA, TEA]
    assert setting.rooms.by_id[TEA].last == 5


def test_oldest_clock_of_a_users_sockets_is_kept(setting: Setting):
    for clock in (7, 3, 9):
        setting.rooms.register(FakeSocket(BOB), clock=clock)
    assert setting.rooms.people[BOB].clock == 3


def test_unregister_stops_events_and_is_idempotent(setting: Setting):
    socket = setting.connect(BOB, {TEA: 0})
    setting.rooms.unregister(socket)
    setting.rooms.unregister(socket)
    setting.receive(change(1))
    assert socket.texts == []
    assert setting.rooms.people == {}
    assert not setting.rooms.sockets_of(BOB)
    assert list(setting.rooms.sockets()) == []
    assert setting.requests.groups == {"conversation.10"}  # kept for a while


def test_unregistering_one_of_two_sockets_keeps_the_other(setting: Setting):
    one, two = setting.connect(BOB, {TEA: 0}), setting.connect(BOB, {TEA: 0})
    setting.rooms.unregister(one)
    assert set(setting.rooms.sockets()) == {two}
    assert "user.2" in setting.requests.groups


def test_empty_room_is_dropped_after_a_while(setting: Setting):
    socket = setting.connect(BOB, {TEA: 0})
    setting.rooms.unregister(socket)
    setting.seconds += rooms_module.LINGER_SECONDS
    setting.rooms.drop_lingering()
    assert TEA in setting.rooms.by_id
    setting.seconds += 1
    setting.rooms.drop_lingering()
    assert TEA not in setting.rooms.by_id
    assert setting.requests.groups == set()


def test_room_with_a_new_socket_is_kept(setting: Setting):
    setting.rooms.unregister(setting.connect(BOB, {TEA: 0}))
    setting.connect(ALICE, {TEA: 0})
    setting.seconds += 2 * rooms_module.LINGER_SECONDS
    setting.rooms.drop_lingering()
    assert TEA in setting.rooms.by_id


def test_room_with_a_remaining_socket_is_kept(setting: Setting):
    setting.connect(ALICE, {TEA: 0})
    setting.rooms.unregister(setting.connect(BOB, {TEA: 0}))
    setting.seconds += 2 * rooms_module.LINGER_SECONDS
    setting.rooms.drop_lingering()
    assert TEA in setting.rooms.by_id


def test_room_under_repair_is_kept(setting: Setting):
    setting.rooms.unregister(setting.connect(BOB, {TEA: 0}))
    setting.rooms.by_id[TEA].repairing = True
    setting.seconds += 2 * rooms_module.LINGER_SECONDS
    setting.rooms.drop_lingering()
    assert TEA in setting.rooms.by_id


def test_deleted_conversation_sends_a_frame(setting: Setting):
    socket = setting.connect(BOB, {TEA: 0, KITCHEN: 0})
    room = setting.rooms.by_id[TEA]
    setting.rooms.end(TEA)
    setting.rooms.end(TEA)
    (text,) = socket.texts
    frame = {"type": "conversation", "change": "deleted", "conversation": {"id": TEA}}
    assert json.loads(text) == frame
    assert socket.rooms == {KITCHEN}
    assert not room.sockets
    assert setting.requests.groups == {"user.2", "conversation.20"}


# --- removals ------------------------------------------------------------------------------------


def test_removed_user_gets_earlier_events_only(setting: Setting):
    alice, bob = setting.connect(ALICE, {TEA: 0}), setting.connect(BOB, {TEA: 0})
    setting.receive(change(1), change(2, gone=(BOB,)), change(3))
    assert bob.texts == ["10:1"]
    assert alice.texts == ["10:1", "10:2", "10:3"]
    assert bob.rooms == set()
    assert bob.is_stale
    assert setting.requests.rechecks == [(BOB, ("removed", TEA))]


def test_held_removal_takes_effect_in_order(setting: Setting):
    bob = setting.connect(BOB, {TEA: 0})
    setting.receive(change(3), change(2, gone=(BOB,)))
    assert bob.texts == []
    assert bob.rooms == {TEA}
    setting.receive(change(1))
    assert bob.texts == ["10:1"]


def test_removal_from_an_unknown_room_makes_the_users_sockets_stale(setting: Setting):
    waiting, other = FakeSocket(BOB), FakeSocket(CAROL)
    setting.rooms.register(waiting, clock=0)
    setting.rooms.register(other, clock=0)
    setting.receive(change(1, gone=(BOB,)))
    assert waiting.is_stale
    assert not other.is_stale


def test_removed_user_without_sockets_is_not_rechecked(setting: Setting):
    setting.connect(ALICE, {TEA: 0})
    setting.receive(change(1, gone=(BOB,)))
    assert setting.requests.rechecks == []


# --- repairs -------------------------------------------------------------------------------------


def repairing(setting: Setting) -> Room:
    room = setting.rooms.by_id[TEA]
    room.repairing = True
    return room


def test_events_during_a_repair_are_delivered_after_it(setting: Setting):
    socket = setting.connect(BOB, {TEA: 0})
    setting.receive(change(3))
    room = repairing(setting)
    setting.receive(change(1), change(4))
    setting.rooms.deliver_page(room, page(2, more=True))
    setting.rooms.deliver_page(room, page(3))
    setting.rooms.end_repair(room)
    setting.rooms.deliver_held(room)
    assert socket.texts == ["synced:2", "synced:3", "10:4"]
    assert not room.early
    assert len(setting.requests.repairs) == 1


def test_gap_during_a_repair_causes_another_repair(setting: Setting):
    setting.connect(BOB, {TEA: 0})
    room = repairing(setting)
    setting.receive(change(9))
    assert setting.requests.repairs == []
    setting.rooms.deliver_page(room, page(3))
    setting.rooms.end_repair(room)
    setting.rooms.deliver_held(room)
    assert setting.requests.repairs == [room]


def test_page_without_news_is_not_sent(setting: Setting):
    socket = setting.connect(BOB, {TEA: 5})
    room = repairing(setting)
    setting.rooms.deliver_page(room, page(5))
    assert socket.texts == []


def test_page_is_not_sent_to_removed_users(setting: Setting):
    alice, bob = setting.connect(ALICE, {TEA: 0}), setting.connect(BOB, {TEA: 0})
    setting.rooms.deliver_page(repairing(setting), page(4, gone=(BOB,)))
    assert bob.texts == []
    assert alice.texts == ["synced:4"]


def test_reset_restarts_the_room_and_rechecks_its_users(setting: Setting):
    alice, bob = setting.connect(ALICE, {TEA: 9}), setting.connect(BOB, {TEA: 9})
    room = repairing(setting)
    setting.rooms.deliver_page(room, page(4, reset=True))  # after a restore it may be lower
    assert alice.texts == bob.texts == ["synced:4"]
    assert room.last == 4
    assert sorted(setting.requests.rechecks) == [(ALICE,), (BOB,)]


# --- everything together -------------------------------------------------------------------------


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_every_version_is_delivered_once_in_order_for_any_events(data: st.DataObject):
    """Lost, duplicated and shuffled events, and repairs at any time. Carol is removed in between."""
    setting = Setting()
    bob = setting.connect(BOB, {TEA: 0})
    carol = setting.connect(CAROL, {TEA: 0})
    head = data.draw(st.integers(1, 12))
    removed_at = data.draw(st.integers(1, head))
    changes = [change(v, gone=(CAROL,) if v == removed_at else ()) for v in range(1, head + 1)]
    arriving = [c for c in changes for _ in range(data.draw(st.sampled_from([0, 1, 1, 2])))]
    arriving = data.draw(st.permutations(arriving))
    room = setting.rooms.by_id[TEA]

    def repair() -> None:
        room.repairing = True
        while room.last < head:
            is_interrupted: bool = data.draw(st.booleans())
            if arriving and is_interrupted:
                setting.receive(arriving.pop())
            until = data.draw(st.integers(room.last + 1, head))
            gone = (CAROL,) if room.last < removed_at <= until else ()
            text = ",".join(f"10:{v}" for v in range(room.last + 1, until + 1))
            setting.rooms.deliver_page(room, CatchUp(text, until, gone, until < head, reset=False))
        setting.rooms.end_repair(room)
        setting.rooms.deliver_held(room)

    while arriving:
        setting.receive(arriving.pop())
        if data.draw(st.sampled_from([False, False, False, True])):
            repair()
    repair()

    heard = [text for texts in bob.texts for text in texts.split(",")]
    assert heard == [f"10:{v}" for v in range(1, head + 1)]
    assert room.early == {}
    carols = [text for texts in carol.texts for text in texts.split(",")]
    # She does not get the page that contains her removal at all.
    assert carols == [f"10:{v}" for v in range(1, len(carols) + 1)]
    assert len(carols) < removed_at
