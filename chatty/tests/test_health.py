"""Endpoints for monitoring: their timeouts, their responses, and who can read the metrics."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import sqlite3
import threading
import time

import pytest
from django.db import OperationalError, connection

from chatty.ops import failures, health, metrics
from chatty.server.admission import ConcurrencyLimit
from chatty.server.router import Router
from conversations.actions.transactions import database_chat_error

TOKEN = "4f5d0c8e2b7a49d6b1e3f8a07c6d5e4f"


@pytest.fixture(autouse=True)
def nothing_asked_yet(monkeypatch):
    monkeypatch.setattr(health, "_last", (0.0, "down"))
    monkeypatch.setattr(health, "_asking", None)


@pytest.fixture
def database(monkeypatch):
    """database(True | False | "unwritable") sets its state; the list counts the checks."""
    asked = []

    def answers(well):
        def ask():
            asked.append(well)
            return {True: "ok", False: "down"}.get(well, well)

        monkeypatch.setattr(health, "_ask_database", ask)
        return asked

    return answers


@pytest.fixture
def hung_database(monkeypatch):
    """A database that does not respond until the test ends; the list counts waiting threads."""
    monkeypatch.setattr(health, "_PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(health, "_FRESH_SECONDS", 0.0)
    waiting, over = [], threading.Event()

    def ask():
        waiting.append(threading.current_thread())
        over.wait(10)
        return "ok"

    monkeypatch.setattr(health, "_ask_database", ask)
    yield waiting
    over.set()


async def nothing(*_):
    raise AssertionError("this request must not reach Django")


def probe_router(layer="unused", taken=None, http=nothing, trusted=()):
    def collect_metrics():
        if taken is not None:
            taken.append(1)

    probes = health.probes(layer=lambda: layer, collect_metrics=collect_metrics)
    return Router(
        http=http,
        websockets={},
        probes=probes,
        on_startup=nothing,
        on_shutdown=nothing,
        trusted=trusted,
        https=False,
    )


async def ask(endpoint, path, client="127.0.0.1", host="127.0.0.1:8000", **headers):
    """Return (status, headers, body)."""
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    named = {"host": host, **{name.replace("_", "-"): value for name, value in headers.items()}}
    scope = {
        "type": "http",
        "path": path,
        "scheme": "http",
        "client": [client, 5000],
        "headers": [(name.encode(), value.encode()) for name, value in named.items()],
    }
    await endpoint(scope, receive, send)
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]


@pytest.mark.parametrize(
    ("well", "layer", "status", "told"),
    [
        (True, "ok", 200, {"status": "ok", "database": "ok", "layer": "ok"}),
        (True, "unused", 200, {"status": "ok", "database": "ok", "layer": "unused"}),
        (True, "down", 200, {"status": "degraded", "database": "ok", "layer": "down"}),
        (False, "ok", 503, {"status": "unavailable", "database": "down", "layer": "ok"}),
        (
            "unwritable",
            "ok",
            503,
            {"status": "unavailable", "database": "unwritable", "layer": "ok"},
        ),
        (False, "down", 503, {"status": "unavailable", "database": "down", "layer": "down"}),
    ],
)
async def test_readyz_depends_on_the_database(database, well, layer, status, told):
    database(well)
    answered, headers, body = await ask(probe_router(layer), "/readyz")
    assert (answered, json.loads(body)) == (status, told)
    assert headers[b"content-type"] == b"application/json"
    assert headers[b"cache-control"] == b"no-store"


async def test_healthz_does_not_query_the_database(database):
    asked = database(False)
    answered, _headers, body = await ask(probe_router(), "/healthz")
    assert (answered, json.loads(body)) == (200, {"status": "ok"})
    assert len(asked) == 0


async def test_concurrent_probes_share_one_query_per_second(database):
    asked = database(True)
    answers = await asyncio.gather(*(ask(probe_router(), "/readyz") for _ in range(100)))
    assert {status for status, _headers, _body in answers} == {200}
    assert len(asked) == 1


async def test_hung_database_is_reported_down_and_blocks_one_thread(hung_database):
    began = time.monotonic()
    for _ in range(3):
        status, _headers, body = await ask(probe_router(), "/readyz")
        assert (status, json.loads(body)["database"]) == (503, "down")
    assert time.monotonic() - began < 3
    assert len(hung_database) == 1


async def test_probes_bypass_the_concurrency_limit(database):
    database(True)
    full = asyncio.Event()

    async def busy(scope, receive, send):
        full.set()
        await asyncio.Event().wait()

    bound = ConcurrencyLimit(busy, running=1, waiting=0, body_max=100, body_seconds=5)
    front = probe_router(http=bound)
    inside = asyncio.create_task(ask(front, "/"))
    await full.wait()
    refused = metrics.HTTP_REFUSED.labels("busy")
    before = refused._value.get()
    assert metrics.HTTP_INSIDE._value.get() == metrics.HTTP_RUNNING._value.get() == 1
    assert (await ask(front, "/"))[0] == 503
    assert refused._value.get() == before + 1
    for path in ("/healthz", "/readyz", "/metrics"):
        assert (await ask(front, path))[0] == 200
    inside.cancel()
    await asyncio.gather(inside, return_exceptions=True)
    assert metrics.HTTP_INSIDE._value.get() == metrics.HTTP_RUNNING._value.get() == 0


@pytest.mark.parametrize(
    ("client", "host"),
    [
        ("127.0.0.1", "127.0.0.1:8000"),
        ("127.0.0.1", "localhost:8000"),
        ("::1", "[::1]:8000"),
        ("::1", "[::1]"),
        ("::ffff:127.0.0.1", "localhost"),
    ],
)
async def test_metrics_without_a_token_are_readable_from_localhost(client, host):
    taken = []
    status, headers, body = await ask(probe_router(taken=taken), "/metrics", client, host)
    assert status == 200
    assert headers[b"content-type"].startswith(b"text/plain; version=")
    assert b"\n# TYPE chatty_websocket_connections gauge\n" in body
    assert taken == [1]


@pytest.mark.parametrize(
    ("client", "host", "headers"),
    [
        ("203.0.113.9", "127.0.0.1:8000", {}),
        ("10.0.0.2", "127.0.0.1:8000", {}),
        ("", "127.0.0.1:8000", {}),
        ("127.0.0.1", "chat.example.org", {}),
        ("127.0.0.1", "rebound.example.com:8000", {}),
        ("127.0.0.1", "", {}),
        ("127.0.0.1", "127.0.0.1:8000", {"x_forwarded_for": "127.0.0.1"}),
        ("127.0.0.1", "127.0.0.1:8000", {"x_real_ip": "203.0.113.9"}),
        ("127.0.0.1", "127.0.0.1:8000", {"forwarded": "for=203.0.113.9"}),
    ],
)
async def test_metrics_without_a_token_are_not_readable_from_elsewhere(client, host, headers):
    taken = []
    answered, sent, body = await ask(probe_router(taken=taken), "/metrics", client, host, **headers)
    assert (answered, json.loads(body)["code"]) == (401, "unauthenticated")
    assert sent[b"www-authenticate"] == b"Bearer"
    assert b"chatty_" not in body
    assert taken == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PUBLIC_URL", "https://chat.example.org"),
        ("TRUSTED_PROXIES", [ipaddress.ip_network("127.0.0.1")]),
    ],
)
async def test_metrics_behind_a_proxy_require_a_token(settings, name, value):
    setattr(settings, name, value)
    trusted = value if name == "TRUSTED_PROXIES" else ()
    front = probe_router(trusted=trusted)
    assert (await ask(front, "/metrics"))[0] == 401
    # A client that claims through the proxy to be local.
    assert (await ask(front, "/metrics", x_forwarded_for="127.0.0.1"))[0] == 401
    settings.METRICS_TOKEN = TOKEN
    shown = {"authorization": f"Bearer {TOKEN}", "x_forwarded_for": "203.0.113.9"}
    assert (await ask(front, "/metrics", host="chat.example.org", **shown))[0] == 200


@pytest.mark.parametrize(
    "shown",
    ["", TOKEN, "Bearer", "Bearer ", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", "Bearer é"],
)
async def test_metrics_token_is_required_of_everyone_once_set(settings, shown):
    settings.METRICS_TOKEN = TOKEN
    headers = {"authorization": shown} if shown else {}
    status, _headers, body = await ask(probe_router(), "/metrics", **headers)
    assert status == 401
    assert TOKEN.encode() not in body
    right = {"authorization": f"Bearer {TOKEN}"}
    assert (await ask(probe_router(), "/metrics", "203.0.113.9", "x", **right))[0] == 200


# --- an unwritable database -------------------------------------------------------------------------


@pytest.fixture
def full_database(db, monkeypatch):
    """full_database() makes the database reject writes; full_database(False) ends that."""
    monkeypatch.setattr(failures, "_unwritable_at", None)
    monkeypatch.setattr(failures, "_reported_at", {})
    monkeypatch.setattr(health, "_written", -100.0)
    monkeypatch.setattr(health, "_WRITE_SECONDS", 0.0)
    full = False

    def refuse_writes(execute, sql, params, many, context):
        if full and sql.startswith("UPDATE"):
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorname = "SQLITE_FULL"
            raise OperationalError(*error.args) from error
        return execute(sql, params, many, context)

    def fill(now=True):
        nonlocal full
        full = now

    monkeypatch.setattr(connection, "close", lambda: None)
    with connection.execute_wrapper(refuse_writes):
        yield fill


def test_unwritable_database_is_reported_and_the_cause_is_logged(full_database, caplog):
    assert health._ask_database() == "ok"
    full_database()
    assert health._ask_database() == "unwritable"
    assert health._ask_database() == "unwritable"
    sentence = [
        record.getMessage() for record in caplog.records if record.name == "chatty.database"
    ]
    assert len(sentence) == 1
    assert "The database cannot be written: The disk is full" in sentence[0]
    full_database(False)
    assert health._ask_database() == "ok"


def test_failed_write_is_remembered_as_unwritable(full_database, monkeypatch):
    monkeypatch.setattr(health, "_WRITE_SECONDS", 60.0)
    cause = sqlite3.OperationalError("database or disk is full")
    cause.sqlite_errorname = "SQLITE_FULL"
    error = OperationalError("database or disk is full")
    error.__cause__ = cause
    chat_error = database_chat_error(error)
    assert chat_error.code == "unavailable"
    assert "disk is full or read-only" in chat_error.detail
    assert health._ask_database() == "unwritable"
