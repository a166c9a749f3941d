"""Clients that flood, break the protocol, vanish or reconnect all at once do not affect others."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import socket
import struct
import time
from pathlib import Path

import pytest
import websockets
from websockets.exceptions import WebSocketException

from tests.fault.test_slow_reader import ports_connected_to, sleeper
from tests.installations import eventually
from tests.sockets import Member, mask_payload, try_connect

pytestmark = [pytest.mark.servers, pytest.mark.slow]


def test_flood_of_messages_does_not_slow_down_others(people, call):
    alice, bob, carol = people
    tea, elsewhere = carol.create_conversation(alice), alice.create_conversation(bob)
    flood, hers, his = call(carol), call(alice), call(bob)
    for number in range(1_000):
        flood.send(tea, f"{number}")
    waits = []
    for number in range(20):
        began = time.monotonic()
        hers.send_and_wait(elsewhere, f"calm {number}")
        his.expect_message(elsewhere, f"calm {number}")
        waits.append(time.monotonic() - began)
    warning = flood.take("error", seconds=20)
    assert (warning["code"], warning["retry"]) == ("slow_down", True)
    assert warning["retry_after"] > 0
    assert sorted(waits)[-2] < 1
    assert flood.close_code(seconds=30) == 4429


def masked(opcode, payload, *, final=True, mask=True):
    """Return one frame as a client sends it (RFC 6455, 5.2), or as it must not."""
    size = len(payload)
    head = bytes([(0x80 if final else 0) | opcode])
    bit = 0x80 if mask else 0
    if size < 126:
        head += bytes([bit | size])
    elif size < 65_536:
        head += struct.pack("!BH", bit | 126, size)
    else:
        head += struct.pack("!BQ", bit | 127, size)
    if not mask:
        return head + payload
    key = os.urandom(4)
    return head + key + mask_payload(payload, key)


def closed_with(line):
    """Return the code of the close frame that ends the connection, or 0 if there is none."""
    line.settimeout(15)
    heard = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := line.recv(65_536):
            heard += piece
    at = heard.rfind(b"\x88\x02") if b"\x88\x02" in heard else heard.rfind(b"\x88")
    return struct.unpack("!H", heard[at + 2 : at + 4])[0] if at >= 0 else 0


_VIOLATIONS = {
    "bad utf-8": (masked(1, b"\xff\xfe\xfa"), {1007}),
    "unmasked": (masked(1, b'{"type":"ping"}', mask=False), {1002}),
    "unknown opcode": (masked(3, b"what is three"), {1002}),
    "stray continuation": (masked(0, b"the end of nothing"), {1002}),
    "long ping": (masked(9, b"p" * 126), {1002}),
    # If it keeps sending after the close, the connection may be reset before the close is read.
    "a megabyte": (masked(1, b"x" * 1_048_576), {1009, 0}),
}


def test_protocol_violations_close_only_that_client(people, server, call):
    alice, bob, carol = people
    tea = alice.create_conversation(bob)
    hers, his = call(alice), call(bob)
    for name, (raw, codes) in _VIOLATIONS.items():
        with contextlib.closing(sleeper(carol)) as line:
            with contextlib.suppress(ConnectionError):
                line.sendall(raw)
            assert closed_with(line) in codes, name
        hers.send_and_wait(tea, f"still here after {name}")
        his.expect_message(tea, f"still here after {name}")
    assert "Traceback" not in server.output()


def test_fragmented_frame_is_reassembled(people):
    alice, bob, _carol = people
    tea = alice.create_conversation(bob)
    output = f'{{"type":"send","conversation":{tea},"key":"pieces","body":"in three"}}'.encode()
    with contextlib.closing(sleeper(alice)) as line:
        line.sendall(masked(1, output[:10], final=False) + masked(9, b"still there?"))
        line.sendall(masked(0, output[10:20], final=False) + masked(0, output[20:]))
        eventually(lambda: alice.read_messages(tea)[-1]["body"] == "in three")


def test_full_descriptor_table_does_not_affect_open_sockets(people, server, call):
    alice, bob, carol = people
    tea = alice.create_conversation(bob)
    hers, his = call(alice), call(bob)
    hers.send_and_wait(tea, "warm")
    pid = server.process.pid
    taken = max(int(link.name) for link in Path(f"/proc/{pid}/fd").iterdir()) + 1
    _soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (taken, hard))
    lines = []
    try:
        for _ in range(10):
            lines.append(socket.create_connection(("127.0.0.1", server.port), timeout=2))
        hers.send_and_wait(tea, "in a full house")
        his.expect_message(tea, "in a full house")
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (4096, hard))
        for line in lines:
            line.close()
    eventually(lambda: try_connect(server, {"Authorization": f"Bearer {carol.token}"}) == "hello")
    hers.send_and_wait(tea, "and after it")
    his.expect_message(tea, "and after it")


@pytest.mark.parametrize("crowd", [50, pytest.param(2_000, marks=pytest.mark.long)])
def test_all_clients_reconnect_after_a_restart(crowd, installation):
    server = installation.serve(SOCKETS_PER_USER="10000", LIMIT_FRAMES="100000/s")
    alice, bob, _carol = (Member(server, name).sign_in() for name in ("Alice", "Bob", "Carol"))
    tea = alice.create_conversation(bob)
    headers = {"Authorization": f"Bearer {bob.token}"}
    address = server.url.replace("http", "ws") + "/ws/"
    heard = 0

    async def listener(began):
        nonlocal heard
        while True:
            try:
                async with websockets.connect(
                    address, additional_headers=headers, proxy=None, open_timeout=60
                ) as line:
                    await line.recv()
                    began.release()
                    async for frame in line:
                        if '"after the storm"' in frame:
                            heard += 1
                            return
            except (OSError, TimeoutError, WebSocketException):
                await asyncio.sleep(0.2)

    async def storm():
        began = asyncio.Semaphore(0)
        tasks = [asyncio.create_task(listener(began)) for _ in range(crowd)]
        for _ in range(crowd):
            await began.acquire()
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        started = time.monotonic()
        for _ in range(crowd):
            await began.acquire()
        took = time.monotonic() - started
        await asyncio.to_thread(alice.post_message, tea, "after the storm")
        async with asyncio.timeout(60):
            await asyncio.gather(*tasks)
        return took

    assert asyncio.run(storm()) < 60
    assert heard == crowd


@pytest.mark.long
def test_vanished_client_is_dropped_within_90_seconds(people, server):
    line = sleeper(people[2])  # answers no ping
    with contextlib.closing(line):
        port = line.getsockname()[1]
        assert port in ports_connected_to(server.process.pid, server.port)
        eventually(lambda: port not in ports_connected_to(server.process.pid, server.port), 90)
