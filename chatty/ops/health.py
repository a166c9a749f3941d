"""Endpoints for monitoring.

/healthz   200 while this process responds. For supervisors that restart it: it does not check the
           database, because a restart would close every socket and fix nothing.
/readyz    200 while the process can read and write its database, else 503. The body says which part
           fails. Without its channel layer Chatty is only slower: "degraded", but still 200.
/metrics   for Prometheus. Requires METRICS_TOKEN; if that is not set, only this machine has access.

They are handled before Django, so they need no allowed host, no place in the queue and no session.
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

_FRESH_SECONDS = 1.0  # anyone can request /readyz, so its result is cached this long
_PATIENCE_SECONDS = 3.0  # for the database to respond
_WRITE_SECONDS = 5.0  # interval of test writes
_JSON = "application/json"

NOTICE_SECONDS = 1.5  # should be well above the interval of a proxy's health checks
_CHECKED_SECONDS = 5.0  # if the last request of /readyz is older, no proxy checks it regularly

_stopping = False
_asked = -_CHECKED_SECONDS  # when /readyz was last requested, by the monotonic clock
_last: tuple[float, str] = (0.0, "down")
_asking: asyncio.Task[str] | None = None
_written = -_WRITE_SECONDS  # when a write last succeeded


async def begin_stopping() -> None:
    """Make /readyz return 503, and wait until proxies have noticed.

    Connections are still accepted during that time. When the listener closes, proxies that check
    their backends no longer send anything here. Returns at once if /readyz is not checked regularly.
    """
    global _stopping
    _stopping = True
    if time.monotonic() - _asked < _CHECKED_SECONDS:
        await asyncio.sleep(NOTICE_SECONDS)


def probes(*, layer: Callable[[], str], collect_metrics: Callable[[], None]) -> dict[str, Probe]:
    """Return the handlers by path.

    `layer` returns the state of the channel layer, `collect_metrics` updates the metrics. Both are
    called in the event loop and must not block.
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
    """Send a response without Django. `more`: additional headers."""
    headers = [
        (b"content-type", kind.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        *more,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


# --- access to the metrics ------------------------------------------------------------------------


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
    """Return whether the request is from this machine, and did not come through a proxy on it.

    Some proxies add no headers that reveal them. So with PUBLIC_URL or TRUSTED_PROXIES a loopback
    address proves nothing. The Host must be a loopback name too: otherwise a website could use DNS
    rebinding to make a browser on this machine send the request.
    """
    if settings.PUBLIC_URL or settings.TRUSTED_PROXIES or scope.get("chatty.proxied"):
        return False
    address = (scope.get("client") or ("",))[0]
    here = address == "::1" or address.startswith(("127.", "::ffff:127."))
    return here and re.sub(r":\d+$", "", host) in settings.LOOPBACK


# --- the database ---------------------------------------------------------------------------------


async def database_state() -> str:
    """Return "ok", "down" or "unwritable". At most a second old; takes at most _PATIENCE_SECONDS."""
    global _last
    asked, state = _last
    if asked and time.monotonic() - asked < _FRESH_SECONDS:
        return state
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return await asyncio.shield(_start_check())
    except TimeoutError:
        _last = (time.monotonic(), "down")
        return "down"


def _start_check() -> asyncio.Task[str]:
    """Return the running check. It is shared, so that a hanging database blocks only one thread."""
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
    """Runs in a worker thread, so it has to close the connection it opened there."""
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
    # A disk that is too full for a large write may still accept the small one of the probe.
    return "unwritable" if failures.was_unwritable(_WRITE_SECONDS) else "ok"
