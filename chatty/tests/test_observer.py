"""Headers of every HTTP response, and the log of requests."""

from __future__ import annotations

import json
import logging
import re

import pytest
from django.urls import get_resolver

from chatty.common.errors import ChatError
from chatty.ops import logs, metrics
from chatty.ops.health import send_response
from chatty.ops.observer import CLIENT_GONE, SECURITY_HEADERS, route_class
from chatty.server.responses import send_error
from chatty.server.router import Router


async def nothing():
    pass


async def ask(application, path="/", scheme="http"):
    """Return the messages that an application behind the router sends."""
    messages = []

    async def send(message):
        messages.append(message)

    async def receive():
        return {"type": "http.request", "body": b""}

    async def probe(scope, send):
        await send_response(send, 200, "text/plain", b"alive")

    router = Router(
        http=application,
        websockets={},
        probes={"/healthz": probe},
        on_startup=nothing,
        on_shutdown=nothing,
        trusted=[],
        https=False,
    )
    scope = {
        "type": "http", "method": "GET", "path": path, "headers": [], "client": ("192.0.2.1", 1),
        "scheme": scheme, "query_string": b"secret=1",
    }  # fmt: skip
    await router(scope, receive, send)
    return messages


async def refused(scope, receive, send):
    await send_error(scope, send, ChatError("busy", retry_after=2))


async def page(scope, receive, send):
    headers = [(b"Content-Security-Policy", b"own"), (b"x-request-id", b"abc")]
    await send({"type": "http.response.start", "status": 201, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def gone(scope, receive, send):
    pass


@pytest.mark.parametrize(
    ("application", "path"), [(refused, "/"), (refused, "/api/"), (page, "/healthz")]
)
async def test_responses_made_before_django_have_security_headers(application, path):
    headers = dict((await ask(application, path))[0]["headers"])
    assert {name: headers.get(name) for name in SECURITY_HEADERS} == SECURITY_HEADERS
    assert b"strict-transport-security" not in headers


async def test_hsts_is_sent_over_https_only(settings):
    settings.SECURE_HSTS_SECONDS = 60
    headers = dict((await ask(refused, scheme="https"))[0]["headers"])
    assert headers[b"strict-transport-security"] == b"max-age=60"
    assert b"strict-transport-security" not in dict((await ask(refused))[0]["headers"])


async def test_existing_headers_are_kept():
    messages = (await ask(page))[0]["headers"]
    assert [value for name, value in messages if name.lower() == b"content-security-policy"] == [
        b"own"
    ]


def counted(route, status):
    return metrics.HTTP_RESPONSES.labels(route, str(status))._value.get()


async def test_responses_are_counted_by_route_and_status():
    before = [counted("page", 201), counted("api", 503), counted("page", CLIENT_GONE)]
    await ask(page)
    await ask(refused, "/api/me/")
    await ask(gone)
    after = [counted("page", 201), counted("api", 503), counted("page", CLIENT_GONE)]
    assert [b - a for a, b in zip(before, after, strict=True)] == [1, 1, 1]


def test_route_class():
    paths = ("/", "/c/1/", "/api/me/", "/static/x.js", "/admin/", "/metrics", "/wp-login.php")
    assert [route_class(path) for path in paths] == [
        "page", "page", "api", "static", "admin", "probe", "page",
    ]  # fmt: skip


@pytest.fixture
def lines(monkeypatch):
    """lines(form) enables the access log and returns the list of its lines."""
    log = logging.getLogger("chatty.access")

    def opened(form):
        kept = []
        handler = logging.Handler()
        handler.setFormatter(logs.JsonFormatter() if form == "json" else logs.AccessFormatter())
        handler.emit = lambda record: kept.append(handler.format(record))
        monkeypatch.setattr(log, "handlers", [handler])
        log.setLevel(logging.INFO)
        return kept

    yield opened
    log.setLevel(logging.WARNING)


async def test_access_log_line(lines):
    kept = lines("line")
    await ask(page, "/c/7/")
    assert re.fullmatch(
        r"\S+Z INFO chatty\.access GET /c/7/ 201 request=abc address=192\.0\.2\.1 ms=[\d.]+",
        kept[0],
    )


async def test_access_log_as_json(lines):
    kept = lines("json")
    await ask(page, "/c/7/")
    told = json.loads(kept[0])
    assert told.pop("ms") >= 0
    assert told.pop("time")
    assert told == {
        "level": "INFO", "logger": "chatty.access", "message": "GET /c/7/ 201", "method": "GET",
        "path": "/c/7/", "status": 201, "address": "192.0.2.1", "request": "abc",
    }  # fmt: skip


async def test_access_log_omits_queries_and_secrets_and_escapes_line_breaks(lines):
    kept = lines("line")
    await ask(page, "/password/reset/Mg/c0ffee-5ecret/")
    await ask(page, "/x\nforged")
    assert "/password/reset/... 201" in kept[0]
    assert r"/x\nforged" in kept[1]
    assert not [line for line in kept if "secret=" in line or "5ecret" in line or "\n" in line]


def test_every_url_with_a_token_is_a_secret_path():
    patterns = [str(pattern) for pattern in flat(get_resolver().url_patterns)]
    secret = [pattern for pattern in patterns if "token" in re.findall(r":(\w+)>", pattern)]
    assert secret
    for pattern in secret:
        assert ("/" + pattern).startswith(logs.SECRET_PATHS), pattern


def flat(patterns, before=""):
    for pattern in patterns:
        here = before + str(pattern.pattern)
        if hasattr(pattern, "url_patterns"):
            yield from flat(pattern.url_patterns, here)
        else:
            yield here


async def test_access_log_is_off_by_default(caplog):
    await ask(page)
    assert caplog.records == []
