"""Each request runs in one thread of a pool, in a context of its own."""

from __future__ import annotations

import asyncio
import threading

import pytest
from django.core.signals import request_finished
from django.http import HttpResponse
from django.utils import translation

from chatty.server.request_handler import SPARE_THREADS, ThreadedHandler

pytestmark = pytest.mark.django_db(transaction=True)


def scope(path="/", **headers):
    given = [
        (name.encode(), value.encode()) for name, value in {"host": "localhost", **headers}.items()
    ]
    return {
        "type": "http",
        "method": "GET",
        "path": path,
        "query_string": b"",
        "headers": given,
        "client": ("192.0.2.1", 5),
        "server": ("localhost", 80),
        "scheme": "http",
        "http_version": "1.1",
    }


async def ask(handler, path="/", body=b"", **headers):
    sent = []
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive():
        return messages.pop()

    async def send(message):
        sent.append(message)

    await handler(scope(path, **headers), receive, send)
    return sent


async def test_response_of_the_application_is_sent():
    start, body = await ask(ThreadedHandler(1), "/api/nothing/")
    assert (start["type"], start["status"]) == ("http.response.start", 404)
    assert b'"not_found"' in body["body"]
    assert not body["more_body"]


async def test_client_that_disconnects_before_the_end_is_ignored():
    handler = ThreadedHandler(1)

    async def receive():
        return {"type": "http.disconnect"}

    async def send(message):
        raise AssertionError(message)

    await handler(scope(), receive, send)


async def test_as_many_requests_run_at_once_as_there_are_threads(monkeypatch):
    handler = ThreadedHandler(2)
    threads = 2 + SPARE_THREADS
    together = threading.Barrier(threads, timeout=10)

    def respond(request):
        together.wait()
        return HttpResponse(threading.current_thread().name)

    monkeypatch.setattr(handler, "get_response", respond)
    answers = await asyncio.gather(*[ask(handler) for _ in range(threads)])
    assert len({body["body"] for _start, body in answers}) == threads


async def test_language_of_a_request_ends_with_it(monkeypatch):
    handler = ThreadedHandler(1)
    seen = []

    def respond(request):
        seen.append(translation.get_language())
        translation.activate("de")
        return HttpResponse()

    monkeypatch.setattr(handler, "get_response", respond)
    for _ in range(2 + SPARE_THREADS):
        await ask(handler)
    assert set(seen) == {translation.get_language()} != {"de"}


async def test_request_is_finished_before_the_response_is_sent(monkeypatch):
    """A client that reads slowly holds no database connection."""
    handler, order = ThreadedHandler(1), []
    monkeypatch.setattr(handler, "get_response", lambda request: HttpResponse())

    def note(**kwargs):
        order.append("finished")

    request_finished.connect(note)
    try:
        order += [message["type"] for message in await ask(handler)]
    finally:
        request_finished.disconnect(note)
    assert order == ["finished", "http.response.start", "http.response.body"]


async def test_large_response_is_sent_in_chunks(monkeypatch):
    handler = ThreadedHandler(1)
    monkeypatch.setattr(handler, "get_response", lambda request: HttpResponse(b"a" * 200_000))
    _start, *bodies = await ask(handler)
    assert b"".join(each["body"] for each in bodies) == b"a" * 200_000
    assert [each["more_body"] for each in bodies] == [True, True, True, False]
