"""Wakes the workers of this process after a commit. A lost wake-up is only a delay: they also look for work
themselves."""

from __future__ import annotations

import asyncio
from functools import partial

from django.db import transaction


class Bell:
    """An event that any thread can set. Belongs to the event loop that it is made in."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()

    def ring(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self, seconds: float) -> None:
        """Wait until it rings, or this many seconds. It counts if it rang since the last call."""
        try:
            async with asyncio.timeout(max(seconds, 0)):
                await self._event.wait()
        except TimeoutError:
            return
        finally:
            self._event.clear()


class Bells:
    """The bells of the workers that wait for one kind of work."""

    def __init__(self) -> None:
        # Replaced, never modified: ring() may be iterating over it in another thread.
        self._bells: tuple[Bell, ...] = ()

    def add(self, bell: Bell) -> None:
        self._bells = (*self._bells, bell)

    def remove(self, bell: Bell) -> None:
        self._bells = tuple(each for each in self._bells if each is not bell)

    def ring(self) -> None:
        for bell in self._bells:
            bell.ring()

    def ring_after_commit(self) -> None:
        transaction.on_commit(partial(Bells.ring, self), robust=True)


jobs = Bells()
deliveries = Bells()
