"""/healthz for probes and balancers: 200 while this process can reach its database, else 503.

Answered before Django, so that it needs no allowed host, no thread in line and no session. Redis is
not asked: without it Chatty is slower, not ill.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from asgiref.sync import sync_to_async
from django.db import DatabaseError, connection

PATH = "/healthz"
_FRESH_SECONDS = 1.0  # strangers may ask as often as they like: the database is asked once a second
_PATIENCE_SECONDS = 3.0

_last: tuple[float, bool] = (0.0, False)


async def answer(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[Any]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    well = await is_well()
    body = json.dumps({"status": "ok" if well else "unavailable"}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": 200 if well else 503, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def is_well() -> bool:
    global _last
    asked, well = _last
    if time.monotonic() - asked < _FRESH_SECONDS and asked:
        return well
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            well = await sync_to_async(_database_answers, thread_sensitive=False)()
    except TimeoutError:
        well = False
    _last = (time.monotonic(), well)
    return well


def _database_answers() -> bool:
    """Runs in a thread of its own: closes the connection it opened there."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            return bool(cursor.fetchone() == (1,))
    except DatabaseError:
        return False
    finally:
        connection.close()
