"""What the contenders of a run share: a durable PostgreSQL, a Redis, and installations of Chatty."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import psycopg

from benchmarks.client import LoadError
from tests.installations import ROOT, Installation
from tests.services import Postgres, Redis

HERE = Path(__file__).resolve().parent
# Raised, because the benchmarks measure work, not rate limits. All other settings have their defaults.
LIMITS = {
    "LIMIT_FRAMES": "1000000/s",
    "LIMIT_REQUESTS": "1000000/s",
    "LIMIT_UPLOADS": "1000000/s",
    "LIMIT_PIECES": "1000000/s",
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
        self._own: dict[str, Installation] = {}
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

    def own_installation(self, name: str) -> Installation:
        """Chatty on a PostgreSQL database that is used for nothing else."""
        if name not in self._own:
            url = self.postgres.create(name.replace("-", "_"))
            self._own[name] = self._set_up(f"chatty-{name}", DATABASE_URL=url)
        return self._own[name]

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
