"""One person sends with four messages in flight, as people do: the cost of small transactions.

With so few, only about two messages share a transaction, unlike in `fanout` and `sends`.
"""

from __future__ import annotations

from contextlib import ExitStack

from benchmarks.bench import MICRO, MILLI, Bench
from benchmarks.client import LoadClients
from benchmarks.contenders import BareSend, Chatty, Contender, SocketIO
from benchmarks.scenarios import fanout

WINDOW = 4
MESSAGES = {10: 1_000, 200: 400}  # members of the room: messages per round
PER_MESSAGE = "CPU per message"
PER_DELIVERY = "CPU per delivery"
DATABASE = "database CPU per message"
UNTIL_ALL = "until all have it"


def scenario_of(members: int) -> str:
    return f"room of {members}, {WINDOW} in flight"


def run(bench: Bench) -> None:
    for members, count in MESSAGES.items():
        _one_size(bench, members, 20 if bench.quick else count)


def _one_size(bench: Bench, members: int, count: int) -> None:
    scenario = scenario_of(members)
    with ExitStack() as stack:
        kinds = bench.available([Chatty, BareSend, SocketIO])
        contenders = fanout.started(bench, stack, kinds, members)
        for contender in bench.turns(contenders, scenario):
            with LoadClients() as clients:
                contender.enter(clients, [(person, 0) for person in range(members)])
                fanout.deliver(contender, clients, count // 4 + 1, WINDOW)  # warms up
                _measure(bench, scenario, contender, clients, count)
    for what in (PER_DELIVERY, DATABASE):
        bench.sheet.note_ratios(scenario, what, Chatty.name)


def _measure(
    bench: Bench, scenario: str, contender: Contender, clients: LoadClients, count: int
) -> None:
    before = contender.cpu_time()
    outcome = fanout.deliver(contender, clients, count, WINDOW)
    spent = contender.cpu_time().since(before)
    cost = spent.per(count)
    sheet, name = bench.sheet, contender.name
    sheet.note(scenario, PER_MESSAGE, name, cost.app * MILLI, "ms", 3)
    each = spent.app / max(1, outcome.deliveries) * MICRO
    sheet.note(scenario, PER_DELIVERY, name, each, "µs", 2)
    if contender.stores:
        sheet.note(scenario, DATABASE, name, cost.database * MILLI, "ms", 3)
        bench.note_waits(scenario, "until sent", name, outcome.answers)
    bench.note_waits(scenario, UNTIL_ALL, name, outcome.waits)
    bench.note_faults(scenario, name, outcome.faults)
    if contender.stores:
        sheet.note(scenario, "not acknowledged", name, count - len(outcome.answers), "", 0)
