"""The cost for one process of checking 10,000 silent conversations for missed events."""

from __future__ import annotations

import time

from benchmarks.bench import Bench
from benchmarks.client import LoadClients
from benchmarks.contenders import Chatty
from benchmarks.measure import cpu_seconds
from benchmarks.site import Plan

PEOPLE = 10
ROOMS_EACH = 1_000  # the limit for one person
TICK_SECONDS = 5  # the default
TICKS = 4  # per round


def run(bench: Bench) -> None:
    each = 50 if bench.quick else ROOMS_EACH
    scenario = f"{PEOPLE * each:,} idle conversations"
    plan = Plan(PEOPLE, [[person] for person in range(PEOPLE) for _ in range(each)])
    seconds = 2.0 if bench.quick else TICKS * TICK_SECONDS
    contenders = [kind(bench.site) for kind in bench.available([Chatty])]
    for chatty in bench.turns(contenders, scenario):
        with bench.running(chatty, plan), LoadClients() as clients:
            chatty.enter(clients, [(person, 0) for person in range(PEOPLE)])
            time.sleep(0.5 if bench.quick else TICK_SECONDS)  # until all sockets are set up
            before = cpu_seconds(chatty.pid)
            start = time.monotonic()
            while (left := seconds - (time.monotonic() - start)) > 0:
                clients.pump(left)  # answers pings
            share = (cpu_seconds(chatty.pid) - before) / seconds * 100
            bench.sheet.note(
                scenario, "share of one core, including ticks", chatty.name, share, "%", 2
            )
            bench.sheet.note(scenario, "connections closed", chatty.name, clients.closed, "", 0)
