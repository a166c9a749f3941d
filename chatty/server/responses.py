"""Error responses that are sent without Django."""

from __future__ import annotations

import json
import math

from chatty.common.errors import ChatError
from chatty.ops import metrics
from chatty.ops.health import send_response
from chatty.server.asgi_types import Scope, Send


async def refuse(scope: Scope, send: Send, error: ChatError) -> None:
    """Send an error instead of handling a request, and count that."""
    metrics.HTTP_REFUSED.labels(error.code).inc()
    await send_error(scope, send, error)


async def send_error(
    scope: Scope, send: Send, error: ChatError, *more_headers: tuple[bytes, bytes]
) -> None:
    """Send an error as JSON under /api/, else as text. Closes the connection, as a body may follow."""
    if scope["path"].startswith("/api/"):
        kind, body = "application/json", json.dumps(error.as_dict()).encode()
    else:
        kind, body = "text/plain; charset=utf-8", error.detail.encode()
    headers = [(b"connection", b"close"), *more_headers]
    if error.retry_after is not None:
        headers.append((b"retry-after", str(math.ceil(error.retry_after)).encode()))
    await send_response(send, error.status, kind, body, *headers)
