"""Sends files after their request has freed its place, so that slow readers keep no one waiting.

Each client has a limited number of these responses at once, and so has the process: each needs a file and a
piece of memory. Clients must read with the least progress of uvicorn_protocols.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from chatty.common.errors import ChatError
from chatty.common.file_responses import FileResponse
from chatty.server.asgi_types import Receive, Scope, Send
from chatty.server.fair_queue import Client
from chatty.server.responses import refuse
from chatty.server.slots import Slots

# In the scope: a list, to which the application appends what to send when the request has freed its place.
LATER = "chatty.later"
Later = list[Callable[[Client, Receive, Send], Awaitable[None]]]

OF_CLIENT_MAX = 16
AT_ONCE_MAX = 256
_THREADS = 4  # the disk or the storage is not faster with more


class FileSender:
    def __init__(self) -> None:
        self._slots = Slots(of_client=OF_CLIENT_MAX, at_once=AT_ONCE_MAX)
        self._threads = ThreadPoolExecutor(_THREADS, "chatty-files")

    def send_later(self, scope: Scope, response: FileResponse) -> bool:
        """Send the body when the request has freed its place. Returns False if nothing waits for that."""
        later: Later | None = scope.get(LATER)
        if later is None:
            return False
        later.append(partial(self._send, scope, response))
        return True

    async def _send(
        self, scope: Scope, response: FileResponse, client: Client, receive: Receive, send: Send
    ) -> None:
        if not self._slots.acquire(client):
            response.file.close()
            await refuse(scope, send, ChatError("busy", retry_after=2))
            return
        try:
            await self.send(scope, response, receive, send)
        finally:
            self._slots.release(client)

    async def send(
        self, scope: Scope, response: FileResponse, receive: Receive, send: Send
    ) -> None:
        """Send the headers and the file, until the client disconnects."""
        loop = asyncio.get_running_loop()
        pieces = response.pieces()
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            await send(start_of(response))
            if scope["method"] != "HEAD":
                next_piece = partial(next, pieces, b"")
                while not gone.done():
                    piece = await loop.run_in_executor(self._threads, next_piece)
                    if not piece:
                        break
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            gone.cancel()
            response.file.close()


def start_of(response: FileResponse) -> dict[str, object]:
    headers = [(name.encode("ascii"), value.encode("latin-1")) for name, value in response.items()]
    headers += [
        (b"Set-Cookie", each.OutputString().encode("ascii")) for each in response.cookies.values()
    ]
    return {"type": "http.response.start", "status": response.status_code, "headers": headers}


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
