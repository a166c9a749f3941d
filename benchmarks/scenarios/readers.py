"""What readers of the change feed cost: durable sends without any, with one that does nothing, and with the
search index, until all have caught up."""

from __future__ import annotations

import time
from contextlib import ExitStack

import psycopg

from benchmarks.bench import MICRO, MILLI, Bench
from benchmarks.client import LoadClients, LoadError
from benchmarks.contenders import Chatty
from benchmarks.measure import percentile
from benchmarks.scenarios.sends import COST, DATABASE, EACH, PAIRS, talk
from benchmarks.site import Plan
from tests.installations import Installation

SCENARIO = "durable sends with readers"
CATCH_UP = "until all readers have caught up"
P50, P99 = "p50 until sent", "p99 until sent"
_BEHIND = """SELECT count(*) FROM conversations_conversation c LEFT JOIN changefeed_cursor k
    ON k.reader = %s AND k.source = 'conversation' AND k.subject_id = c.id
    WHERE c.id = ANY(%s) AND c.version > 0
    AND (k.id IS NULL OR k.version < c.version OR k.seq < c.last_seq)"""


class WithoutReaders(Chatty):
    name = "without readers"
    readers: tuple[str, ...] = ()

    @property
    def installation(self) -> Installation:
        # Its own, because readers read what others have written, too.
        return self.site.own_installation("readers-" + "-".join(self.readers))

    def start(self, plan: Plan) -> None:
        furnished = self.site.furnish(self.installation, plan)
        self.tokens, self.rooms = furnished["tokens"], furnished["rooms"]
        program = ("-m", "benchmarks.with_readers", ",".join(self.readers) or "none")
        self.server = self.installation.serve(through=program)
        self.catch_up()

    def stop(self) -> None:
        self.server.kill()
        self.installation.servers.remove(self.server)

    def catch_up(self) -> float:
        """Wait until all readers know all messages of the rooms. Return how long that took."""
        start = time.monotonic()
        with psycopg.connect(self.installation.env["DATABASE_URL"]) as connection:
            for reader in self.readers:
                while connection.execute(_BEHIND, [reader, self.rooms]).fetchone() != (0,):
                    connection.rollback()
                    if time.monotonic() - start > 120:
                        raise LoadError(f"The reader {reader} does not catch up.")
                    time.sleep(0.01)
        return time.monotonic() - start


class IdleReader(WithoutReaders):
    name = "a reader that does nothing"
    readers = ("idle",)


class SearchIndex(WithoutReaders):
    name = "the search index"
    readers = ("search",)


def run(bench: Bench) -> None:
    pairs = 3 if bench.quick else PAIRS
    plan = Plan(2 * pairs, [[2 * pair, 2 * pair + 1] for pair in range(pairs)])
    kinds = [WithoutReaders, IdleReader, SearchIndex]
    with ExitStack() as stack:
        contenders = [stack.enter_context(bench.running(kind(bench.site), plan)) for kind in kinds]
        for contender in bench.turns(contenders, SCENARIO):
            assert isinstance(contender, WithoutReaders)
            each = 20 if bench.quick else EACH
            with LoadClients() as clients:
                contender.enter(clients, [(who, who // 2) for who in range(2 * pairs)], at_once=1)
                talk(contender, clients, 10)  # warms up
                contender.catch_up()
                _measure(bench, contender, clients, each)
    for kind in kinds[1:]:
        for what in (COST, DATABASE, P50, P99):
            bench.sheet.note_ratios(SCENARIO, what, kind.name)


def _measure(bench: Bench, contender: WithoutReaders, clients: LoadClients, each: int) -> None:
    sheet, name = bench.sheet, contender.name
    before = contender.cpu_time()
    outcome = talk(contender, clients, each)
    seconds = contender.catch_up()
    spent = contender.cpu_time().since(before).per(max(1, len(outcome.waits)))
    sheet.note(SCENARIO, COST, name, spent.app * MICRO, "µs", 0)
    sheet.note(SCENARIO, DATABASE, name, spent.database * MICRO, "µs", 0)
    sheet.note(SCENARIO, P50, name, percentile(outcome.waits, 0.5) * MILLI, "ms", 1)
    sheet.note(SCENARIO, P99, name, percentile(outcome.waits, 0.99) * MILLI, "ms", 1)
    sheet.note(SCENARIO, CATCH_UP, name, seconds, "s", 2)
    sent = each * len(clients.lines)
    sheet.note(SCENARIO, "not acknowledged", name, sent - len(outcome.waits), "", 0)
