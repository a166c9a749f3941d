"""A temporary installation for one trial: a directory, a database and server processes."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from proof import reader, rest, services
from proof.proxy import Proxy

ROOT = Path(__file__).resolve().parent.parent
_READY_SECONDS = 90.0
_SETTINGS = (
    "CSRF_TRUSTED_ORIGINS DEBUG EMAIL_URL HOST PUBLIC_URL SECRET_KEY_FALLBACKS SIGN_UP "
    "TRUSTED_PROXIES"
)
# Raised, because the clients do in seconds what people do in hours.
_GENEROUS = (
    "LIMIT_SIGN_IN LIMIT_SIGN_IN_ADDRESS LIMIT_SIGN_IN_ALL LIMIT_PASSWORDS LIMIT_SIGN_UP LIMIT_FRAMES "
    "LIMIT_REQUESTS LIMIT_JOINS LIMIT_PINS LIMIT_UPLOADS LIMIT_PIECES LIMIT_DOWNLOADS"
)


class InstallationError(Exception):
    """The installation could not be set up. The message says why."""


@dataclass
class Installation:
    """`database_url` and `redis_url` are empty for a single process on SQLite."""

    home: Path
    database_url: str = ""
    redis_url: str = ""
    servers: list[Server] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        """Return the whole environment of a server.

        Unused settings are set to "": otherwise they would be read from .env, and the trial could use
        the database of the Chatty it was started from.
        """
        kept = ("PATH", "HOME", "LANG", "VIRTUAL_ENV")
        names = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", *_SETTINGS.split())
        return {
            **{name: os.environ[name] for name in kept if name in os.environ},
            **dict.fromkeys(names, ""),
            **{f"{name}_FILE": "" for name in (*names, "DATA_DIR", "STATIC_ROOT")},
            **dict.fromkeys(_GENEROUS.split(), "1000000/s"),
            "ACCESS_TOKEN_SECONDS": "86400",
            "DATABASE_POOL": "16",
            "DATABASE_URL": self.database_url,
            "DATA_DIR": str(self.home),
            "DJANGO_SETTINGS_MODULE": "chatty.settings",
            "PYTHONUNBUFFERED": "1",
            "REDIS_URL": self.redis_url,
            "SECRET_KEY": secret_in(self.home),
            "STATIC_ROOT": str(self.home / "static"),
        }

    async def prepare(self) -> None:
        """Create the database. Raises InstallationError."""
        static = self.home / "static"
        static.mkdir()
        # No pages are requested, and collecting static files would take longer than a short trial.
        manifest = {"paths": {}, "version": "1.1", "hash": ""}
        (static / "staticfiles.json").write_text(json.dumps(manifest))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "manage.py", "migrate", "--verbosity", "0"),
            cwd=ROOT,
            env=self.environment(),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            written, _nothing = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            raise InstallationError(
                f"The database could not be set up:\n{written.decode()[-2000:]}"
            )
        with self.rows() as connection:
            connection.execute(reader.CREATE_TABLE)
            connection.commit()

    async def add_server(self, kind: str, sabotage: str) -> None:
        """Start a server. `kind`: "serve" or "daphne". `sabotage`: one of SABOTAGES, or ""."""
        server = Server(self, kind, sabotage)
        self.servers.append(server)
        await server.proxy.start()
        await server.start()

    async def close(self) -> None:
        for server in self.servers:
            server.resume()
            await server.kill()
            await server.proxy.close()

    @contextmanager
    def rows(self) -> Iterator[Any]:
        """Open a connection to the database, without Chatty's code."""
        if self.database_url:
            with psycopg.connect(self.database_url, connect_timeout=5) as connection:
                yield connection
        else:
            with closing(sqlite3.connect(self.home / "chatty.db", timeout=10)) as connection:
                yield connection

    def errors(self) -> list[str]:
        """Return the errors in the servers' logs, each with its exception."""
        found: list[str] = []
        traceback = False
        for line in self.log().splitlines():
            if " ERROR " in line:
                found.append(line)
                traceback = False
            elif line.startswith("Traceback"):
                traceback = True
            elif traceback and line and not line.startswith(" "):
                found[-1:] = [f"{found[-1]} ({line.strip()})"] if found else []
                traceback = False
        return found

    def log(self) -> str:
        return "".join(
            path.read_text(errors="replace") for path in sorted(self.home.glob("server-*.log"))
        )


class Server:
    """One server process behind a proxy. Its port stays the same over restarts."""

    def __init__(self, installation: Installation, kind: str, sabotage: str) -> None:
        self.installation = installation
        self.port = services.free_port()
        self.proxy = Proxy("127.0.0.1", self.port)
        self._command = command(kind, self.port, sabotage)
        self._log = installation.home / f"server-{self.port}.log"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start the process and wait until it responds. Raises InstallationError."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                cwd=ROOT,
                env=self.installation.environment(),
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl+C doesn't reach it: this process stops it
            )
        try:
            async with asyncio.timeout(_READY_SECONDS):
                while not await self._answers():
                    if self._process.returncode is not None:
                        raise InstallationError(
                            f"A server exited:\n{self.installation.log()[-2000:]}"
                        )
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise InstallationError(
                f"A server did not start:\n{self.installation.log()[-2000:]}"
            ) from None

    async def _answers(self) -> bool:
        try:
            status, _body = await rest.call(self.port, "GET", "/api/me/")
        except rest.NoAnswerError:
            return False
        return status == 401

    async def kill(self) -> None:
        """Kill the process by SIGKILL."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        self._process = None

    async def stop(self) -> None:
        """Stop the process by SIGTERM. Kill it if that takes longer than 20 seconds."""
        if self._process is not None:
            self._process.terminate()
            try:
                async with asyncio.timeout(20):
                    await self._process.wait()
            except TimeoutError:
                await self.kill()
        self._process = None

    def pause(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGCONT)


def command(kind: str, port: int, sabotage: str) -> list[str]:
    program = {
        "serve": ["manage.py", "serve", "--port", str(port)],
        "daphne": ["-m", "daphne", "-b", "127.0.0.1", "-p", str(port), "chatty.asgi:application"],
    }[kind]
    return [sys.executable, "-m", "proof.server", sabotage or "none", *program]


def secret_in(home: Path) -> str:
    """Return the secret that all processes of an installation share."""
    path = home / "proof-secret"
    if not path.exists():
        path.write_text(secrets.token_urlsafe(50))
    return path.read_text()


def new_home() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="chatty-proof-", ignore_cleanup_errors=True)
