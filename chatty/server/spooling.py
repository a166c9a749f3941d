"""Receives forms with files on disk, before a request takes a place in the queue.

Everything else is small and collected in memory (admission.py). Only people who are signed in can send such
forms: that is found out before the first byte is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

from chatty.common.disk import error_of_disk
from chatty.common.errors import ChatError
from chatty.server.asgi_types import Receive, Scope
from chatty.server.fair_queue import Client
from chatty.server.slots import Slots

# In the scope: the file with the body.
BODY = "chatty.body"

OF_CLIENT_MAX = 2
AT_ONCE_MAX = 8
_PROGRESS_BYTES = 16 * 1024  # at least, per `body_seconds`
_FLUSHED = 1024 * 1024  # bytes written at a time


class ChunkedBody:
    """A body that is read in the chunks in which it arrived, so that it is never one large block of memory.

    The memory of those stays with the process for a while, and an upload has a thousand of them.
    """

    def __init__(self, chunks: list[bytes]) -> None:
        self._chunks = chunks[::-1]

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes, b"" at the end. Without a size, all that is left."""
        if size < 0:
            found = b"".join(reversed(self._chunks))
            self._chunks.clear()
            return found
        if not self._chunks:
            return b""
        chunk = self._chunks.pop()
        if len(chunk) > size:
            self._chunks.append(chunk[size:])
        elif not chunk:
            return self.read(size)
        return chunk[:size]

    def close(self) -> None:
        self._chunks.clear()

    def __enter__(self) -> ChunkedBody:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Spool:
    """`paths`: of the forms that can have files. Those of up to `size_min` bytes are like any other request.
    `require_sender` raises ChatError for requests that can't send files."""

    def __init__(
        self,
        *,
        paths: re.Pattern[str],
        directory: Path,
        size_min: int,
        size_max: int,
        body_seconds: float,
        require_sender: Callable[[Scope], Awaitable[object]],
    ) -> None:
        self.paths = paths
        self.directory = directory
        self.size_min = size_min
        self.size_max = size_max
        self.body_seconds = body_seconds
        self.require_sender = require_sender
        self._slots = Slots(of_client=OF_CLIENT_MAX, at_once=AT_ONCE_MAX)
        # Its own: the event loop uses its default threads to look up addresses, such as that of Redis.
        self._threads = ThreadPoolExecutor(AT_ONCE_MAX, "chatty-forms")

    def takes(self, scope: Scope) -> bool:
        if scope["method"] != "POST" or not self.paths.fullmatch(scope["path"]):
            return False
        headers = dict(scope["headers"])
        length = bytes(headers.get(b"content-length", b""))
        if length.isdigit() and len(length) < 20 and int(length) <= self.size_min:
            return False
        return bytes(headers.get(b"content-type", b"")).lower().startswith(b"multipart/form-data")

    @contextlib.asynccontextmanager
    async def body(
        self, scope: Scope, receive: Receive, client: Client
    ) -> AsyncIterator[IO[bytes] | None]:
        """Receive the body into a file without a name. Yields None if the client has disconnected.

        Raises ChatError: as `require_sender`, too_big, busy, invalid, storage_full, unavailable.
        """
        await self.require_sender(scope)
        if not self._slots.acquire(client):
            raise ChatError("busy", retry_after=5)
        try:
            with contextlib.ExitStack() as opened:
                try:
                    self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
                    file = opened.enter_context(tempfile.TemporaryFile(dir=self.directory))
                    whole = await self._receive(receive, file)
                except OSError as error:
                    raise error_of_disk(error) from error
                yield file if whole else None
        finally:
            self._slots.release(client)

    async def _receive(self, receive: Receive, file: IO[bytes]) -> bool:
        size = progress = 0
        waiting = bytearray()
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.body_seconds) as deadline:
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return False
                    chunk = message.get("body", b"")
                    size += len(chunk)
                    progress += len(chunk)
                    if size > self.size_max:
                        raise ChatError("too_big")
                    waiting += chunk
                    ends = not message.get("more_body", False)
                    if len(waiting) >= _FLUSHED or ends:
                        await loop.run_in_executor(self._threads, file.write, bytes(waiting))
                        waiting.clear()
                    if ends:
                        await loop.run_in_executor(self._threads, file.seek, 0)
                        return True
                    if progress >= _PROGRESS_BYTES:
                        progress = 0
                        deadline.reschedule(loop.time() + self.body_seconds)
        except TimeoutError:
            raise ChatError("invalid", "The request took too long to arrive.") from None
