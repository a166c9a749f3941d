"""The production server: uvicorn with Chatty's limits, in this process or in several workers.

Beyond uvicorn: a deadline and a size for request headers (uvicorn has neither), the message writer
drained before sockets are told to come back (1012), and workers watched by their parent.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import logging
import multiprocessing
import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from multiprocessing.context import SpawnProcess
from typing import Any

import uvicorn
from django.conf import settings
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState
from websockets.http11 import Request

from chatty import health, metrics
from chatty.observer import SECURITY_HEADERS

log = logging.getLogger("chatty.server")

HEADER_BYTES = 65_536
FRAME_BYTES = 65_536
PING_SECONDS = 20.0
CLOSE_SECONDS = 10.0  # for the client to answer a close
UVICORN = "0.54."  # whose internals SocketProtocol knows
IDLE_SECONDS = 3.0  # how long a stopping server leaves a proxy's idle connections open
_STOP_SECONDS = 16.0  # to notice, to store what was taken, to outlast idle connections
_RESTART_PAUSE_SECONDS = 1.0


class UnservableError(Exception):
    """Why the server cannot start, in a sentence for whoever runs it, with the way to mend it."""


class HttpProtocol(HttpToolsProtocol):
    """Closes a connection whose request headers take too long or too much space."""

    _deadline: asyncio.TimerHandle | None = None
    _header_bytes = 0
    last_requests = False  # set for the class when the server stops

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._headers_came()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._header_bytes = 0
        self._expect_headers()

    def on_url(self, url: bytes) -> None:
        self._measure(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._measure(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._headers_came()
        super().on_headers_complete()

    def handle_websocket_upgrade(self) -> None:
        if self.last_requests:
            # A proxy that reuses an idle connection for this asks another process when the
            # connection closes without an answer. Any answer would be passed to the client.
            self.transport.close()
            return
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

    def _expect_headers(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(settings.HTTP_HEADER_SECONDS, self._give_up)

    def _headers_came(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def close_after_answer(self) -> None:
        """Keep the connection for no further request when one is being answered now."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.keep_alive = False

    def _measure(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > HEADER_BYTES:
            raise ValueError("The request's headers are too big.")  # the parser answers with 400

    def _give_up(self) -> None:
        self._deadline = None
        self.transport.close()


class SocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket protocol with the ASGI extension `chatty.frame`.

    uvicorn's own `send` costs a coroutine per socket and waits, maybe for ever, for a client that
    does not read. The extension hands out three plain functions instead:
        write(frame: bytes)    a finished frame, straight into the connection's buffer
        buffered() -> int      bytes the client has not taken yet
        close(code: int)       a close frame; the connection is cut CLOSE_SECONDS later
    It reaches into uvicorn: check_uvicorn() refuses versions it was not written for.
    """

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
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()  # for the client's own close
        self.close_timer = self.loop.call_later(CLOSE_SECONDS, self.transport.abort)

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        # A polite close waits until everything is written: for a client that is gone, for ever.
        self.loop.call_later(CLOSE_SECONDS, self.transport.abort)


def check_uvicorn() -> None:
    """Raises UnservableError when uvicorn is not the one SocketProtocol was written for."""
    if not uvicorn.__version__.startswith(UVICORN):
        raise UnservableError(
            f"Chatty's sockets are made for uvicorn {UVICORN}x, but {uvicorn.__version__} is "
            "installed. Install what requirements.txt names: pip install -r requirements.txt"
        )


class Server(uvicorn.Server):
    """Says when it is ready, and lets accepted messages be stored before it sends anyone away."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self.on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # What is loaded by now stays. Left to the garbage collector it is walked again and again,
        # and everybody waits for that: 80 ms at a time beside fifty who talk.
        gc.collect()
        gc.freeze()
        self.on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        from conversations.realtime import engine  # a worker imports this module before its models

        await health.begin_stopping()
        HttpProtocol.last_requests = True
        for listener in sockets or []:
            self._accept_waiting(listener)
        for server in self.servers:
            server.close()
        self._keep_no_connection_alive()
        await engine.send_away()  # stores what was taken, then says 1012; uvicorn says it at once
        if settings.TRUSTED_PROXIES:
            await self._outlast_idle_connections()
        await super().shutdown(sockets)

    def _accept_waiting(self, listener: socket.socket) -> None:
        """Accept the connections the kernel has already completed: closing the listener would reset
        them, and a proxy may have sent a request that it cannot repeat."""
        loop = asyncio.get_running_loop()
        listener.setblocking(False)
        while True:
            try:
                connection, _address = listener.accept()
            except OSError:
                return
            task = loop.create_task(self._adopt(connection))
            self.server_state.tasks.add(task)
            task.add_done_callback(self.server_state.tasks.discard)

    async def _adopt(self, connection: socket.socket) -> None:
        def protocol() -> asyncio.Protocol:
            return HttpProtocol(
                config=self.config, server_state=self.server_state, app_state=self.lifespan.state
            )

        connection.setblocking(False)
        with contextlib.suppress(OSError):
            await asyncio.get_running_loop().connect_accepted_socket(protocol, connection)

    def _keep_no_connection_alive(self) -> None:
        """From here on every answer closes its connection."""
        self.server_state.default_headers = [
            *self.server_state.default_headers,
            (b"connection", b"close"),
        ]
        for connection in self.server_state.connections:
            if isinstance(connection, HttpProtocol):
                connection.close_after_answer()

    async def _outlast_idle_connections(self) -> None:
        """Wait until proxies have given up their idle connections, for IDLE_SECONDS at most.

        A proxy may be sending a request into an idle connection just when it is closed. It cannot
        know whether the request was handled, and answers 502 instead of sending a POST again.
        """
        deadline = time.monotonic() + IDLE_SECONDS
        while time.monotonic() < deadline and not self.force_exit:
            if not any(isinstance(c, HttpProtocol) for c in self.server_state.connections):
                return
            await asyncio.sleep(0.05)


def configuration(**changes: Any) -> uvicorn.Config:
    check_uvicorn()
    options: dict[str, Any] = {
        "app": "chatty.asgi:application",
        "http": HttpProtocol,
        "loop": "uvloop",
        "lifespan": "on",
        "ws": SocketProtocol,
        "ws_max_size": FRAME_BYTES,
        "ws_per_message_deflate": False,  # memory for each socket, little gain on short words
        "ws_ping_interval": PING_SECONDS,
        "ws_ping_timeout": PING_SECONDS,
        "timeout_graceful_shutdown": settings.SHUTDOWN_SECONDS,
        "timeout_keep_alive": 15,
        "proxy_headers": False,  # chatty.doors decides whom to believe
        "server_header": False,
        "access_log": False,
        "log_config": None,
    }
    return uvicorn.Config(**{**options, **changes})


def listening_socket(host: str, port: int) -> socket.socket:
    """Raises UnservableError. Port 0 takes a free one."""
    host = host.strip("[]")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        raise UnservableError(_no_listening(host, port, error)) from None
    listener.set_inheritable(True)
    return listener


def _no_listening(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is taken by another program. Choose another: PORT={port + 1}"
    if error.errno == errno.EACCES:
        return f"Port {port} is not for everybody. Choose one above 1023: PORT=8000"
    return f"Nothing can listen on {host}:{port}: {error.strerror or error}. Set HOST and PORT."


def serve(listener: socket.socket, on_ready: Callable[[], None]) -> None:
    """Serves in this process until SIGTERM or SIGINT."""
    # Once it has ended in good order, uvicorn raises the signal it ended for again: a failure to
    # whoever looks at the exit code.
    signal.signal(signal.SIGTERM, lambda *_: None)
    Server(configuration(), on_ready).run(sockets=[listener])


def _work(listener: socket.socket) -> None:
    """A worker's whole life; a new interpreter, so Django has to be set up in it."""
    import django

    django.setup()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    serve(listener, on_ready=lambda: None)


def _end_with_parent() -> None:
    """A worker whose parent was killed would hold the port against the next start."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        signal.raise_signal(signal.SIGTERM)


class Workers:
    """Keeps `count` processes serving one socket; brings back those that die."""

    def __init__(self, listener: socket.socket, count: int) -> None:
        self.listener = listener
        self.count = count
        self.stopping = threading.Event()
        self._context = multiprocessing.get_context("spawn")
        self._processes: list[SpawnProcess] = []

    def run(self) -> int:
        """Serves until SIGTERM or SIGINT. Returns the exit code for the whole."""
        with tempfile.TemporaryDirectory(prefix="chatty-metrics-") as numbers:
            os.environ[metrics.DIRECTORY] = numbers  # the workers' common one, and of nobody else
            return self._run()

    def _run(self) -> int:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stopping.set())
        self._processes = [self._start() for _ in range(self.count)]
        while not self.stopping.wait(0.2):
            self._bring_back()
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.join(settings.SHUTDOWN_SECONDS + _STOP_SECONDS)
            process.kill()
        return 0

    def _start(self) -> SpawnProcess:
        process = self._context.Process(target=_work, args=(self.listener,))
        process.start()
        return process

    def _bring_back(self) -> None:
        for index, process in enumerate(self._processes):
            if process.is_alive():
                continue
            log.error("A worker ended with %s; starting another", process.exitcode)
            assert process.pid is not None  # it was started
            metrics.forget_worker(process.pid)
            time.sleep(_RESTART_PAUSE_SECONDS)  # one that fails at once must not spin
            self._processes[index] = self._start()
