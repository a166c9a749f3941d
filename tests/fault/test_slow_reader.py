"""A client that stops reading costs only its own connection: no delays for others, and no memory."""

from __future__ import annotations

import base64
import contextlib
import os
import socket
import time
from pathlib import Path

import pytest

from benchmarks.measure import resident_bytes
from tests.sockets import Member, open_sockets

pytestmark = [pytest.mark.servers, pytest.mark.slow]

BODY = "wörd " * 799  # nearly the maximum length of a message
MESSAGES = 2_100  # with HTML each frame has about 10 KB: 20 MB
IN_FLIGHT = 100


def sleeper(person):
    """Return a socket with small buffers that reads nothing after `hello`.

    Before that frame, the server may not have put it into the rooms of its conversations yet.
    """
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.connect(("127.0.0.1", person.server.port))
    key = base64.b64encode(os.urandom(16)).decode()
    line.sendall(
        (
            "GET /ws/ HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
            f"Authorization: Bearer {person.token}\r\n\r\n"
        ).encode()
    )
    line.settimeout(10)
    heard = line.recv(1000)
    assert heard.startswith(b"HTTP/1.1 101")
    while b'"hello"' not in heard:
        more = line.recv(1000)
        assert more, heard
        heard += more
    return line


def ports_connected_to(pid, port):
    """Return the client ports of this process's open connections."""
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            inodes.add(str(link.readlink()).removeprefix("socket:[").removesuffix("]"))
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {
        int(row[2].split(":")[1], 16)
        for row in rows
        if row[9] in inodes and int(row[1].split(":")[1], 16) == port
    }


@pytest.mark.long
def test_client_that_stops_reading_is_dropped(installation):
    server = installation.serve(LIMIT_FRAMES="100000/s")
    alice, bob, carol = (Member(server, name).sign_in() for name in ("Alice", "Bob", "Carol"))
    tea = alice.create_conversation(bob, carol)
    pid = server.process.pid
    with open_sockets() as call, contextlib.ExitStack() as stack:
        hers, his = call(alice), call(bob)
        for number in range(IN_FLIGHT):
            hers.send(tea, f"{number} {BODY}")
        his.transcript(tea, IN_FLIGHT)
        before = resident_bytes(pid)
        lines = [stack.enter_context(contextlib.closing(sleeper(carol))) for _ in range(5)]
        ports = {line.getsockname()[1] for line in lines}
        assert ports <= ports_connected_to(pid, server.port)

        most = 0
        for start in range(0, MESSAGES, IN_FLIGHT):
            began = time.monotonic()
            for number in range(start, start + IN_FLIGHT):
                hers.send(tea, f"{number} {BODY}")
            heard = his.transcript(tea, IN_FLIGHT)
            most = max(most, resident_bytes(pid) - before)
            assert len(heard) == IN_FLIGHT
            assert time.monotonic() - began < 10
            hers.frames.clear()
        assert most < 60 * 1024 * 1024  # five readers with 20 MB each would be 100
        deadline = time.monotonic() + 60  # beside other tests, the event loop is slow to notice
        while ports & ports_connected_to(pid, server.port):
            assert time.monotonic() < deadline, "The connections of sleepers are still there."
            time.sleep(0.1)
        hers.send_and_wait(tea, "good morning")
        his.expect_message(tea, "good morning")
        assert carol.again().post_message(tea, "I overslept")["seq"]
    assert " ERROR " not in server.output()
