"""Presence: a person is online while they have an open socket on any process.

Each process renews a lease for everyone with a socket on it, locally and through the channel layer. When
a lease expires, the person is offline. There are no counters that could drift, the people of a killed
process go offline when their leases expire, and a page reload causes no flicker. Without the channel
layer, each process only knows its own people.

Changes are sent at most once a second, to people who share a small enough conversation. Sending messages
costs nothing extra.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import islice
from typing import TypeVar

from django.conf import settings

from chatty.common.errors import DATABASE_ERRORS
from chatty.common.threads import DatabaseThreads
from conversations import protocol, publisher, queries
from conversations.events import MembershipChanged, PresenceLease
from conversations.realtime.relay import Relay
from conversations.realtime.rooms import Socket

T = TypeVar("T")

logger = logging.getLogger(__name__)

ROUND_SECONDS = 1.0
BEATS = 3  # renewals within a lease, so that a lost one does no harm
FRAME_IDS_MAX = 1_000  # ids in one frame, and in one event
QUERY_IDS_MAX = 50  # people whose peers are read in one query

# Replaced, never modified, because views read it from other threads.
_open: tuple[Presence, ...] = ()


def online_users(user_ids: Iterable[int]) -> set[int]:
    """Return those of these people who are online. Cheap, and callable from any thread.

    Does not check who can see this: only pass people who share a small conversation with the reader.
    """
    if settings.PRESENCE_MEMBERS < 2:
        return set()
    return {user_id for user_id in user_ids if any(user_id in each for each in _open)}


def count_online() -> int:
    """Return how many people are online, as far as this process knows. Callable from any thread."""
    return max((each.count for each in _open), default=0)


class Presence:
    def __init__(
        self,
        relay: Relay,
        threads: DatabaseThreads,
        *,
        lease: float,
        most: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        global _open
        self._relay = relay
        self._threads = threads
        self._lease = lease
        self._most = most
        self._clock = clock
        self._until: dict[int, float] = {}  # user id -> when their lease expires
        self._known: set[int] = set()  # who is online, as last sent to sockets
        self._moved: set[int] = set()  # online people whose memberships have changed
        self._fresh: set[Socket] = set()  # new sockets, which need the complete state
        self._announced: set[int] = set()  # published to other processes since the last beat
        self._beat_at = clock()
        # A new process has not received the leases of the others yet, and would show people as offline.
        self._settled_at = clock() + lease / 2
        relay.listen(PresenceLease, self._renew)
        relay.listen(MembershipChanged, self._announce)
        _open = (*_open, self)

    def close(self) -> None:
        global _open
        _open = tuple(each for each in _open if each is not self)

    def __contains__(self, user_id: int) -> bool:
        return self._until.get(user_id, 0.0) > self._clock()

    @property
    def count(self) -> int:
        return len(self._until)

    def add_socket(self, socket: Socket) -> None:
        """Send the complete state to a new socket, in the next round."""
        self._until[socket.user_id] = self._clock() + self._lease
        self._fresh.add(socket)

    # --- events ------------------------------------------------------------------------------------

    def _renew(self, event: PresenceLease) -> None:
        until = self._clock() + self._lease
        self._until.update(dict.fromkeys(event.users, until))
        if event.moved:
            self._moved.update(event.users)
            for user_id in event.users:
                self._fresh.update(self._relay.sockets_of(user_id))

    def _announce(self, event: MembershipChanged) -> None:
        """When someone joins or leaves a conversation, they and its members may see different people."""
        if event.change in ("added", "removed") and self._relay.sockets_of(event.user):
            publisher.publish(PresenceLease((event.user,), moved=True))

    # --- rounds --------------------------------------------------------------------------------------

    async def run(self) -> None:
        while True:
            await asyncio.sleep(ROUND_SECONDS)
            await self.round()

    async def round(self) -> None:
        now = self._clock()
        own = set(self._relay.people())
        self._until.update(dict.fromkeys(own, now + self._lease))
        for user_id in [user_id for user_id, until in self._until.items() if until <= now]:
            del self._until[user_id]
        self._renew_leases(own, now)
        if self._most < 2:
            self._fresh.clear()
        elif now >= self._settled_at:
            try:
                await self._publish()
            except DATABASE_ERRORS as error:
                # Nothing was sent, so the next round retries.
                logger.warning("Presence could not be sent: %s", type(error).__name__)

    def _renew_leases(self, own: set[int], now: float) -> None:
        """Publish leases: with each beat for everyone on this process, in between for new people."""
        if now - self._beat_at >= self._lease / BEATS:
            self._beat_at = now
            self._announced = set()
        for some in _batches(own - self._announced, FRAME_IDS_MAX):
            publisher.publish(PresenceLease(some))
        self._announced = own

    async def _publish(self) -> None:
        here = set(self._until)
        self._fresh = {s for s in self._fresh if s in self._relay.sockets_of(s.user_id)}
        fresh = set(self._fresh)
        stirred = set(self._moved)
        moved = (here ^ self._known) | (stirred & here)
        peers = await self._peers(moved | {socket.user_id for socket in fresh})
        self._known = here
        self._moved -= stirred
        self._fresh -= fresh
        for user_id, news in self._news(moved, peers).items():
            sockets = set(self._relay.sockets_of(user_id)) - fresh
            self._write(sockets, news & here, news - here)
        for socket in fresh:
            self._write({socket}, peers[socket.user_id] & here, set(), reset=True)

    def _news(self, moved: set[int], peers: dict[int, set[int]]) -> dict[int, set[int]]:
        """Return user id -> the changed people they can see, for people with sockets on this process."""
        news: dict[int, set[int]] = defaultdict(set)
        connected = self._relay.people()
        for user_id in moved:
            for other in peers[user_id]:
                if other in connected:
                    news[other].add(user_id)
        return news

    async def _peers(self, user_ids: Collection[int]) -> dict[int, set[int]]:
        found: dict[int, set[int]] = defaultdict(set)
        for some in _batches(user_ids, QUERY_IDS_MAX):
            pairs = await self._threads.run(queries.presence_peers, some, most=self._most)
            for user_id, other in pairs:
                found[user_id].add(other)
        return found

    def _write(
        self, sockets: Collection[Socket], here: set[int], gone: set[int], reset: bool = False
    ) -> None:
        changes = [*((pk, True) for pk in sorted(here)), *((pk, False) for pk in sorted(gone))]
        for some in _batches(changes, FRAME_IDS_MAX) if changes else [()]:
            frame = protocol.PresenceFrame(
                online=[pk for pk, is_here in some if is_here],
                offline=[pk for pk, is_here in some if not is_here],
                reset=reset,
            )
            self._relay.write(sockets, protocol.encode(frame))
            reset = False


def _batches(items: Iterable[T], size: int) -> Iterator[tuple[T, ...]]:
    left = iter(items)
    while some := tuple(islice(left, size)):
        yield some
