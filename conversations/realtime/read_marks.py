"""Sends read marks to the other members of a conversation.

Marks are collected and sent once a second, in one frame per conversation with the current mark of each
reader. A thousand readers thus cost a thousand frames instead of a million, and the order in which the
events of one reader arrive doesn't matter. Marks may be lost: the next mark or loading the members
corrects them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable

from chatty.common.errors import DATABASE_ERRORS
from chatty.common.threads import DatabaseThreads
from conversations import protocol, queries
from conversations.events import ReadMarkMoved
from conversations.realtime.relay import Relay
from conversations.realtime.rooms import Socket

logger = logging.getLogger(__name__)

ROUND_SECONDS = 1.0
# Marks that were sent this recently are sent again to a new socket: its page may have been rendered before,
# and the socket opened after they were sent.
LATELY_SECONDS = 10.0


class ReadMarks:
    def __init__(
        self,
        relay: Relay,
        threads: DatabaseThreads,
        *,
        most: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._relay = relay
        self._threads = threads
        self._most = most
        self._clock = clock
        self._moved: dict[int, set[int]] = defaultdict(set)  # conversation id -> user ids
        # conversation id -> user id -> (seq, when it was sent)
        self._lately: dict[int, dict[int, tuple[int, float]]] = {}
        self._fresh: set[Socket] = set()
        if most >= 2:
            relay.listen(ReadMarkMoved, self._note)

    def add_socket(self, socket: Socket) -> None:
        """Send a new socket the marks it may just have missed, in the next round."""
        self._fresh.add(socket)

    def _note(self, event: ReadMarkMoved) -> None:
        if self._relay.sockets_in(event.conversation):
            self._moved[event.conversation].add(event.user)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(ROUND_SECONDS)
            try:
                await self.round()
            except DATABASE_ERRORS as error:
                logger.warning("Read marks could not be sent: %s", type(error).__name__)

    async def round(self) -> None:
        moved, self._moved = self._moved, defaultdict(set)
        fresh, self._fresh = self._fresh, set()
        self._catch_up(fresh)
        if not moved:
            return
        told = await self._threads.run(queries.read_marks_of, moved, most=self._most)
        now = self._clock()
        for conversation, marks in told.items():
            frame = protocol.SeenFrame.of(conversation, marks)
            self._relay.write(self._relay.sockets_in(conversation), protocol.encode(frame))
            lately = self._lately.setdefault(conversation, {})
            lately.update({user: (seq, now) for user, seq in marks.items()})

    def _catch_up(self, fresh: set[Socket]) -> None:
        horizon = self._clock() - LATELY_SECONDS
        self._lately = {
            conversation: kept
            for conversation, marks in self._lately.items()
            if (kept := {user: mark for user, mark in marks.items() if mark[1] > horizon})
        }
        for socket in fresh:
            for conversation in socket.rooms & self._lately.keys():
                marks = {user: seq for user, (seq, _at) in self._lately[conversation].items()}
                frame = protocol.SeenFrame.of(conversation, marks)
                self._relay.write((socket,), protocol.encode(frame))
