"""One trial: create an installation, run the workload, inject faults, and check everything."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chatty.jobs import claims
from proof import checker, files, rest
from proof.client import Device, Person
from proof.history import Finding, History, Stay
from proof.installation import Installation, InstallationError, new_home
from proof.nemesis import Nemesis
from proof.services import GivenPostgres, OwnPostgres, Postgres, Redis
from proof.workload import Room, Workload

SETTLE_SECONDS = 10.0
# How much longer the reader may be behind: if its server is killed, others wait until the claim runs out.
READER_SECONDS = claims.LEASE_SECONDS
_CLOSING_SECONDS = 20.0  # for the workload to finish after the last fault
_PASSWORD = "correct horse battery staple"  # noqa: S105 (of temporary accounts)
# Of a custom emoji: one pixel.
_PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@dataclass(frozen=True)
class Plan:
    """`kind`: "sqlite" or "postgres". `seconds`: of the workload. `server`: "serve" or "daphne"."""

    kind: str
    seed: int
    seconds: float
    clients: int = 16
    server: str = "serve"
    sabotage: str = ""
    postgres_url: str = ""
    redis_url: str = ""


@dataclass(frozen=True)
class Verdict:
    """`settled`: seconds from the last fault until every device was up to date, None if never."""

    findings: list[Finding]
    outcomes: Counter[str]
    counts: Counter[str]
    settled: float | None
    seen: int
    errors: list[str]

    @property
    def by_kind(self) -> Counter[str]:
        return Counter(finding.kind for finding in self.findings)


Progress = Callable[[str, float, Counter[str]], None]


async def run_trial(plan: Plan, progress: Progress) -> Verdict:
    """Run one trial. Raises InstallationError or MissingServiceError."""
    async with _house(plan) as (installation, postgres, redis):
        rng = random.Random(f"{plan.seed}-{plan.kind}")  # noqa: S311
        history = History()
        progress("setting up", 0.0, history.counts)
        for _ in range(2 if installation.redis_url else 1):
            await installation.add_server(plan.server, plan.sabotage)
        people, rooms = await _settle_in(installation, plan, history, rng)
        devices = _devices(plan, people, installation, history, rng)
        nemesis = Nemesis(installation, history, rng, postgres=postgres, redis=redis)
        custom_emoji = await _add_emoji(installation.servers[0].port, people[0])
        workload = Workload(people, rooms, devices, history, custom_emoji=custom_emoji)
        calls = [asyncio.create_task(device.run()) for device in devices]
        try:
            await _talk(plan, workload, nemesis, random.Random(rng.random()), progress)  # noqa: S311
            progress("catching up", plan.seconds, history.counts)
            settled = await _settled(installation, devices)
            progress("checking", plan.seconds, history.counts)
            pages = {room.id: await _read_all(installation, room) for room in rooms}
            with installation.rows() as connection:
                truth = checker.read_truth(connection)
            findings = checker.check(history, truth, devices, pages)
            tokens = {room.id: room.owner.token for room in rooms}
            findings += await files.check(installation.servers[0].port, history, pages, tokens)
            if settled is None:
                findings += _who_is_behind(devices, truth)
        finally:
            for device in devices:
                device.close()
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
        errors = installation.errors()
    counts = +history.counts
    counts["connections"] = sum(device.connections for device in devices)
    return Verdict(findings, history.outcomes(), counts, settled, len(history.sights), errors)


@asynccontextmanager
async def _house(plan: Plan) -> AsyncIterator[tuple[Installation, Postgres | None, Redis | None]]:
    postgres: Postgres | None = None
    redis: Redis | None = None
    async with AsyncExitStack() as stack:
        home = Path(stack.enter_context(new_home()))
        if plan.kind == "postgres":
            redis = Redis(plan.redis_url)
            stack.push_async_callback(redis.close)
            await redis.start()
            given = plan.postgres_url
            make: Callable[[], Postgres] = (lambda: GivenPostgres(given)) if given else OwnPostgres
            postgres = await asyncio.to_thread(make)
            stack.callback(postgres.close)
        urls = (postgres.url, redis.url) if postgres and redis else ("", "")
        installation = Installation(home, *urls)
        stack.push_async_callback(installation.close)
        await installation.prepare()
        yield installation, postgres, redis


# --- people and conversations ----------------------------------------------------------------------


async def _settle_in(
    installation: Installation, plan: Plan, history: History, rng: random.Random
) -> tuple[list[Person], list[Room]]:
    """Create people and conversations.

    There are two accounts for every three clients, so some have two devices. Each conversation has
    about half of the people as members.
    """
    port = installation.servers[0].port
    number = max(3, plan.clients * 2 // 3)
    people = list(await asyncio.gather(*(_register(port, n) for n in range(number))))
    rooms = []
    for n in range(max(2, plan.clients // 4)):
        owner, *others = rng.sample(people, len(people))
        members = others[: len(others) // 2]
        is_open = n % 2 == 0
        body = {
            "name": f"Room {n}",
            "access": "open" if is_open else "closed",
            "members": [member.id for member in members],
        }
        row = await _ask(port, "POST", "/api/conversations/", body, token=owner.token)
        rooms.append(Room(row["id"], owner, is_open))
        for person in (owner, *members):
            history.stays[row["id"], person.id] = [Stay(0.0)]
    return people, rooms


async def _register(port: int, number: int) -> Person:
    account = {"email": f"p{number}@example.org", "password": _PASSWORD}
    name = f"Person {number}"
    user = await _ask(port, "POST", "/api/register/", {**account, "name": name})
    pair = await _ask(port, "POST", "/api/token/", account)
    return Person(user["id"], name, pair["access"])


async def _add_emoji(port: int, person: Person) -> str:
    """Add a custom emoji, and return the reaction with it."""
    parts = [("key", b"emoji"), ("name", b"tea-pot2"), ('picture"; filename="x.png', _PICTURE)]
    head = '--part\r\nContent-Disposition: form-data; name="{}"\r\n\r\n'
    form = b"".join(head.format(name).encode() + value + b"\r\n" for name, value in parts)
    kind = {"Content-Type": "multipart/form-data; boundary=part"}
    body = form + b"--part--\r\n"
    made = await _ask(port, "POST", "/api/emoji/", body, token=person.token, headers=kind)
    return str(made["reaction"])


async def _ask(
    port: int,
    method: str,
    path: str,
    body: Any = None,
    *,
    token: str = "",
    headers: Mapping[str, str] | None = None,
) -> Any:
    """Send a request before or after the faults. Raises InstallationError unless it succeeds."""
    for attempt in range(3):
        try:
            status, answer = await rest.call(port, method, path, body, token=token, headers=headers)
        except rest.NoAnswerError as error:
            status, answer = 503, str(error)
        if status < 300:
            return answer
        await asyncio.sleep(0.5 * (attempt + 1))
    raise InstallationError(f"{method} {path} failed: {status} {answer}")


def _devices(
    plan: Plan,
    people: list[Person],
    installation: Installation,
    history: History,
    rng: random.Random,
) -> list[Device]:
    doors = [server.proxy.port for server in installation.servers]
    devices = []
    for number in range(plan.clients):
        person = people[number % len(people)]
        name = f"{person.name}, device {number // len(people) + 1}"
        own = random.Random(rng.random())  # noqa: S311
        devices.append(Device(person, name, doors, history, own))
    return devices


# --- the workload and the faults -------------------------------------------------------------------


async def _talk(
    plan: Plan, workload: Workload, nemesis: Nemesis, rng: random.Random, progress: Progress
) -> None:
    """Run workload and faults. Returns once the last fault is repaired and the workload has stopped."""
    start = time.monotonic()

    async def show() -> None:
        while True:
            progress("sending", time.monotonic() - start, workload.history.counts)
            await asyncio.sleep(0.5)

    showing = asyncio.create_task(show())
    work = asyncio.create_task(workload.run(rng))
    trouble = asyncio.create_task(_trouble(nemesis, workload, start + plan.seconds))
    try:
        await asyncio.wait({work, trouble}, return_when=asyncio.FIRST_EXCEPTION)
        for task in (work, trouble):
            if task.done():
                task.result()
        async with asyncio.timeout(_CLOSING_SECONDS):
            await asyncio.gather(work, trouble)
    finally:
        for task in (showing, work, trouble):
            task.cancel()
        await asyncio.gather(showing, work, trouble, return_exceptions=True)


async def _trouble(nemesis: Nemesis, workload: Workload, until: float) -> None:
    await nemesis.run(until)
    await nemesis.finale(workload.stop)


async def _settled(installation: Installation, devices: list[Device]) -> float | None:
    """Wait until every device has sent all its messages, and devices and the reader are up to date.

    Returns the seconds that took, or None if it took longer than SETTLE_SECONDS, or READER_SECONDS more for
    the reader.
    """
    start = time.monotonic()
    limit = SETTLE_SECONDS
    while (passed := time.monotonic() - start) < limit:
        with contextlib.suppress(OSError):
            with installation.rows() as connection:
                heads, members = checker.read_heads(connection)
                unread = checker.count_unread(connection)
            if all(_is_settled(device, heads, members) for device in devices):
                if not unread:
                    return passed
                limit = SETTLE_SECONDS + READER_SECONDS
        await asyncio.sleep(0.1)
    return None


def _is_settled(device: Device, heads: dict[int, int], members: set[tuple[int, int]]) -> bool:
    if not device.is_connected or device.unsettled:
        return False
    own = [pk for pk in heads if (pk, device.person.id) in members]
    return all(pk in device.views and device.views[pk].position == heads[pk] for pk in own)


def _who_is_behind(devices: list[Device], truth: checker.Truth) -> list[Finding]:
    heads = {pk: version for pk, (_seq, version) in truth.counters.items()}
    late = f"{SETTLE_SECONDS:.0f} s after the last fault"
    found = []
    for device in devices:
        if not device.is_connected:
            found.append(Finding("lost", f"{device.name} was not connected {late}"))
        if device.unsettled:
            text = f"{device.name} still had {device.unsettled} unsent message(s) {late}"
            found.append(Finding("lost", text))
        for pk, head in heads.items():
            view = device.views.get(pk)
            if (pk, device.person.id) in truth.members and view and view.position != head:
                text = f"{device.name} was at version {view.position} of {head} in conversation {pk} {late}"
                found.append(Finding("lost", text))
    return found


async def _read_all(installation: Installation, room: Room) -> list[dict[str, Any]]:
    """Return all messages of a conversation as REST returns them to its owner, oldest first."""
    messages: list[dict[str, Any]] = []
    while True:
        after = messages[-1]["seq"] if messages else 0
        path = f"/api/conversations/{room.id}/messages/?after={after}&limit=100"
        page = await _ask(installation.servers[0].port, "GET", path, token=room.owner.token)
        messages += page["messages"]
        if not page["has_newer"]:
            return messages
