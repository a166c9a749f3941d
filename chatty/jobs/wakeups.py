"""Wakes the workers of this process after a commit. A lost wake-up is only a delay: they also look for work
themselves."""

from __future__ import annotations

import asyncio
import contextlib

from django.db import transaction


class ThreadsafeEvent:
    """An event that any thread can set. Belongs to the event loop that it is made in."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()

    def set(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: no one waits any more
            self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self, seconds: float) -> None:
        """Wait until it is set, or this many seconds. It counts if it was set since the last call."""
        try:
            async with asyncio.timeout(max(seconds, 0)):
                await self._event.wait()
        except TimeoutError:
            return
        finally:
            self._event.clear()


class Wakeups:
    """The events of the workers that wait for one kind of work."""

    def __init__(self) -> None:
        # Replaced, never modified: send() may be iterating over it in another thread.
        self._events: tuple[ThreadsafeEvent, ...] = ()

    def add(self, event: ThreadsafeEvent) -> None:
        self._events = (*self._events, event)

    def remove(self, event: ThreadsafeEvent) -> None:
        self._events = tuple(each for each in self._events if each is not event)

    def send(self) -> None:
        for event in self._events:
            event.set()

    def send_after_commit(self) -> None:
        transaction.on_commit(self.send, robust=True)


jobs = Wakeups()
deliveries = Wakeups()
