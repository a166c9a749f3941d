"""Injects faults into servers, services and connections while the workload runs."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable

from proof.history import History
from proof.installation import Installation, Server
from proof.services import Postgres, Redis

Fault = Callable[[], Awaitable[None]]

PROGRESS = 25  # messages to acknowledge between two faults...
PROGRESS_SECONDS = 6.0  # ...or the time to wait for them


class Nemesis:
    """Injects one fault after the other, and repairs each before the next."""

    def __init__(
        self,
        installation: Installation,
        history: History,
        rng: random.Random,
        *,
        postgres: Postgres | None = None,
        redis: Redis | None = None,
    ) -> None:
        self.installation = installation
        self.history = history
        self.rng = rng
        self.postgres = postgres
        self.redis = redis

    def faults(self) -> dict[str, Fault]:
        """Return the available faults by the names under which they are counted."""
        found: dict[str, Fault] = {
            "servers killed": self.kill_server,
            "servers restarted": self.restart_server,
            "servers paused": self.pause_server,
            "connections cut": self.cut_lines,
            "connections slowed": self.slow_lines,
            "connections stalled": self.hold_up_lines,
        }
        if self.redis is not None:
            found["Redis killed"] = self.kill_redis
            found["Redis emptied"] = self.redis.flush
            found["Redis hung"] = self.hang_redis
        if self.postgres is not None:
            found["PostgreSQL crashed"] = self.crash_postgres
        return found

    async def run(self, until: float) -> None:
        """Inject faults until time.monotonic() is `until`, each kind equally often."""
        faults = self.faults()
        waiting: list[str] = []
        while time.monotonic() < until:
            waiting = waiting or self.rng.sample(sorted(faults), len(faults))
            name = waiting.pop()
            await self._progress(until)
            if time.monotonic() >= until:
                return
            await faults[name]()
            self.history.counts[name] += 1

    async def _progress(self, until: float) -> None:
        """Wait for messages to be acknowledged: constant faults would let nothing through to check."""
        wanted = self.history.acknowledged + PROGRESS
        latest = min(until, time.monotonic() + PROGRESS_SECONDS)
        await asyncio.sleep(self.rng.uniform(0.2, 1.0))
        while self.history.acknowledged < wanted and time.monotonic() < latest:  # noqa: ASYNC110
            await asyncio.sleep(0.05)

    async def finale(self, stop_talking: Callable[[], None]) -> None:
        """Inject the last fault, which is the hardest one.

        No later event reveals what clients missed during it, so they have to find out by themselves.
        """
        await self._progress(math.inf)
        if self.redis is not None:
            await self.redis.kill()
            await asyncio.sleep(1.5)
            stop_talking()
            await self.redis.start()
            self.history.counts["Redis killed"] += 1
        else:
            server = self._server()
            await server.kill()
            stop_talking()
            await server.start()
            self.history.counts["servers killed"] += 1

    # --- faults ------------------------------------------------------------------------------------

    def _server(self) -> Server:
        return self.rng.choice(self.installation.servers)

    async def _for_a_moment(self, shortest: float, longest: float) -> None:
        await asyncio.sleep(self.rng.uniform(shortest, longest))

    async def kill_server(self) -> None:
        server = self._server()
        await server.kill()
        await self._for_a_moment(0.0, 1.5)
        await server.start()

    async def restart_server(self) -> None:
        server = self._server()
        await server.stop()
        await server.start()

    async def pause_server(self) -> None:
        server = self._server()
        server.pause()
        try:
            await self._for_a_moment(0.5, 3.0)
        finally:
            server.resume()

    async def cut_lines(self) -> None:
        for server in self.installation.servers:
            server.proxy.cut(self.rng.choice((0.3, 1.0)), self.rng)

    async def slow_lines(self) -> None:
        proxy = self._server().proxy
        proxy.delay = self.rng.uniform(0.02, 0.4)
        try:
            await self._for_a_moment(1.0, 3.0)
        finally:
            proxy.delay = 0.0

    async def hold_up_lines(self) -> None:
        proxy = self._server().proxy
        proxy.hold_up()
        try:
            await self._for_a_moment(0.5, 3.0)
            if self.rng.random() < 0.5:
                proxy.cut()  # data in transit never arrives
        finally:
            proxy.flow()

    async def kill_redis(self) -> None:
        assert self.redis is not None
        await self.redis.kill()
        await self._for_a_moment(0.5, 3.0)
        await self.redis.start()

    async def hang_redis(self) -> None:
        assert self.redis is not None
        self.redis.hang()
        try:
            await self._for_a_moment(0.5, 3.0)
        finally:
            self.redis.wake()

    async def crash_postgres(self) -> None:
        assert self.postgres is not None
        await asyncio.to_thread(self.postgres.crash)
        await self._for_a_moment(0.0, 1.5)
        await asyncio.to_thread(self.postgres.start)
