"""A load client with little overhead: raw sockets and one epoll, without a WebSocket library.

It does not decode frames. Every message contains its number, and received data is searched for these
numbers. So it is cheap, and still knows for each socket what arrived, how often and in which order.
"""

from __future__ import annotations

import contextlib
import re
import select
import socket
import struct
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Self

HEARD = re.compile(rb'"body": ?"n(\d{8})')
ACKNOWLEDGED = re.compile(rb'"sent", ?"key": ?"n(\d{8})')
_TAIL = 48  # longer than either pattern, which may be split between two chunks
_CHUNK = 256 * 1024
_SILENCE_SECONDS = 0.05
_LONG = b"\x7e"  # the byte before a length of two bytes
_PING = b"\x89"  # the first byte of such a frame; messages here are ASCII
LATE_SECONDS = 1.0
PATIENCE_SECONDS = 5.0  # after so long without data, messages that have not arrived are missing

# The handshake of a contender. Each step: wait for the first bytes, then send the second.
Steps = Sequence[tuple[bytes, bytes]]


class LoadError(Exception):
    """The load could not be generated, so there is nothing to measure."""


def number_of(number: int) -> str:
    """Return a message's number as it appears in its key and at the start of its text."""
    return f"n{number:08}"


def text_frame(payload: bytes) -> bytes:
    """Return a client's WebSocket frame. The mask is zero, which servers accept, and costs nothing."""
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", 0x81, 0x80 | size)
    elif size < 65_536:
        head = struct.pack("!BBH", 0x81, 0x80 | 126, size)
    else:
        raise ValueError("No message is that long.")
    return head + b"\0\0\0\0" + payload


def upgrade(path: str, port: int, *headers: str) -> bytes:
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


@dataclass(slots=True, eq=False)
class Line:
    """One open socket, with the numbers it received and those that were acknowledged."""

    socket: socket.socket
    expects_answers: bool = False
    heard: array[int] = field(default_factory=lambda: array("L"))
    acknowledged: array[int] = field(default_factory=lambda: array("L"))
    settled: int = 0  # how many of the acknowledgements have been processed
    step: int = 0
    tail: bytes = b""

    def say(self, frame: bytes) -> None:
        """Send a frame. If the server has closed the socket, the message will count as missing."""
        with contextlib.suppress(ConnectionError):
            self.socket.sendall(frame)


class LoadClients:
    """Any number of sockets, read by one loop. `heard`: deliveries since forget()."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._by_fd: dict[int, Line] = {}
        self.lines: list[Line] = []
        self.heard = 0
        self.late = 0
        self.bytes = 0
        self.closed = 0
        self.refused = 0
        self.sent_at: dict[int, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for line in self.lines:
            line.socket.close()
        self._epoll.close()

    def forget(self) -> None:
        """Reset everything that was received in an earlier round."""
        for line in self.lines:
            line.heard = array("L")
            line.acknowledged = array("L")
            line.settled = 0
        self.heard = self.late = self.bytes = 0
        self.sent_at.clear()

    # --- connecting ------------------------------------------------------------------------------

    def connect(
        self, port: int, handshakes: Sequence[bytes], steps: Steps, *, at_once: int = 100
    ) -> list[Line]:
        """Open a socket for each handshake, `at_once` of them concurrently.

        Rejected handshakes are counted and retried. Raises LoadError if there are more than half as
        many rejections as handshakes, or if nothing happens for 30 seconds.
        """
        waiting = list(reversed(handshakes))
        opening: dict[int, tuple[Line, bytes]] = {}
        opened: list[Line] = []
        moved = time.monotonic()
        while waiting or opening:
            while waiting and len(opening) < at_once:
                handshake = waiting.pop()
                line = self._dial(port, handshake)
                opening[line.socket.fileno()] = line, handshake
            for fd, _event in self._epoll.poll(1):
                line = self._by_fd[fd]
                moved = time.monotonic()
                if fd not in opening:
                    self._read(line)
                    continue
                try:
                    ready = self._shake(line, steps)
                except LoadError:
                    waiting.append(opening.pop(fd)[1])
                    self._hang_up(line)
                    self.refused += 1
                    if self.refused > len(handshakes) // 2:
                        raise
                else:
                    if ready:
                        del opening[fd]
                        opened.append(line)
            if time.monotonic() - moved > 30:
                raise LoadError(f"{len(opening)} handshakes are not answered.")
        self.lines += opened
        return opened

    def _dial(self, port: int, handshake: bytes) -> Line:
        line = Line(socket.create_connection(("127.0.0.1", port), timeout=30))
        line.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._by_fd[line.socket.fileno()] = line
        self._epoll.register(line.socket, select.EPOLLIN)
        if handshake:
            line.say(handshake)
        return line

    def _shake(self, line: Line, steps: Steps) -> bool:
        try:
            chunk = line.socket.recv(_CHUNK)
        except ConnectionError:
            chunk = b""
        line.tail += chunk
        if not chunk or b"HTTP/1.1 4" in line.tail[:16] or b"HTTP/1.1 5" in line.tail[:16]:
            raise LoadError(f"The server refused a socket: {line.tail[:200]!r}")
        wanted, then = steps[line.step]
        if wanted not in line.tail:
            return False
        line.tail = b""
        line.step += 1
        if then:
            line.say(then)
        return line.step == len(steps)

    def _hang_up(self, line: Line) -> None:
        del self._by_fd[line.socket.fileno()]
        self._epoll.unregister(line.socket)
        line.socket.close()

    def ignore(self, line: Line) -> None:
        """Stop reading a socket, like a client that hangs. It stays open."""
        self._epoll.unregister(line.socket)
        self.lines.remove(line)

    # --- reading ---------------------------------------------------------------------------------

    def drain(self) -> None:
        """Read until no more data arrives."""
        while self.pump(_SILENCE_SECONDS):
            pass

    def pump(self, seconds: float) -> list[Line]:
        """Read what has arrived, waiting up to `seconds` for it. Returns the sockets it came from."""
        spoken = []
        for fd, _event in self._epoll.poll(seconds):
            line = self._by_fd[fd]
            self._read(line)
            spoken.append(line)
        return spoken

    def _read(self, line: Line) -> None:
        try:
            chunk = line.socket.recv(_CHUNK)
        except ConnectionError:
            chunk = b""
        if not chunk:
            self._epoll.unregister(line.socket)
            self.closed += 1
            return
        self.bytes += len(chunk)
        if _PING in chunk:
            _answer_pings(line, chunk)
        data = line.tail + chunk
        tail = data[-_TAIL:]
        if numbers := HEARD.findall(data):
            heard = list(map(int, numbers))
            line.heard.extend(heard)
            self.heard += len(heard)
            self._note_late(heard)
            tail = _after_last(HEARD, tail)
        if line.expects_answers and (numbers := ACKNOWLEDGED.findall(data)):
            line.acknowledged.extend(map(int, numbers))
            tail = _after_last(ACKNOWLEDGED, tail)
        line.tail = tail

    def _note_late(self, heard: list[int]) -> None:
        now = time.monotonic()
        if now - self.sent_at.get(heard[0], now) > LATE_SECONDS:
            self.late += sum(now - self.sent_at.get(n, now) > LATE_SECONDS for n in heard)


def _answer_pings(line: Line, chunk: bytes) -> None:
    """Answer each ping with a pong.

    The second byte of a frame's length can look like a ping and must be skipped: unsolicited pongs
    count against the server's limit of control frames.
    """
    at = chunk.find(_PING)
    while at >= 0:
        size = chunk[at + 1] if at + 1 < len(chunk) else 126
        payload = chunk[at + 2 : at + 2 + size]
        is_length = chunk[max(0, at - 2) : at - 1] == _LONG
        if size < 126 and len(payload) == size and not is_length:
            line.say(bytes((0x8A, 0x80 | size)) + b"\0\0\0\0" + payload)
        at = chunk.find(_PING, at + 1)


def _after_last(pattern: re.Pattern[bytes], tail: bytes) -> bytes:
    """Return the part of the tail that has not been counted yet."""
    while found := pattern.search(tail):
        tail = tail[found.end() :]
    return tail


@dataclass(slots=True)
class Faults:
    """Deliveries that were missing, later than LATE_SECONDS, received twice, or out of order."""

    missing: int = 0
    late: int = 0
    duplicated: int = 0
    disordered: int = 0

    def compare(self, heard: Sequence[int], expected: Sequence[int]) -> None:
        if list(heard) == list(expected):
            return
        different = set(heard)
        self.missing += len(set(expected) - different)
        self.duplicated += len(heard) - len(different)
        place = {number: index for index, number in enumerate(expected)}
        places = [place[number] for number in heard if number in place]
        self.disordered += sum(a > b for a, b in pairwise(places))


@dataclass(slots=True)
class Outcome:
    """The result of a run. `waits`: seconds per message until it was delivered everywhere in burst(),
    otherwise until it was acknowledged."""

    seconds: float
    deliveries: int
    waits: list[float]
    faults: Faults


def burst(
    clients: LoadClients,
    frame_of: Callable[[int], bytes],
    numbers: range,
    *,
    window: int,
    between: Callable[[], None] = lambda: None,
) -> Outcome:
    """One socket sends, all receive. `window` messages are in flight at once: the next one is sent
    when the oldest has arrived everywhere. `between` is called after each pump()."""
    clients.drain()  # earlier messages
    clients.forget()
    sender, size = clients.lines[0], len(clients.lines)
    count = done = 0
    waits: list[float] = []
    start = moved = time.monotonic()
    while done < len(numbers) and time.monotonic() - moved < PATIENCE_SECONDS:
        while count < len(numbers) and count - done < window:
            clients.sent_at[numbers[count]] = time.monotonic()
            sender.say(frame_of(numbers[count]))
            count += 1
        if clients.pump(0.5):
            moved = time.monotonic()
        while clients.heard >= (done + 1) * size and done < count:
            waits.append(time.monotonic() - clients.sent_at[numbers[done]])
            done += 1
        between()
    seconds, deliveries = time.monotonic() - start, clients.heard
    clients.drain()  # the loop counts all deliveries, so a duplicate may hide one not yet received
    faults = Faults(late=clients.late)
    for line in clients.lines:
        faults.compare(line.heard, numbers)
    return Outcome(seconds, deliveries, waits, faults)


def conversations(
    clients: LoadClients,
    frame_of: Callable[[int, int], bytes],
    first: int,
    each: int,
    *,
    window: int,
) -> Outcome:
    """Sockets 0 and 1 talk with each other, 2 and 3 do, and so on.

    Each sends `each` messages, at most `window` of them unacknowledged. `frame_of` gets the index of
    the socket and the number of the message.
    """
    clients.drain()
    clients.forget()
    index_of = {id(line): index for index, line in enumerate(clients.lines)}
    own = [range(first + i * each, first + (i + 1) * each) for i in range(len(clients.lines))]
    count = [0] * len(clients.lines)
    waits: list[float] = []

    def go_on(index: int) -> None:
        line = clients.lines[index]
        while count[index] < each and count[index] - len(line.acknowledged) < window:
            number = own[index][count[index]]
            clients.sent_at[number] = time.monotonic()
            line.say(frame_of(index, number))
            count[index] += 1

    for index, line in enumerate(clients.lines):
        line.expects_answers = True
        go_on(index)
    total = each * len(clients.lines)
    start = moved = answered = time.monotonic()
    while (len(waits) < total or clients.heard < 2 * total) and (
        time.monotonic() - moved < PATIENCE_SECONDS
    ):
        for line in clients.pump(0.5):
            moved = time.monotonic()
            for number in line.acknowledged[line.settled :]:
                waits.append(moved - clients.sent_at[number])
                answered = moved
            line.settled = len(line.acknowledged)
            go_on(index_of[id(line)])
    clients.drain()
    return Outcome(answered - start, clients.heard, waits, _faults_of_pairs(clients, own))


def steady(
    clients: LoadClients,
    frame_of: Callable[[int], bytes],
    numbers: range,
    *,
    rate: float,
    between: Callable[[], None] = lambda: None,
) -> Outcome:
    """Send `rate` messages a second, each by the next socket, received by all.

    Waits are measured from when a message was due until it is acknowledged. Otherwise a slow server,
    which also delays the client, would seem fast.
    """
    clients.drain()
    clients.forget()
    for line in clients.lines:
        line.expects_answers = True
    waits: list[float] = []
    count = 0
    expected = len(numbers) * len(clients.lines)
    began = moved = time.monotonic()
    while len(waits) < len(numbers) or clients.heard < expected:
        now = time.monotonic()
        if count < len(numbers) and (due := began + count / rate) <= now:
            clients.sent_at[numbers[count]] = due
            clients.lines[count % len(clients.lines)].say(frame_of(numbers[count]))
            count += 1
        elif now - moved > 2 * PATIENCE_SECONDS:
            break
        wait = began + count / rate - now if count < len(numbers) else 0.5
        for line in clients.pump(max(0.0, wait)):
            moved = time.monotonic()
            waits += [moved - clients.sent_at[n] for n in line.acknowledged[line.settled :]]
            line.settled = len(line.acknowledged)
        between()
    lasted = time.monotonic() - began
    clients.drain()
    faults = Faults(late=clients.late)
    # The server decides in which order concurrent messages are stored. So compare all sockets with
    # the first one, if that received everything.
    first = clients.lines[0].heard
    order = first if sorted(first) == list(numbers) else numbers
    for line in clients.lines:
        faults.compare(line.heard, order)
    return Outcome(lasted, clients.heard, waits, faults)


def _faults_of_pairs(clients: LoadClients, own: list[range]) -> Faults:
    """Both sockets of a pair must receive all messages in the same order, which keeps each sender's."""
    faults = Faults(late=clients.late)
    for index in range(0, len(clients.lines), 2):
        left, right = clients.lines[index : index + 2]
        everything = {*own[index], *own[index + 1]}
        if set(left.heard) == everything and len(left.heard) == len(everything):
            faults.compare(right.heard, left.heard)
            for numbers in (own[index], own[index + 1]):
                faults.compare([n for n in left.heard if n in numbers], numbers)
        else:
            for line in (left, right):
                faults.compare(line.heard, sorted(everything))
    return faults
