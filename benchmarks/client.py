"""A load client that costs little: raw sockets and one epoll, no WebSocket library.

It does not decode frames. All messages carries its number, and what arrives is searched for numbers:
so it is cheap, and still knows for each socket what came, how often and in which order.
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
_TAIL = 48  # longer than either pattern: what a chunk may have been cut in
_CHUNK = 256 * 1024
_SILENCE_SECONDS = 0.05
_LONG = b"\x7e"  # the byte before a length of two bytes
_PING = b"\x89"  # the first byte of such a frame; messages here are ASCII
LATE_SECONDS = 1.0
PATIENCE_SECONDS = 5.0  # without anything arriving; what is not there by then is missing

# What a contender expects: wait for these bytes, then write those; ready after the last step.
Steps = Sequence[tuple[bytes, bytes]]


class LoadError(Exception):
    """The load could not be brought on, so there is nothing to measure."""


def number_of(number: int) -> str:
    """How a message carries its number, as its key and at the beginning of its words."""
    return f"n{number:08}"


def text_frame(payload: bytes) -> bytes:
    """A client's WebSocket frame. The mask is zero: as good as any to a server, and free here."""
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
    """One open socket: the numbers it heard, and those it was told are stored."""

    socket: socket.socket
    expects_answers: bool = False
    heard: array[int] = field(default_factory=lambda: array("L"))
    acknowledged: array[int] = field(default_factory=lambda: array("L"))
    settled: int = 0  # of the answers, those the driver has seen
    step: int = 0
    tail: bytes = b""

    def say(self, frame: bytes) -> None:
        """Says nothing to a server that has closed: what it does not pass on will be missing."""
        with contextlib.suppress(ConnectionError):
            self.socket.sendall(frame)


class LoadClients:
    """Any number of lines, read by one loop. `heard`: deliveries since forget()."""

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
        """Begin anew: what was heard belongs to an earlier round."""
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
        """Open a line with each handshake, `run_concurrently` of them under way at any moment.

        Whoever is refused is counted and comes again. Raises LoadError when that happens to more than
        half of them, or nothing moves for 30 seconds.
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
        """Stop reading a line, as a client that hangs does. It stays open."""
        self._epoll.unregister(line.socket)
        self.lines.remove(line)

    # --- reading ---------------------------------------------------------------------------------

    def drain(self) -> None:
        """Read until nothing comes any more."""
        while self.pump(_SILENCE_SECONDS):
            pass

    def pump(self, seconds: float) -> list[Line]:
        """Read whatever has arrived, waiting for the first of it; return whose it was."""
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
    """Say pong to each. The last byte of another frame's length may look like a ping: pongs that nobody
    asked for count against the limit of control frames."""
    at = chunk.find(_PING)
    while at >= 0:
        size = chunk[at + 1] if at + 1 < len(chunk) else 126
        payload = chunk[at + 2 : at + 2 + size]
        is_length = chunk[max(0, at - 2) : at - 1] == _LONG
        if size < 126 and len(payload) == size and not is_length:
            line.say(bytes((0x8A, 0x80 | size)) + b"\0\0\0\0" + payload)
        at = chunk.find(_PING, at + 1)


def _after_last(pattern: re.Pattern[bytes], tail: bytes) -> bytes:
    """What of the tail has not been counted yet."""
    while found := pattern.search(tail):
        tail = tail[found.end() :]
    return tail


@dataclass(slots=True)
class Faults:
    """Of deliveries: not there, later than LATE_SECONDS, more than once, not in order."""

    missing: int = 0
    late: int = 0
    doubled: int = 0
    disordered: int = 0

    def compare(self, heard: Sequence[int], expected: Sequence[int]) -> None:
        if list(heard) == list(expected):
            return
        different = set(heard)
        self.missing += len(set(expected) - different)
        self.doubled += len(heard) - len(different)
        place = {number: index for index, number in enumerate(expected)}
        places = [place[number] for number in heard if number in place]
        self.disordered += sum(a > b for a, b in pairwise(places))


@dataclass(slots=True)
class Outcome:
    """Of a burst: seconds it took, and for each message until the last had it (or the answer)."""

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
    """One sender, everybody hears: `window` messages are on their way, the next one when the
    oldest has arrived everywhere. `between` is called after each look at the sockets."""
    clients.drain()  # of what was said to these lines before
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
    clients.drain()  # a delivery too many must not hide one that is still to come
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
    """Lines 0 and 1 talk with each other, 2 and 3 do, and so on: each says `each` messages, with
    `window` of them not yet acknowledged. frame_of(line's index, number)."""
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
    """`rate` messages a second, each said by the next line, heard by all.

    A wait lasts from when a message was due until it is acknowledged: a client that is held up does
    not hide a server that is.
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
    # People speak in turn, but whose message is stored first is for the server to say: so all are
    # compared with what the first of them heard, if that was everything.
    first = clients.lines[0].heard
    order = first if sorted(first) == list(numbers) else numbers
    for line in clients.lines:
        faults.compare(line.heard, order)
    return Outcome(lasted, clients.heard, waits, faults)


def _faults_of_pairs(clients: LoadClients, own: list[range]) -> Faults:
    """Both of a pair should have heard all of both, in one order, which keeps each one's own."""
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
