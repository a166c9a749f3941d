"""The production server: uvicorn with Chatty's limits, in this process or in several workers.

Beyond uvicorn: bounds on what one connection may hold (uvicorn_protocols.py), the message writer
drained before sockets are told to come back (1012), and workers watched by their parent.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import fcntl
import gc
import logging
import multiprocessing
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import ModuleType
from typing import Any

import uvicorn
from django.conf import settings

from chatty.common.call_stack import call_with_room
from chatty.ops import health, metrics

log = logging.getLogger("chatty.server")

FRAME_BYTES = 65_536
PING_SECONDS = 20.0
UVICORN = "0.54."  # whose internals uvicorn_protocols.py knows
IDLE_SECONDS = 3.0  # how long a stopping server leaves a proxy's idle connections open
_STOP_SECONDS = 16.0  # to notice, to store what was taken, to outlast idle connections
_RESTART_PAUSE_SECONDS = 1.0
_MALLOC = {  # parameters of mallopt(3), as malloc.h numbers them
    -8: 2,  # M_ARENA_MAX: heaps
    -3: 8 * 1024 * 1024,  # M_MMAP_THRESHOLD: bytes; larger blocks go back at once
    -1: 16 * 1024 * 1024,  # M_TRIM_THRESHOLD: bytes that may stay unused at the end of a heap
}


class UnservableError(Exception):
    """Why the server cannot start, in a sentence for whoever runs it, with the way to mend it."""


def known_protocols() -> ModuleType | None:
    """Return Chatty's own protocols, None where uvicorn is not the version they were written for.

    Chatty serves with any uvicorn; then with its standard interfaces, which hold less and cost more.
    """
    if uvicorn.__version__.startswith(UVICORN):
        from chatty.server import uvicorn_protocols

        return uvicorn_protocols
    log.warning(
        "uvicorn %s is installed, but Chatty was written for %sx. Chatty works, but WebSockets use more "
        "memory and some limits for abusive clients are missing. To install the right version: "
        "pip install -r requirements.txt",
        uvicorn.__version__,
        UVICORN,
    )
    return None


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
        if (own := self._own_http_protocol()) is not None:
            own.last_requests = True
        for listener in sockets or []:
            self._accept_waiting(listener)
        for server in self.servers:
            server.close()
        self._keep_no_connection_alive()
        await (
            engine.close_sockets()
        )  # stores what was taken, then says 1012; uvicorn says it at once
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
            return self.config.http_protocol_class(  # type: ignore[call-arg]
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
        for connection in self._own_connections():
            connection.close_after_answer()

    def _own_http_protocol(self) -> Any:
        """Return Chatty's own class, None where uvicorn's serves: see known_protocols()."""
        protocol = self.config.http_protocol_class
        return protocol if hasattr(protocol, "close_after_answer") else None

    def _own_connections(self) -> list[Any]:
        own = self._own_http_protocol()
        return [c for c in self.server_state.connections if own and isinstance(c, own)]

    async def _outlast_idle_connections(self) -> None:
        """Wait until proxies have given up their idle connections, for IDLE_SECONDS at most.

        A proxy may be sending a request into an idle connection just when it is closed. It cannot
        know whether the request was handled, and answers 502 instead of sending a POST again.
        """
        deadline = time.monotonic() + IDLE_SECONDS
        while time.monotonic() < deadline and not self.force_exit:
            if not self._own_connections():
                return
            await asyncio.sleep(0.05)


def give_memory_back() -> None:
    """Have glibc return freed memory to the system. Does nothing where there is no glibc.

    By itself it keeps a heap for each thread, and as soon as one large block was freed (a hash of a
    password takes 19 MiB) up to twice its size in each: 150 MiB beside a few hostile clients.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for parameter, value in _MALLOC.items():
            mallopt(parameter, value)


def configuration(**changes: Any) -> uvicorn.Config:
    own = known_protocols()
    options: dict[str, Any] = {
        "app": "chatty.asgi:application",
        "http": own.HttpProtocol if own else "httptools",
        "loop": "uvloop",
        "lifespan": "on",
        "ws": own.SocketProtocol if own else "websockets-sansio",
        "ws_max_size": FRAME_BYTES,
        "ws_per_message_deflate": False,  # memory for each socket, little gain on short words
        "ws_ping_interval": PING_SECONDS,
        "ws_ping_timeout": PING_SECONDS,
        "timeout_graceful_shutdown": settings.SHUTDOWN_SECONDS,
        "timeout_keep_alive": 15,
        "proxy_headers": False,  # chatty.server.admission decides whom to believe
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
        return f"Port {port} is used by another program. Choose another port: PORT={port + 1}"
    if error.errno == errno.EACCES:
        return f"Port {port} needs root permissions. Choose a port above 1023: PORT=8000"
    return f"Can't listen on {host}:{port}: {error.strerror or error}. Check HOST and PORT."


def serve(listener: socket.socket, on_ready: Callable[[], None]) -> None:
    """Serves in this process until SIGTERM or SIGINT."""
    # Once it has ended in good order, uvicorn raises the signal it ended for again: a failure to
    # whoever looks at the exit code.
    signal.signal(signal.SIGTERM, lambda *_: None)
    # A terminal that closes: stop as for SIGTERM.
    signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
    give_memory_back()
    call_with_room(Server(configuration(), on_ready).run, sockets=[listener])


def _work(listener: socket.socket, ready: Connection) -> None:
    """A worker's whole life; a new interpreter, so Django has to be set up in it. `ready` is closed
    once it serves."""
    import django

    django.setup()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    serve(listener, on_ready=ready.close)


def _end_with_parent() -> None:
    """A worker whose parent was killed would hold the port against the next start."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        signal.raise_signal(signal.SIGTERM)


class Workers:
    """Keeps `count` processes serving one socket; brings back those that die."""

    def __init__(
        self, listener: socket.socket, count: int, on_ready: Callable[[], None] = lambda: None
    ) -> None:
        """`on_ready` is called when all of them serve."""
        self.listener = listener
        self.count = count
        self.on_ready = on_ready
        self.stopping = threading.Event()
        self._context = multiprocessing.get_context("spawn")
        self._processes: list[SpawnProcess] = []
        self._starting: dict[int, Connection] = {}  # by index; readable when one serves or has died

    def run(self) -> int:
        """Serves until SIGTERM, SIGINT or SIGHUP. Returns the exit code for the whole."""
        with metrics_directory(settings.DATA_DIR / "metrics") as numbers:
            os.environ[metrics.DIRECTORY] = str(
                numbers
            )  # the workers' common one, and of nobody else
            return self._run()

    def _run(self) -> int:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: self.stopping.set())
        self._processes = [self._start(index) for index in range(self.count)]
        told = False
        while not self.stopping.wait(0.2):
            self._bring_back()
            if not told and self._all_serve():
                self.on_ready()
                told = True
        for process in self._processes:
            process.terminate()
        # Each worker closes its own copy. With this one open, the kernel would keep completing
        # connections while they stop, and those clients would wait for an answer that never comes.
        self.listener.close()
        for process in self._processes:
            process.join(settings.SHUTDOWN_SECONDS + _STOP_SECONDS)
            process.kill()
        return 0

    def _start(self, index: int) -> SpawnProcess:
        ours, theirs = self._context.Pipe(duplex=False)
        process = self._context.Process(target=_work, args=(self.listener, theirs))
        process.start()
        theirs.close()  # the worker has a copy of its own
        self._starting[index] = ours
        return process

    def _all_serve(self) -> bool:
        for index, pipe in list(self._starting.items()):
            if pipe.poll() and self._processes[index].is_alive():
                self._starting.pop(index).close()
        return not self._starting

    def _bring_back(self) -> None:
        for index, process in enumerate(self._processes):
            if process.is_alive():
                continue
            log.error("A worker exited with code %s. Starting another one", process.exitcode)
            assert process.pid is not None  # it was started
            metrics.forget_worker(process.pid)
            time.sleep(_RESTART_PAUSE_SECONDS)  # one that fails at once must not spin
            if (pipe := self._starting.pop(index, None)) is not None:
                pipe.close()
            self._processes[index] = self._start(index)


@contextlib.contextmanager
def metrics_directory(base: Path) -> Iterator[Path]:
    """A directory for the numbers of this process's workers, and none left of processes that died."""
    base.mkdir(mode=0o700, parents=True, exist_ok=True)
    own = base / str(os.getpid())
    with contextlib.ExitStack() as stack:
        with (base / "lock").open(
            "w"
        ) as clearing:  # no two at once: one would take the other's away
            fcntl.flock(clearing, fcntl.LOCK_EX)
            clear_up(base)
            own.mkdir(mode=0o700)
            lock = stack.enter_context((own / "lock").open("w"))
            fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield own
        finally:
            shutil.rmtree(own, ignore_errors=True)


def clear_up(base: Path) -> None:
    """Remove what processes that were killed have left in `base`."""
    for directory in base.iterdir():
        # BlockingIOError: its process lives. Others: somebody else is clearing up.
        with contextlib.suppress(OSError), (directory / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(directory)
