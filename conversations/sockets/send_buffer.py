"""What is still to be written to one socket: in order, bounded, never waited for.

A client that does not read costs its own connection; not the process's memory, and nobody's time.
Two kinds behind one shape. Servers that offer the ASGI extension `chatty.frame`
(chatty/server/uvicorn_protocols.py) take finished frames straight into the connection's buffer, and
what waits there for all sockets together is bounded: beyond that those furthest behind are closed.
Every other server is served from a queue.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from chatty.ops import metrics
from conversations import protocol
from conversations.protocol import EncodedFrames

SEND_BUFFER_FRAMES = 1_000
SEND_BUFFER_BYTES = 1024 * 1024
UNREAD_MAX = 32 * 1024 * 1024  # bytes that wait for all sockets of this process together
UNREAD_LEFT = UNREAD_MAX * 3 // 4  # that may stay when those furthest behind have been closed
SMALL_FRAME = 4096  # bytes; one such frame for a client that reads is not worth counting
CLOSE_SECONDS = 5.0  # for a close to get through to a client that does not read
# What was still to be said to them does not concern them any more, or will not be read.
DISCARDING_CODES = {
    protocol.CLOSE_TOO_SLOW,
    protocol.CLOSE_UNAUTHENTICATED,
    protocol.CLOSE_SIGNED_OUT,
    protocol.CLOSE_ACCOUNT_CLOSED,
}

metrics.CLOSES.labels(protocol.CLOSE_TOO_SLOW)  # there from the start, to be watched

Extension = dict[str, Callable[..., Any]]


class SendBuffer(Protocol):
    """Holds everything back until `release`. After `close` nothing more is taken."""

    @property
    def closing(self) -> bool: ...

    def put(self, frames: EncodedFrames) -> None:
        """Write in order; a client too far behind is closed with 4408 instead."""

    def release(self, first: EncodedFrames) -> None:
        """Write `first`, then what was held back."""

    def close(self, code: int, last_frames: EncodedFrames | None = None) -> None:
        """Write what waits, say the last words, close. The first code counts.

        What waits is dropped when the client does not read it, or may not hear it (any more).
        """

    def stop(self) -> None:
        """The socket is gone. Called once."""


class Unread:
    """What waits for the sockets whose clients are behind, all together.

    Counts are as of the last frame for a socket, so they may be too high until they are taken again.
    Taking them costs a look at every socket that is behind; UNREAD_LEFT is so far below UNREAD_MAX
    that it happens once for many megabytes written, not for every frame.
    """

    def __init__(self) -> None:
        self._counts: dict[DirectSendBuffer, int] = {}
        self.total = 0

    def count(self, buffer: DirectSendBuffer, unread: int) -> None:
        """Note how many bytes wait for a socket, and close those furthest behind if that is too much."""
        self.total += unread - self._counts.pop(buffer, 0)
        if unread:
            self._counts[buffer] = unread
        if self.total > UNREAD_MAX:
            self._make_room()

    def _make_room(self) -> None:
        counts = {buffer: buffer.unread() for buffer in self._counts}
        self._counts = {buffer: unread for buffer, unread in counts.items() if unread}
        self.total = sum(self._counts.values())
        for buffer in sorted(self._counts, key=self._counts.__getitem__, reverse=True):
            if self.total <= UNREAD_LEFT:
                return
            self.total -= self._counts.pop(buffer)
            buffer.close(protocol.CLOSE_TOO_SLOW)


UNREAD = Unread()


class DirectSendBuffer:
    """Writes through `chatty.frame`: the connection's own buffer is the queue."""

    def __init__(self, extension: Extension) -> None:
        self._write = extension["write"]
        self._buffered = extension["buffered"]
        self._close = extension["close"]
        self._held: list[EncodedFrames] | None = []
        self._held_frames = 0
        self._is_counted = False
        self.closing = False
        metrics.SOCKETS.inc()

    def put(self, frames: EncodedFrames) -> None:
        if self.closing:
            return
        if self._held is not None:
            self._held.append(frames)
            self._held_frames += len(frames.texts)
            if self._held_frames > SEND_BUFFER_FRAMES:
                self.close(protocol.CLOSE_TOO_SLOW)
            return
        unread = self._buffered()
        if unread > SEND_BUFFER_BYTES:
            self.close(protocol.CLOSE_TOO_SLOW)
            return
        frame = frames.wire_bytes
        self._write(frame)
        # Nearly every client has read everything: then this is all that counting costs.
        if unread or self._is_counted or len(frame) > SMALL_FRAME:
            unread = self.unread()
            self._is_counted = unread > 0
            UNREAD.count(self, unread)

    def unread(self) -> int:
        """Return the bytes that wait for the client."""
        waiting: int = self._buffered()
        return waiting

    def release(self, first: EncodedFrames) -> None:
        held, self._held = self._held or [], None
        for frames in (first, *held):
            self.put(frames)

    def close(self, code: int, last_frames: EncodedFrames | None = None) -> None:
        if self.closing:
            return
        self.closing, self._held = True, None
        metrics.CLOSES.labels(code).inc()
        if last_frames is not None:
            self._write(last_frames.wire_bytes)
        self._close(code)

    def stop(self) -> None:
        self.closing, self._held = True, None
        UNREAD.count(self, 0)
        metrics.SOCKETS.dec()


class QueuedSendBuffer:
    """Sends from a task of its own. `give_up` ends the socket when nothing more can be said."""

    def __init__(self, send: Callable[[dict[str, Any]], Any], give_up: Callable[[], None]) -> None:
        self._send = send
        self._give_up = give_up
        self._queue: deque[str] = deque()
        self._bytes = 0
        self._close_code: int | None = None
        self._filled = asyncio.Event()
        self._task = asyncio.create_task(self._run())
        self._held = True
        metrics.SOCKETS.inc()

    @property
    def closing(self) -> bool:
        return self._close_code is not None

    def put(self, frames: EncodedFrames) -> None:
        if self.closing:
            return
        self._queue.extend(frames.texts)
        self._bytes += sum(map(len, frames.texts))
        if len(self._queue) > SEND_BUFFER_FRAMES or self._bytes > SEND_BUFFER_BYTES:
            self.close(protocol.CLOSE_TOO_SLOW)
        elif not self._held:
            self._filled.set()

    def release(self, first: EncodedFrames) -> None:
        self._queue.extendleft(reversed(first.texts))
        self._bytes += sum(map(len, first.texts))
        self._held = False
        self._filled.set()

    def close(self, code: int, last_frames: EncodedFrames | None = None) -> None:
        if self.closing:
            return
        if self._held or code in DISCARDING_CODES:
            self._queue.clear()
        if last_frames is not None:
            self._queue.extend(last_frames.texts)
        self._close_code = code
        metrics.CLOSES.labels(code).inc()
        self._filled.set()
        asyncio.get_running_loop().call_later(CLOSE_SECONDS, self._give_up)

    def stop(self) -> None:
        self._task.cancel()
        metrics.SOCKETS.dec()

    async def _run(self) -> None:
        try:
            while True:
                await self._filled.wait()
                self._filled.clear()
                while self._queue:
                    text = self._queue.popleft()
                    self._bytes -= len(text)
                    await self._send({"type": "websocket.send", "text": text})
                if self._close_code is not None:
                    await self._send_close(self._close_code)
                    self._give_up()
                    return
        except Exception:
            # Each server has its own way to say that the client is gone.
            self._give_up()

    async def _send_close(self, code: int) -> None:
        try:
            await self._send({"type": "websocket.close", "code": code})
        except Exception:
            # Daphne says no standard code but 1000. To clients it means the same as those we use:
            # come back.
            await self._send({"type": "websocket.close", "code": 1000})
