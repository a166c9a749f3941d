"""The random actions of the clients: sending, editing, deleting, reacting, pinning, joining and leaving."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from proof import rest
from proof.client import Device, Person
from proof.history import Change, History, Saying, Stay

EMOJI = ("🌱", "👍", "🍪")
PAUSE_SECONDS = 0.25  # between two actions of one device, on average
MEMBERSHIP_SECONDS = (0.5, 2.0)  # between two changes of members in one conversation


@dataclass(eq=False)
class Room:
    """A conversation. Its owner stays; the others join and leave."""

    id: int
    owner: Person
    is_open: bool


class Workload:
    """Runs the devices and the changes of members, until stop()."""

    def __init__(
        self,
        people: list[Person],
        rooms: list[Room],
        devices: list[Device],
        history: History,
        *,
        custom_emoji: str,
    ) -> None:
        """`custom_emoji`: a reaction with one."""
        self.emoji = (*EMOJI, custom_emoji)
        self.people = people
        self.rooms = rooms
        self.devices = devices
        self.history = history
        self._stopping = asyncio.Event()
        self._busy: set[int] = set()  # messages being changed
        self._removed: set[tuple[int, int]] = (
            set()
        )  # (conversation, user) pairs that cannot join again

    def stop(self) -> None:
        self._stopping.set()

    async def run(self, rng: random.Random) -> None:
        """Run until stopped. Actions that have begun are finished."""
        async with asyncio.TaskGroup() as group:
            for device in self.devices:
                group.create_task(self._live(device, random.Random(rng.random())))  # noqa: S311
            for room in self.rooms:
                group.create_task(self._change_members(room, random.Random(rng.random())))  # noqa: S311

    async def _rest(self, seconds: float) -> bool:
        """Wait. Returns False once the workload is stopped."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return True
        return False

    # --- one device ------------------------------------------------------------------------------

    async def _live(self, device: Device, rng: random.Random) -> None:
        functions: list[tuple[int, Callable[[Device, random.Random], Awaitable[None]]]] = [
            (46, self._say),
            (8, self._say_by_rest),
            (5, self._say_with_file),
            (4, self._say_again),
            (12, self._edit),
            (5, self._delete),
            (12, self._react),
            (4, self._pin),
            (3, self._hang_up),
            (4, self._peek),
            (4, self._trespass),
        ]
        weights, kinds = zip(*functions, strict=True)
        while await self._rest(rng.expovariate(1 / PAUSE_SECONDS)):
            (action,) = rng.choices(kinds, weights)
            if not device.is_connected and action != self._say:
                continue  # only the outbox works offline
            self.history.counts[action.__name__.strip("_").replace("_", " ")] += 1
            await action(device, rng)

    async def _say(self, device: Device, rng: random.Random) -> None:
        if device.views and device.unsettled < 20:
            conversation = rng.choice(sorted(device.views))
            texts = self._texts(device, conversation)
            reply_to = rng.choice(texts[-30:]) if texts and rng.random() < 0.3 else None
            device.say(conversation, reply_to)

    async def _say_by_rest(self, device: Device, rng: random.Random) -> None:
        if device.views:
            await device.say_by_rest(rng.choice(sorted(device.views)))

    async def _say_with_file(self, device: Device, rng: random.Random) -> None:
        if device.views and device.unsettled < 20:
            await device.say_with_file(rng.choice(sorted(device.views)))

    async def _say_again(self, device: Device, rng: random.Random) -> None:
        if said := self._accepted(device):
            device.say_again(rng.choice(said))

    async def _edit(self, device: Device, rng: random.Random) -> None:
        if said := self._accepted(device):
            saying = rng.choice(said)
            body = f"{saying.body}, or rather {rng.getrandbits(32):x}"
            change = Change(device.person.id, saying.id, "body", body)
            await self._change(device, change, "PATCH", f"/api/messages/{saying.id}/")

    async def _delete(self, device: Device, rng: random.Random) -> None:
        if said := self._accepted(device):
            saying = rng.choice(said)
            change = Change(device.person.id, saying.id, "deleted", True)
            await self._change(device, change, "DELETE", f"/api/messages/{saying.id}/")

    async def _react(self, device: Device, rng: random.Random) -> None:
        texts = self._texts(device, rng.choice(sorted(device.views)) if device.views else 0)
        if texts:
            message, emoji, on = rng.choice(texts[-30:]), rng.choice(self.emoji), rng.random() < 0.7
            change = Change(device.person.id, message, emoji, on)
            path = f"/api/messages/{message}/reactions/{quote(emoji)}/"
            await self._change(device, change, "PUT" if on else "DELETE", path)

    async def _pin(self, device: Device, rng: random.Random) -> None:
        texts = self._texts(device, rng.choice(sorted(device.views)) if device.views else 0)
        if texts:
            message, on = rng.choice(texts[-30:]), rng.random() < 0.5
            change = Change(device.person.id, message, "pinned", on)
            path = f"/api/messages/{message}/pin/"
            await self._change(device, change, "PUT" if on else "DELETE", path)

    async def _change(self, device: Device, change: Change, method: str, path: str) -> None:
        """Change a message. Only one change at a time: otherwise the last one could not be determined."""
        if change.message in self._busy:
            return
        self._busy.add(change.message)
        self.history.changes.append(change)
        body = {"body": change.value} if change.what == "body" else None
        try:
            status, _answer = await device.call(method, path, body)
            self.history.counts[f"changes answered {status}"] += 1
        except rest.NoAnswerError:
            status = 503
            self.history.counts["changes not answered"] += 1
        finally:
            self._busy.discard(change.message)
        if status < 300:
            change.outcome = "ok"
        elif status < 500:
            change.outcome = "failed"

    async def _hang_up(self, device: Device, rng: random.Random) -> None:
        device.hang_up()

    async def _peek(self, device: Device, rng: random.Random) -> None:
        """Read a page of any conversation, whether or not the person is a member."""
        room = rng.choice(self.rooms)
        path = f"/api/conversations/{room.id}/messages/?limit=20"
        try:
            status, page = await device.call("GET", path)
        except rest.NoAnswerError:
            return
        for message in page["messages"] if status == 200 else ():
            self.history.saw(device.person.id, room.id, message, f"{device.name} (REST)")

    async def _trespass(self, device: Device, rng: random.Random) -> None:
        foreign = [room.id for room in self.rooms if room.id not in device.views]
        if foreign:
            conversation = rng.choice(foreign)
            device.trespass(conversation)
            device.say(conversation)

    def _texts(self, device: Device, conversation: int) -> list[int]:
        """Return the ids of the messages on this device, without system messages."""
        view = device.views.get(conversation)
        return [m["id"] for m in view.messages.values() if m["kind"] == "text"] if view else []

    def _accepted(self, device: Device) -> list[Saying]:
        recent = self.history.sayings[-400:]
        return [each for each in recent if each.device == device.name and each.outcome == "ok"]

    # --- changes of members ----------------------------------------------------------------------

    async def _change_members(self, room: Room, rng: random.Random) -> None:
        others = [person for person in self.people if person is not room.owner]
        while others and await self._rest(rng.uniform(*MEMBERSHIP_SECONDS)):
            person = rng.choice(others)
            stays = self.history.stays.setdefault((room.id, person.id), [])
            if stays and not stays[-1].ended:
                await self._see_off(room, person, rng)
                stays[-1].ended = True
                self.history.counts["members removed"] += 1
            else:
                stays.append(Stay(time.monotonic()))
                await self._welcome(room, person, rng)
                self.history.counts["members added"] += 1

    async def _welcome(self, room: Room, person: Person, rng: random.Random) -> None:
        path = f"/api/conversations/{room.id}"
        may_join = room.is_open and (room.id, person.id) not in self._removed
        if may_join and rng.random() < 0.5:
            await self._until_done(person, rng, "POST", f"{path}/join/")
        else:
            body = {"users": [person.id]}
            await self._until_done(room.owner, rng, "POST", f"{path}/members/", body)
            self._removed.discard((room.id, person.id))

    async def _see_off(self, room: Room, person: Person, rng: random.Random) -> None:
        path = f"/api/conversations/{room.id}"
        if rng.random() < 0.3:
            await self._until_done(person, rng, "POST", f"{path}/leave/")
        else:
            await self._until_done(room.owner, rng, "DELETE", f"{path}/members/{person.id}/")
            self._removed.add((room.id, person.id))

    async def _until_done(
        self, person: Person, rng: random.Random, method: str, path: str, body: Any = None
    ) -> None:
        """Repeat the request until it has a definite result. Joining and leaving are idempotent."""
        ports = self.devices[0].ports
        while True:
            try:
                status, answer = await rest.call(
                    rng.choice(ports), method, path, body, token=person.token
                )
            except rest.NoAnswerError:
                status, answer = 503, None
            # 404: not a member any more. An earlier request that seemed lost may have been applied.
            if status < 300 or status == 404:
                return
            if status < 500 and status != 429:
                raise RuntimeError(f"{method} {path} failed: {status} {answer}")
            await asyncio.sleep(0.2)
