"""Rooms: order, doubles, holes and who hears what. No event loop, no database, no channel layer."""

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
    """Notes what rooms ask for."""

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
    """Rooms, what they asked for, and a clock that a test moves."""

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


def test_events_of_one_room_are_written_together_and_in_order(setting: Setting):
    socket = setting.connect(BOB, {TEA: 5})
    setting.receive(change(6), change(7))
    assert socket.writes == [("10:6", "10:7")]


def test_nothing_is_written_before_the_flush(setting: Setting):
    socket = setting.connect(BOB, {TEA: 5})
    setting.rooms.receive(change(6))
    assert socket.writes == []
    setting.rooms.flush()
    setting.rooms.flush()
    assert socket.writes == [("10:6",)]


def test_rooms_are_written_in_the_order_in_which_they_were_spoken_in(setting: Setting):
    socket = setting.connect(BOB, {TEA: 0, KITCHEN: 0})
    setting.receive(change(1, KITCHEN), change(1, TEA), change(2, KITCHEN))
    assert socket.writes == [("20:1", "20:2"), ("10:1",)]


def test_doubles_and_older_events_are_dropped(setting: Setting):
    socket = setting.connect(BOB, {TEA: 5})
    setting.receive(change(4), change(5), change(6), change(6))
    setting.receive(change(6))
    assert socket.texts == ["10:6"]
    assert setting.requests.repairs == []


def test_an_early_event_is_held_until_the_one_before_it(setting: Setting):
    socket = setting.connect(BOB, {TEA: 5})
    setting.receive(change(8), change(7))
    assert socket.texts == []
    assert setting.requests.repairs == [setting.rooms.by_id[TEA]]  # asked for once
    setting.receive(change(6))
    assert socket.texts == ["10:6", "10:7", "10:8"]
    assert setting.rooms.by_id[TEA].early == {}


def test_an_event_of_a_room_nobody_follows_is_ignored(setting: Setting):
    setting.receive(change(1))
    assert setting.rooms.by_id == {}


def test_one_write_holds_no_more_than_a_slow_reader_may_cost(setting: Setting, monkeypatch):
    monkeypatch.setattr(rooms_module, "WRITE_MAX", 8)
    socket = setting.connect(BOB, {TEA: 0})
    setting.receive(change(1), change(2), change(3), change(4))
    assert socket.writes == [("10:1", "10:2", "10:3"), ("10:4",)]


def test_a_socket_that_fails_costs_the_others_nothing(setting: Setting):
    sockets = [setting.connect(BOB, {TEA: 0}) for _ in range(4)]
    next(iter(setting.rooms.sockets_in(TEA))).fails = True
    setting.receive(change(1))
    assert sorted(len(socket.writes) for socket in sockets) == [0, 1, 1, 1]


def test_a_frame_is_encoded_once_for_all_sockets(setting: Setting, monkeypatch):
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


def test_deliveries_are_counted_for_each_socket_and_frame(setting: Setting):
    setting.connect(ALICE, {TEA: 0})
    setting.connect(BOB, {TEA: 0})
    setting.receive(change(1), change(2), change(3))
    assert setting.rooms.take_deliveries() == 6
    assert setting.rooms.take_deliveries() == 0


# --- sockets come and go -------------------------------------------------------------------------


def test_the_first_socket_opens_a_room_and_has_it_checked(setting: Setting):
    socket = FakeSocket(BOB)
    setting.rooms.register(socket, clock=0)
    assert setting.rooms.join(socket, {TEA: 5}) == {TEA: 5}
    assert setting.requests.groups == {"user.2", "conversation.10"}
    assert setting.requests.checks == [TEA]
    assert socket.has_joined
    assert socket.rooms == {TEA}


def test_a_later_socket_learns_how_far_its_room_has_come(setting: Setting):
    setting.connect(BOB, {TEA: 5})
    setting.receive(change(6))
    late = FakeSocket(ALICE)
    setting.rooms.register(late, clock=0)
    assert setting.rooms.join(late, {TEA: 5}) == {TEA: 6}
    assert setting.requests.checks == [TEA]


def test_a_socket_that_read_more_than_its_room_has_passed_on_has_it_checked(setting: Setting):
    setting.connect(BOB, {TEA: 5})
    setting.connect(ALICE, {TEA: 7})
    assert setting.requests.checks == [TEA, TEA]
    assert setting.rooms.by_id[TEA].last == 5


def test_the_oldest_clock_of_a_persons_sockets_counts(setting: Setting):
    for clock in (7, 3, 9):
        setting.rooms.register(FakeSocket(BOB), clock=clock)
    assert setting.rooms.people[BOB].clock == 3


def test_a_socket_taken_out_hears_nothing_and_may_be_taken_out_again(setting: Setting):
    socket = setting.connect(BOB, {TEA: 0})
    setting.rooms.unregister(socket)
    setting.rooms.unregister(socket)
    setting.receive(change(1))
    assert socket.texts == []
    assert setting.rooms.people == {}
    assert not setting.rooms.sockets_of(BOB)
    assert list(setting.rooms.sockets()) == []
    assert setting.requests.groups == {"conversation.10"}  # for a while


def test_of_a_person_with_two_sockets_one_may_go(setting: Setting):
    one, two = setting.connect(BOB, {TEA: 0}), setting.connect(BOB, {TEA: 0})
    setting.rooms.unregister(one)
    assert set(setting.rooms.sockets()) == {two}
    assert "user.2" in setting.requests.groups


def test_a_room_without_sockets_goes_after_a_while(setting: Setting):
    socket = setting.connect(BOB, {TEA: 0})
    setting.rooms.unregister(socket)
    setting.seconds += rooms_module.LINGER_SECONDS
    setting.rooms.drop_lingering()
    assert TEA in setting.rooms.by_id
    setting.seconds += 1
    setting.rooms.drop_lingering()
    assert TEA not in setting.rooms.by_id
    assert setting.requests.groups == set()


def test_a_room_that_somebody_came_back_to_stays(setting: Setting):
    setting.rooms.unregister(setting.connect(BOB, {TEA: 0}))
    setting.connect(ALICE, {TEA: 0})
    setting.seconds += 2 * rooms_module.LINGER_SECONDS
    setting.rooms.drop_lingering()
    assert TEA in setting.rooms.by_id


def test_a_room_that_somebody_is_still_in_stays(setting: Setting):
    setting.connect(ALICE, {TEA: 0})
    setting.rooms.unregister(setting.connect(BOB, {TEA: 0}))
    setting.seconds += 2 * rooms_module.LINGER_SECONDS
    setting.rooms.drop_lingering()
    assert TEA in setting.rooms.by_id


def test_a_room_under_repair_does_not_go(setting: Setting):
    setting.rooms.unregister(setting.connect(BOB, {TEA: 0}))
    setting.rooms.by_id[TEA].repairing = True
    setting.seconds += 2 * rooms_module.LINGER_SECONDS
    setting.rooms.drop_lingering()
    assert TEA in setting.rooms.by_id


def test_a_deleted_conversation_ends_with_a_frame(setting: Setting):
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


def test_somebody_removed_hears_what_came_before_and_nothing_after(setting: Setting):
    alice, bob = setting.connect(ALICE, {TEA: 0}), setting.connect(BOB, {TEA: 0})
    setting.receive(change(1), change(2, gone=(BOB,)), change(3))
    assert bob.texts == ["10:1"]
    assert alice.texts == ["10:1", "10:2", "10:3"]
    assert bob.rooms == set()
    assert bob.is_stale
    assert setting.requests.rechecks == [(BOB, ("removed", TEA))]


def test_a_removal_that_was_held_back_takes_effect_in_its_place(setting: Setting):
    bob = setting.connect(BOB, {TEA: 0})
    setting.receive(change(3), change(2, gone=(BOB,)))
    assert bob.texts == []
    assert bob.rooms == {TEA}
    setting.receive(change(1))
    assert bob.texts == ["10:1"]


def test_a_removal_from_a_room_nobody_is_in_yet_makes_their_sockets_stale(setting: Setting):
    waiting, other = FakeSocket(BOB), FakeSocket(CAROL)
    setting.rooms.register(waiting, clock=0)
    setting.rooms.register(other, clock=0)
    setting.receive(change(1, gone=(BOB,)))
    assert waiting.is_stale
    assert not other.is_stale


def test_somebody_without_sockets_is_not_asked_about(setting: Setting):
    setting.connect(ALICE, {TEA: 0})
    setting.receive(change(1, gone=(BOB,)))
    assert setting.requests.rechecks == []


# --- repairs -------------------------------------------------------------------------------------


def repairing(setting: Setting) -> Room:
    room = setting.rooms.by_id[TEA]
    room.repairing = True
    return room


def test_what_arrives_during_a_repair_is_held_and_follows_it(setting: Setting):
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


def test_a_hole_during_a_repair_asks_for_another_when_it_is_over(setting: Setting):
    setting.connect(BOB, {TEA: 0})
    room = repairing(setting)
    setting.receive(change(9))
    assert setting.requests.repairs == []
    setting.rooms.deliver_page(room, page(3))
    setting.rooms.end_repair(room)
    setting.rooms.deliver_held(room)
    assert setting.requests.repairs == [room]


def test_a_page_without_news_is_not_sent(setting: Setting):
    socket = setting.connect(BOB, {TEA: 5})
    room = repairing(setting)
    setting.rooms.deliver_page(room, page(5))
    assert socket.texts == []


def test_a_page_lets_those_go_who_are_gone_before_it_is_sent(setting: Setting):
    alice, bob = setting.connect(ALICE, {TEA: 0}), setting.connect(BOB, {TEA: 0})
    setting.rooms.deliver_page(repairing(setting), page(4, gone=(BOB,)))
    assert bob.texts == []
    assert alice.texts == ["synced:4"]


def test_a_reset_starts_anew_and_asks_who_is_still_a_member(setting: Setting):
    alice, bob = setting.connect(ALICE, {TEA: 9}), setting.connect(BOB, {TEA: 9})
    room = repairing(setting)
    setting.rooms.deliver_page(room, page(4, reset=True))  # after a restore it may be lower
    assert alice.texts == bob.texts == ["synced:4"]
    assert room.last == 4
    assert sorted(setting.requests.rechecks) == [(ALICE,), (BOB,)]


# --- all of it -----------------------------------------------------------------------------------


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_every_version_is_heard_once_and_in_order_whatever_happens_to_events(data: st.DataObject):
    """Lost, doubled and shuffled events and repairs at any time. Carol is removed on the way."""
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
    # A page that holds the notice of her removal is not hers at all.
    assert carols == [f"10:{v}" for v in range(1, len(carols) + 1)]
    assert len(carols) < removed_at
