"""The cost of the latest page, for conversations of different lengths, requested in turns."""

from __future__ import annotations

import http.client
from contextlib import ExitStack

from benchmarks.bench import MILLI, Bench
from benchmarks.contenders import Chatty
from benchmarks.measure import cpu_seconds
from benchmarks.site import Plan

REQUESTS = 200  # per length and round
AT_ONCE = 10  # requests to one conversation before the turn of the next
PAGE = 50
SCENARIO = "history"


def run(bench: Bench) -> None:
    lengths = [1_000, 100_000]
    if bench.quick:
        lengths = [200, 2_000]
    elif bench.full:
        lengths.append(1_000_000)
    plan = Plan(2, [[0, 1] for _ in lengths], lengths)
    requests = 20 if bench.quick else REQUESTS
    with ExitStack() as stack:
        contenders = [kind(bench.site) for kind in bench.available([Chatty])]
        for chatty in contenders:
            stack.enter_context(bench.running(chatty, plan))
            _ask(chatty, 0, 20)
        for chatty in bench.turns(contenders, SCENARIO):
            spent = [0.0] * len(lengths)
            for _again in range(requests // AT_ONCE):
                for room in range(len(lengths)):
                    before = cpu_seconds(chatty.pid)
                    _ask(chatty, room, AT_ONCE)
                    spent[room] += cpu_seconds(chatty.pid) - before
            for length, seconds in zip(lengths, spent, strict=True):
                what = f"CPU for the latest {PAGE} of {length:,}"
                cost = seconds / requests * MILLI
                bench.sheet.note(SCENARIO, what, chatty.name, cost, "ms", 2)
            ratio = spent[-1] / spent[0]
            what = f"{lengths[-1]:,} relative to {lengths[0]:,}"
            bench.sheet.note(SCENARIO, what, chatty.name, ratio, "times", 2)


def _ask(chatty: Chatty, room: int, count: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", chatty.port, timeout=30)
    headers = {"Authorization": f"Bearer {chatty.tokens[0]}"}
    path = f"/api/conversations/{chatty.rooms[room]}/messages/?limit={PAGE}"
    for _ in range(count):
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        page = answer.read()
        if answer.status != 200 or page.count(b'"seq"') < PAGE:
            raise RuntimeError(f"{path} answered {answer.status}: {page[:200]!r}")
    connection.close()
