"""The production server: uvicorn with Chatty's limits, in this process or in several workers.

Beyond uvicorn's own features: limits per connection (uvicorn_protocols.py), storing all accepted
messages before sockets are closed with 1012, and workers that are restarted by their parent.
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

from chatty.common.call_stack import call_with_stack_space
from chatty.ops import health, metrics

log = logging.getLogger("chatty.server")

PING_SECONDS = 20.0
UVICORN = "0.54."  # uvicorn_protocols.py uses internals of this version
IDLE_SECONDS = 3.0  # how long a stopping server leaves a proxy's idle connections open
# To be noticed by health checks, store messages, outlast idle connections and finish background work.
_STOP_SECONDS = 21.0
_RESTART_PAUSE_SECONDS = 1.0
_MALLOC = {  # parameters of mallopt(3), from malloc.h
    -8: 2,  # M_ARENA_MAX: heaps
    -3: 8 * 1024 * 1024,  # M_MMAP_THRESHOLD: bytes; larger blocks are returned when freed
    -1: 16 * 1024 * 1024,  # M_TRIM_THRESHOLD: bytes that may stay unused at the end of a heap
}


class UnservableError(Exception):
    """Why the server cannot start. The message says how to fix it."""


def known_protocols() -> ModuleType | None:
    """Return uvicorn_protocols, or None if uvicorn is not the version it was written for.

    With other versions Chatty uses uvicorn's standard protocols, which lack limits and cost more.
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
    """Calls `on_ready`, and stores accepted messages before it closes sockets."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self.on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # Objects loaded so far live as long as the process. Otherwise the garbage collector would
        # traverse them again and again while all requests wait: 80 ms each time with fifty people.
        gc.collect()
        gc.freeze()
        # Nearly all other objects are freed by their reference counts, so the collector finds next to
        # nothing. By default it starts after 700 allocations, which is less than one page. Not more,
        # because the bodies of rejected requests are in what it does find.
        gc.set_threshold(3_000)
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
        )  # stores accepted messages, then closes with 1012; uvicorn would close immediately
        if settings.TRUSTED_PROXIES:
            await self._outlast_idle_connections()
        await super().shutdown(sockets)

    def _accept_waiting(self, listener: socket.socket) -> None:
        """Accept the connections that the kernel has already completed.

        Closing the listener would reset them, and a proxy may have sent a request on one of them that
        it cannot repeat.
        """
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
        """Make every response close its connection from now on."""
        self.server_state.default_headers = [
            *self.server_state.default_headers,
            (b"connection", b"close"),
        ]
        for connection in self._own_connections():
            connection.close_after_answer()

    def _own_http_protocol(self) -> Any:
        """Return Chatty's own class, or None if uvicorn's is used: see known_protocols()."""
        protocol = self.config.http_protocol_class
        return protocol if hasattr(protocol, "close_after_answer") else None

    def _own_connections(self) -> list[Any]:
        own = self._own_http_protocol()
        return [c for c in self.server_state.connections if own and isinstance(c, own)]

    async def _outlast_idle_connections(self) -> None:
        """Wait until proxies have closed their idle connections, at most IDLE_SECONDS.

        A proxy may send a request on an idle connection just when we close it. It cannot know whether
        the request was handled, and responds with 502 rather than repeat a POST.
        """
        deadline = time.monotonic() + IDLE_SECONDS
        while time.monotonic() < deadline and not self.force_exit:
            if not self._own_connections():
                return
            await asyncio.sleep(0.05)


def trim_memory() -> None:
    """Make glibc return freed memory to the system. Does nothing without glibc.

    By default glibc keeps a heap per thread and, once a large block has been freed (hashing a password
    takes 19 MiB), up to twice its size in each: 150 MiB with a few hostile clients. Must be called before
    other threads start, such as those of a pool of connections: each of them would get a heap of its own.
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
        "ws_max_size": settings.FRAME_MAX,
        "ws_per_message_deflate": False,  # costs memory per socket, and gains little on short messages
        "ws_ping_interval": PING_SECONDS,
        "ws_ping_timeout": PING_SECONDS,
        "timeout_graceful_shutdown": settings.SHUTDOWN_SECONDS,
        "timeout_keep_alive": 15,
        "proxy_headers": False,  # chatty.server.proxy_headers decides which ones to trust
        "server_header": False,
        "access_log": False,
        "log_config": None,
    }
    return uvicorn.Config(**{**options, **changes})


def listening_socket(host: str, port: int) -> socket.socket:
    """Bind a socket. Port 0 chooses a free one. Raises UnservableError."""
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


def serve(listener: socket.socket, on_ready: Callable[[], None], **changes: Any) -> None:
    """Serve in this process until SIGTERM, SIGINT or SIGHUP. `changes`: to configuration()."""
    # After a graceful shutdown uvicorn raises the signal again. With the default handler the exit
    # code would look like a failure.
    signal.signal(signal.SIGTERM, lambda *_: None)
    # When the terminal closes, stop as for SIGTERM.
    signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
    call_with_stack_space(Server(configuration(**changes), on_ready).run, sockets=[listener])


def _work(listener: socket.socket, ready: Connection) -> None:
    """Run a worker. It is a new interpreter, so Django has to be set up. Closes `ready` once it serves."""
    import django

    trim_memory()
    django.setup()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    serve(listener, on_ready=ready.close)


def _end_with_parent() -> None:
    """Stop when the parent is killed: otherwise the worker would keep the port from the next start."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        signal.raise_signal(signal.SIGTERM)


class Workers:
    """Runs `count` processes that serve one listener, and restarts those that die."""

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
        self._starting: dict[int, Connection] = {}  # by index; readable once it serves or has died

    def run(self) -> int:
        """Serve until SIGTERM, SIGINT or SIGHUP. Returns the exit code."""
        with metrics_directory(settings.DATA_DIR / "metrics") as numbers:
            os.environ[metrics.DIRECTORY] = str(numbers)  # shared by these workers only
            return self._run()

    def _run(self) -> int:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: self.stopping.set())
        self._processes = [self._start(index) for index in range(self.count)]
        told = False
        while not self.stopping.wait(0.2):
            self._restart_ended()
            if not told and self._all_ready():
                self.on_ready()
                told = True
        for process in self._processes:
            process.terminate()
        # Each worker closes its own copy. If this one stayed open, the kernel would keep completing
        # connections while the workers stop, and those clients would wait for nothing.
        self.listener.close()
        for process in self._processes:
            process.join(settings.SHUTDOWN_SECONDS + _STOP_SECONDS)
            process.kill()
        return 0

    def _start(self, index: int) -> SpawnProcess:
        ours, theirs = self._context.Pipe(duplex=False)
        process = self._context.Process(target=_work, args=(self.listener, theirs))
        process.start()
        theirs.close()  # the worker has its own copy
        self._starting[index] = ours
        return process

    def _all_ready(self) -> bool:
        for index, pipe in list(self._starting.items()):
            if pipe.poll() and self._processes[index].is_alive():
                self._starting.pop(index).close()
        return not self._starting

    def _restart_ended(self) -> None:
        for index, process in enumerate(self._processes):
            if process.is_alive():
                continue
            log.error("A worker exited with code %s. Starting another one", process.exitcode)
            assert process.pid is not None  # it was started
            metrics.forget_worker(process.pid)
            # A worker that fails immediately must not restart in a tight loop.
            time.sleep(_RESTART_PAUSE_SECONDS)
            if (pipe := self._starting.pop(index, None)) is not None:
                pipe.close()
            self._processes[index] = self._start(index)


@contextlib.contextmanager
def metrics_directory(base: Path) -> Iterator[Path]:
    """Create a directory for the metrics of this process's workers, and delete those of dead ones."""
    base.mkdir(mode=0o700, parents=True, exist_ok=True)
    own = base / str(os.getpid())
    with contextlib.ExitStack() as stack:
        # One process at a time: another could delete the new directory.
        with (base / "lock").open("w") as clearing:
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
    """Delete the directories that killed processes have left in `base`."""
    for directory in base.iterdir():
        # BlockingIOError: its process is running. Other errors: another process is cleaning up too.
        with contextlib.suppress(OSError), (directory / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(directory)
