"""What machines ask: is it alive, is it ready, how is it doing.

/healthz   200 while this process answers at all. For whoever restarts what is ill: a database that is
           away is not mended by ending every socket.
/readyz    200 while it can read and write its database, else 503, and which part is wanting. Without
           its channel layer Chatty is slower, not ill: that is told, and is still 200.
/metrics   numbers for Prometheus: to whoever shows METRICS_TOKEN; while there is none, on this machine.

Answered before Django, so that they need no allowed host, no place in line and no session.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import re
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import DatabaseError, connection

from chatty.common.errors import ChatError
from chatty.ops import databases, failures, metrics

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Probe = Callable[[Mapping[str, Any], Send], Awaitable[None]]

_FRESH_SECONDS = 1.0  # strangers may ask as often as they like: the database is asked once a second
_PATIENCE_SECONDS = 3.0
_WRITE_SECONDS = 5.0  # how often a small write is tried
_JSON = "application/json"

NOTICE_SECONDS = 1.5  # a proxy's interval between checks should be well below
_CHECKED_SECONDS = 5.0  # whoever asked /readyz longer ago than this does not ask regularly

_stopping = False
_asked = -_CHECKED_SECONDS  # when somebody last asked /readyz, by the monotonic clock
_last: tuple[float, str] = (0.0, "down")
_asking: asyncio.Task[str] | None = None
_written = -_WRITE_SECONDS  # when a write last succeeded


async def begin_stopping() -> None:
    """From now on /readyz answers 503. Returns once those who ask regularly will have noticed.

    Until then the process goes on accepting connections: a proxy that checks its processes sends
    nothing to this one any more when its listener closes.
    """
    global _stopping
    _stopping = True
    if time.monotonic() - _asked < _CHECKED_SECONDS:
        await asyncio.sleep(NOTICE_SECONDS)


def probes(*, layer: Callable[[], str], collect_metrics: Callable[[], None]) -> dict[str, Probe]:
    """Return what answers at which path.

    `layer`: says how the channel layer does; `collect_metrics`: brings the numbers up to date. Both are
    called in the event loop and must return at once.
    """

    async def ready(scope: Mapping[str, Any], send: Send) -> None:
        global _asked
        _asked = time.monotonic()
        state, heard = await database_state(), layer()
        well = state == "ok"
        status = "unavailable" if not well else "degraded" if heard == "down" else "ok"
        if _stopping:
            status = "stopping"
        told = {"status": status, "database": state, "layer": heard}
        await send_response(
            send, 200 if well and not _stopping else 503, _JSON, json.dumps(told).encode()
        )

    async def numbers(scope: Mapping[str, Any], send: Send) -> None:
        error = _access_error(scope)
        if error is not None:
            body = json.dumps(error.as_dict()).encode()
            await send_response(send, error.status, _JSON, body, (b"www-authenticate", b"Bearer"))
            return
        collect_metrics()
        text = await sync_to_async(metrics.text, thread_sensitive=False)()
        await send_response(send, 200, metrics.CONTENT_TYPE, text)

    return {"/healthz": _alive, "/readyz": ready, "/metrics": numbers}


async def _alive(scope: Mapping[str, Any], send: Send) -> None:
    await send_response(send, 200, _JSON, b'{"status": "ok"}')


async def send_response(
    send: Send, status: int, kind: str, body: bytes, *more: tuple[bytes, bytes]
) -> None:
    """Answer a request without Django. `more`: headers beside the usual ones."""
    headers = [
        (b"content-type", kind.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        *more,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


# --- who may see the numbers ----------------------------------------------------------------------


def _access_error(scope: Mapping[str, Any]) -> ChatError | None:
    headers = dict(scope["headers"])
    if settings.METRICS_TOKEN:
        wanted = f"Bearer {settings.METRICS_TOKEN}".encode()
        if hmac.compare_digest(headers.get(b"authorization", b""), wanted):
            return None
        return ChatError("unauthenticated", "Metrics require METRICS_TOKEN as a bearer token.")
    if _is_from_here(scope, headers.get(b"host", b"").decode("latin-1")):
        return None
    return ChatError("unauthenticated", "To read metrics, set METRICS_TOKEN on the server.")


def _is_from_here(scope: Mapping[str, Any], host: str) -> bool:
    """Whether somebody on this machine asks, and none who came through a proxy on it.

    A proxy need not say that it is one: with a public address, or with proxies that are trusted,
    loopback proves nothing. Nor does it when a page of some other site had a browser here ask: such
    a page knows us by its own name.
    """
    if settings.PUBLIC_URL or settings.TRUSTED_PROXIES or scope.get("chatty.proxied"):
        return False
    address = (scope.get("client") or ("",))[0]
    here = address == "::1" or address.startswith(("127.", "::ffff:127."))
    return here and re.sub(r":\d+$", "", host) in settings.LOOPBACK


# --- the database ---------------------------------------------------------------------------------


async def database_state() -> str:
    """Return "ok", "down" or "unwritable": as of a second ago, within _PATIENCE_SECONDS."""
    global _last
    asked, state = _last
    if asked and time.monotonic() - asked < _FRESH_SECONDS:
        return state
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return await asyncio.shield(_question())
    except TimeoutError:
        _last = (time.monotonic(), "down")
        return "down"


def _question() -> asyncio.Task[str]:
    """The question being asked now. One for all: a database that hangs holds one thread, not one
    for each time somebody asks."""
    global _asking
    if _asking is None or _asking.done() or _asking.get_loop() is not asyncio.get_running_loop():
        _asking = asyncio.create_task(_ask())
    return _asking


async def _ask() -> str:
    global _last
    state = await sync_to_async(_ask_database, thread_sensitive=False)()
    _last = (time.monotonic(), state)
    return state


def _ask_database() -> str:
    """Runs in a thread of its own: closes the connection it opened there."""
    global _written
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchone()
        if time.monotonic() - _written >= _WRITE_SECONDS:
            databases.write_probe()
            _written = time.monotonic()
    except DatabaseError as error:
        return "unwritable" if failures.note_unwritable(error) else "down"
    finally:
        connection.close()
    # What is full for a large write may still take the small one of the probe.
    return "unwritable" if failures.was_unwritable(_WRITE_SECONDS) else "ok"
