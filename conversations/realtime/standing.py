"""Where people stand: what they may hear, and whether they are still signed in.

It is read from the database, in threads, whenever something says that it changed. Their sockets then
join rooms, leave rooms or are closed.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from itertools import islice
from typing import Any

from accounts import queries as account_queries
from accounts.models import User
from conversations import protocol, queries
from conversations.events import SignedOut
from conversations.realtime.rooms import Rooms
from conversations.realtime.threads import IDS_MAX, DatabaseThreads
from conversations.wire import sidebar_to_wire

RECHECK_MAX = 100  # people read again together


@dataclass(frozen=True, slots=True)
class Standing:
    """Where people stand. `clocks`: of open accounts only; `versions`: user -> conversation ->
    version of all they belong to; `valid_sids`: the sign-ins among those asked for that live."""

    clocks: dict[int, int]
    versions: dict[int, dict[int, int]]
    valid_sids: set[str]


def read_standing(user_ids: list[int], sids: Collection[str]) -> Standing:
    # The clocks first: what changes after that moves them again and is found by the next tick.
    clocks = queries.clocks(user_ids)
    versions: dict[int, dict[int, int]] = defaultdict(dict)
    for user_id, conversation_id, version in queries.memberships_of(user_ids):
        versions[user_id][conversation_id] = version
    return Standing(clocks, versions, account_queries.valid_sids(sids))


def standing_frames(known: list[tuple[int, str, int]]) -> list[tuple[int, str]]:
    """Return (user, frame) for each (user, change, conversation), as each of them sees it now.

    A direct conversation nobody has spoken in yet does not appear, so there is nothing to tell.
    """
    users = User.objects.in_bulk({user_id for user_id, _change, _pk in known})
    frames = []
    for user_id, change, conversation_id in known:
        row = queries.sidebar_row(users[user_id], conversation_id)
        if row is None and change in ("removed", "deleted"):
            seen: dict[str, Any] = {"id": conversation_id}
        elif row is not None:
            seen = sidebar_to_wire(row)
            change = "added" if change == "removed" else change  # and added again meanwhile
        else:
            continue
        frame = protocol.conversation(change=change, conversation=seen)
        frames.append((user_id, protocol.encode(frame)))
    return frames


class Rechecks:
    """People whose memberships and sign-ins are to be read again."""

    def __init__(self, rooms: Rooms, threads: DatabaseThreads) -> None:
        self._rooms = rooms
        self._threads = threads
        self._notes: dict[int, list[tuple[str, int]]] = {}  # user -> (change, conversation)
        self._filled = asyncio.Event()

    def add(self, user_id: int, *notes: tuple[str, int]) -> None:
        """Have a user's memberships read again soon. `notes`: (change, conversation) to tell them."""
        if user_id in self._rooms.people:
            self._rooms.mark_stale(user_id)
            self._notes.setdefault(user_id, []).extend(notes)
            self._filled.set()

    def sign_out(self, event: SignedOut) -> None:
        """Close the sockets of sign-ins that have ended."""
        person = self._rooms.people.get(event.user)
        if person is None:
            return
        for socket in list(person.sockets):
            meant = event.sids is None or socket.sid in event.sids
            if meant and socket.sid != event.except_sid:
                socket.end(event.code)

    async def run(self) -> None:
        """Read again what changed for people, for ever."""
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
                raise  # to be logged; we are started again in a moment

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
                    continue  # marked stale: whoever lets it in reads again
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

    async def compare_clocks(self) -> None:
        """Find the people of whom a change was not heard."""
        ids = list(self._rooms.people)
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
