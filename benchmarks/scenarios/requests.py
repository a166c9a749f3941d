"""How long writing requests take while fifty sockets send as much as they can.

On SQLite, where only one transaction can write at a time, and on PostgreSQL. The requests come from
another process, like a browser's: an edit, a pause of PAUSE_SECONDS, the next edit.
"""

from __future__ import annotations

import multiprocessing
import time
from http.client import HTTPConnection
from multiprocessing.connection import Connection

from benchmarks.bench import MILLI, Bench
from benchmarks.client import LoadClients
from benchmarks.contenders import Chatty, ChattySmall
from benchmarks.measure import percentile
from benchmarks.rest import call
from benchmarks.scenarios import sends
from benchmarks.site import Plan

SCENARIO = "requests while fifty people send"
PAUSE_SECONDS = 0.05
EACH = 1_000  # messages per sender and round, which takes long enough for a hundred requests


def run(bench: Bench) -> None:
    pairs = 3 if bench.quick else sends.PAIRS
    editor = 2 * pairs
    rooms = [*([2 * pair, 2 * pair + 1] for pair in range(pairs)), [editor]]
    plan = Plan(editor + 1, rooms)
    contenders = [kind(bench.site) for kind in bench.available([Chatty, ChattySmall])]
    for contender in bench.turns(contenders, SCENARIO):
        with bench.running(contender, plan), LoadClients() as clients:
            contender.enter(clients, [(who, who // 2) for who in range(editor)], at_once=1)
            sends.talk(contender, clients, 10)  # warms up
            ours, theirs = multiprocessing.Pipe()
            asking = multiprocessing.get_context("spawn").Process(
                target=edit_again_and_again,
                args=(contender.port, contender.tokens[editor], contender.rooms[-1], theirs),
            )
            asking.start()
            ours.recv()  # the first request is done
            outcome = sends.talk(contender, clients, 20 if bench.quick else EACH)
            ours.send("enough")
            waits: list[float] = ours.recv()
            asking.join()
        name, rate = contender.name, len(outcome.waits) / outcome.seconds
        bench.sheet.note(SCENARIO, "sends per second", name, rate, "", 0)
        bench.sheet.note(SCENARIO, "requests", name, len(waits), "", 0)
        for share in (0.5, 0.99):
            what = f"p{share * 100:.0f} of a request"
            bench.sheet.note(SCENARIO, what, name, percentile(waits, share) * MILLI, "ms")


def edit_again_and_again(port: int, token: str, room: int, pipe: Connection) -> None:
    """Edit one message until stopped. Sends the seconds that each edit took."""
    line = HTTPConnection("127.0.0.1", port, timeout=60)
    path = f"/api/conversations/{room}/messages/"
    first = {"key": f"edited-{time.monotonic_ns()}", "body": "First"}
    message = call(line, token, "POST", path, first)
    pipe.send("ready")
    waits = []
    while not pipe.poll(PAUSE_SECONDS):
        began = time.monotonic()
        path = f"/api/messages/{message['id']}/"
        call(line, token, "PATCH", path, {"body": f"Again {began}"})
        waits.append(time.monotonic() - began)
    pipe.recv()
    pipe.send(waits)
