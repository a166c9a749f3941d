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
from collections.abc import Sequence
from dataclasses import dataclass, field
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
    waits: array[float] = field(default_factory=lambda: array("d"))  # seconds until each of them
    settled: int = 0  # how many of the acknowledgements have been processed
    step: int = 0
    tail: bytes = b""

    def newly_acknowledged(self) -> array[float]:
        """Return the seconds until each acknowledgement that arrived since the last call."""
        waits = self.waits[self.settled :]
        self.settled += len(waits)
        return waits

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
            line.waits = array("d")
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
            acknowledged = list(map(int, numbers))
            line.acknowledged.extend(acknowledged)
            now = time.monotonic()
            line.waits.extend(now - self.sent_at.get(number, now) for number in acknowledged)
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
