"""What it costs to upload and download files, and how sends fare beside many uploads."""

from __future__ import annotations

import multiprocessing
import threading
import time
import uuid
from http.client import HTTPConnection
from multiprocessing.connection import Connection

from benchmarks.bench import MILLI, Bench
from benchmarks.client import LoadClients
from benchmarks.contenders import Chatty
from benchmarks.measure import CpuTime, Memory, percentile
from benchmarks.rest import call
from benchmarks.scenarios import sends
from benchmarks.site import Plan

SCENARIO = "files"
UPLOAD, DOWNLOAD = "CPU for an upload, per MB", "CPU for a download, per MB"
MEMORY = "memory beyond that before, at most"
BESIDE = "p99 of a send beside uploads, relative to without"
MEGABYTE = 1024 * 1024
SIZE = 96 * MEGABYTE
UPLOADERS = 50
EACH = 300  # messages of each sender, with and without uploads


def run(bench: Bench) -> None:
    pairs = 3 if bench.quick else sends.PAIRS
    uploaders = 3 if bench.quick else UPLOADERS
    size = (8 * MEGABYTE) if bench.quick else SIZE
    first = 2 * pairs
    rooms = [*([2 * pair, 2 * pair + 1] for pair in range(pairs)), [first]]
    plan = Plan(first + uploaders, rooms)
    contenders = [kind(bench.site) for kind in bench.available([Chatty])]
    for chatty in bench.turns(contenders, SCENARIO):
        with bench.running(chatty, plan), LoadClients() as clients:
            _carry(bench, chatty, first, size)
            chatty.enter(clients, [(who, who // 2) for who in range(first)], at_once=1)
            messages = 20 if bench.quick else EACH
            sends.talk(chatty, clients, 10)  # warms up
            alone = percentile(sends.talk(chatty, clients, messages).waits, 0.99)
            ours, theirs = multiprocessing.Pipe()
            tokens = chatty.tokens[first : first + uploaders]
            uploading = multiprocessing.get_context("spawn").Process(
                target=upload_again_and_again, args=(chatty.port, tokens, theirs)
            )
            uploading.start()
            ours.recv()
            beside = percentile(sends.talk(chatty, clients, messages).waits, 0.99)
            ours.send("enough")
            megabytes: int = ours.recv()
            uploading.join()
        note = bench.sheet.note
        note(SCENARIO, "p99 of a send", chatty.name, alone * MILLI, "ms")
        note(SCENARIO, "p99 of a send beside uploads", chatty.name, beside * MILLI, "ms")
        note(SCENARIO, BESIDE, chatty.name, beside / alone, "times", 2)
        note(SCENARIO, "uploaded meanwhile", chatty.name, megabytes, "MB", 0)


def _carry(bench: Bench, chatty: Chatty, who: int, size: int) -> None:
    """Upload a file and download it, and note the costs."""
    line = HTTPConnection("127.0.0.1", chatty.port, timeout=60)
    token = chatty.tokens[who]
    upload(line, token, 2 * MEGABYTE)  # warms up
    note = bench.sheet.note
    memory = Memory(chatty.pid)
    began = chatty.cpu_time()
    made = upload(line, token, size)
    spent = chatty.cpu_time().since(began)
    _note_cost(bench, chatty, UPLOAD, spent, size)
    message = call(
        line,
        token,
        "POST",
        f"/api/conversations/{chatty.rooms[-1]}/messages/",
        {"key": uuid.uuid4().hex, "body": "", "files": [{"upload": made}]},
    )
    began = chatty.cpu_time()
    line.request("GET", message["files"][0]["url"], headers={"Authorization": f"Bearer {token}"})
    answer, left = line.getresponse(), size
    while piece := answer.read(MEGABYTE):
        left -= len(piece)
    if answer.status != 200 or left:
        raise RuntimeError(f"The file was not sent whole: status {answer.status}, {left} missing")
    _note_cost(bench, chatty, DOWNLOAD, chatty.cpu_time().since(began), size)
    note(SCENARIO, MEMORY, chatty.name, memory.grown / MEGABYTE, "MB", 1)
    line.close()


def _note_cost(bench: Bench, chatty: Chatty, what: str, spent: CpuTime, size: int) -> None:
    cost = spent.per(size / MEGABYTE)
    bench.sheet.note(SCENARIO, what, chatty.name, cost.app * MILLI, "ms", 2)


def upload(line: HTTPConnection, token: str, size: int) -> str:
    """Upload a file of zeros in pieces, and return its id."""
    body = {"key": uuid.uuid4().hex, "name": "load.bin", "size": size}
    made = str(call(line, token, "POST", "/api/uploads/", body)["id"])
    offset = 0
    while offset < size:
        piece = bytes(min(MEGABYTE, size - offset))
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/octet-stream",
            "Upload-Offset": str(offset),
        }
        line.request("PATCH", f"/api/uploads/{made}/", piece, headers)
        answer = line.getresponse()
        answer.read()
        if answer.status == 204:
            offset += len(piece)
        elif answer.status in (429, 503):
            time.sleep(float(answer.headers.get("Retry-After", 0.1)))
        else:
            raise RuntimeError(f"A piece got the status {answer.status}")
    return made


def upload_again_and_again(port: int, tokens: list[str], pipe: Connection) -> None:
    """Upload as each of these people, all at once, until stopped. Sends the number of megabytes."""
    ends = threading.Event()
    done: list[int] = []

    def go_on(token: str) -> None:
        line = HTTPConnection("127.0.0.1", port, timeout=60)
        while not ends.is_set():
            upload(line, token, 2 * MEGABYTE)
            done.append(2)

    threads = [threading.Thread(target=go_on, args=(token,), daemon=True) for token in tokens]
    for thread in threads:
        thread.start()
    pipe.send("ready")
    pipe.recv()
    ends.set()
    for thread in threads:
        thread.join(60)
    pipe.send(sum(done))
