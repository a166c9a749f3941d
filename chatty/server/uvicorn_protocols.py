"""uvicorn's protocols with Chatty's bounds: what one connection may make this process hold and do.

They reach into uvicorn, so they are used with the version they were written for (uvicorn_server.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import struct
import termios
import time
from http import HTTPStatus
from typing import Any

from django.conf import settings
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState
from websockets.frames import Frame
from websockets.http11 import Request

from chatty.ops import metrics
from chatty.ops.observer import SECURITY_HEADERS
from chatty.server.admission import CUT_EXTENSION, PROGRESS_BYTES

HEADER_BYTES = 65_536
PIPELINED_MAX = 8  # requests of one connection that wait for the one before them
CLOSE_SECONDS = 10.0  # for the client to answer a close
CLOSE_SLOW_DOWN = 4429
DEAF_CLOSE_SECONDS = 2.0  # for the close of a client that is not read any more to reach it

# Control frames and fragments of one socket: so many at once, and so many a second. Clients ping
# every 20 seconds; a message of 64 KiB sent in fragments of 1 KiB has 64.
CONTROL_BURST = 200.0
CONTROL_RATE = 40.0
PAUSE_SECONDS = 2.0  # for which a socket over that is not read, once; the next time it is closed
FORGIVEN_SECONDS = 60.0  # after which once counts anew
AFTER_CLOSE_BYTES = 64 * 1024  # that a client may still have had under way
SLICE_BYTES = 1024  # parsed at once, so that the limits are looked at in between


class _Flow(FlowControl):
    """Does not read on while requests wait their turn; uvicorn would, whenever one asks for its body."""

    def __init__(self, transport: Any, protocol: HttpProtocol) -> None:
        super().__init__(transport)
        self._protocol = protocol

    def resume_reading(self) -> None:
        if not self._protocol.pipeline and not self._protocol.overflowed:
            super().resume_reading()


class HttpProtocol(HttpToolsProtocol):
    """Bounds what a connection can hold: headers in size and time, requests sent ahead of answers in
    number, and answers it does not read in time."""

    _running: RequestResponseCycle | None = None
    _deadline: asyncio.TimerHandle | None = None
    _progress: asyncio.TimerHandle | None = None
    _unread = 0
    _header_bytes = 0
    overflowed = False  # more requests than PIPELINED_MAX: those behind are not looked at
    last_requests = False  # set for the class when the server stops

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.flow = _Flow(transport, self)
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._headers_came()
        self._all_read()
        # Nobody waits for what is queued. uvicorn would tell only the last of it that the client is
        # gone, and the one that is being answered would wait for ever.
        self.pipeline.clear()
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()
        super().connection_lost(exc)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def data_received(self, data: bytes) -> None:
        if not self.overflowed:
            super().data_received(data)

    def on_message_begin(self) -> None:
        if self.overflowed:
            return
        if len(self.pipeline) >= PIPELINED_MAX:
            # Answer what is queued, then close. A client that sends ahead has to expect that
            # (RFC 9112, 9.3.2), and sends the rest again.
            self.overflowed = True
            self.cycle.keep_alive = False  # the last one that is queued
            self.flow.pause_reading()
            metrics.HTTP_REFUSED.labels("pipelined").inc()
            return
        super().on_message_begin()
        self.scope["extensions"] = {CUT_EXTENSION: self.transport.abort}  # type: ignore[dict-item]
        self._header_bytes = 0
        self._expect_headers()

    def on_url(self, url: bytes) -> None:
        if not self.overflowed:
            self._measure(len(url))
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.overflowed:
            self._measure(len(name) + len(value))
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if not self.overflowed:
            self._headers_came()
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self.overflowed:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if not self.overflowed:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch_reading()

    def handle_websocket_upgrade(self) -> None:
        if self.last_requests:
            # A proxy that reuses an idle connection for this asks another process when the
            # connection closes without an answer. Any answer would be passed to the client.
            self.transport.close()
            return
        if self._running is not None and not self._running.response_complete:
            # The socket's protocol would take over a connection that still owes an answer, and
            # nobody would hear any more that its client has gone.
            self.transport.abort()
            return
        self._all_read()
        super().handle_websocket_upgrade()

    def send_400_response(self, msg: str) -> None:
        body = msg.encode("ascii")
        headers = {
            **SECURITY_HEADERS,
            b"content-type": b"text/plain; charset=utf-8",
            b"content-length": str(len(body)).encode(),
            b"connection": b"close",
        }
        lines = [name + b": " + value for name, value in headers.items()]
        head = b"\r\n".join([b"HTTP/1.1 400 Bad Request", *lines])
        self.transport.write(head + b"\r\n\r\n" + body)
        self.transport.close()

    def close_after_answer(self) -> None:
        """Keep the connection for no further request when one is being answered now."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.keep_alive = False

    # Headers: a deadline and a size.

    def _expect_headers(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(settings.HTTP_HEADER_SECONDS, self._give_up)

    def _headers_came(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _measure(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > HEADER_BYTES:
            raise ValueError("The request's headers are too big.")  # the parser answers with 400

    def _give_up(self) -> None:
        self._deadline = None
        self.transport.close()

    # Answers: the client has to take some of what waits for it, from time to time.

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_reading()

    def _watch_reading(self) -> None:
        """Begin to measure, after everything that is written: nothing is while a client is behind."""
        self._all_read()
        if self.transport.get_write_buffer_size():
            self._unread = self._unread_bytes()
            self._progress = self.loop.call_later(settings.HTTP_BODY_SECONDS, self._look_at_reading)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._watch_reading()

    def _look_at_reading(self) -> None:
        self._progress = None
        left = self._unread_bytes()
        if self.transport.get_write_buffer_size() and self._unread - left < PROGRESS_BYTES:
            metrics.HTTP_REFUSED.labels("unread").inc()
            self.transport.abort()
        else:
            self._watch_reading()

    def _all_read(self) -> None:
        if self._progress is not None:
            self._progress.cancel()
            self._progress = None

    def _unread_bytes(self) -> int:
        """Bytes the client has not acknowledged: here, and in the kernel where it tells (Linux).

        A kernel takes megabytes before it asks for more again: by the buffer here alone, a slow
        client would seem to read nothing for minutes.
        """
        waiting: int = self.transport.get_write_buffer_size()
        with contextlib.suppress(OSError, AttributeError, ValueError):
            descriptor = self.transport.get_extra_info("socket").fileno()
            answer = fcntl.ioctl(descriptor, termios.TIOCOUTQ, struct.pack("i", 0))
            waiting += struct.unpack("i", answer)[0]
        return waiting


class SocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket protocol with the ASGI extension `chatty.frame`, and a limit on frames the
    application never sees.

    uvicorn's own `send` costs a coroutine per socket and waits, maybe for ever, for a client that
    does not read. The extension hands out three plain functions instead:
        write(frame: bytes)    a finished frame, straight into the connection's buffer
        buffered() -> int      bytes the client has not taken yet
        close(code: int)       a close frame; the connection is cut CLOSE_SECONDS later
    """

    _allowance = CONTROL_BURST
    _allowance_at = 0.0
    _paused_at = -FORGIVEN_SECONDS
    _resume: asyncio.TimerHandle | None = None
    _backlog = b""  # came in one piece with what is being worked on; parsed from _offset on
    _offset = 0
    _after_close = 0
    _deaf = False  # closed for being too fast: what still comes is not even parsed

    def connection_lost(self, exc: Exception | None) -> None:
        if self._resume is not None:
            self._resume.cancel()
        self._backlog = b""
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.close_sent:
            # Its own close is still to come. Who sends much else is not worth the parsing.
            self._after_close += len(data)
            if self._after_close > AFTER_CLOSE_BYTES:
                self._deaf = True
                self.transport.abort()
        if self._deaf:
            return
        if not self._backlog and len(data) <= SLICE_BYTES:
            super().data_received(data)
            return
        self._backlog = self._backlog[self._offset :] + data
        self._offset = 0
        self._feed()

    def _feed(self) -> None:
        """Parse what came, a slice at a time, until a message or a limit stops it."""
        while self._backlog and not self.read_paused and self._resume is None and not self._deaf:
            piece = self._backlog[self._offset : self._offset + SLICE_BYTES]
            self._offset += len(piece)
            if self._offset >= len(self._backlog):
                self._backlog, self._offset = b"", 0
            super().data_received(piece)

    async def receive(self) -> Any:
        message = await super().receive()
        if self._resume is not None and not self.transport.is_closing():
            self.transport.pause_reading()  # uvicorn has just resumed it
        self._feed()
        return message

    def handle_ping(self) -> None:
        if self._is_allowed():
            if self.writable.is_set():
                super().handle_ping()
            else:
                # The client does not read what it has. A pong may be left out (RFC 6455, 5.5.3).
                self.conn.data_to_send()

    def handle_pong(self, event: Frame) -> None:
        if self._is_allowed():
            super().handle_pong(event)

    def handle_cont(self, event: Frame) -> None:
        if self._is_allowed():
            super().handle_cont(event)

    def _is_allowed(self) -> bool:
        """Count a frame that the application does not hear of.

        Over the limit the socket is not read for a while. A client that goes on is closed, and
        the frame is not handled any more.
        """
        if self.close_sent:
            return not self._deaf  # its own close may still come
        now = time.monotonic()
        gained = (now - self._allowance_at) * CONTROL_RATE
        self._allowance = min(CONTROL_BURST, self._allowance + gained) - 1
        self._allowance_at = now
        if self._allowance >= 0 or self._resume is not None:
            return True
        if now - self._paused_at < FORGIVEN_SECONDS:
            metrics.CLOSES.labels(CLOSE_SLOW_DOWN).inc()
            self.close_with(CLOSE_SLOW_DOWN)
            return False
        self._paused_at = now
        self.transport.pause_reading()
        self._resume = self.loop.call_later(PAUSE_SECONDS, self._read_on)
        return True

    def _read_on(self) -> None:
        self._resume = None
        if not self.transport.is_closing():
            if not self.read_paused:
                self.transport.resume_reading()
            self._feed()

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            # The application's task was made just now, and has not run yet.
            self.scope["extensions"]["chatty.frame"] = {
                "write": self.write_frame,
                "buffered": self.transport.get_write_buffer_size,
                "close": self.close_with,
            }

    def write_frame(self, frame: bytes) -> None:
        if not self.close_sent and not self.disconnected:
            self.transport.write(frame)

    def close_with(self, code: int) -> None:
        if self.close_sent or self.transport.is_closing():
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code})
        try:
            self.conn.send_close(code)
        except InvalidState:
            return  # the client was faster
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        if code == CLOSE_SLOW_DOWN:
            self._deaf = True
            self.transport.pause_reading()
            self.close_timer = self.loop.call_later(DEAF_CLOSE_SECONDS, self.transport.abort)
            return
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()  # for the client's own close
        self.close_timer = self.loop.call_later(CLOSE_SECONDS, self.transport.abort)

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        # A polite close waits until everything is written: for a client that is gone, for ever.
        self.loop.call_later(CLOSE_SECONDS, self.transport.abort)
