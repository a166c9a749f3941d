"""A black hole between server and database: sends fail in time, everything else continues."""

from __future__ import annotations

import contextlib
import http.client
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import pytest

from tests.fault.lines import along, to_postgres
from tests.fault.workload import Workload
from tests.sockets import Member, new_key, open_sockets

pytestmark = [pytest.mark.servers, pytest.mark.slow]

IN_TIME = 10.0  # 3 s for a statement without an answer, and 5 s to get a connection


@pytest.fixture
def line(production_installation):
    with to_postgres(production_installation.env["DATABASE_URL"]) as line:
        yield line


@pytest.fixture
def server(production_installation, line):
    return production_installation.serve(
        DATABASE_URL=along(line, production_installation.env["DATABASE_URL"]),
        HTTP_RUNNING="16",  # of which one address can have 12
        STATEMENT_SECONDS="1",
        TICK_SECONDS="1",
        LIMIT_FRAMES="100000/s",
        LIMIT_REQUESTS="100000/s",
    )


def posted(server, path, body, headers):
    """Return (status, Retry-After, seconds)."""
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    with contextlib.closing(connection):
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        answer.read()
    return answer.status, answer.headers["Retry-After"], time.monotonic() - began


def by_form(person, cookie, conversation, body, key):
    secret = next(c for c in cookie.split("; ") if c.startswith("chatty-csrf=")).partition("=")[2]
    form = {"key": key, "body": body, "csrfmiddlewaretoken": secret}
    headers = {
        "Cookie": cookie,
        "Content-Type": "application/x-www-form-urlencoded",
        "Origin": person.server.url,
    }
    return posted(person.server, f"/c/{conversation}/messages/", urlencode(form), headers)


def by_rest(person, conversation, body, key):
    headers = {
        "Authorization": f"Bearer {person.token}",
        "Content-Type": "application/json",
    }
    output = f'{{"key":"{key}","body":"{body}"}}'
    return posted(person.server, f"/api/conversations/{conversation}/messages/", output, headers)


def beat(person, client):
    """Return the seconds until the health check and a socket have responded."""
    began = time.monotonic()
    assert person.call("GET", "/healthz")[0] == 200
    assert client.is_open()
    took = time.monotonic() - began
    time.sleep(0.1)
    return took


@pytest.mark.parametrize("seconds", [0, pytest.param(60, marks=pytest.mark.long)])
def test_black_hole_to_the_database_causes_only_retries(seconds, server, line):
    people = [Member(server, name).sign_in() for name in ("Alice", "Bob", "Carol")]
    alice, bob, carol = people
    tea = alice.create_conversation(bob, carol)
    # By form and by API, each from its own device, because a device can have one request at a time.
    devices = [device for person in people for device in (person, person.again())]
    ways_of = [(device, cookie) for device in devices for cookie in (device.cookie(), "")]
    workload = Workload(*people, each=10)
    with open_sockets() as call, ThreadPoolExecutor(12) as pool:
        hers, his = call(alice), call(bob)
        ways = {f"way {number}": new_key() for number in range(12)}
        beats: list[float] = []
        workload.start()
        workload.wait_until_said(0.3)
        line.hold_up()
        began = time.monotonic()
        mine = hers.send(tea, "by socket")
        asked = [
            pool.submit(by_form, person, cookie, tea, body, key)
            if cookie
            else pool.submit(by_rest, person, tea, body, key)
            for (person, cookie), (body, key) in zip(ways_of, ways.items(), strict=True)
        ]
        while not all(answer.done() for answer in asked):
            beats.append(beat(alice, his))
            assert time.monotonic() - began < IN_TIME
        error = hers.take("error", seconds=began + IN_TIME - time.monotonic(), key=mine)
        while time.monotonic() - began < seconds:
            beats.append(beat(alice, his))
        assert max(beats) < 1
        assert statistics.median(beats) < 0.1
        assert (error["code"], error["retry"]) == ("unavailable", True)
        assert {answer.result()[0] for answer in asked} == {503}
        assert {answer.result()[1] for answer in asked} <= {"1", "2"}
        assert max(answer.result()[2] for answer in asked) < IN_TIME

        line.flow()
        workload.assert_nothing_lost_nothing_twice()
        assert [speaker.calls for speaker in workload.speakers] == [1] * 20
        assert workload.follower.calls == 1
        codes = {code for speaker in workload.speakers for code in speaker.retries}
        assert "unavailable" in codes
        assert codes <= {"unavailable", "busy"}
        hers.send_and_wait(tea, "by socket", mine)
        for (person, _), (body, key) in zip(ways_of, ways.items(), strict=True):
            person.post_message(tea, body, key)
        his.expect_body(tea, "by socket")
    rows = alice.read_messages(tea)
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    assert sorted(row["key"] for row in rows if row["key"]) == sorted([mine, *ways.values()])
