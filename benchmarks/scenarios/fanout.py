"""One person sends, everyone receives: the cost of a delivery with 10, 200 and 1,000 receivers."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial

from benchmarks.bench import MICRO, Bench
from benchmarks.client import LoadClients
from benchmarks.contenders import (
    BareSend,
    Chatty,
    Contender,
    SocketIO,
    UsualChannels,
    captured_frame,
)
from benchmarks.measure import cpu_seconds
from benchmarks.site import Plan
from benchmarks.traffic import Outcome, burst

WORDS = "The quick brown fox jumps over the lazy dog, and nobody knows why."
WINDOW = 8
# Per round, at full pace. With fewer, the number of messages per commit would vary too much.
DELIVERIES = 240_000
MESSAGES_MOST = 1_000  # per round; with few receivers, storing would cost more than delivering
COST = "CPU per delivery"
LONE = 100  # messages per round that are sent one at a time


def run(bench: Bench) -> None:
    for receivers in (5,) if bench.quick else (10, 200, 1_000):
        _one_size(bench, receivers, alone=receivers <= 10)


def _one_size(bench: Bench, receivers: int, *, alone: bool) -> None:
    scenario = f"fan-out to {receivers:,}"
    with ExitStack() as stack:
        kinds = bench.available([Chatty, BareSend, SocketIO, UsualChannels])
        contenders = started(bench, stack, kinds, receivers)
        for contender in bench.turns(contenders, scenario):
            # Sockets are open for one turn only, because pings are not answered in the others' turns.
            with LoadClients() as clients:
                contender.enter(clients, [(person, 0) for person in range(receivers)])
                count = _count(bench, contender, receivers)
                deliver(contender, clients, count // 4 + 1)  # warms up
                _measure(bench, scenario, contender, clients, count)
                if alone:
                    _lone_messages(bench, scenario, contender, clients)
    bench.sheet.note_ratios(scenario, COST, Chatty.name)


def started(
    bench: Bench, stack: ExitStack, kinds: Sequence[type[Contender]], members: int
) -> list[Contender]:
    """Start contenders with one room, until the end of the stack. Chatty must be the first of them."""
    plan = Plan(members, [list(range(members))])
    contenders: list[Contender] = []
    for kind in kinds:
        contender = kind(bench.site)
        if isinstance(contender, BareSend):
            chatty = next(each for each in contenders if isinstance(each, Chatty))
            contender.frame = captured_frame(chatty, WORDS)
        contenders.append(stack.enter_context(bench.running(contender, plan)))
    return contenders


def _measure(
    bench: Bench, scenario: str, contender: Contender, clients: LoadClients, count: int
) -> None:
    before = cpu_seconds(contender.pid)
    outcome = deliver(contender, clients, count)
    cost = (cpu_seconds(contender.pid) - before) / max(1, outcome.deliveries) * MICRO
    bench.sheet.note(scenario, COST, contender.name, cost, "µs", 2)
    rate = outcome.deliveries / outcome.seconds
    bench.sheet.note(scenario, "deliveries per second", contender.name, rate, "", 0)
    bench.note_deliveries(scenario, contender.name, outcome)
    bench.sheet.note(scenario, "connections refused", contender.name, clients.refused, "", 0)
    bench.sheet.note(scenario, "connections closed", contender.name, clients.closed, "", 0)


def _lone_messages(bench: Bench, scenario: str, contender: Contender, clients: LoadClients) -> None:
    waits = deliver(contender, clients, 10 if bench.quick else LONE, window=1).waits
    bench.note_waits(scenario, "of a single message until all have it", contender.name, waits)


def _count(bench: Bench, contender: Contender, receivers: int) -> int:
    wanted = (400 if bench.quick else DELIVERIES) * contender.pace / receivers
    return min(MESSAGES_MOST, max(10, int(wanted)))


def deliver(
    contender: Contender, clients: LoadClients, count: int, window: int = WINDOW
) -> Outcome:
    frame_of = partial(contender.say, 0, words=WORDS)
    return burst(clients, frame_of, contender.numbers(count), window=window)
