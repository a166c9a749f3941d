"""Connections that can be held, slowed and restored, for tests without an event loop."""

from __future__ import annotations

import asyncio
import threading
from typing import Self
from urllib.parse import parse_qs, urlsplit

from proof.proxy import Proxy

_POSTGRES_PORT = 5432


class Line:
    """The proof's Proxy, running in a thread. Use it with `with`."""

    def __init__(self, host: str, port: int) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._proxy = Proxy(host, port)

    @property
    def port(self) -> int:
        return self._proxy.port

    def hold_up(self) -> None:
        """Keep every connection and accept new ones, but forward nothing, not even a close."""
        self._loop.call_soon_threadsafe(self._proxy.hold_up)

    def flow(self) -> None:
        self._loop.call_soon_threadsafe(self._proxy.flow)

    def slow_down(self, delay: float, jitter: float) -> None:
        """Delay each piece of data by these seconds."""
        self._proxy.delay, self._proxy.jitter = delay, jitter

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._proxy.start(), self._loop).result(10)
        return self

    def __exit__(self, *error: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _end(self) -> None:
        await self._proxy.close()
        calls = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.wait(calls, timeout=5) if calls else None


def to_postgres(url: str) -> Line:
    """Return a line to the server whose Unix socket is in the URL."""
    (directory,) = parse_qs(urlsplit(url).query)["host"]
    return Line(directory, _POSTGRES_PORT)


def along(line: Line, url: str) -> str:
    """Return the URL of the same database through the line."""
    return urlsplit(url)._replace(netloc=f"postgres@127.0.0.1:{line.port}", query="").geturl()
