"""Rechecks what connected people can access, and whether they are still signed in.

This is read from the database, in threads, whenever an event or a clock shows that it may have changed.
Their sockets then join rooms, leave rooms or are closed.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from itertools import islice

from accounts import queries as account_queries
from accounts.models import User
from chatty.common.threads import IDS_MAX, DatabaseThreads
from conversations import protocol, queries
from conversations.events import SignedOut
from conversations.frames import ConversationFrame
from conversations.protocol import GoneConversation, GoneFrame
from conversations.realtime.rooms import Rooms

RECHECK_MAX = 100  # people rechecked together
GATHER_SECONDS = 0.02  # before people are compared with the database, so that many need one query


@dataclass(frozen=True, slots=True)
class Standing:
    """What people can access. `clocks`: of active accounts only; `versions`: user id -> conversation id
    -> version of all memberships; `valid_sids`: those of the given sessions that are still valid."""

    clocks: dict[int, int]
    versions: dict[int, dict[int, int]]
    valid_sids: set[str]


def read_standing(user_ids: list[int], sids: Collection[str]) -> Standing:
    # Read the clocks first: a later change increments them again, so the next tick finds it.
    clocks = queries.clocks(user_ids)
    versions: dict[int, dict[int, int]] = defaultdict(dict)
    for user_id, conversation_id, version in queries.memberships_of(user_ids):
        versions[user_id][conversation_id] = version
    return Standing(clocks, versions, account_queries.valid_sids(sids))


def standing_frames(known: list[tuple[int, str, int]]) -> list[tuple[int, str]]:
    """Return (user id, frame) for each (user id, change, conversation id), as each user sees it now.

    There is no frame for a direct message without messages, because it is not in the sidebar yet.
    """
    users = User.objects.in_bulk({user_id for user_id, _change, _pk in known})
    encoded = []
    for user_id, change, conversation_id in known:
        row = queries.sidebar_row(users[user_id], conversation_id)
        frame: ConversationFrame | GoneFrame
        if row is not None:
            # If they were removed, they were added again since.
            change = "added" if change == "removed" else change
            frame = ConversationFrame(change, row)
        elif change in ("removed", "deleted"):
            frame = GoneFrame(change, GoneConversation(conversation_id))
        else:
            continue
        encoded.append((user_id, protocol.encode(frame)))
    return encoded


class Rechecks:
    """A queue of people whose memberships and sessions have to be read again."""

    def __init__(self, rooms: Rooms, threads: DatabaseThreads) -> None:
        self._rooms = rooms
        self._threads = threads
        self._notes: dict[int, list[tuple[str, int]]] = {}  # user id -> (change, conversation id)
        self._filled = asyncio.Event()
        self._unverified: set[int] = set()  # people whose events may have been missed
        self._unverified_filled = asyncio.Event()

    def add(self, user_id: int, *notes: tuple[str, int]) -> None:
        """Schedule reading a user's memberships again. `notes`: (change, conversation id) to send to them."""
        self._rooms.mark_stale(user_id)
        if user_id in self._rooms.people:
            self._notes.setdefault(user_id, []).extend(notes)
            self._filled.set()

    def sign_out(self, event: SignedOut) -> None:
        """Close the sockets of ended sessions."""
        self._rooms.mark_stale(event.user)  # for sockets that are just being authenticated
        person = self._rooms.people.get(event.user)
        if person is None:
            return
        for socket in list(person.sockets):
            meant = event.sids is None or socket.sid in event.sids
            if meant and socket.sid != event.except_sid:
                socket.end(event.code)

    async def run(self) -> None:
        while True:
            if not self._notes:
                await self._filled.wait()
            self._filled.clear()
            some = list(islice(self._notes, RECHECK_MAX))
            notes = {user_id: self._notes.pop(user_id) for user_id in some}
            try:
                await self._recheck(notes)
            except Exception:
                for user_id, about in notes.items():
                    self.add(user_id, *about)
                raise  # the engine logs it and restarts this task

    async def _recheck(self, notes: dict[int, list[tuple[str, int]]]) -> None:
        sids = {s.sid for pk in notes if (p := self._rooms.people.get(pk)) for s in p.sockets}
        found = await self._threads.run(read_standing, list(notes), sids)
        told: list[tuple[int, str, int]] = []
        for user_id, about in notes.items():
            person = self._rooms.people.get(user_id)
            if person is None:
                continue
            if user_id not in found.clocks:
                for socket in list(person.sockets):
                    socket.end(protocol.CLOSE_ACCOUNT_CLOSED)
                continue
            person.clock = found.clocks[user_id]
            changes = {conversation: change for change, conversation in about}
            allowed = found.versions[user_id]
            for socket in list(person.sockets):
                if socket.sid in sids and socket.sid not in found.valid_sids:
                    socket.end(protocol.CLOSE_SIGNED_OUT)
                    continue
                if not socket.has_joined:
                    continue  # it is marked stale, so the consumer reads its memberships again
                for conversation in socket.rooms - allowed.keys():
                    self._rooms.leave(socket, conversation)
                    changes.setdefault(conversation, "removed")
                new = {pk: allowed[pk] for pk in allowed.keys() - socket.rooms}
                self._rooms.join(socket, new)
                for conversation in new:
                    changes.setdefault(conversation, "added")
            told += [(user_id, change, pk) for pk, change in changes.items()]
        for user_id, text in await self._threads.run(standing_frames, told) if told else ():
            if person := self._rooms.people.get(user_id):
                self._rooms.write(person.sockets, text)

    def check_soon(self, user_id: int) -> None:
        """Find out whether a person's memberships or sessions have changed."""
        self._unverified.add(user_id)
        self._unverified_filled.set()

    async def run_checks(self) -> None:
        while True:
            await self._unverified_filled.wait()
            await asyncio.sleep(GATHER_SECONDS)
            self._unverified_filled.clear()
            ids, self._unverified = self._unverified, set()
            await self._compare_clocks(list(ids))

    async def compare_clocks(self) -> None:
        """Find people whose memberships changed without an event."""
        await self._compare_clocks(list(self._rooms.people))

    async def _compare_clocks(self, ids: list[int]) -> None:
        for start in range(0, len(ids), IDS_MAX):
            some = ids[start : start + IDS_MAX]
            known = {
                pk: person.clock
                for pk in some
                if (person := self._rooms.people.get(pk)) is not None
            }
            for pk, clock in (await self._threads.run(queries.changed_clocks, known)).items():
                person = self._rooms.people.get(pk)
                if person is not None and clock != person.clock:
                    self.add(pk)
