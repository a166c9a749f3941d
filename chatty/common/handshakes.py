"""Rejecting WebSockets before they are accepted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from chatty.common.errors import ChatError

FRAME_EXTENSION = "chatty.frame"  # offered by chatty/server/uvicorn_protocols.py


async def refuse_handshake(
    scope: Mapping[str, Any],
    send: Callable[[dict[str, Any]], Awaitable[None]],
    error: ChatError,
) -> None:
    """Respond with the status of the error and its sentence. Other servers send an empty 403."""
    extension = scope.get("extensions", {}).get(FRAME_EXTENSION)
    if extension:
        extension["refuse"](error.status, error.detail)
    else:
        await send({"type": "websocket.close"})
