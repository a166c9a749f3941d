"""How the sockets of LoadClients send: one to all, in pairs, or at a steady rate; and what goes wrong."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from benchmarks.client import PATIENCE_SECONDS, LoadClients


@dataclass(slots=True)
class Faults:
    """Deliveries that were missing, later than LATE_SECONDS, received twice, or out of order."""

    missing: int = 0
    late: int = 0
    duplicated: int = 0
    disordered: int = 0

    def compare(self, heard: Sequence[int], expected: Sequence[int]) -> None:
        if list(heard) == list(expected):
            return
        different = set(heard)
        self.missing += len(set(expected) - different)
        self.duplicated += len(heard) - len(different)
        place = {number: index for index, number in enumerate(expected)}
        places = [place[number] for number in heard if number in place]
        self.disordered += sum(a > b for a, b in pairwise(places))


@dataclass(slots=True)
class Outcome:
    """The result of a run. `waits`: seconds per message until it was delivered everywhere in burst(),
    otherwise until it was acknowledged. `answers`: seconds until it was acknowledged in burst()."""

    seconds: float
    deliveries: int
    waits: list[float]
    faults: Faults
    answers: list[float] = field(default_factory=list)


def burst(
    clients: LoadClients,
    frame_of: Callable[[int], bytes],
    numbers: range,
    *,
    window: int,
) -> Outcome:
    """One socket sends, all receive. `window` messages are in flight at once: the next one is sent
    when the oldest has arrived everywhere."""
    clients.drain()  # earlier messages
    clients.forget()
    sender, size = clients.lines[0], len(clients.lines)
    sender.expects_answers = True
    count = done = 0
    waits: list[float] = []
    answers: list[float] = []
    start = moved = time.monotonic()
    while done < len(numbers) and time.monotonic() - moved < PATIENCE_SECONDS:
        while count < len(numbers) and count - done < window:
            clients.sent_at[numbers[count]] = time.monotonic()
            sender.say(frame_of(numbers[count]))
            count += 1
        if clients.pump(0.5):
            moved = time.monotonic()
            answers += sender.newly_acknowledged()
        while clients.heard >= (done + 1) * size and done < count:
            waits.append(time.monotonic() - clients.sent_at[numbers[done]])
            done += 1
    seconds, deliveries = time.monotonic() - start, clients.heard
    clients.drain()  # the loop counts all deliveries, so a duplicate may hide one not yet received
    faults = Faults(late=clients.late)
    answers += sender.newly_acknowledged()
    for line in clients.lines:
        faults.compare(line.heard, numbers)
    return Outcome(seconds, deliveries, waits, faults, answers)


def conversations(
    clients: LoadClients,
    frame_of: Callable[[int, int], bytes],
    first: int,
    each: int,
    *,
    window: int,
) -> Outcome:
    """Sockets 0 and 1 talk with each other, 2 and 3 do, and so on.

    Each sends `each` messages, at most `window` of them unacknowledged. `frame_of` gets the index of
    the socket and the number of the message.
    """
    clients.drain()
    clients.forget()
    index_of = {id(line): index for index, line in enumerate(clients.lines)}
    own = [range(first + i * each, first + (i + 1) * each) for i in range(len(clients.lines))]
    count = [0] * len(clients.lines)
    waits: list[float] = []

    def go_on(index: int) -> None:
        line = clients.lines[index]
        while count[index] < each and count[index] - len(line.acknowledged) < window:
            number = own[index][count[index]]
            clients.sent_at[number] = time.monotonic()
            line.say(frame_of(index, number))
            count[index] += 1

    for index, line in enumerate(clients.lines):
        line.expects_answers = True
        go_on(index)
    total = each * len(clients.lines)
    start = moved = answered = time.monotonic()
    while (len(waits) < total or clients.heard < 2 * total) and (
        time.monotonic() - moved < PATIENCE_SECONDS
    ):
        for line in clients.pump(0.5):
            moved = time.monotonic()
            if answers := line.newly_acknowledged():
                waits += answers
                answered = moved
            go_on(index_of[id(line)])
    clients.drain()
    return Outcome(answered - start, clients.heard, waits, _faults_of_pairs(clients, own))


def steady(
    clients: LoadClients,
    frame_of: Callable[[int], bytes],
    numbers: range,
    *,
    rate: float,
) -> Outcome:
    """Send `rate` messages a second, each by the next socket, received by all.

    Waits are measured from when a message was due until it is acknowledged. Otherwise a slow server,
    which also delays the client, would seem fast.
    """
    clients.drain()
    clients.forget()
    for line in clients.lines:
        line.expects_answers = True
    waits: list[float] = []
    count = 0
    expected = len(numbers) * len(clients.lines)
    began = moved = time.monotonic()
    while len(waits) < len(numbers) or clients.heard < expected:
        now = time.monotonic()
        if count < len(numbers) and (due := began + count / rate) <= now:
            clients.sent_at[numbers[count]] = due
            clients.lines[count % len(clients.lines)].say(frame_of(numbers[count]))
            count += 1
        elif now - moved > 2 * PATIENCE_SECONDS:
            break
        wait = began + count / rate - now if count < len(numbers) else 0.5
        for line in clients.pump(max(0.0, wait)):
            moved = time.monotonic()
            waits += line.newly_acknowledged()
    lasted = time.monotonic() - began
    clients.drain()
    faults = Faults(late=clients.late)
    # The server decides in which order concurrent messages are stored. So compare all sockets with
    # the first one, if that received everything.
    first = clients.lines[0].heard
    order = first if sorted(first) == list(numbers) else numbers
    for line in clients.lines:
        faults.compare(line.heard, order)
    return Outcome(lasted, clients.heard, waits, faults)


def _faults_of_pairs(clients: LoadClients, own: list[range]) -> Faults:
    """Both sockets of a pair must receive all messages in the same order, which keeps each sender's."""
    faults = Faults(late=clients.late)
    for index in range(0, len(clients.lines), 2):
        left, right = clients.lines[index : index + 2]
        everything = {*own[index], *own[index + 1]}
        if set(left.heard) == everything and len(left.heard) == len(everything):
            faults.compare(right.heard, left.heard)
            for numbers in (own[index], own[index + 1]):
                faults.compare([n for n in left.heard if n in numbers], numbers)
        else:
            for line in (left, right):
                faults.compare(line.heard, sorted(everything))
    return faults
