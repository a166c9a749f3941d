"""One client stops reading while 20 MB are sent: the effect on memory and on the other clients."""

from __future__ import annotations

import socket
from functools import partial

from benchmarks.bench import MICRO, Bench
from benchmarks.client import LoadClients
from benchmarks.contenders import Chatty, Contender, SocketIO, UsualChannels
from benchmarks.measure import Memory, cpu_seconds, percentile
from benchmarks.site import Plan
from benchmarks.traffic import Outcome, burst

RECEIVERS = 10
PASSING = 20_000_000  # bytes to each reader, at any pace; less might fit into buffers
WORDS = "word " * 700
WINDOW = 4
SCENARIO = "one recipient stops reading"
_PROBES = 8


def run(bench: Bench) -> None:
    plan = Plan(RECEIVERS + 1, [list(range(RECEIVERS + 1))])
    kinds = bench.available([Chatty, SocketIO, UsualChannels])
    for contender in bench.turns([kind(bench.site) for kind in kinds], SCENARIO):
        with bench.running(contender, plan), LoadClients() as clients:
            contender.enter(clients, [(person, 0) for person in range(RECEIVERS)])
            _pass(contender, clients, _PROBES)
            size = clients.bytes / _PROBES / RECEIVERS
            count = int((200_000 if bench.quick else PASSING) / size)
            _pass(
                contender, clients, count // 2
            )  # so that the memory for normal traffic is not counted
            alone, cost_alone = _measured(contender, clients, count)
            with LoadClients() as sleeping:
                contender.enter(sleeping, [(RECEIVERS, 0)])
                (sleeper,) = sleeping.lines
                sleeper.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                memory = Memory(contender.pid)
                beside, cost_beside = _measured(contender, clients, count)
                grown = memory.grown / 2**20
        name = contender.name
        bench.sheet.note(SCENARIO, "memory grew by", name, grown, "MiB")
        bench.sheet.note(SCENARIO, "CPU per delivery before", name, cost_alone, "µs", 2)
        bench.sheet.note(SCENARIO, "CPU per delivery during", name, cost_beside, "µs", 2)
        slower = percentile(beside.waits, 0.99) / percentile(alone.waits, 0.99)
        bench.sheet.note(SCENARIO, "p99 relative to before", name, slower, "times", 2)
        bench.note_faults(SCENARIO, name, beside.faults)


def _measured(contender: Contender, clients: LoadClients, count: int) -> tuple[Outcome, float]:
    """Return the outcome, and the CPU time per delivery in microseconds."""
    before = cpu_seconds(contender.pid)
    outcome = _pass(contender, clients, count)
    used = cpu_seconds(contender.pid) - before
    return outcome, used / max(1, outcome.deliveries) * MICRO


def _pass(contender: Contender, clients: LoadClients, count: int) -> Outcome:
    frame_of = partial(contender.say, 0, words=WORDS)
    return burst(clients, frame_of, contender.numbers(count), window=WINDOW)
