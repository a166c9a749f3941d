"""Rolling restarts behind a real nginx and a real Caddy are not noticed by users.

The steps are those of docs/deploy.md, run literally, with the shipped sites and units.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import random
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import websockets
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from chatty.server.uvicorn_server import IDLE_SECONDS
from proof.services import free_port
from tests.cast import PASSWORD
from tests.installations import Installation, Person, eventually
from tests.proxies import PROXIES, Proxy, path_of, proxy
from tests.services import wait_for_port
from tests.sockets import new_key

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.servers

AWAY_SECONDS = 1.5


def documented_steps() -> str:
    text = (ROOT / "docs/deploy.md").read_text()
    (line,) = re.findall(r"^for port in 8000 8001; do .*done$", text, re.MULTILINE)
    return str(line)


class Machine:
    """Two units of Chatty. Documented commands run with our replacement for systemctl."""

    def __init__(self, installation: Installation, home: Path) -> None:
        self.ports = sorted((free_port(), free_port()))
        self.units = home / "units"
        self.units.mkdir(parents=True)
        tools = home / "tools"
        tools.mkdir()
        stand_in = tools / "systemctl"
        stand_in.write_text(f'#!/bin/sh\nexec {sys.executable} {ROOT}/tests/systemctl.py "$@"\n')
        stand_in.chmod(0o755)
        for unit in (ROOT / "deploy").glob("*.service"):
            (self.units / unit.name).write_text(unit.read_text())
        paths = {
            "/opt/chatty/.venv/bin/python": sys.executable,
            "/opt/chatty": str(ROOT),
            "/var/lib/chatty": str(installation.home),
        }
        self.env = {
            **installation.env,
            "PATH": f"{tools}:{os.environ['PATH']}",
            "CHATTY_TEST_UNITS": str(self.units),
            "CHATTY_TEST_PATHS": ";".join(f"{old}={new}" for old, new in paths.items()),
        }

    def run(self, script: str, **changes: str) -> None:
        for old, new in zip(("8000", "8001"), self.ports, strict=True):
            script = script.replace(old, str(new))
        env = {**self.env, **changes}
        done = subprocess.run(
            ["bash", "-euc", script], env=env, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr + self.output()

    def output(self) -> str:
        return "\n".join(path.read_text() for path in self.units.glob("run/*.log"))


class Visitor:
    """A user signed in through the proxy, whose requests use one connection."""

    def __init__(self, site: Proxy, name: str) -> None:
        self.site = site
        self.connection = site.connection()
        self.token = ""
        _status, pair = self.call(
            "POST", "/api/token/", {"email": f"{name}@example.org", "password": PASSWORD}
        )
        self.token = pair["access"]

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        data = None if body is None else json.dumps(body)
        self.connection.request(method, path, data, headers)
        answer = self.connection.getresponse()
        raw = answer.read()
        kind = answer.headers.get("Content-Type", "")
        return answer.status, json.loads(raw) if raw and "json" in kind else None

    @contextlib.asynccontextmanager
    async def socket(self) -> AsyncIterator[ClientConnection]:
        """An open socket after its hello. The synchronous client of websockets would read and write one TLS
        connection in two threads: with Python 3.11, up to six of 960 handshakes got no response."""
        async with connect(
            self.site.url.replace("https", "wss") + "/ws/",
            subprotocols=[websockets.Subprotocol("chatty.v2")],
            additional_headers={"Authorization": f"Bearer {self.token}"},
            proxy=None,
            ssl=self.site.context(),
            open_timeout=30,  # slow beside other tests; the time without a socket is asserted
            close_timeout=1,
        ) as connection:
            async with asyncio.timeout(10):
                assert json.loads(await connection.recv())["type"] == "hello"
            yield connection


class Traffic:
    """Users who read and write through the API, and sockets that reconnect like the page does."""

    def __init__(self, site: Proxy, room: int) -> None:
        self.site = site
        self.room = room
        self.over = threading.Event()
        self.answers: list[tuple[str, int]] = []
        self.failures: list[str] = []
        self.sent: set[str] = set()
        self.away: list[float] = []
        # Signed in one by one: twelve at once would have to wait for password hashing.
        visitors = [Visitor(site, ("alice", "bob")[number % 2]) for number in range(12)]
        self.threads = [
            threading.Thread(target=self.talk if number < 4 else self.listen, args=(visitor,))
            for number, visitor in enumerate(visitors)
        ]

    def __enter__(self) -> Traffic:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join(30)

    def talk(self, someone: Visitor) -> None:
        path = f"/api/conversations/{self.room}/messages/"
        while not self.over.wait(0.1):
            body = new_key()
            try:
                status, _said = someone.call("POST", path, {"key": body, "body": body})
                self.answers.append(("POST", status))
                if status == 201:
                    self.sent.add(body)
                self.answers.append(("GET", someone.call("GET", "/api/me/")[0]))
                self.answers.append(("page", someone.call("GET", "/sign-in/")[0]))
            except Exception as error:
                self.failures.append(repr(error))
                someone.connection.close()

    def listen(self, someone: Visitor) -> None:
        asyncio.run(self._listen(someone))

    async def _listen(self, someone: Visitor) -> None:
        lost: float | None = None
        attempt = 0
        while not self.over.is_set():
            try:
                async with someone.socket() as connection:
                    if lost is not None:
                        self.away.append(time.monotonic() - lost)
                    lost, attempt = None, 0
                    await self._hear(connection)
            except (ConnectionClosed, InvalidHandshake, OSError, TimeoutError) as error:
                if not isinstance(error, ConnectionClosed) or lost is not None:
                    self.failures.append(f"socket: {error!r}, {error.__cause__!r}")
                lost = lost or time.monotonic()
                await asyncio.sleep(random.random() * 0.5 * 2**attempt)  # as docs/protocol.md says
                attempt += 1

    async def _hear(self, connection: ClientConnection) -> None:
        while not self.over.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.2):
                    await connection.recv()

    def refused(self) -> list[tuple[str, int]]:
        return [answer for answer in self.answers if answer[1] >= 400]


@pytest.fixture
def machine(production_installation: Installation, tmp_path: Path) -> Iterator[Machine]:
    made = Machine(production_installation, tmp_path)
    yield made
    for port in made.ports:
        made.run(f"systemctl stop chatty@{port}")


@pytest.mark.parametrize(
    ("program", "seconds"),
    [("nginx", 4), *(pytest.param(each, 40, marks=pytest.mark.long) for each in PROXIES)],
)
def test_rolling_restart_causes_no_errors(machine, tmp_path, program, seconds):
    if path_of(program) is None:
        pytest.skip(f"{program} is not installed: apt-get install {program}")
    with proxy(program, tmp_path / program, machine.ports) as site:
        machine.env |= {
            "PUBLIC_URL": site.url,
            "TRUSTED_PROXIES": "127.0.0.1",
            "LIMIT_REQUESTS": "100000/s",
            "LIMIT_FRAMES": "100000/s",
        }
        for port in machine.ports:
            machine.run(f"systemctl start chatty@{port}")
            wait_for_port(port, seconds=30)
        alice, bob = Visitor(site, "alice"), Visitor(site, "bob")
        about = {"name": "Tea", "members": [bob.call("GET", "/api/me/")[1]["id"]]}
        room = alice.call("POST", "/api/conversations/", about)[1]["id"]
        with Traffic(site, room) as traffic:
            until = time.monotonic() + seconds
            time.sleep(1)
            machine.run(documented_steps())
            while time.monotonic() < until - 15:  # the long one restarts them repeatedly
                machine.run(documented_steps())
            time.sleep(max(1, until - time.monotonic()))
        assert traffic.failures == []
        assert traffic.refused() == []
        assert len(traffic.answers) > 100
        assert len(traffic.away) >= 8  # everyone had to reconnect
        assert max(traffic.away) <= AWAY_SECONDS
        assert traffic.sent <= stored_words(alice, room)
    assert " ERROR " not in machine.output()


def test_idle_proxy_connections_get_a_last_response_during_shutdown(installation):
    server = installation.serve(TRUSTED_PROXIES="127.0.0.1")
    alice = Person(server, "Alice").sign_in()
    kept, other = (http.client.HTTPConnection("127.0.0.1", server.port, timeout=5) for _ in "ab")
    for connection in (kept, other):
        connection.request("GET", "/healthz")
        connection.getresponse().read()
    assert server.process is not None
    server.process.terminate()
    eventually(lambda: not is_listening(server.port))
    began = time.monotonic()
    headers = {"Authorization": f"Bearer {alice.token}", "Content-Type": "application/json"}
    kept.request("POST", "/api/conversations/", json.dumps({"name": "Tea"}), headers)
    answer = kept.getresponse()
    assert answer.status == 201
    assert answer.headers["Connection"] == "close"
    # New sockets are not accepted any more: without a response a proxy asks another process.
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    other.request(
        "GET", "/ws/", headers={**upgrade, "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}
    )
    with pytest.raises(http.client.RemoteDisconnected):
        other.getresponse()
    assert server.terminate() == 0  # as soon as they are closed
    assert time.monotonic() - began < IDLE_SECONDS


def test_readyz_reports_stopping_before_the_listener_closes(installation):
    server = installation.serve()
    ready = f"{server.url}/readyz"
    with urllib.request.urlopen(ready) as answer:
        assert answer.status == 200
    assert server.process is not None
    server.process.terminate()
    output: list[Any] = []

    def hears() -> bool:
        with contextlib.suppress(urllib.error.HTTPError):
            urllib.request.urlopen(ready).close()
            return False
        try:
            urllib.request.urlopen(ready)
        except urllib.error.HTTPError as error:
            with error:
                output.append((error.code, json.load(error)["status"]))
        return True

    eventually(hears)
    assert output == [(503, "stopping")]
    assert server.terminate() == 0


def is_listening(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def stored_words(someone: Visitor, room: int) -> set[str]:
    words: list[str] = []
    after = 0
    while True:
        path = f"/api/conversations/{room}/messages/?after={after}&limit=100"
        _status, page = someone.call("GET", path)
        words += [message["body"] for message in page["messages"] if message["kind"] == "text"]
        if not page["has_newer"]:
            assert len(words) == len(set(words))  # no duplicates
            return set(words)
        after = page["messages"][-1]["seq"]
