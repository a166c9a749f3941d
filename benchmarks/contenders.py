"""The contenders, Chatty and others: how to start, address and stop each of them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import psycopg

from benchmarks.client import LoadClients, LoadError, Steps, number_of, text_frame, upgrade
from benchmarks.talk import fill
from proof.services import free_port
from tests.installations import ROOT, ChatServer, Installation
from tests.services import Postgres, Redis, wait_for_port

HERE = Path(__file__).resolve().parent
# Raised, because the benchmarks measure work, not rate limits. All other settings have their defaults.
LIMITS = {
    "LIMIT_FRAMES": "1000000/s",
    "LIMIT_REQUESTS": "1000000/s",
    "SOCKETS_PER_USER": "10000",
    "ACCESS_TOKEN_SECONDS": "86400",
}
# The PostgreSQL of tests/services.py is not durable. This one is.
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}


@dataclass
class Plan:
    """The data to create. `rooms`: lists of the members' indexes. `messages`: counts for the first rooms."""

    people: int
    rooms: Sequence[Sequence[int]]
    messages: Sequence[int] = ()


class Site:
    """What all contenders share: one PostgreSQL, one Redis, one directory.

    With `hurried` one Chatty serves all scenarios, otherwise each scenario gets a fresh process.
    `against`: the directory of another checkout of Chatty to measure too.
    """

    def __init__(self, *, hurried: bool = False, against: Path | None = None) -> None:
        self.hurried = hurried
        self.against = against
        self._stack = ExitStack()
        self._furnishers: dict[Path, subprocess.Popen[str]] = {}

    def __enter__(self) -> Self:
        self.home = Path(
            self._stack.enter_context(tempfile.TemporaryDirectory(prefix="chatty-bench-"))
        )
        self.postgres = self._stack.enter_context(Postgres())
        with psycopg.connect(self.postgres.url, autocommit=True) as connection:
            for name, value in DURABLE.items():
                connection.execute(f"ALTER SYSTEM SET {name} = {value}")
            connection.execute("SELECT pg_reload_conf()")
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    @cached_property
    def redis(self) -> Redis:
        return self._stack.enter_context(Redis())

    @cached_property
    def installation(self) -> Installation:
        """Chatty on PostgreSQL, set up as for production."""
        return self._set_up("chatty", DATABASE_URL=self.postgres.create("chatty"))

    @cached_property
    def small_installation(self) -> Installation:
        """Chatty on SQLite, as `make run` sets it up."""
        return self._set_up("chatty-small")

    @cached_property
    def guarded_installation(self) -> Installation:
        """Chatty on PostgreSQL with its default limits."""
        url = self.postgres.create("guarded")
        return self._set_up("chatty-guarded", limits={}, DATABASE_URL=url)

    @cached_property
    def other_installation(self) -> Installation:
        """The other checkout on PostgreSQL, set up as for production."""
        url = self.postgres.create("other")
        return self._set_up("other", root=self._other_root, DATABASE_URL=url)

    @cached_property
    def small_other_installation(self) -> Installation:
        return self._set_up("other-small", root=self._other_root)

    @property
    def _other_root(self) -> Path:
        assert self.against is not None
        return self.against

    def _set_up(
        self,
        name: str,
        *,
        limits: Mapping[str, str] = LIMITS,
        root: Path = ROOT,
        **more: str,
    ) -> Installation:
        home = self.home / name
        home.mkdir()
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        env = {
            **kept,
            **limits,
            **more,
            "DATA_DIR": str(home),
            "STATIC_ROOT": str(self.home / ("static" if root == ROOT else "static-other")),
            "SECRET_KEY": "a-key-for-measurements-0123456789-abcdefghijklmnopqrstuvwxyz",
            "PYTHONUNBUFFERED": "1",
            "SHUTDOWN_SECONDS": "5",
        }
        installation = Installation(home, env, root=root)
        installation.manage("setup", "--email", "admin@example.org")
        self._stack.callback(installation.close)
        return installation

    def furnish(self, installation: Installation, plan: Plan) -> dict[str, list[Any]]:
        """Create the plan's people and rooms in an installation of Chatty, by cast.py."""
        if installation.home not in self._furnishers:
            self._furnishers[installation.home] = self._furnisher(installation)
        furnisher = self._furnishers[installation.home]
        stdin, stdout = furnisher.stdin, furnisher.stdout
        assert stdin is not None
        assert stdout is not None
        rooms = [list(room) for room in plan.rooms]
        stdin.write(json.dumps({"people": plan.people, "rooms": rooms}) + "\n")
        stdin.flush()
        answer = stdout.readline()
        if not answer:
            raise LoadError("The people could not be created in Chatty's installation; see above.")
        furnished: dict[str, list[Any]] = json.loads(answer)
        return furnished

    def _furnisher(self, installation: Installation) -> subprocess.Popen[str]:
        # By path: another checkout has its own benchmarks/, whose interface may differ.
        script = f"import runpy; runpy.run_path({str(HERE / 'cast.py')!r})['serve_requests']()"
        process = self._stack.enter_context(
            subprocess.Popen(
                [installation.python, "manage.py", "shell", "-v", "0", "-c", script],
                cwd=installation.root,
                env=installation.env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        self._stack.callback(process.kill)
        return process

    @cached_property
    def usual(self) -> dict[str, str]:
        """The environment of the usual Channels chat, whose table has been created."""
        env = {"DATABASE_URL": self.postgres.create("usual"), "REDIS_URL": self.redis.url}
        command = [sys.executable, "-m", "benchmarks.peers.usual_channels"]
        subprocess.run(command, cwd=ROOT, env={**os.environ, **env}, check=True, timeout=60)
        return env

    @cached_property
    def socketio(self) -> Path:
        """The directory of the Socket.IO server, with its packages installed and its database created."""
        place = self.home / "socketio"
        shutil.copytree(HERE / "peers/socketio", place)
        command = ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(command, cwd=place, check=True, capture_output=True, timeout=300)
        self.postgres.create("socketio")
        return place


class Contender:
    """A server that fans out messages.

    `pace`: the share of a round's messages to send, so that a slow server does not take an hour.
    """

    name: str
    pace = 1.0
    steps: Steps

    def __init__(self, site: Site) -> None:
        self.site = site
        self._next = 0

    @classmethod
    def missing(cls) -> str:
        """Return what it needs and this machine does not have, or ""."""
        return ""

    def start(self, plan: Plan) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        raise NotImplementedError

    @property
    def pid(self) -> int:
        raise NotImplementedError

    @property
    def pids(self) -> list[int]:
        """The ids of all its processes."""
        return [self.pid]

    @property
    def port(self) -> int:
        raise NotImplementedError

    def output(self) -> str:
        """Return its log."""
        raise NotImplementedError

    def handshake(self, person: int, room: int) -> bytes:
        raise NotImplementedError

    def say(self, room: int, number: int, words: str) -> bytes:
        """Return the frame that sends "n<number> <words>" to a room of the plan."""
        raise NotImplementedError

    def numbers(self, count: int) -> range:
        """Return `count` numbers that have not been used before."""
        first, self._next = self._next, self._next + count
        return range(first, self._next)

    def enter(
        self, clients: LoadClients, people: Sequence[tuple[int, int]], *, at_once: int = 100
    ) -> None:
        """Open a socket for each (person, room)."""
        handshakes = [self.handshake(person, room) for person, room in people]
        try:
            clients.connect(self.port, handshakes, self.steps, at_once=at_once)
        except (LoadError, ConnectionError) as error:
            raise LoadError(f"{self.name}: {error}\n{self.output()[-2000:]}") from None


class Chatty(Contender):
    """One process on PostgreSQL with production settings, including access checks and rendering."""

    name = "Chatty"
    protocols = "chatty.v2"
    steps = ((b'"type":"hello"', b""),)

    @property
    def installation(self) -> Installation:
        return self.site.installation

    def start(self, plan: Plan) -> None:
        furnished = self.site.furnish(self.installation, plan)
        self.tokens: list[str] = furnished["tokens"]
        self.rooms: list[int] = furnished["rooms"]
        for room, count in zip(self.rooms, plan.messages, strict=False):
            fill(self.installation.env["DATABASE_URL"], room, count)
        running = self.installation.servers if self.site.hurried else []
        self.server: ChatServer = running[0] if running else self.installation.serve()

    def stop(self) -> None:
        if not self.site.hurried:
            self.server.kill()

    def output(self) -> str:
        return self.server.output()

    @property
    def pid(self) -> int:
        assert self.server.process is not None
        return self.server.process.pid

    @property
    def port(self) -> int:
        return self.server.port

    def handshake(self, person: int, room: int) -> bytes:
        bearer = f"Authorization: Bearer {self.tokens[person]}"
        return upgrade("/ws/", self.port, f"Sec-WebSocket-Protocol: {self.protocols}", bearer)

    def say(self, room: int, number: int, words: str) -> bytes:
        key = number_of(number)
        frame = {"type": "send", "conversation": self.rooms[room], "key": key}
        return text_frame(json.dumps({**frame, "body": f"{key} {words}"}).encode())


class ChattySmall(Chatty):
    name = "Chatty on SQLite"

    @property
    def installation(self) -> Installation:
        return self.site.small_installation


class OtherChatty(Chatty):
    """The other checkout. Offers the older protocol too, in case it does not support the newer one."""

    name = "Chatty of the other checkout"
    protocols = "chatty.v2, chatty.v1"

    @property
    def installation(self) -> Installation:
        return self.site.other_installation


class OtherChattySmall(OtherChatty):
    name = "the other checkout on SQLite"

    @property
    def installation(self) -> Installation:
        return self.site.small_other_installation


class ChattyGuarded(Chatty):
    """With default limits."""

    @property
    def installation(self) -> Installation:
        return self.site.guarded_installation


class ChattyTwice(Chatty):
    """Two processes that share a Redis.

    Sockets connect to them alternately, so the two of a pair are at different processes, and every
    message passes through Redis.
    """

    name = "Chatty, two processes"

    def start(self, plan: Plan) -> None:
        furnished = self.site.furnish(self.installation, plan)
        self.tokens, self.rooms = furnished["tokens"], furnished["rooms"]
        self.servers = [self.installation.serve(REDIS_URL=self.site.redis.url) for _ in range(2)]
        self.server = self.servers[0]

    def stop(self) -> None:
        for server in self.servers:
            server.kill()
            self.installation.servers.remove(server)

    @property
    def pids(self) -> list[int]:
        return [server.process.pid for server in self.servers if server.process is not None]

    def enter(
        self, clients: LoadClients, people: Sequence[tuple[int, int]], *, at_once: int = 100
    ) -> None:
        for each in people:
            super().enter(clients, [each])
            self.server = next(server for server in self.servers if server is not self.server)


class Peer(Contender):
    """A program other than Chatty, run as a child process."""

    process: subprocess.Popen[bytes] | None = None
    _port = 0

    def launch(self, command: Sequence[str], cwd: Path, **env: str) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=cwd, env={**os.environ, **env}, stdout=subprocess.PIPE, stderr=log
            )
        return self.process

    @property
    def _log(self) -> Path:
        return self.site.home / f"{type(self).__name__}.log"

    def output(self) -> str:
        return self._log.read_text(errors="replace")

    def port_it_prints(self) -> int:
        assert self.process is not None
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line.strip().isdigit():
            raise LoadError(f"{self.name} did not start; it said {line!r}")
        return int(line)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            if self.process.stdout is not None:
                self.process.stdout.close()
            self.process = None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def port(self) -> int:
        return self._port


class UsualChannels(Peer):
    """peers/usual_channels.py on Daphne and Redis."""

    name = "usual Channels"
    pace = 0.1
    steps = ((b"hello", b""),)

    def start(self, plan: Plan) -> None:
        env = self.site.usual
        self._port = free_port()
        where = ["-b", "127.0.0.1", "-p", str(self._port), "--no-server-name", "-v", "0"]
        # The load client does not answer Daphne's pings, so they must not time out.
        pings = ["--ping-interval", "3600", "--ping-timeout", "3600"]
        self.launch(
            [
                sys.executable,
                "-m",
                "daphne",
                *where,
                *pings,
                "benchmarks.peers.usual_channels:application",
            ],
            ROOT,
            **env,
        )
        wait_for_port(self._port, seconds=30)

    def handshake(self, person: int, room: int) -> bytes:
        return upgrade(f"/ws/{room}/{person}/", self.port)

    def say(self, room: int, number: int, words: str) -> bytes:
        key = number_of(number)
        return text_frame(json.dumps({"key": key, "body": f"{key} {words}"}).encode())


class SocketIO(Peer):
    """peers/socketio on Node."""

    name = "Socket.IO + pg"
    steps = ((b'"sid"', text_frame(b"40")), (b'"hello"', b""))

    @classmethod
    def missing(cls) -> str:
        return "" if shutil.which("node") and shutil.which("npm") else "Node and npm"

    def start(self, plan: Plan) -> None:
        place = self.site.socketio
        host = self.site.postgres.url.rpartition("host=")[2]
        env = {"DATABASE": "socketio", "DATABASE_HOST": host, "NODE_ENV": "production"}
        self.launch(["node", "server.js"], place, **env)
        self._port = self.port_it_prints()

    def handshake(self, person: int, room: int) -> bytes:
        query = f"EIO=4&transport=websocket&room={room}&author={person}"
        return upgrade(f"/socket.io/?{query}", self.port)

    def say(self, room: int, number: int, words: str) -> bytes:
        key = number_of(number)
        text = json.dumps(["send", {"key": key, "body": f"{key} {words}"}])
        return text_frame(b"42" + text.encode())


class BareSend(Peer):
    """peers/bare_send.c: one send(2) per delivery, of a frame with the size of Chatty's."""

    name = "bare send(2)"
    steps = ((b"hello", b""),)
    frame = b""  # set before start(): see captured_frame()

    @classmethod
    def missing(cls) -> str:
        return "" if shutil.which("cc") else "a C compiler"

    def start(self, plan: Plan) -> None:
        program = self.site.home / "bare_send"
        if not program.exists():
            source = HERE / "peers/bare_send.c"
            subprocess.run(["cc", "-O2", "-o", program, source], check=True, timeout=60)
        frame = self.site.home / "frame"
        frame.write_bytes(self.frame)
        place = self.frame.index(b'"body":"n') + len(b'"body":"n')
        self.launch([str(program), str(frame), str(place)], self.site.home)
        self._port = self.port_it_prints()

    def handshake(self, person: int, room: int) -> bytes:
        return b""

    def say(self, room: int, number: int, words: str) -> bytes:
        return number_of(number)[1:].encode()


def captured_frame(chatty: Chatty, words: str) -> bytes:
    """Return the encoded frame that Chatty sends for these words in its first room."""
    with LoadClients() as clients:
        chatty.enter(clients, [(0, 0)])
        (line,) = clients.lines
        clients.ignore(line)
        line.say(chatty.say(0, chatty.numbers(1)[0], words))
        raw = b""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            raw += line.socket.recv(65_536)
            if frame := next((f for f in _frames(raw) if b'"type":"message"' in f), None):
                line.socket.close()
                return frame
    raise LoadError("Chatty passed nothing on.")


def _frames(raw: bytes) -> list[bytes]:
    """Return the complete frames of a server (each below 64 KiB) in the received bytes."""
    frames = []
    while len(raw) >= 4:
        short = raw[1]
        size = 2 + short if short < 126 else 4 + int.from_bytes(raw[2:4], "big")
        if len(raw) < size:
            break
        frames.append(raw[:size])
        raw = raw[size:]
    return frames
