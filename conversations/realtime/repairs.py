"""Reads versions that rooms have missed from the database, and sends them as `synced`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from itertools import islice
from typing import Any

from chatty.common.threads import IDS_MAX, DatabaseThreads
from chatty.ops import metrics
from conversations import queries
from conversations.realtime.catch_up import catch_up
from conversations.realtime.rooms import Room, Rooms

HOLD_SECONDS = 0.25  # how long an early event waits for the previous one


class Repairs:
    """`spawn`: starts a coroutine as a task."""

    def __init__(
        self,
        rooms: Rooms,
        threads: DatabaseThreads,
        *,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._rooms = rooms
        self._threads = threads
        self._spawn = spawn
        self._loop = asyncio.get_running_loop()
        self._unverified: set[int] = set()  # ids of rooms to compare with the database
        self._unverified_filled = asyncio.Event()
        self.count = 0

    def repair_later(self, room: Room) -> None:
        self._loop.call_later(HOLD_SECONDS, self._repair_if_behind, room)

    def _repair_if_behind(self, room: Room) -> None:
        if room.early and not room.repairing:
            self._start_repair(room)

    def _start_repair(self, room: Room) -> None:
        room.repairing = True
        self._spawn(self._repair(room))

    async def _repair(self, room: Room) -> None:
        """Send the missed versions page by page, then the events that arrived during the repair."""
        self.count += 1
        metrics.REPAIRS.inc()
        try:
            more = True
            while more:
                page = await self._threads.run(catch_up, room.id, room.last)
                if page is None:
                    self._rooms.end(room.id)
                    return
                if page.reset:
                    metrics.RESETS.inc()
                self._rooms.deliver_page(room, page)
                more = page.more
        finally:
            # After a failure the room is still behind, so the next tick retries.
            self._rooms.end_repair(room)
        self._rooms.deliver_held(room)

    # --- comparing with the database -------------------------------------------------------------

    def check_soon(self, conversation_id: int) -> None:
        self._unverified.add(conversation_id)
        self._unverified_filled.set()

    def check_all(self) -> None:
        self._unverified.update(self._rooms.by_id)
        self._unverified_filled.set()

    async def run_checks(self) -> None:
        """Compare unverified rooms with the database, many at a time."""
        while True:
            if not self._unverified:
                await self._unverified_filled.wait()
            self._unverified_filled.clear()
            ids = list(islice(self._unverified, IDS_MAX))
            self._unverified.difference_update(ids)
            await self._check(ids)

    async def _check(self, ids: list[int]) -> None:
        for room in await self._rooms_behind(ids):
            if not room.repairing:
                self._start_repair(room)

    async def _rooms_behind(self, ids: list[int]) -> list[Room]:
        """Return the rooms that are behind the database, and close those that were deleted from it."""
        known = {pk: room.last for pk in ids if (room := self._rooms.by_id.get(pk)) is not None}
        behind: list[Room] = []
        for pk, version in (await self._threads.run(queries.changed_versions, known)).items():
            room = self._rooms.by_id.get(pk)
            if version is None:
                self._rooms.end(pk)
            elif room is not None and version > room.last:
                behind.append(room)
        return behind

    async def compare_versions(self) -> None:
        """Find the rooms whose last event was lost."""
        ids = [room.id for room in self._rooms.by_id.values() if room.sockets]
        behind: list[Room] = []
        for start in range(0, len(ids), IDS_MAX):
            behind += await self._rooms_behind(ids[start : start + IDS_MAX])
        if behind:
            # Their events are probably on their way: repair only rooms that don't advance in a moment.
            lasts = {room.id: room.last for room in behind}
            await asyncio.sleep(HOLD_SECONDS)
            self._unverified.update(r.id for r in behind if r.last == lasts[r.id] and r.sockets)
            self._unverified_filled.set()
