"""A REST client for coroutines. One connection per request, so that a cut one affects one request."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

ANSWER_SECONDS = 10.0


class NoAnswerError(Exception):
    """There was no response, so the outcome of the request is unknown."""


async def call(
    port: int,
    method: str,
    path: str,
    body: Any = None,
    *,
    token: str = "",
    headers: Mapping[str, str] | None = None,
) -> tuple[int, Any]:
    """Return (status, decoded JSON or None) from 127.0.0.1:`port`. A body of bytes is sent as it is. Raises
    NoAnswerError."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            raw = await _exchange(port, _request(method, path, body, token, headers or {}))
        status, content = _parse(raw)
        return status, json.loads(content) if content else None
    except (OSError, TimeoutError, ValueError) as error:
        raise NoAnswerError(f"{method} {path}: {error!r}") from error


async def fetch(port: int, path: str, *, token: str) -> tuple[int, bytes]:
    """Return (status, body) of a GET request. Raises NoAnswerError."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return _parse(await _exchange(port, _request("GET", path, None, token, {})))
    except (OSError, TimeoutError, ValueError) as error:
        raise NoAnswerError(f"GET {path}: {error!r}") from error


def _request(method: str, path: str, body: Any, token: str, headers: Mapping[str, str]) -> bytes:
    content, kind = body, "application/octet-stream"
    if not isinstance(body, bytes):
        content = b"" if body is None else json.dumps(body).encode()
        kind = "application/json"
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Connection: close",
        "Accept: */*",
        *[f"{name}: {value}" for name, value in {"Content-Type": kind, **headers}.items()],
        f"Content-Length: {len(content)}",
    ]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    return "\r\n".join([*lines, "", ""]).encode() + bytes(content)


async def _exchange(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        await writer.drain()
        return await reader.read()
    finally:
        writer.transport.abort()


def _parse(raw: bytes) -> tuple[int, bytes]:
    """Return the status and body of a response. Raises ValueError if it is incomplete."""
    head, separator, content = raw.partition(b"\r\n\r\n")
    if not separator:
        raise ValueError("the answer was cut short")
    status_line, *lines = head.decode("latin-1").split("\r\n")
    told = {name.lower(): value.strip() for name, _, value in (ln.partition(":") for ln in lines)}
    status = int(status_line.split(" ", 2)[1])
    if told.get("transfer-encoding") == "chunked":
        content = _joined(content)
    elif len(content) != int(told.get("content-length", 0)):
        raise ValueError("the answer was cut short")
    return status, content


def _joined(content: bytes) -> bytes:
    pieces: list[bytes] = []
    while True:
        size, separator, content = content.partition(b"\r\n")
        length = int(size, 16)
        if not separator or len(content) < length + 2:
            raise ValueError("the answer was cut short")
        if not length:
            return b"".join(pieces)
        pieces.append(content[:length])
        content = content[length + 2 :]
