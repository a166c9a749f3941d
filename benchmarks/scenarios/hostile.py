"""Fifty people talk at a normal pace, first alone and then beside four hostile clients.

The server has its default limits. The hostile clients run in a process of their own, each with its
own loopback address; a third process loads pages. All of it is bounded in count and time.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import multiprocessing
import select
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.bench import MILLI, Bench
from benchmarks.client import LoadClients, text_frame, upgrade
from benchmarks.contenders import Chatty, ChattyGuarded, Contender
from benchmarks.measure import Memory, percentile
from benchmarks.scenarios.fanout import WORDS
from benchmarks.scenarios.page import PASSWORD, signed_in
from benchmarks.site import Plan
from benchmarks.traffic import Outcome, steady

SCENARIO = "fifty people and four hostile clients"
PEOPLE = 50
RELATIVE = "p99 relative to without"
MEMORY = "memory grew by"
SLOWEST = "slowest page, with them"
RATE = 20  # messages a second, of all people together
SECONDS = 15  # with the hostile clients, and the same without
WARM_UP_SECONDS = 2
PAGE_PAUSE_SECONDS = 0.2
UNREAD_LINES = 16  # connections on which large answers are left unread
RECONNECT_SECONDS = 0.1  # after which a hostile client reconnects
HOSTILE_SECONDS_MAX = 120  # after which hostile clients stop by themselves
PUSHED_MAX = 512 * 2**20  # bytes

MARKDOWN = ("[" * 3900, "*a_ " * 950, "> " * 1900 + "x", "`" * 1950 + " " + "`" * 1951)

_PREPARE = """
from accounts.models import User
from conversations.models import Membership, Message
for membership in Membership.objects.filter(conversation={room}).select_related("user"):
    reader = membership.user
reader.set_password({password!r})
reader.save()
text = "wörd " * 700
Message.objects.filter(conversation={room}).update(body=text, html="<p>" + text + "</p>")
print("READER", reader.email)
"""


def run(bench: Bench) -> None:
    seconds = 2 if bench.quick else SECONDS
    hostile = PEOPLE  # the index of the person whose account the hostile clients use
    everybody = list(range(PEOPLE))
    plan = Plan(PEOPLE + 2, [[hostile], [PEOPLE + 1], everybody], [50, 50])
    context = multiprocessing.get_context("spawn")
    chatty = ChattyGuarded(bench.site)
    for contender in bench.turns([chatty], SCENARIO):
        with bench.running(contender, plan), LoadClients() as clients:
            contender.enter(clients, [(person, 2) for person in everybody])
            hostile_email, reader_email = (
                prepared(contender, contender.rooms[room]) for room in (0, 1)
            )
            port, room = contender.port, contender.rooms[1]
            read_at_once(contender, contender.tokens[PEOPLE + 1], room)
            with beside(context, load_pages, port, reader_email, room):
                _talk(contender, clients, WARM_UP_SECONDS)
            # Both halves include a sign-in, since hashing one password takes 19 MiB for a moment.
            before = Memory(contender.pid)
            with beside(context, load_pages, port, reader_email, room) as calm:
                alone = _talk(contender, clients, seconds)
            most_before = before.most
            memory = Memory(contender.pid)
            token = contender.tokens[hostile]
            target = Target(port, token, contender.rooms[0], hostile_email)
            with (
                beside(context, attack, target) as attacks,
                beside(context, load_pages, port, reader_email, room) as pages,
            ):
                attacked = _talk(contender, clients, seconds)
                most = memory.most
        _note(bench, contender.name, alone, attacked)
        sheet, name = bench.sheet, contender.name
        grown = (most - most_before) / 2**20
        sheet.note(SCENARIO, MEMORY, name, grown, "MiB")
        sheet.note(SCENARIO, "slowest page, without them", name, max(calm.answer), "s", 2)
        sheet.note(SCENARIO, SLOWEST, name, max(pages.answer), "s", 2)
        for what, count in sorted(attacks.answer.items()):
            sheet.note(SCENARIO, f"hostile: {what}", name, count, "", 0)


def prepared(chatty: Chatty, room: int) -> str:
    """Make the messages of a room long and set its member's password. Returns the member's email."""
    script = _PREPARE.format(room=room, password=PASSWORD)
    printed = chatty.installation.manage("shell", "-v", "0", "-c", script)
    return printed.partition("READER ")[2].strip()


def read_at_once(chatty: Chatty, token: str, room: int) -> None:
    """Request large responses like several legitimate clients, because the process keeps that memory."""

    def read(_number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", chatty.port, timeout=60)
        with contextlib.closing(connection):
            path = f"/api/conversations/{room}/messages/"
            connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
            connection.getresponse().read()

    with ThreadPoolExecutor(UNREAD_LINES) as readers:
        list(readers.map(read, range(2 * UNREAD_LINES)))


def _note(bench: Bench, name: str, alone: Outcome, attacked: Outcome) -> None:
    sheet = bench.sheet
    before, after = (percentile(each.waits, 0.99) for each in (alone, attacked))
    sheet.note(SCENARIO, "sends per second", name, len(attacked.waits) / attacked.seconds, "")
    sheet.note(SCENARIO, "p99 of a send, without them", name, before * MILLI, "ms")
    sheet.note(SCENARIO, "p99 of a send, with them", name, after * MILLI, "ms")
    sheet.note(SCENARIO, RELATIVE, name, after / before, "times", 2)
    bench.note_faults(SCENARIO, name, attacked.faults)


def _talk(contender: Contender, clients: LoadClients, seconds: float) -> Outcome:
    numbers = contender.numbers(round(seconds * RATE))
    return steady(
        clients,
        lambda number: contender.say(2, number, WORDS),
        numbers,
        rate=RATE,
    )


# --- other processes ----------------------------------------------------------------------------------


@dataclass
class Beside:
    """A function in another process. `answer` is its result once it has ended."""

    answer: Any = None


@contextlib.contextmanager
def beside(context: Any, target: Callable[..., None], *arguments: object) -> Iterator[Beside]:
    """Run target(*arguments, pipe) in another process.

    It sends a message when it is ready. When it receives one, it stops and sends its result.
    """
    ours, theirs = multiprocessing.Pipe()
    process = context.Process(target=target, args=(*arguments, theirs), daemon=True)
    process.start()
    theirs.close()
    found = Beside()
    try:
        ours.recv()
        yield found
        ours.send("stop")
        found.answer = ours.recv()
        process.join(30)
    finally:
        process.kill()
        process.join()


def load_pages(port: int, email: str, room: int, pipe: Connection) -> None:
    """Sign in and load a conversation until stopped. Sends the seconds that each page took."""
    waits: list[float] = []
    pipe.send("ready")
    cookie = signed_in(port, email)
    while not (waits and pipe.poll(PAGE_PAUSE_SECONDS)):
        began = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        with contextlib.closing(connection):
            connection.request("GET", f"/c/{room}/", headers={"Cookie": cookie})
            answer = connection.getresponse()
            answer.read()
        if answer.status != 200:
            raise RuntimeError(f"the page answered {answer.status}")
        waits.append(time.monotonic() - began)
    pipe.recv()
    pipe.send(waits)


@dataclass
class Target:
    """What the hostile clients attack, and the account they use."""

    port: int
    token: str
    room: int
    email: str


@dataclass
class Hostile:
    """What the four clients share: the target, when to stop, and counts of what they did."""

    target: Target
    stopping: threading.Event = field(default_factory=threading.Event)
    done: Counter[str] = field(default_factory=Counter)
    ends_at: float = field(default_factory=lambda: time.monotonic() + HOSTILE_SECONDS_MAX)

    def goes_on(self) -> bool:
        return not self.stopping.is_set() and time.monotonic() < self.ends_at

    def again_and_again(self, client: Callable[[Hostile], None]) -> None:
        """Run a client, and run it again whenever its connection is closed."""
        while self.goes_on():
            with contextlib.suppress(OSError, http.client.HTTPException):
                client(self)
            self.stopping.wait(RECONNECT_SECONDS)

    def dial(self, address: str) -> socket.socket:
        """Connect from the given address, with a small receive buffer."""
        line = socket.socket()
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.bind((address, 0))
        line.settimeout(10)
        line.connect(("127.0.0.1", self.target.port))
        self.done["connections"] += 1
        return line

    def push(self, line: socket.socket, data: bytes) -> None:
        """Write the same data repeatedly, as fast as the server reads it."""
        line.settimeout(0.2)
        while self.goes_on() and self.done["bytes sent"] < PUSHED_MAX:
            with contextlib.suppress(TimeoutError):
                self.done["bytes sent"] += line.send(data)


def attack(target: Target, pipe: Connection) -> None:
    """Run all four clients until stopped. Sends the counts of what they did."""
    hostile = Hostile(target)
    clients = (pipeline_requests, leave_answers_unread, flood_socket, sign_in_and_write)
    threads = [
        threading.Thread(target=hostile.again_and_again, args=(client,), daemon=True)
        for client in clients
    ]
    for thread in threads:
        thread.start()
    pipe.send("ready")
    pipe.poll(HOSTILE_SECONDS_MAX)
    hostile.stopping.set()
    for thread in threads:
        thread.join(15)
    pipe.recv()
    pipe.send(dict(hostile.done))


def pipeline_requests(hostile: Hostile) -> None:
    request = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with contextlib.closing(hostile.dial("127.0.0.2")) as line:
        hostile.push(line, request * 1500)


def leave_answers_unread(hostile: Hostile) -> None:
    target = hostile.target
    request = (
        f"GET /api/conversations/{target.room}/messages/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: Bearer {target.token}\r\n\r\n"
    ).encode()
    with contextlib.ExitStack() as stack:
        watch = select.poll()
        lines = {}
        for _ in range(UNREAD_LINES):
            line = stack.enter_context(contextlib.closing(hostile.dial("127.0.0.3")))
            line.sendall(request * 8)
            hostile.done["large responses requested"] += 8
            lines[line.fileno()] = line
            watch.register(line, select.POLLRDHUP)
        while lines and hostile.goes_on():
            for fd, _event in watch.poll(200):
                watch.unregister(fd)
                lines.pop(fd).close()


def flood_socket(hostile: Hostile) -> None:
    target = hostile.target
    bearer = f"Authorization: Bearer {target.token}"
    with contextlib.closing(hostile.dial("127.0.0.4")) as line:
        line.sendall(upgrade("/ws/", target.port, "Sec-WebSocket-Protocol: chatty.v2", bearer))
        if not line.recv(1000).startswith(b"HTTP/1.1 101"):
            hostile.done["connections refused"] += 1
            return
        ping = b"\x89\x80\0\0\0\0"
        hostile.push(line, (ping + text_frame(b'{"type":"ping"}')) * 500)


def costly_message(number: int) -> dict[str, str]:
    return {"key": f"hostile-{time.monotonic_ns()}", "body": MARKDOWN[number % len(MARKDOWN)]}


def sign_in_and_write(hostile: Hostile) -> None:
    target = hostile.target
    connection = http.client.HTTPConnection(
        "127.0.0.1", target.port, timeout=30, source_address=("127.0.0.5", 0)
    )
    bearer = {"Authorization": f"Bearer {target.token}"}
    messages = f"/api/conversations/{target.room}/messages/"
    with contextlib.closing(connection):
        for number in itertools.count():
            for what, path, headers, body in (
                (
                    "token requests",
                    "/api/token/",
                    {},
                    {"email": target.email, "password": PASSWORD},
                ),
                ("token requests", "/api/token/", {}, {"email": target.email, "password": "wrong"}),
                ("Markdown posts", messages, bearer, costly_message(number)),
            ):
                if not hostile.goes_on():
                    return
                text = json.dumps(body)
                json_type = {"Content-Type": "application/json"}
                connection.request("POST", path, text, {**headers, **json_type})
                answer = connection.getresponse()
                answer.read()
                hostile.done[f"{what} with {answer.status}"] += 1
