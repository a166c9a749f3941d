"""Send buffers: the frames waiting to be sent to a socket, in order and with limits.

Writing to a buffer never blocks. A client that doesn't read loses its connection; it can neither use up
memory nor delay others. There are two implementations:

- DirectSendBuffer, for servers with the ASGI extension `chatty.frame` (chatty/server/uvicorn_protocols.py),
  writes encoded frames directly to the connection's buffer. The total of all sockets is limited, too: when
  it is exceeded, the sockets that are furthest behind are closed.
- QueuedSendBuffer, for all other servers, sends frames from a queue.
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
UNREAD_MAX = 32 * 1024 * 1024  # bytes buffered for all sockets of this process
UNREAD_LEFT = UNREAD_MAX * 3 // 4  # sockets are closed until this is reached
SMALL_FRAME = 4096  # bytes; not worth counting if the client has read everything else
CLOSE_SECONDS = 5.0  # how long to wait for a client that doesn't read, when closing
# With these codes, buffered frames are discarded: the client must not get them any more, or won't read them.
DISCARDING_CODES = {
    protocol.CLOSE_TOO_SLOW,
    protocol.CLOSE_UNAUTHENTICATED,
    protocol.CLOSE_SIGNED_OUT,
    protocol.CLOSE_ACCOUNT_CLOSED,
}

metrics.CLOSES.labels(protocol.CLOSE_TOO_SLOW)  # export it from the start, for alerts

Extension = dict[str, Callable[..., Any]]


class SendBuffer(Protocol):
    """Holds all frames until release(). Ignores frames after close()."""

    @property
    def closing(self) -> bool: ...

    def put(self, frames: EncodedFrames) -> None:
        """Write frames. If the client is too far behind, close the socket with 4408 instead."""

    def release(self, first: EncodedFrames) -> None:
        """Write `first`, then the held frames."""

    def close(self, code: int, last_frames: EncodedFrames | None = None) -> None:
        """Write the buffered frames and `last_frames`, then close. Only the first call has an effect.

        Frames that are still held, and with DISCARDING_CODES all buffered ones, are discarded.
        """

    def stop(self) -> None:
        """Clean up after the socket has disconnected. Called once."""


class Unread:
    """Counts the bytes buffered for all sockets whose clients are behind.

    A count is from the last write to its socket, so it may be too high until _make_room() reads it again.
    That is expensive, because it visits every socket that is behind. UNREAD_LEFT is far enough below
    UNREAD_MAX that it happens once per many megabytes, not for every frame.
    """

    def __init__(self) -> None:
        self._counts: dict[DirectSendBuffer, int] = {}
        self.total = 0

    def count(self, buffer: DirectSendBuffer, unread: int) -> None:
        """Set the bytes buffered for a socket. If the total is too high, close those furthest behind."""
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
    """Writes with `chatty.frame` to the connection's buffer, without a queue of its own."""

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
        # Nearly every client has read everything; skip counting for those.
        if unread or self._is_counted or len(frame) > SMALL_FRAME:
            unread = self.unread()
            self._is_counted = unread > 0
            UNREAD.count(self, unread)

    def unread(self) -> int:
        """Return the number of bytes that the client has not read."""
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
    """Sends from a task. `give_up` ends the consumer after closing, or if the client is gone."""

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
            # The client is gone. Each server raises a different exception for that.
            self._give_up()

    async def _send_close(self, code: int) -> None:
        try:
            await self._send({"type": "websocket.close", "code": code})
        except Exception:
            # Of the standard codes, Daphne only accepts 1000. Clients treat it like those we use: they
            # reconnect.
            await self._send({"type": "websocket.close", "code": 1000})
