"""Real services for tests: those of the proof, for code that does not wait in an event loop.

`python -m tests.services COMMAND...` runs COMMAND with TEST_DATABASE_URL and TEST_REDIS_URL set to
a fresh pair of them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import psycopg

from proof.services import OwnPostgres, copy_tree, free_port, redis_command, url_of


class Postgres(OwnPostgres):
    """One PostgreSQL server with any number of databases, which forgets a little when it crashes.

    `data`: what an earlier one has left with stop_and_copy(), to start with.
    """

    def __init__(self, data: Path | None = None) -> None:
        super().__init__("synchronous_commit = off\n", data)

    @property
    def pid(self) -> int:
        """Of the server, whose backends are its children."""
        return int(self._server.get_pid())

    @property
    def programs(self) -> Path:
        """The directory of its createdb, pg_dump and psql, which are of its own version."""
        # The first line of postmaster.opts is the server's own command.
        command = (Path(self._server.pgdata) / "postmaster.opts").read_text()
        return Path(command.split()[0]).parent

    def create(self, database: str, template: str = "template1") -> str:
        """Creates a database like `template` and returns its url."""
        self._run(f'CREATE DATABASE "{database}" TEMPLATE "{template}"')
        return url_of(database, self.url)

    def stop_and_copy(self, target: Path) -> None:
        """Stop it and leave a copy of its data, for others to start with."""
        self._server.stop()
        copy_tree(Path(self._server.pgdata), target)
        # Who uses it: with us still named in it, nobody would ever be the last to leave.
        (target / ".handle_pids.json").unlink()

    def keep_promises(self) -> None:
        """What is committed outlives crash(): as in real life, and slower than tests need."""
        self._run("ALTER SYSTEM SET synchronous_commit = on", "SELECT pg_reload_conf()")

    def _run(self, *statements: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class Redis:
    """One redis-server on a free port; after stop() start() brings an empty one back on the same."""

    def __init__(self) -> None:
        self.port = free_port()
        self._directory = tempfile.mkdtemp(prefix="chatty-redis-")
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Starting it again changes nothing."""
        if self._process is not None:
            return
        self._process = subprocess.Popen(
            # One database for each worker of the suite.
            [*redis_command(self.port, self._directory), "--databases", "256"],
            stdout=subprocess.DEVNULL,
        )
        wait_for_port(self.port, seconds=10)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def hang(self) -> None:
        """Still there, still connected, answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def wait_for_port(port: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise TimeoutError(f"Nothing listens on port {port} after {seconds} s.") from None
            time.sleep(0.02)
        else:
            return


@contextlib.contextmanager
def both() -> Iterator[dict[str, str]]:
    """The environment in which tests.settings finds PostgreSQL and Redis."""
    with Postgres() as postgres, Redis() as redis:
        yield {"TEST_DATABASE_URL": postgres.url, "TEST_REDIS_URL": redis.url}


def main(command: list[str]) -> int:
    # SIGTERM unwinds like Ctrl+C does, so that no server outlives its tests.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with both() as environment:
        return subprocess.call(command, env={**os.environ, **environment})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
