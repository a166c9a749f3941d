"""Slots for what takes longer than a request, such as sending a file."""

from __future__ import annotations

from collections import Counter

from chatty.server.fair_queue import Client


class Slots:
    """`of_client`: how many each client may hold. `at_once`: how many all together, if limited."""

    def __init__(self, *, of_client: int, at_once: int | None = None) -> None:
        self.of_client = of_client
        self.at_once = at_once
        self._count = 0
        self._held: Counter[str] = Counter()

    def acquire(self, client: Client) -> bool:
        """Return False if none is left. Otherwise the caller calls release() when done."""
        if self.at_once is not None and self._count >= self.at_once:
            return False
        if any(self._held[name] >= self.of_client for name in client.names):
            return False
        self._count += 1
        self._held.update(client.names)
        return True

    def release(self, client: Client) -> None:
        self._count -= 1
        for name in client.names:
            self._held[name] -= 1
            if not self._held[name]:  # so that the counter doesn't grow with every client ever seen
                del self._held[name]
