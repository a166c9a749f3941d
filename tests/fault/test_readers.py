"""A process that is killed while a reader works: the next one misses nothing, and nothing is done twice."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing

import psycopg
import pytest

from proof import reader
from proof.checker import check_copies, count_unread, read_truth
from tests.fault.failing_reader import MOMENTS, arm
from tests.markers import on_each_database
from tests.sockets import Member, open_socket

pytestmark = [pytest.mark.servers, pytest.mark.slow]


def rows_of(installation):
    url = installation.env.get("DATABASE_URL")
    return (
        psycopg.connect(url)
        if url
        else sqlite3.connect(installation.home / "chatty.db", timeout=10)
    )


def wait_until_read(installation, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with closing(rows_of(installation)) as connection:
            if not count_unread(connection):
                return
        time.sleep(0.05)
    raise AssertionError("The reader did not catch up.")


SHORT = {("sqlite", "after-handling"), ("postgres", "after-commit")}


@on_each_database(MOMENTS, short=SHORT)
def test_a_crash_at_any_moment_misses_nothing_and_repeats_nothing(moment, any_installation):
    with closing(rows_of(any_installation)) as connection:
        connection.execute("DROP TABLE IF EXISTS proof_copy")
        connection.execute(reader.CREATE_TABLE)
        connection.commit()
    server = any_installation.serve(through=("-m", "tests.fault.failing_reader", moment))
    alice = Member(server, "Alice").sign_in()
    tea = alice.create_conversation()
    with closing(open_socket(alice)) as mine:
        arm(any_installation.home)
        for number in range(20):
            mine.send(tea, f"text {number}")
        assert server.process.wait(10) == 9
    server.start()
    with closing(open_socket(alice)) as mine:
        mine.send_and_wait(tea, "after")
    wait_until_read(any_installation)
    with closing(rows_of(any_installation)) as connection:
        assert list(check_copies(read_truth(connection))) == []
