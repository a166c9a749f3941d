"""The contenders, Chatty and others: how to start, address and stop each of them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.client import LoadClients, LoadError, Steps, number_of, text_frame, upgrade
from benchmarks.measure import CpuTime, cpu_seconds, family_cpu_seconds
from benchmarks.site import HERE, Plan, Site
from benchmarks.talk import fill
from proof.services import free_port
from tests.installations import ROOT, ChatServer, Installation
from tests.services import wait_for_port


class Contender:
    """A server that fans out messages.

    `pace`: the share of a round's messages to send, so that a slow server does not take an hour.
    """

    name: str
    pace = 1.0
    stores = True  # messages, in PostgreSQL
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

    def cpu_time(self) -> CpuTime:
        """Return what it has used so far. Only one contender works at a time, so PostgreSQL's is its own."""
        app = sum(map(cpu_seconds, self.pids))
        return CpuTime(app, family_cpu_seconds(self.site.postgres.pid))

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
    stores = False
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
