"""Fifty people talk in pairs: the cost of a message that is stored, acknowledged and delivered twice."""

from __future__ import annotations

from contextlib import ExitStack
from typing import NamedTuple

from benchmarks.bench import MICRO, Bench
from benchmarks.client import LoadClients
from benchmarks.contenders import (
    Chatty,
    ChattyTwice,
    Contender,
    SocketIO,
    UsualChannels,
)
from benchmarks.measure import CpuTime
from benchmarks.scenarios.fanout import WORDS
from benchmarks.site import Plan
from benchmarks.talk import RICH_WORDS
from benchmarks.traffic import Outcome, conversations

PAIRS = 25
WINDOW = 8  # unacknowledged messages per sender
EACH = 200  # messages per sender and round, at full pace
SCENARIO = "durable sends"
RICH = "durable sends of rich messages"
COST = "CPU per send"
DATABASE = "database CPU per send"
RELATIVE_TO_PLAIN = f"{COST} relative to plain"


def run(bench: Bench) -> None:
    _run(bench, SCENARIO, WORDS)


def run_rich(bench: Bench) -> None:
    """The same with bold, a mention and a link, which only Chatty renders.

    So Chatty also sends plain messages in the same turn, to compare with.
    """
    _run(bench, RICH, RICH_WORDS)


def _run(bench: Bench, scenario: str, words: str) -> None:
    pairs = 3 if bench.quick else PAIRS
    plan = Plan(2 * pairs, [[2 * pair, 2 * pair + 1] for pair in range(pairs)])
    with ExitStack() as stack:
        contenders = [
            stack.enter_context(bench.running(kind(bench.site), plan))
            for kind in bench.available([Chatty, ChattyTwice, SocketIO, UsualChannels])
        ]
        for contender in bench.turns(contenders, scenario):
            each = max(10, int((20 if bench.quick else EACH) * contender.pace))
            with LoadClients() as clients:
                # One at a time, so that sockets 2n and 2n + 1 are a pair.
                contender.enter(clients, [(who, who // 2) for who in range(2 * pairs)], at_once=1)
                talk(contender, clients, 10, words)  # warms up
                measured = _measure(contender, clients, each, words)
                _note(bench, scenario, contender, measured, each * len(clients.lines))
                if words != WORDS and isinstance(contender, Chatty):
                    plain = _measure(contender, clients, each, WORDS)
                    ratio = measured.spent.app / plain.spent.app
                    bench.sheet.note(scenario, RELATIVE_TO_PLAIN, contender.name, ratio, "times", 2)
    bench.sheet.note_ratios(scenario, COST, Chatty.name)


class _Measured(NamedTuple):
    """The CPU time per acknowledged message, and the outcome."""

    spent: CpuTime
    outcome: Outcome


def _measure(contender: Contender, clients: LoadClients, each: int, words: str) -> _Measured:
    before = contender.cpu_time()
    outcome = talk(contender, clients, each, words)
    spent = contender.cpu_time().since(before)
    return _Measured(spent.per(max(1, len(outcome.waits))), outcome)


def _note(
    bench: Bench, scenario: str, contender: Contender, measured: _Measured, sent: int
) -> None:
    sheet, name = bench.sheet, contender.name
    (app, database), outcome = measured
    sheet.note(scenario, COST, name, app * MICRO, "µs", 0)
    sheet.note(scenario, DATABASE, name, database * MICRO, "µs", 0)
    sheet.note(scenario, "sends per second", name, len(outcome.waits) / outcome.seconds, "", 0)
    bench.note_deliveries(scenario, name, outcome)
    sheet.note(scenario, "not acknowledged", name, sent - len(outcome.waits), "", 0)


def talk(contender: Contender, clients: LoadClients, each: int, words: str = WORDS) -> Outcome:
    first = contender.numbers(each * len(clients.lines)).start

    def frame_of(index: int, number: int) -> bytes:
        return contender.say(index // 2, number, words)

    return conversations(clients, frame_of, first, each, window=WINDOW)
