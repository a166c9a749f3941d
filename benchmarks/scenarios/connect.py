"""Two thousand sockets connect at once and stay idle: the cost of connecting and of idle sockets."""

from __future__ import annotations

import time

from benchmarks.bench import MILLI, Bench
from benchmarks.client import LoadClients
from benchmarks.contenders import Chatty, SocketIO, UsualChannels
from benchmarks.measure import resident_bytes
from benchmarks.site import Plan

SOCKETS = 2_000
WARMING = 50  # sockets opened before, so that one-time costs are not counted
ROOM = 20  # people in each room
SETTLE_SECONDS = 2.0
SCENARIO = "connect storm"
COST = "CPU per connection"
DATABASE = "database CPU per connection"


def run(bench: Bench) -> None:
    sockets = 40 if bench.quick else SOCKETS
    people = sockets + WARMING
    rooms = [list(range(at, min(at + ROOM, people))) for at in range(0, people, ROOM)]
    plan = Plan(people, rooms)
    contenders = [kind(bench.site) for kind in bench.available([Chatty, SocketIO, UsualChannels])]
    for contender in bench.turns(contenders, SCENARIO):
        everybody = [(person, person // ROOM) for person in range(people)]
        # A fresh process each time, because used memory is rarely returned to the system.
        with bench.running(contender, plan), LoadClients() as clients:
            contender.enter(clients, everybody[:WARMING])
            _settle(bench, clients)
            before, memory = contender.cpu_time(), resident_bytes(contender.pid)
            start = time.monotonic()
            contender.enter(clients, everybody[WARMING:])
            seconds = time.monotonic() - start
            cost = contender.cpu_time().since(before).per(sockets)
            _settle(bench, clients)
            kept = (resident_bytes(contender.pid) - memory) / sockets / 1024
            name = contender.name
            bench.sheet.note(SCENARIO, COST, name, cost.app * MILLI, "ms", 2)
            bench.sheet.note(SCENARIO, DATABASE, name, cost.database * MILLI, "ms", 2)
            bench.sheet.note(SCENARIO, "memory per idle connection", name, kept, "KiB", 1)
            bench.sheet.note(SCENARIO, "until all are connected", name, seconds, "s", 2)
            bench.sheet.note(SCENARIO, "connections refused", name, clients.refused, "", 0)
            bench.sheet.note(SCENARIO, "connections closed", name, clients.closed, "", 0)


def _settle(bench: Bench, clients: LoadClients) -> None:
    until = time.monotonic() + (0.2 if bench.quick else SETTLE_SECONDS)
    while (left := until - time.monotonic()) > 0:
        clients.pump(left)
