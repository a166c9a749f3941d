"""The cost of the latest page by REST, requested in turns: of plain conversations of different lengths,
and of one with rich messages."""

from __future__ import annotations

import http.client
from contextlib import ExitStack

from benchmarks.bench import MILLI, Bench
from benchmarks.contenders import Chatty
from benchmarks.measure import CpuTime
from benchmarks.site import Plan
from benchmarks.talk import talk_richly

REQUESTS = 200  # per conversation and round
AT_ONCE = 10  # requests to one conversation before the turn of the next
PAGE = 50
MEMBERS = 10
SCENARIO = "history"
SHORT = 1_000
RICH = f"{PAGE} rich messages"


def cpu_for(page: str) -> str:
    return f"CPU for {page}"


def latest_of(length: int) -> str:
    return f"the latest {PAGE} of {length:,}"


def run(bench: Bench) -> None:
    lengths = [SHORT, 2_000 if bench.quick else 100_000]
    if bench.full:
        lengths.append(1_000_000)
    pages = [latest_of(length) for length in lengths] + [RICH]
    plan = Plan(MEMBERS, [list(range(MEMBERS)) for _ in pages], lengths)
    requests = 20 if bench.quick else REQUESTS
    with ExitStack() as stack:
        contenders = [kind(bench.site) for kind in bench.available([Chatty])]
        for chatty in contenders:
            stack.enter_context(bench.running(chatty, plan))
            database = chatty.installation.env["DATABASE_URL"]
            talk_richly(database, chatty.port, chatty.tokens, chatty.rooms[-1], PAGE)
            for room in range(len(pages)):
                _ask(chatty, room, AT_ONCE)
        for chatty in bench.turns(contenders, SCENARIO):
            spent = [CpuTime(0, 0)] * len(pages)
            for _again in range(requests // AT_ONCE):
                for room in range(len(pages)):
                    before = chatty.cpu_time()
                    _ask(chatty, room, AT_ONCE)
                    spent[room] = spent[room].plus(chatty.cpu_time().since(before))
            for page, cost in zip(pages, spent, strict=True):
                each, name = cost.per(requests), chatty.name
                bench.sheet.note(SCENARIO, cpu_for(page), name, each.app * MILLI, "ms", 2)
                what = f"database CPU for {page}"
                bench.sheet.note(SCENARIO, what, name, each.database * MILLI, "ms", 2)
            long = len(lengths) - 1
            what = f"{lengths[long]:,} relative to {SHORT:,}"
            ratio = spent[long].app / spent[0].app
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
