"""A hostile client costs its own connection: beside each of them, people talk as they did before."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks.measure import resident_bytes
from tests.fault.failing import NEWER_UVICORN
from tests.fault.test_clients import masked
from tests.fault.test_slow_reader import sleeper
from tests.sockets import Client, Talker, switchboard

pytestmark = [pytest.mark.servers, pytest.mark.slow]

MIB = 1024 * 1024
ROUNDS = 15  # messages said and heard while an attack goes on
SECONDS = 3.0  # for one of them, on a machine that does other things too; it was 15 to 44


class Table:
    """Two people who talk at a server, and what the server holds meanwhile."""

    def __init__(self, server, alice: Talker, bob: Talker, hers: Client, his: Client) -> None:
        self.server, self.alice, self.bob, self.hers, self.his = server, alice, bob, hers, his
        self.conversation = alice.opens(bob)
        self.said = 0
        self.talk()  # everything is loaded that a message needs
        self.before = resident_bytes(server.process.pid)

    def talk(self) -> float:
        """Say and hear ROUNDS messages, and load as many pages. Returns the longest of them."""
        longest = 0.0
        for _ in range(ROUNDS):
            began = time.monotonic()
            self.said += 1
            key = self.hers.send(self.conversation, f"calm {self.said}")
            self.hers.take("sent", seconds=30, key=key)
            self.his.takes_message(self.conversation, f"calm {self.said}", seconds=30)
            self.alice.ask("GET", "/api/me/")
            longest = max(longest, time.monotonic() - began)
        return longest

    def grown(self) -> int:
        return resident_bytes(self.server.process.pid) - self.before

    def refused(self, code: str) -> float:
        with urllib.request.urlopen(f"{self.server.url}/metrics", timeout=10) as answer:
            told = answer.read().decode()
        found = re.search(
            rf'^chatty_http_\w*refused_total{{code="{code}"}} (\S+)$', told, re.MULTILINE
        )
        return float(found[1]) if found else 0


@pytest.fixture
def table(house):
    server = house.serve(HTTP_BODY_SECONDS="2")
    alice, bob = (Talker(server, name).sign_in() for name in ("Alice", "Bob"))
    with switchboard() as call:
        yield Table(server, alice, bob, call(alice), call(bob))
    assert " ERROR " not in server.said()


@contextlib.contextmanager
def lines(table: Table, count: int) -> Iterator[list[socket.socket]]:
    """Connections with small buffers, which are closed at the end."""
    with contextlib.ExitStack() as stack:
        found = []
        for _ in range(count):
            line = stack.enter_context(contextlib.closing(socket.socket()))
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            line.connect(("127.0.0.1", table.server.port))
            found.append(line)
        yield found


@contextlib.contextmanager
def pushing(line: socket.socket, data: bytes, most: int = 32 * MIB) -> Iterator[None]:
    """Write the same over and over, as fast as it is taken, until the end or for `most` bytes."""
    stopping = threading.Event()
    line.settimeout(0.2)

    def push() -> None:
        sent = 0
        while not stopping.is_set() and sent < most:
            try:
                sent += line.send(data)
            except TimeoutError:
                continue
            except OSError:
                return

    thread = threading.Thread(target=push, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


def is_gone(line: socket.socket, seconds: float = 15) -> bool:
    """Tell whether the server ends the connection within this time."""
    line.settimeout(seconds)
    with contextlib.suppress(ConnectionError):
        while line.recv(65_536):
            continue
    return True


def test_requests_sent_ahead_are_not_piled_up(table):
    request = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with lines(table, 3) as several, contextlib.ExitStack() as stack:
        for line in several:
            stack.enter_context(pushing(line, request * 1500))
        assert table.talk() < SECONDS
        assert table.grown() < 32 * MIB  # it was a gigabyte


def test_a_few_requests_sent_ahead_are_answered_in_order(table):
    paths = ["/healthz", "/api/me/", "/sign-in/", "/healthz"]
    with lines(table, 1) as (line,):
        line.sendall(
            "".join(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" for path in paths).encode()
        )
        line.settimeout(10)
        heard = b""
        while len(re.findall(rb"HTTP/1\.1 (\d+)", heard)) < 4:
            heard += line.recv(65_536)
        assert re.findall(rb"HTTP/1\.1 (\d+)", heard) == [b"200", b"401", b"200", b"200"]


def test_answers_nobody_reads_hold_no_place(table):
    """Twelve requests are worked on at once. Of these twelve none is ever read."""
    path = f"/api/conversations/{table.conversation}/messages/"
    for number in range(50):
        table.hers.sends(table.conversation, f"{number} " + "wörd " * 700)
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {table.alice.token}\r\n\r\n"
    with ThreadPoolExecutor(16) as readers:  # what so many honest ones take at once stays taken
        list(readers.map(lambda _: table.alice.ask("GET", path), range(32)))
    table.before = resident_bytes(table.server.process.pid)
    with lines(table, 16) as several:
        for line in several:
            line.sendall(request.encode() * 8)
        assert table.talk() < SECONDS
        assert table.grown() < 48 * MIB
        assert all(is_gone(line) for line in several)
    assert table.refused("unread") > 0


def test_a_client_that_reads_slowly_gets_its_whole_answer(table):
    for number in range(50):
        table.hers.sends(table.conversation, f"{number} " + "wörd " * 700)
    path = f"/api/conversations/{table.conversation}/messages/"
    with lines(table, 1) as (line,):
        line.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
            f"Authorization: Bearer {table.alice.token}\r\n\r\n".encode()
        )
        line.settimeout(10)
        heard = b""
        # 20 KiB a second for several times HTTP_BODY_SECONDS, where 8 are enough; then the rest.
        for _ in range(80):
            heard += line.recv(2 * 1024)
            time.sleep(0.1)
        while piece := line.recv(65_536):
            heard += piece
        head, _, body = heard.partition(b"\r\n\r\n")
        size = int(re.search(rb"content-length: (\d+)", head, re.IGNORECASE)[1])
        assert len(body) == size > 300_000


def test_a_socket_asked_for_while_an_answer_is_unread_is_refused(table):
    """The answer would be kept for ever: nobody would hear any more that the client has gone."""
    path = f"/api/conversations/{table.conversation}/messages/"
    for number in range(50):
        table.hers.sends(table.conversation, f"{number} " + "wörd " * 700)
    head = f"Host: 127.0.0.1\r\nAuthorization: Bearer {table.alice.token}\r\n"
    upgrade = (
        f"GET /ws/ HTTP/1.1\r\n{head}Upgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    with lines(table, 1) as (line,):
        line.sendall(f"GET {path} HTTP/1.1\r\n{head}\r\n{upgrade}".encode())
        time.sleep(0.5)
        line.settimeout(10)
        heard = b""
        with contextlib.suppress(ConnectionError):
            while piece := line.recv(65_536):
                heard += piece
        assert b"101 Switching" not in heard
    assert table.talk() < SECONDS


def test_bodies_that_never_end_are_bounded_together(table):
    head = (
        b"POST /api/token/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        b"Content-Length: 1000000\r\n\r\n"
    )
    with lines(table, 80) as several:
        for line in several:
            line.settimeout(5)
            with contextlib.suppress(OSError):
                line.sendall(head + b"x" * 999_000)
        assert table.grown() < 64 * MIB  # 80 would have been 80 MB
        assert table.talk() < SECONDS
        assert table.refused("busy") > 0
        assert all(is_gone(line) for line in several)


def test_a_body_that_trickles_is_given_up_and_one_that_is_only_slow_is_not(table):
    head = (
        b"POST /api/token/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n"
    )
    with lines(table, 2) as (trickle, slow):
        trickle.sendall(head % 100_000)
        slow.sendall(head % (5 * 16_384))
        for _ in range(5):
            with contextlib.suppress(ConnectionError):  # once it was given up
                trickle.sendall(b"x")
            slow.sendall(b"x" * 16_384)
            time.sleep(0.7)  # altogether longer than HTTP_BODY_SECONDS
        slow.settimeout(10)
        assert slow.recv(12) == b"HTTP/1.1 400"  # whole, and no JSON
        trickle.settimeout(10)
        assert b"took too long" in trickle.recv(65_536)


@pytest.mark.parametrize(
    "frame",
    [
        masked(9, b""),
        masked(9, b"p" * 125),
        masked(10, b""),
        masked(1, b"", final=False) + masked(0, b"", final=False) * 400,
    ],
    ids=["pings", "large pings", "pongs", "fragments"],
)
def test_frames_the_application_never_sees_are_counted_too(table, frame):
    """Whoever sends them does not read either: nothing is piled up for them."""
    with contextlib.closing(sleeper(table.bob)) as line:
        with pushing(line, frame * (60_000 // len(frame) + 1)):
            assert table.talk() < SECONDS
            assert table.grown() < 16 * MIB  # it was 150 MB in ten seconds
        assert is_gone(line)


@pytest.mark.parametrize("text", [b'{"type": "ping"}', b"{", b""], ids=["ping", "broken", "empty"])
def test_who_sends_as_fast_as_possible_is_not_read_and_then_closed(table, text):
    carol = Talker(table.server, "Carol").sign_in()
    with contextlib.closing(sleeper(carol)) as line:
        with pushing(line, masked(1, text) * 1000):
            assert table.talk() < SECONDS
            assert table.grown() < 32 * MIB
        assert is_gone(line)


def test_a_client_is_warned_once_then_closed_with_4429(table):
    carol = Talker(table.server, "Carol").sign_in()
    with switchboard() as call:
        flood = call(carol)
        for _ in range(1500):
            flood.say("ping")
        warning = flood.take("error", seconds=20, code="slow_down")
        assert warning["retry_after"] == 5
        assert flood.close_code(seconds=30) == 4429
        errors = [frame for frame in flood.heard if frame["type"] == "error"]
        assert [error["retry_after"] for error in errors] == [30]
        pongs = sum(frame["type"] == "pong" for frame in flood.heard)
        assert 400 <= pongs <= 700  # what came before, and what was sent after the pause


def test_an_outbox_of_hundreds_and_a_hundred_conversations_are_no_flood(table):
    """What a page says after hours without a connection, as fast as it can."""
    for number in range(300):
        table.hers.send(table.conversation, f"{number}")
    for _ in range(90):
        table.hers.say("sync", conversation=table.conversation, version=0)
    for number in range(300):
        table.his.takes_message(table.conversation, f"{number}", seconds=30)
    assert table.hers.is_open()
    assert not [frame for frame in table.hers.heard if frame["type"] == "error"]


def test_with_a_uvicorn_it_does_not_know_chatty_warns_and_serves(house):
    server = house.serve(failing=NEWER_UVICORN)
    alice, bob = (Talker(server, name).sign_in() for name in ("Alice", "Bob"))
    with switchboard() as call:
        table = Table(server, alice, bob, call(alice), call(bob))
        assert table.talk() < SECONDS
    said = server.said()
    assert "uvicorn 0.99.0 is installed" in said
    assert "pip install -r requirements.txt" in said
    assert "Traceback" not in said


def test_an_e_mail_of_a_megabyte_is_refused_and_not_kept(table):
    body = json.dumps({"email": "x" * 1_000_000 + "@example.org", "password": "p"})
    connection = http.client.HTTPConnection("127.0.0.1", table.server.port, timeout=20)
    with contextlib.closing(connection):
        for _ in range(30):
            headers = {"Content-Type": "application/json"}
            connection.request("POST", "/api/token/", body, headers)
            answer = connection.getresponse()
            assert answer.status in (400, 429)
            assert len(answer.read()) < 1000
    assert table.grown() < 32 * MIB  # it was 170 MB for 150
    assert table.talk() < SECONDS
