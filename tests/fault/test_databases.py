"""Databases that hang, disconnect, fill up or are contended: delays, but no losses."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sqlite3
import threading
import time
from pathlib import Path

import psycopg
import pytest

from tests.fault.workload import Workload
from tests.installations import eventually
from tests.sockets import Member, new_key, open_socket, open_sockets

pytestmark = [pytest.mark.servers, pytest.mark.slow]

FAST = {"LIMIT_FRAMES": "100000/s", "LIMIT_REQUESTS": "100000/s", "TICK_SECONDS": "1"}


def cast(server):
    return [Member(server, name).sign_in() for name in ("Alice", "Bob", "Carol")]


def processes_of(postmaster):
    """Return the server and its backends, which are its children."""
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text()
    return [postmaster, *map(int, children.split())]


@pytest.mark.long
def test_terminated_backends_cause_only_retries(own_installation):
    server = own_installation.serve(**FAST)
    workload = Workload(*cast(server))
    workload.start()
    with psycopg.connect(own_installation.postgres.url, autocommit=True) as connection:
        for share in (0.2, 0.5, 0.8):
            workload.wait_until_said(share)
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
    workload.assert_nothing_lost_nothing_twice()
    assert [speaker.calls for speaker in workload.speakers] == [1] * 20
    assert {code for each in workload.speakers for code in each.retries} <= {"unavailable"}


@pytest.mark.long
def test_hung_database_delays_messages_but_keeps_sockets(own_installation):
    server = own_installation.serve(**FAST)
    workload = Workload(*cast(server), each=10)
    with contextlib.closing(open_socket(workload.alice.again())) as quiet:
        workload.start()
        workload.wait_until_said(0.3)
        hung = processes_of(own_installation.postgres.pid)
        for pid in hung:
            os.kill(pid, signal.SIGSTOP)
        try:
            for _ in range(10):
                began = time.monotonic()
                assert quiet.is_open()
                assert workload.alice.call("GET", "/healthz")[0] == 200
                assert time.monotonic() - began < 1
                time.sleep(0.2)
        finally:
            for pid in hung:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
        workload.assert_nothing_lost_nothing_twice()


@pytest.mark.long
def test_slow_queries_are_rejected_and_sockets_stay_open(production_installation):
    # Of 16 requests one address can have 12 in progress, of which one sign-in can have one.
    server = production_installation.serve(
        **FAST, DATABASE_POOL="12", HTTP_RUNNING="16", STATEMENT_SECONDS="1"
    )
    alice, bob, _carol = cast(server)
    tea = alice.create_conversation(bob)
    alice.post_message(tea, "before")
    devices = [alice.again() for _ in range(15)]
    answers = []

    def read(device):
        answers.append(device.call("GET", f"/api/conversations/{tea}/messages/"))

    readers = [threading.Thread(target=read, args=(device,)) for device in devices * 2]
    with (
        open_sockets() as call,
        psycopg.connect(production_installation.env["DATABASE_URL"]) as holder,
    ):
        his = call(bob)
        holder.execute("LOCK TABLE conversations_message IN ACCESS EXCLUSIVE MODE")
        began = time.monotonic()
        for reader in readers:
            reader.start()
        for _ in range(5):
            asked = time.monotonic()
            assert his.is_open()
            assert time.monotonic() - asked < 1
        for reader in readers:
            reader.join(30)
        assert time.monotonic() - began < 15
        assert {(status, answer["code"]) for status, answer in answers} == {(503, "unavailable")}
        holder.rollback()
        alice.post_message(tea, "after")
        his.expect_message(tea, "after")


@pytest.mark.long
def test_sqlite_handles_many_writers_and_a_backup(installation, tmp_path):
    server = installation.serve(**FAST)
    workload = Workload(*cast(server))
    waits: list[float] = []
    done = threading.Event()

    def post(person):
        while not done.is_set():
            began = time.monotonic()
            person.post_message(workload.conversation, "by REST")
            waits.append(time.monotonic() - began)

    def back_up():
        while not done.is_set():
            with (
                contextlib.closing(sqlite3.connect(installation.home / "chatty.db")) as source,
                contextlib.closing(sqlite3.connect(tmp_path / "copy.db")) as copy,
            ):
                source.backup(copy, pages=64, sleep=0.01)

    writers = [threading.Thread(target=post, args=(workload.alice,)) for _ in range(6)]
    threads = [*writers, threading.Thread(target=back_up)]
    workload.start()
    for thread in threads:
        thread.start()
    workload.wait_until_said(1)
    done.set()
    for thread in threads:
        thread.join(30)
    assert [speaker.refused + speaker.retries for speaker in workload.speakers] == [[]] * 20
    assert len(waits) > 20
    assert sorted(waits)[int(len(waits) * 0.99)] < 2
    with contextlib.closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert "locked" not in server.output()


@pytest.mark.parametrize("times", [3, pytest.param(100, marks=pytest.mark.long)])
def test_sqlite_stays_intact_when_killed_while_writing(times, installation):
    server = installation.serve(**FAST)
    alice, bob, _carol = cast(server)
    tea = alice.create_conversation(bob)
    stored: set[str] = set()
    for number in range(times):
        with contextlib.closing(open_socket(alice)) as hers:
            for _ in range(40):
                hers.send(tea, "w" * 500, new_key())
            # In the middle of the writes, at a different point each time.
            stored.update(hers.take("sent")["key"] for _ in range(1 + number % 20))
            server.kill()
        with contextlib.closing(sqlite3.connect(installation.home / "chatty.db")) as file:
            assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            keys = {key for (key,) in file.execute("SELECT key FROM conversations_message")}
        assert stored <= keys
        server.start()
    rows = alice.read_messages(tea)
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))


def test_full_disk_delays_messages_but_not_reading(installation):
    server = installation.serve(**FAST)
    alice, bob, _carol = cast(server)
    tea = alice.create_conversation(bob)
    alice.post_message(tea, "before")
    with open_sockets() as call:
        hers, his = call(alice), call(bob)
        # No file of the server can grow beyond the current size of the WAL.
        size = (installation.home / "chatty.db-wal").stat().st_size
        before = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size, -1))
        keys = []
        while not keys:
            key = hers.send(tea, "w" * 3_000)
            answer = hers.take_if(key, lambda frame, key=key: frame.get("key") == key)
            if answer["type"] == "error":
                assert (answer["code"], answer["retry"]) == ("unavailable", True)
                keys.append(key)
        path = f"/api/conversations/{tea}/messages/"
        status, error = alice.call("POST", path, {"key": new_key(), "body": "w" * 3_000})
        assert (status, error["code"]) == (503, "unavailable")
        assert alice.read_messages(tea)[-1]["body"]
        assert his.is_open()
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, before)
        eventually(lambda: alice.call("POST", path, {"key": new_key(), "body": "x"})[0] == 201)
        assert hers.send_and_wait(tea, "w" * 3_000, keys[0])["seq"]
    rows = alice.read_messages(tea)
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    assert [row["key"] for row in rows].count(keys[0]) == 1
