"""uvicorn's protocols with limits on the memory and work that one connection can cause.

They use uvicorn's internals, so they require the version they were written for (uvicorn_server.py).
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
from websockets.frames import CloseCode, Frame
from websockets.http11 import Request

from chatty.common.handshakes import FRAME_EXTENSION
from chatty.ops import metrics
from chatty.ops.observer import SECURITY_HEADERS
from chatty.server.admission import CUT_EXTENSION, PROGRESS_BYTES

HEADER_BYTES = 65_536
PIPELINED_MAX = 8  # requests of one connection that wait for their predecessors
CLOSE_SECONDS = 10.0  # for the client to respond to a close frame
CLOSE_SLOW_DOWN = 4429
DEAF_CLOSE_SECONDS = 2.0  # for the close frame to arrive at a client that is no longer read

# Control frames and fragments of one socket: at once, and per second. Clients ping every 20 seconds.
# A message of 64 KiB in fragments of 1 KiB has 64.
CONTROL_BURST = 200.0
CONTROL_RATE = 40.0
PAUSE_SECONDS = 2.0  # for which reading stops after the first excess; the second closes the socket
FORGIVEN_SECONDS = 60.0  # after which an excess counts as the first again
WEBSOCKET_VERSION = "13"  # of RFC 6455
AFTER_CLOSE_BYTES = 64 * 1024  # accepted after our close: the client may have sent them before it
SLICE_BYTES = 1024  # parsed at once, so that the limits are checked in between


class _Flow(FlowControl):
    """Stops reading while requests are queued. uvicorn resumes whenever one of them reads its body."""

    def __init__(self, transport: Any, protocol: HttpProtocol) -> None:
        super().__init__(transport)
        self._protocol = protocol

    def resume_reading(self) -> None:
        if not self._protocol.pipeline and not self._protocol.overflowed:
            super().resume_reading()


class HttpProtocol(HttpToolsProtocol):
    """Limits size and time of headers, the number of pipelined requests, and slow reading."""

    _running: RequestResponseCycle | None = None
    _deadline: asyncio.TimerHandle | None = None
    _progress: asyncio.TimerHandle | None = None
    _unread = 0
    _header_bytes = 0
    overflowed = False  # more than PIPELINED_MAX requests: later ones are ignored
    last_requests = False  # set on the class when the server stops

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.flow = _Flow(transport, self)
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._headers_came()
        self._all_read()
        # Drop the queued requests. uvicorn would mark only the last of them as disconnected, and the
        # running one would wait forever.
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
            # Respond to the queued requests, then close. Clients that pipeline must be prepared for
            # that (RFC 9112, 9.3.2) and resend the rest.
            self.overflowed = True
            self.cycle.keep_alive = False  # of the last queued request
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
            # Close without a response: a proxy that reused an idle connection then retries with
            # another process. It would pass any response to the client.
            self.transport.close()
            return
        if self._running is not None and not self._running.response_complete:
            # The WebSocket protocol would take over a connection with an unfinished response, whose
            # request would never be notified of a disconnect.
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
        """Close the connection after the current response, if there is one."""
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
            raise ValueError("The request's headers are too big.")  # the parser responds with 400

    def _give_up(self) -> None:
        self._deadline = None
        self.transport.close()

    # Responses: the client must read at a minimum rate.

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_reading()

    def _watch_reading(self) -> None:
        """Start measuring, after each write. While a client is behind, nothing more is written."""
        self._all_read()
        if self.transport.get_write_buffer_size():
            self._unread = self._unread_bytes()
            self._progress = self.loop.call_later(settings.HTTP_BODY_SECONDS, self._check_progress)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._watch_reading()

    def _check_progress(self) -> None:
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
        """Return how many bytes the client has not acknowledged: in our buffer and, on Linux, the kernel's.

        The kernel buffers megabytes and asks for more only when they are sent. By our buffer alone, a
        slow client would seem to read nothing for minutes.
        """
        waiting: int = self.transport.get_write_buffer_size()
        with contextlib.suppress(OSError, AttributeError, ValueError):
            descriptor = self.transport.get_extra_info("socket").fileno()
            answer = fcntl.ioctl(descriptor, termios.TIOCOUTQ, struct.pack("i", 0))
            waiting += struct.unpack("i", answer)[0]
        return waiting


class SocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket protocol with the ASGI extension `chatty.frame`, and a limit on frames that
    do not reach the application.

    uvicorn's own `send` needs a coroutine per socket and waits, possibly forever, for a client that
    does not read. The extension provides plain functions instead:
        write(frame: bytes)    append an encoded frame to the connection's buffer
        buffered() -> int      bytes in that buffer
        close(code: int)       send a close frame, and abort the connection CLOSE_SECONDS later
        refuse(status, text)   respond with this instead of accepting
    """

    _allowance = CONTROL_BURST
    _allowance_at = 0.0
    _paused_at = -FORGIVEN_SECONDS
    _resume: asyncio.TimerHandle | None = None
    _backlog = b""  # received, but not parsed from _offset on
    _offset = 0
    _after_close = 0
    _deaf = False  # closed for exceeding the limit: further data is not even parsed

    def connection_lost(self, exc: Exception | None) -> None:
        if self._resume is not None:
            self._resume.cancel()
        self._backlog = b""
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.close_sent:
            # Only the client's close frame is still expected. Don't spend time on much else.
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
        """Parse the backlog in slices, until a message or a limit pauses reading."""
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
                # The client is not reading. Pongs may be omitted (RFC 6455, 5.5.3).
                self.conn.data_to_send()

    def handle_pong(self, event: Frame) -> None:
        if self._is_allowed():
            super().handle_pong(event)

    def handle_cont(self, event: Frame) -> None:
        if self._is_allowed():
            super().handle_cont(event)

    def _is_allowed(self) -> bool:
        """Count a frame that does not reach the application. Returns whether to handle it.

        Over the limit, reading pauses for PAUSE_SECONDS. A client that then exceeds it again is closed.
        """
        if self.close_sent:
            return not self._deaf  # the client's close frame may still arrive
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
        self._resume = self.loop.call_later(PAUSE_SECONDS, self._resume_reading)
        return True

    def _resume_reading(self) -> None:
        self._resume = None
        if not self.transport.is_closing():
            if not self.read_paused:
                self.transport.resume_reading()
            self._feed()

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text" and not self.close_sent:
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                # A mistake of the client. uvicorn would log it as an error of this server.
                self.frames = []
                self.conn.fail(CloseCode.INVALID_DATA, "not UTF-8")
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()

    def handle_connect(self, event: Request) -> None:
        if event.headers.get_all("Sec-WebSocket-Version") != [WEBSOCKET_VERSION]:
            right = {"Upgrade": "websocket", "Sec-WebSocket-Version": WEBSOCKET_VERSION}  # 4.4
            self.refuse(426, f"The WebSocket version must be {WEBSOCKET_VERSION}.\n", right)
            return
        super().handle_connect(event)
        if self.response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            # The application's task has been created, but has not run yet.
            self.scope["extensions"][FRAME_EXTENSION] = {
                "write": self.write_frame,
                "buffered": self.transport.get_write_buffer_size,
                "close": self.close_with,
                "refuse": self.refuse,
            }

    def refuse(self, status: int, text: str, headers: Any = ()) -> None:
        response = self.conn.reject(HTTPStatus(status), text)
        response.headers.update(headers)
        self.handshake_initiated = self.handshake_complete = self.close_sent = True
        self.conn.send_response(response)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.transport.close()

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
            return  # the client has closed first
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        if code == CLOSE_SLOW_DOWN:
            self._deaf = True
            self.transport.pause_reading()
            self.close_timer = self.loop.call_later(DEAF_CLOSE_SECONDS, self.transport.abort)
            return
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()  # for the client's close frame
        self.close_timer = self.loop.call_later(CLOSE_SECONDS, self.transport.abort)

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        # uvicorn closes once everything is written, which never happens if the client is gone.
        self.loop.call_later(CLOSE_SECONDS, self.transport.abort)
