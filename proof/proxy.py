"""A TCP proxy in front of a server or a database, which can cut, delay and stall connections."""

from __future__ import annotations

import asyncio
import contextlib
import random
from asyncio import StreamReader, StreamWriter

CHUNK = 65_536
DIAL_SECONDS = 5.0


class Proxy:
    """Forwards TCP from a free port of 127.0.0.1 to `host:port`.

    `host` can be the directory of PostgreSQL's Unix socket, as in its URLs. `delay`: seconds by which
    each chunk is delayed, plus or minus `jitter`. `refuses`: abort new connections at once.
    """

    def __init__(self, host: str, port: int) -> None:
        self.target = (host, port)
        self.port = 0
        self.delay = 0.0
        self.jitter = 0.0
        self.refuses = False
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._server: asyncio.Server | None = None
        self._calls: set[StreamWriter] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._call, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        self.flow()
        self.cut()
        # Let the tasks of the connections end before the loop does.
        await asyncio.sleep(0)

    def hold_up(self) -> None:
        """Keep all connections open, but forward nothing."""
        self._flowing.clear()

    def flow(self) -> None:
        self._flowing.set()

    def cut(self, share: float = 1.0, rng: random.Random | None = None) -> None:
        """Abort this share of all connections, without closing them properly."""
        for writer in list(self._calls):
            if rng is None or rng.random() < share:
                writer.transport.abort()

    async def _call(self, reader: StreamReader, writer: StreamWriter) -> None:
        if self.refuses:
            writer.transport.abort()
            return
        try:
            async with asyncio.timeout(DIAL_SECONDS):
                far_reader, far_writer = await self._dial()
        except (OSError, TimeoutError):
            writer.transport.abort()
            return
        self._calls.add(writer)
        pumps = [
            asyncio.create_task(self._pump(reader, far_writer)),
            asyncio.create_task(self._pump(far_reader, writer)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._calls.discard(writer)
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            for each in (writer, far_writer):
                with contextlib.suppress(OSError, RuntimeError):
                    each.close()

    async def _dial(self) -> tuple[StreamReader, StreamWriter]:
        host, port = self.target
        if host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(host, port)

    async def _pump(self, reader: StreamReader, writer: StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                if self.delay:
                    give_or_take = random.uniform(-self.jitter, self.jitter)  # noqa: S311
                    await asyncio.sleep(max(0.0, self.delay + give_or_take))
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
