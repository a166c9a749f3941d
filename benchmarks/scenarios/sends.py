"""Fifty people talk in pairs: the cost of a message that is stored, acknowledged and delivered twice."""

from __future__ import annotations

from contextlib import ExitStack

from benchmarks.bench import MICRO, Bench
from benchmarks.client import LoadClients
from benchmarks.contenders import (
    Chatty,
    ChattyTwice,
    Contender,
    SocketIO,
    UsualChannels,
)
from benchmarks.measure import cpu_seconds
from benchmarks.scenarios.fanout import WORDS
from benchmarks.site import Plan
from benchmarks.traffic import Outcome, conversations

PAIRS = 25
WINDOW = 8  # unacknowledged messages per sender
EACH = 200  # messages per sender and round, at full pace
SCENARIO = "durable sends"
RICH = "durable sends of rich messages"
RICH_WORDS = "The **quick** brown fox jumps over @Guest 1 and https://example.org/lazy/dog."
COST = "CPU per send"


def run(bench: Bench) -> None:
    _run(bench, SCENARIO, WORDS)


def run_rich(bench: Bench) -> None:
    """The same with bold, a mention and a link, which only Chatty renders."""
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
                _measure(bench, scenario, contender, clients, each, words)
    bench.sheet.note_ratios(scenario, COST, Chatty.name)


def _measure(
    bench: Bench, scenario: str, contender: Contender, clients: LoadClients, each: int, words: str
) -> None:
    before = sum(map(cpu_seconds, contender.pids))
    outcome = talk(contender, clients, each, words)
    stored = max(1, len(outcome.waits))
    cost = (sum(map(cpu_seconds, contender.pids)) - before) / stored * MICRO
    bench.sheet.note(scenario, COST, contender.name, cost, "µs", 0)
    bench.sheet.note(scenario, "sends per second", contender.name, stored / outcome.seconds, "", 0)
    bench.note_deliveries(scenario, contender.name, outcome)
    unanswered = each * len(clients.lines) - len(outcome.waits)
    bench.sheet.note(scenario, "not acknowledged", contender.name, unanswered, "", 0)


def talk(contender: Contender, clients: LoadClients, each: int, words: str = WORDS) -> Outcome:
    first = contender.numbers(each * len(clients.lines)).start

    def frame_of(index: int, number: int) -> bytes:
        return contender.say(index // 2, number, words)

    return conversations(clients, frame_of, first, each, window=WINDOW)
