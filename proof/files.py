"""Files of messages: uploaded in pieces through whatever fails, and compared at the end."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from proof import rest
from proof.history import Finding, History

_SIZES = (1, 40_000)  # bytes of a file
_PIECE = 8_192
_TRIES = 40  # of one request, before the upload is given up


@dataclass(frozen=True)
class SentFile:
    upload: str
    name: str
    data: bytes


async def upload(port: Any, key: str, token: str, rng: random.Random) -> SentFile | None:
    """Upload a file. `port`: returns the port for a request. Returns None if it was given up.

    After each request without a response, it asks how far the upload is, or sends the same piece again.
    """
    data = rng.randbytes(rng.randint(*_SIZES))
    body = {"key": key, "name": f"{key}.bin", "size": len(data)}
    made = await _persist(port, "POST", "/api/uploads/", body, token, rng)
    if made is None or "id" not in made:
        return None
    path, offset, done = f"/api/uploads/{made['id']}/", made["offset"], False
    # An empty piece at the end: the server may have been killed while it examined the file.
    while not done:
        piece = data[offset : offset + _PIECE]
        headers = {"Upload-Offset": str(offset)}
        try:
            status, _answer = await rest.call(
                port(), "PATCH", path, piece, token=token, headers=headers
            )
        except rest.NoAnswerError:
            status = 503
        if status == 204 and rng.random() < 0.8:
            offset += len(piece)
            done = offset == len(data)
            continue
        # Something failed, or, now and then, the piece is sent twice.
        if rng.random() < 0.5:
            continue_at = await _persist(port, "GET", path, None, token, rng)
            if continue_at is None or "offset" not in continue_at:
                return None
            offset = continue_at["offset"]
        elif status == 409:
            offset = (await _persist(port, "GET", path, None, token, rng) or {}).get(
                "offset", offset
            )
        await asyncio.sleep(0.05 if status != 204 else 0)
    return SentFile(made["id"], body["name"], data)  # type: ignore[arg-type]


async def _persist(
    port: Any, method: str, path: str, body: Any, token: str, rng: random.Random
) -> Any:
    for _ in range(_TRIES):
        try:
            status, answer = await rest.call(port(), method, path, body, token=token)
        except rest.NoAnswerError:
            status, answer = 503, None
        if status < 500:
            return answer
        await asyncio.sleep(rng.uniform(0.1, 0.4))
    return None


async def check(
    port: int, history: History, pages: dict[int, list[dict[str, Any]]], tokens: dict[int, str]
) -> list[Finding]:
    """Each stored message has the file that was sent with it, once, with the same bytes; a deleted one has
    none, and its file can't be opened. `tokens`: conversation -> of someone who can read it."""
    stored = {
        (message["author"]["id"], message["key"]): message
        for page in pages.values()
        for message in page
        if message["key"] and message["author"]
    }
    found: list[Finding] = []
    for saying in history.sayings:
        message = stored.get((saying.author, saying.key))
        if message is None or saying.file is None:
            continue
        token = tokens[saying.conversation]
        path = f"/files/{saying.file.upload}/{saying.file.name}"
        status, data = await rest.fetch(port, path, token=token)
        found += _compare(saying.file, message, status, data)
        history.counts["files compared"] += 1
    return found


def _compare(
    file: SentFile, message: dict[str, Any], status: int, data: bytes
) -> Iterator[Finding]:
    what = f"the file {file.name} of message {message['id']}"
    listed = [each["id"] for each in message.get("files", ())]
    if message["deleted_at"]:
        if listed or status != 404:
            yield Finding("leaked", f"{what} is still there, but the message was deleted")
    elif listed != [file.upload]:
        yield Finding("duplicated" if listed else "lost", f"{what}: the message has {listed}")
    elif status != 200 or data != file.data:
        yield Finding("lost", f"{what} has other bytes (status {status})")
