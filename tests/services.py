"""Real services for tests: those of the proof, for code without an event loop.

`python -m tests.services COMMAND...` runs COMMAND with TEST_DATABASE_URL and TEST_REDIS_URL set to a new pair
of them.
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
from tests import templates


class Postgres(OwnPostgres):
    """One PostgreSQL server with any number of databases. A crash loses the latest commits.

    `data`: the data that an earlier server left with stop_and_copy().
    """

    def __init__(self, data: Path | None = None) -> None:
        super().__init__("synchronous_commit = off\n", data)

    @property
    def pid(self) -> int:
        """Of the server; its backends are its children."""
        return int(self._server.get_pid())

    @property
    def programs(self) -> Path:
        """The directory of createdb, pg_dump and psql in the server's own version."""
        # The first line of postmaster.opts is the server's command.
        command = (Path(self._server.pgdata) / "postmaster.opts").read_text()
        return Path(command.split()[0]).parent

    def create(self, database: str, template: str = "template1") -> str:
        """Create a database from `template` and return its URL."""
        self._run(f'CREATE DATABASE "{database}" TEMPLATE "{template}"')
        return url_of(database, self.url)

    def stop_and_copy(self, target: Path) -> None:
        """Stop it and leave a copy of its data for other servers to start with."""
        self._server.stop()
        copy_tree(Path(self._server.pgdata), target)
        # Lists its users. If it still named this process, no user would ever be the last one.
        (target / ".handle_pids.json").unlink()

    def keep_promises(self) -> None:
        """Make commits survive crash(), as in production. This is slower than most tests need."""
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
    """One redis-server on a free port; start() after stop() starts an empty one on the same port."""

    def __init__(self) -> None:
        self.port = free_port()
        self._directory = tempfile.mkdtemp(prefix="chatty-redis-")
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Does nothing if it is running."""
        if self._process is not None:
            return
        self._process = subprocess.Popen(
            # One database for each xdist worker.
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
        """Stop responding, but keep all connections."""
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
    template = templates.directory() / "postgres"
    with Postgres(template if template.exists() else None) as postgres, Redis() as redis:
        yield {"TEST_DATABASE_URL": postgres.url, "TEST_REDIS_URL": redis.url}


def main(command: list[str]) -> int:
    # Let SIGTERM unwind like Ctrl+C, so that no server outlives its tests.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with both() as environment:
        return subprocess.call(command, env={**os.environ, **environment})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
