"""A process that is killed while a reader works: the next one misses nothing, and nothing is done twice."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing

import psycopg
import pytest

from proof import reader
from proof.checker import check_copies, count_unread, read_truth
from tests.fault.failing_reader import MOMENTS, NEVER, arm
from tests.installations import eventually
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


def serve(installation, moment: str):
    with closing(rows_of(installation)) as connection:
        connection.execute("DROP TABLE IF EXISTS proof_copy")
        connection.execute(reader.CREATE_TABLE)
        connection.commit()
    return installation.serve(through=("-m", "tests.fault.failing_reader", moment))


SHORT = {("sqlite", "after-handling"), ("postgres", "after-commit")}


@on_each_database(MOMENTS, short=SHORT)
def test_a_crash_at_any_moment_misses_nothing_and_repeats_nothing(moment, any_installation):
    server = serve(any_installation, moment)
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


@pytest.mark.long
@pytest.mark.parametrize("any_installation", ["sqlite", "postgres"], indirect=True)
def test_deletion_goes_on_after_each_crash(any_installation):
    """Of the messages of a conversation, and of their entries in the search index."""
    server = serve(any_installation, NEVER)
    alice = Member(server, "Alice").sign_in()
    tea, kept = alice.create_conversation(), alice.create_conversation()
    ids = set()
    with closing(open_socket(alice)) as mine:
        for number in range(300):
            ids.add(mine.send_and_wait(tea, f"text {number}")["id"])
        keeps = mine.send_and_wait(kept, "text")["id"]

    def left() -> tuple[int, int]:
        """How many messages and entries of the conversation there are."""
        key = "message_id" if "DATABASE_URL" in any_installation.env else "rowid"
        with closing(rows_of(any_installation)) as connection:
            messages = connection.execute("SELECT id FROM conversations_message").fetchall()
            entries = connection.execute(f"SELECT {key} FROM search_entry").fetchall()
        assert (keeps,) in messages
        return len(ids & {pk for (pk,) in messages}), len(ids & {pk for (pk,) in entries})

    eventually(lambda: left() == (300, 300), 30)
    alice.ask("DELETE", f"/api/conversations/{tea}/")
    states = []
    for pause in (0.1, 0.5, 1.5, 0.3):
        time.sleep(pause)
        server.kill()
        states.append(left())
        server.start()
    assert any(messages or entries for messages, entries in states)  # it was interrupted
    eventually(lambda: left() == (0, 0), 60)
    assert alice.ask("GET", "/api/search/?q=text")["results"][0]["message"]["id"] == keeps
