"""Real installations for tests, each in its own directory, served by real processes.

An Installation has a database, a secret and the people of cast.SERVED. A ChatServer is one process that
serves it; there can be several.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import websockets.sync.client

from proof.services import free_port
from tests import templates
from tests.cast import PASSWORD, email_of
from tests.fork_server import ForkedProcess, ForkServer
from tests.services import Postgres, Redis

Process = subprocess.Popen[bytes] | ForkedProcess

ROOT = Path(__file__).resolve().parent.parent
# People who sign up in a test share no conversation with others at first.
_CAST_SCRIPT = """
from conversations import actions
from tests import cast
actions.set_welcome(None)
for name in cast.SERVED:
    cast.create_user(name)
"""
_TEMPLATE_DATABASE = "chatty_template"
# Tests do in seconds what people do in hours.
_GENEROUS = dict.fromkeys(
    ("LIMIT_SIGN_IN", "LIMIT_SIGN_IN_ADDRESS", "LIMIT_PASSWORDS", "LIMIT_SIGN_UP", "LIMIT_PEOPLE"),
    "10000/m",
)


def eventually(condition: Callable[[], object], seconds: float = 15) -> None:
    """Wait for a condition. Raise AssertionError if it does not become true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not become true in time"
        time.sleep(0.05)


@dataclass
class Installation:
    """One installation. `env` is the whole environment of its processes."""

    home: Path
    env: dict[str, str]
    postgres: Postgres | None = None
    redis: Redis | None = None
    servers: list[ChatServer] = field(default_factory=list)
    # Starts its processes. None: each is a new Python.
    forks: ForkServer | None = None
    root: Path = ROOT  # the checkout that its processes run, each with its own packages

    @property
    def python(self) -> str:
        return sys.executable if self.root == ROOT else str(self.root / ".venv/bin/python")

    def start(self, *arguments: str, output: IO[Any], **changes: str) -> Process:
        """Start `python ARGUMENTS` with its environment and in its own session, so that killing the group
        leaves no worker behind. `output` also gets stderr."""
        env = {**self.env, **changes}
        if self.forks is not None:
            return self.forks.start(list(arguments), env, output)
        return subprocess.Popen(
            [self.python, *arguments],
            cwd=self.root,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def run(self, *arguments: str, **changes: str) -> tuple[int, str]:
        """Run `python ARGUMENTS`; return the exit code and the output."""
        with tempfile.TemporaryFile() as output:
            process = self.start(*arguments, output=output, **changes)
            try:
                code = process.wait(120)
            finally:
                process.kill()
            output.seek(0)
            return code, output.read().decode()

    def manage(self, *arguments: str, check: bool = True, **changes: str) -> str:
        """Run manage.py; return its output. Raise AssertionError with it on failure."""
        code, written = self.run("manage.py", *arguments, **changes)
        assert not check or code == 0, written
        return written

    def serve(
        self,
        *arguments: str,
        kind: str = "serve",
        failing: str = "",
        through: tuple[str, ...] = (),
        **changes: str,
    ) -> ChatServer:
        """Return a started server; `kind` is "serve", "work", "daphne" or "runserver". `failing`: when it
        crashes, see tests/fault/failing.py. `through`: the program that starts manage.py, if another
        should."""
        if failing:
            through = ("-m", "tests.fault.failing", failing)
        server = ChatServer(self, kind, arguments, changes, through)
        self.servers.append(server)
        server.start()
        return server

    def close(self) -> None:
        """End its servers and its Redis. Its PostgreSQL may serve other installations."""
        for server in self.servers:
            server.kill()
        if self.redis is not None:
            self.redis.close()


class ChatServer:
    """One serving process on a port that it keeps across restarts."""

    def __init__(
        self,
        installation: Installation,
        kind: str,
        arguments: tuple[str, ...],
        changes: dict[str, str],
        through: tuple[str, ...] = (),
    ) -> None:
        self.installation = installation
        self.kind = kind
        self.through = through
        self.arguments = arguments
        self.port = free_port()
        self.changes = {"PORT": str(self.port), **changes}
        self.log = installation.home / f"server-{self.port}.log"
        self.process: Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _command(self) -> list[str]:
        match self.kind:
            case "serve":
                return [*self.through, "manage.py", "serve", *self.arguments]
            case "work":
                return [*self.through, "manage.py", "work", "--port", str(self.port)]
            case "daphne":
                where = ("-b", "127.0.0.1", "-p", str(self.port))
                return ["-m", "daphne", *where, *self.arguments, "chatty.asgi:application"]
            case "runserver":
                return ["manage.py", "runserver", "--noreload", str(self.port), *self.arguments]
        raise ValueError(self.kind)

    def start(self, seconds: float = 60) -> None:
        with self.log.open("ab") as log:
            self.process = self.installation.start(*self._command(), output=log, **self.changes)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"The server ended:\n{self.output()}"
            try:
                with urllib.request.urlopen(f"{self.url}/healthz", timeout=2) as answer:
                    assert answer.status == 200
                    return
            except OSError:
                time.sleep(0.05)
        raise AssertionError(f"The server did not start within {seconds} s:\n{self.output()}")

    def terminate(self, seconds: float = 20) -> int:
        """Send SIGTERM and wait. Return the exit code."""
        assert self.process is not None
        self.process.terminate()
        code = self.process.wait(seconds)
        self.process = None
        return code

    def kill(self) -> None:
        """kill -9, including workers. Does nothing if it is not running."""
        if self.process is not None:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def output(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def manage(self, *arguments: str) -> str:
        return self.installation.manage(*arguments)


@dataclass
class Person:
    """One of the cast as an API client: REST and sockets with an access token."""

    server: ChatServer
    name: str
    token: str = ""

    @property
    def email(self) -> str:
        return email_of(self.name)

    def sign_in(self) -> Person:
        status, pair = self.call("POST", "/api/token/", {"email": self.email, "password": PASSWORD})
        assert status == 200, pair
        self.token = pair["access"]
        return self

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Return (status, decoded response or None)."""
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.server.url + path, data=data, headers=headers, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                status, raw = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                status, raw = error.code, error.read()
        return status, json.loads(raw) if raw else None

    def socket(self, **options: Any) -> websockets.sync.client.ClientConnection:
        """Return an open socket. Use it with `with`; recv(timeout=...) returns text frames."""
        return websockets.sync.client.connect(
            self.server.url.replace("http", "ws") + "/ws/",
            subprotocols=[websockets.Subprotocol("chatty.v2")],
            additional_headers={"Authorization": f"Bearer {self.token}"},
            proxy=None,
            **options,
        )


class Builder:
    """Builds installations quickly: a template is set up once, and each installation is a copy of it."""

    def __init__(self, base: Path) -> None:
        self.forks = ForkServer() if hasattr(os, "pidfd_open") else None
        self.base = base
        self.count = 0
        self._postgres: Postgres | None = None

    def sqlite(self) -> Installation:
        """Return an installation with the default configuration."""
        template = self._template("sqlite", self._set_up_sqlite)
        home = self._new_home()
        shutil.copytree(template, home, dirs_exist_ok=True)
        return self.not_set_up(home)

    def production(self, postgres: Postgres | None = None) -> Installation:
        """Return an installation on PostgreSQL, with its own Redis, which can be stopped.

        `postgres`: a new_postgres(); by default all installations share one.
        """
        if postgres is None:
            if self._postgres is None:
                self._postgres = self.new_postgres()
            postgres = self._postgres
        home = self._new_home()
        name = home.name.replace("-", "_")
        url = postgres.create(name, template=_TEMPLATE_DATABASE)
        redis = Redis()
        return self.not_set_up(home, postgres, redis, DATABASE_URL=url, REDIS_URL=redis.url)

    def new_postgres(self) -> Postgres:
        """Return a server on which production() can create databases; the caller closes it."""
        return Postgres(self._template("postgres", self._set_up_postgres))

    def close(self) -> None:
        if self._postgres is not None:
            self._postgres.close()
        if self.forks is not None:
            self.forks.close()

    def _template(self, kind: str, set_up: Callable[[Path], None]) -> Path:
        """Return the path of the template of this kind. The first process creates it, others wait.

        There is one lock for all kinds, because each setup collects static files into the same directory.
        """
        template = templates.directory() / kind
        with templates.lock():
            if not template.exists():
                unfinished = Path(tempfile.mkdtemp(dir=templates.directory()))
                set_up(unfinished)
                unfinished.rename(template)
        return template

    def _set_up_sqlite(self, home: Path) -> None:
        if templates.migrated_sqlite().exists():
            shutil.copyfile(templates.migrated_sqlite(), home / "chatty.db")
        self._prepare(self.not_set_up(home))

    def _set_up_postgres(self, data: Path) -> None:
        with Postgres() as postgres:
            url = postgres.create(templates.MIGRATED_DATABASE)
            self.not_set_up(self._new_home(), DATABASE_URL=url).manage("migrate")
            url = postgres.create(_TEMPLATE_DATABASE, template=templates.MIGRATED_DATABASE)
            self._prepare(self.not_set_up(self._new_home(), DATABASE_URL=url))
            postgres.stop_and_copy(data)

    def _prepare(self, installation: Installation) -> None:
        installation.manage("setup", "--email", "admin@example.org")
        installation.manage("shell", "-c", _CAST_SCRIPT)

    def _new_home(self) -> Path:
        self.count += 1
        home = self.base / f"house-{self.count}"
        home.mkdir(mode=0o700)
        return home

    def not_set_up(
        self,
        home: Path,
        postgres: Postgres | None = None,
        redis: Redis | None = None,
        **more: str,
    ) -> Installation:
        """Return an installation in an empty directory that is not set up yet."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        env = {
            **kept,
            **_GENEROUS,
            "DATA_DIR": str(home),
            "DJANGO_SETTINGS_MODULE": "tests.served_settings",
            "SECRET_KEY": "a-key-for-tests-only-0123456789-abcdefghijklmnopqrstuvwxyz",
            "STATIC_ROOT": str(templates.directory() / "static"),  # collected once
            "PYTHONUNBUFFERED": "1",
            "SHUTDOWN_SECONDS": "5",
            "DATABASE_POOL": "24",
            **more,
        }
        return Installation(home, env, postgres, redis, forks=self.forks)
