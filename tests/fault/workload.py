"""Clients that keep chatting whatever happens to the server, like the outbox and the store of a page."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass, field

from websockets.exceptions import WebSocketException

from tests.sockets import Client, Frame, Member, new_key, open_socket

GIVE_UP_SECONDS = 240  # for all clients: a workload that takes longer is stuck
ANSWER_SECONDS = 12  # without a response the same message is sent again


class _Caller(threading.Thread):
    """Holds one socket, and opens another whenever it is lost."""

    def __init__(self, person: Member) -> None:
        super().__init__(daemon=True)
        self.person = person
        self.calls = 0
        self.client: Client | None = None
        self.stopping = threading.Event()

    def line(self) -> Client:
        """Return the open socket. Raise OSError and the like while there is no server."""
        if self.client is None:
            self.client = open_socket(self.person)
            self.calls += 1
            self.greeted(self.client)
        return self.client

    def greeted(self, client: Client) -> None:
        """Called with each new socket."""

    def hang_up(self) -> None:
        if self.client is not None:
            self.client.close()
            self.client = None

    def run(self) -> None:
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while not self.stopping.is_set() and time.monotonic() < deadline:
            try:
                self.turn(self.line())
            except (OSError, TimeoutError, WebSocketException, AssertionError):
                self.hang_up()
                self.stopping.wait(0.1)
        self.hang_up()

    def turn(self, client: Client) -> None:
        raise NotImplementedError


class Speaker(_Caller):
    """Sends `count` messages one by one, retrying with the same key until each is acknowledged."""

    def __init__(self, person: Member, conversation: int, name: str, count: int) -> None:
        super().__init__(person)
        self.conversation = conversation
        self.name = name
        self.count = count
        self.run_id = new_key()
        self.sent: list[Frame] = []
        self.retries: list[str] = []  # codes of errors after which it retried
        self.refused: list[Frame] = []  # errors that must not be retried

    def turn(self, client: Client) -> None:
        number = len(self.sent)
        if number == self.count:
            self.stopping.set()
            return
        key = f"{self.run_id}-{number}"
        client.send(self.conversation, f"{self.name} {number}", key)
        answer = client.take_if(key, lambda f: f.get("key") == key, ANSWER_SECONDS)
        client.frames.clear()
        if answer["type"] == "sent":
            self.sent.append(answer)
        elif answer["retry"]:
            self.retries.append(answer["code"])
            self.stopping.wait(0.05)
        else:
            self.refused.append(answer)
            self.stopping.set()


class Follower(_Caller):
    """Keeps a position, fills gaps with `sync`, and keeps the newer version of each message."""

    def __init__(self, person: Member, conversation: int) -> None:
        super().__init__(person)
        self.conversation = conversation
        self.position = 0
        self.messages: dict[int, Frame] = {}
        self.resets = 0
        self._newest = 0  # the highest version seen
        self._asked_at = 0.0  # when the pending `sync` was sent; 0: none is pending

    def greeted(self, client: Client) -> None:
        self._sync(client)

    def turn(self, client: Client) -> None:
        if not client.frames:
            with contextlib.suppress(TimeoutError):
                client.listen(time.monotonic() + 1)
        if client.frames:
            self._hear(client.frames.pop(0))
        # One request at a time. If each message sent its own, hundreds would ask from the same position while
        # the first answer is late, and then all answers would be awaited.
        if self._newest > self.position and time.monotonic() - self._asked_at > ANSWER_SECONDS:
            self._sync(client)

    def _hear(self, frame: Frame) -> None:
        if frame.get("conversation") != self.conversation:
            return
        if frame["type"] == "message":
            self._show(frame["message"])
            self._newest = max(self._newest, frame["version"])
            if frame["version"] == self.position + 1:
                self.position += 1
        elif frame["type"] == "synced" and frame["from"] <= self.position:
            self.resets += frame["reset"]
            for message in frame["messages"]:
                self._show(message)
            self.position = max(self.position, frame["version"])
            self._newest = max(self._newest, self.position + frame["more"])
            self._asked_at = 0.0

    def _sync(self, client: Client) -> None:
        self._asked_at = time.monotonic()
        client.say("sync", conversation=self.conversation, version=self.position)

    def _show(self, message: Frame) -> None:
        known = self.messages.get(message["id"])
        if known is None or known["version"] < message["version"]:
            self.messages[message["id"]] = message


@dataclass
class Workload:
    """Twenty speakers on the sockets of two people, and a follower, in one conversation."""

    alice: Member
    bob: Member
    carol: Member
    each: int = 25
    speakers: list[Speaker] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.conversation = self.alice.create_conversation(self.bob, self.carol)
        for number in range(20):
            person = (self.alice, self.bob)[number % 2]
            self.speakers.append(Speaker(person, self.conversation, f"S{number}", self.each))
        self.follower = Follower(self.carol, self.conversation)

    def start(self) -> None:
        for thread in (self.follower, *self.speakers):
            thread.start()

    def wait_until_said(self, share: float) -> None:
        """Wait until this share of all messages is acknowledged."""
        wanted = share * self.each * len(self.speakers)
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while sum(len(speaker.sent) for speaker in self.speakers) < wanted:
            assert time.monotonic() < deadline, "The workload is stuck."
            assert [speaker.refused for speaker in self.speakers if speaker.refused] == []
            time.sleep(0.005)

    def assert_nothing_lost_nothing_twice(self) -> None:
        """Wait for the end, then compare what was acknowledged, stored and followed."""
        for speaker in self.speakers:
            speaker.join(GIVE_UP_SECONDS)
            assert speaker.refused == []
            assert len(speaker.sent) == self.each, speaker.name
        rows = self.alice.read_messages(self.conversation)
        assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
        output = [row for row in rows if row["kind"] == "text"]
        assert len(output) == self.each * len(self.speakers)
        by_key = {row["key"]: row for row in output}
        for speaker in self.speakers:
            mine = [row["body"] for row in output if row["body"].startswith(f"{speaker.name} ")]
            assert mine == [f"{speaker.name} {number}" for number in range(self.each)]
            for sent in speaker.sent:
                row = by_key[sent["key"]]
                assert (row["id"], row["seq"], row["version"]) == (
                    *(sent["id"], sent["seq"], sent["version"]),
                )
        self._assert_followed(rows)

    def _assert_followed(self, rows: list[Frame]) -> None:
        head = max(row["version"] for row in rows)
        deadline = time.monotonic() + 30
        while self.follower.position < head and time.monotonic() < deadline:
            time.sleep(0.02)
        self.follower.stopping.set()
        shown = sorted(self.follower.messages.values(), key=lambda message: message["seq"])
        assert [(m["seq"], m["body"]) for m in shown] == [(m["seq"], m["body"]) for m in rows]
        assert self.follower.position == head
        assert self.follower.resets == 0
