"""A queue of requests in which every client gets its share, whatever others send.

Python executes one thread at a time, so a client with a dozen running requests would slow down
everyone's messages, and one with a hundred waiting requests would fill the queue.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from chatty.common.errors import ChatError


class Client(NamedTuple):
    """Who a request is from. `credentials`: all that it carries; empty for a visitor.

    All of them are counted: they are not verified yet, so a made-up one beside a real one must not
    give the client a new share.
    """

    credentials: tuple[str, ...]
    address: str

    @property
    def names(self) -> tuple[str, ...]:
        return self.credentials or (self.address,)


@dataclass(eq=False)
class _Waiter:
    client: Client
    place: asyncio.Future[None]


class FairQueue:
    """Places for `running` requests, and a queue for `waiting` more.

    A credential gets at most a twelfth of the places, but at least one: with two, one client's large
    responses delayed everyone's messages by half as much again. An address gets at most three
    quarters, because many people may share it. A free place goes to the client that holds the fewest.
    When the queue is full, the client with the most requests in it loses its last one.
    """

    def __init__(self, *, running: int, waiting: int) -> None:
        self.running = running
        self.waiting = waiting
        self.of_client_max = max(1, running // 12)
        self.of_address_max = max(2, running * 3 // 4)
        self._count = 0
        self._held: Counter[str] = Counter()  # by credential, and by address
        self._line: list[_Waiter] = []

    async def begin(self, client: Client) -> None:
        """Wait for a place; release it with end(). Raises ChatError("busy") if the queue is full."""
        if self._may_start(client):
            self._start(client)
            return
        if len(self._line) >= self.waiting:
            self._make_room(client)
        waiter = _Waiter(client, asyncio.get_running_loop().create_future())
        self._line.append(waiter)
        try:
            await waiter.place
        except asyncio.CancelledError:
            if waiter in self._line:
                self._line.remove(waiter)
            elif not waiter.place.cancelled():  # it has just got a place
                self.end(client)
            raise

    def end(self, client: Client) -> None:
        self._count -= 1
        for name in (*client.credentials, client.address):
            self._held[name] -= 1
            if not self._held[name]:
                del self._held[name]
        self._start_next()

    def _waiting(self) -> list[_Waiter]:
        """Return the waiting requests, without cancelled ones that are still in the list."""
        return [waiter for waiter in self._line if not waiter.place.done()]

    def _may_start(self, client: Client) -> bool:
        return (
            self._count < self.running
            and self._held[client.address] < self.of_address_max
            and all(self._held[each] < self.of_client_max for each in client.credentials)
        )

    def _start(self, client: Client) -> None:
        self._count += 1
        self._held.update((*client.credentials, client.address))

    def _start_next(self) -> None:
        # One place is free. Among clients that hold equally few places the first in the queue gets it.
        next_one = min(
            (waiter for waiter in self._waiting() if self._may_start(waiter.client)),
            key=lambda waiter: _most(self._held, waiter.client),
            default=None,
        )
        if next_one is not None:
            self._line.remove(next_one)
            self._start(next_one.client)
            next_one.place.set_result(None)

    def _make_room(self, client: Client) -> None:
        """Reject the last request of the client with the most in the queue, or raise for this one."""
        in_line = Counter(name for waiter in self._waiting() for name in waiter.client.names)
        last = max(
            reversed(self._waiting()),
            key=lambda waiter: _most(in_line, waiter.client),
            default=None,
        )
        if last is None or _most(in_line, last.client) <= _most(in_line, client) + 1:
            raise ChatError("busy", retry_after=2)
        self._line.remove(last)
        last.place.set_exception(ChatError("busy", retry_after=2))


def _most(counts: Counter[str], client: Client) -> int:
    return max(counts[name] for name in client.names)
