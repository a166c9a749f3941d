"""Starts Python programs faster, by forking a process that has already imported their packages.

Most of the time of a manage.py command is spent on importing Django and other packages. ForkServer starts one
process that imports them once, without settings, and forks a child for each program. The child gets its own
environment, output and session, and runs the program as `python` would. No module of Chatty is imported
before the fork, so each child reads its settings like a new process. Linux only.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import json
import os
import resource
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parent.parent
# What programs of this project import before or without settings. A missing one costs each of them only the
# time of its import.
_IMPORTED_ONCE = (
    "argon2",
    "channels.layers",
    "channels_redis.core",
    "csp.middleware",
    "django.contrib.admin.utils",
    "django.contrib.auth.hashers",
    "django.contrib.staticfiles.storage",
    "django.core.cache.backends.locmem",
    "django.core.cache.backends.redis",
    "django.core.mail",
    "django.core.management.commands.makemigrations",
    "django.core.management.commands.migrate",
    "django.core.management.commands.shell",
    "django.core.servers.basehttp",
    "django.db.backends.postgresql.base",
    "django.db.backends.sqlite3.base",
    "django.forms",
    "django.middleware.common",
    "django.middleware.csrf",
    "django.middleware.gzip",
    "django.middleware.locale",
    "django.middleware.security",
    "django.template.backends.django",
    "django.template.defaulttags",
    "django.template.loader_tags",
    "django.templatetags.i18n",
    "django.test",
    "django.views.defaults",
    "django.views.generic",
    "environ",
    "httptools",
    "jwt",
    "lucide",
    "msgspec",
    "nh3",
    "PIL.Image",
    "PIL.ImageOps",
    "PIL.WebPImagePlugin",
    "psycopg",
    "psycopg_pool",
    "pyromark",
    "redis.asyncio",
    "requests",
    "rest_framework.compat",
    "rest_framework.serializers",
    "rest_framework.utils.encoders",
    "rjsmin",
    "uvicorn.protocols.http.httptools_impl",
    "uvicorn.protocols.websockets.websockets_impl",
    "uvicorn.server",
    "websockets",
    "whitenoise.middleware",
    "whitenoise.storage",
)
_LONGEST_REQUEST = 1 << 17  # bytes of JSON: arguments and environment


class ForkServer:
    """The process that forks. Close it after its children have ended: it does not end them."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.fork_server", str(theirs.fileno())],
                cwd=ROOT,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl+C is for the tests, which then close it
            )

    def start(self, arguments: list[str], env: dict[str, str], output: IO[Any]) -> ForkedProcess:
        """Run `python ARGUMENTS` in the project's directory, in its own session.

        `arguments`: a script with its arguments, or "-m" and a module with its arguments. `output` also gets
        stderr.
        """
        request = json.dumps([arguments, env]).encode()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            socket.send_fds(self._socket, [request], [theirs.fileno(), output.fileno()])
        return ForkedProcess(arguments, ours)

    def close(self) -> None:
        self._socket.close()
        self._process.wait()


class ForkedProcess:
    """The parts of subprocess.Popen that tests need, for a child of the fork server."""

    def __init__(self, arguments: list[str], channel: socket.socket) -> None:
        self.args = arguments
        self.returncode: int | None = None
        self._channel = channel
        self.pid = self._receive_number()

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal, or None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(timeout=0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code. Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            self._channel.settimeout(timeout)
            try:
                self.returncode = self._receive_number()
            except (BlockingIOError, TimeoutError):
                raise subprocess.TimeoutExpired(self.args, timeout or 0) from None
            self._channel.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Does nothing after it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _receive_number(self) -> int:
        """Return the process id the first time, then the exit code."""
        received = self._channel.recv(32)
        if not received:
            raise RuntimeError("The fork server has ended.")
        return int(received)


def _serve(requests: socket.socket) -> list[str]:
    """Fork a child for each request until the other end is closed.

    Returns only in the children, with the arguments of their program.
    """
    waiting = selectors.DefaultSelector()
    waiting.register(requests, selectors.EVENT_READ)
    while True:
        for key, _events in waiting.select():
            if key.fileobj is not requests:
                _report_exit(waiting, key)
                continue
            request, files, _flags, _address = socket.recv_fds(requests, _LONGEST_REQUEST, 2)
            if not request:
                os._exit(0)  # nothing to clean up, and children may still run
            arguments, env = json.loads(request)
            channel, output = files
            pid = os.fork()
            if pid == 0:
                # Explicitly: if garbage collection closed them later, their numbers could belong to other
                # files.
                waiting.close()
                requests.close()
                _set_up_child(env, output)
                return list(arguments)
            os.close(output)
            os.write(channel, str(pid).encode())
            waiting.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, channel))


def _report_exit(waiting: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
    pid, channel = key.data
    _pid, status = os.waitpid(pid, 0)
    waiting.unregister(key.fileobj)
    os.close(key.fd)
    with contextlib.suppress(OSError):  # the process that started it has closed its end
        os.write(channel, str(os.waitstatus_to_exitcode(status)).encode())
    os.close(channel)


def _set_up_child(env: dict[str, str], output: int) -> None:
    """Give a forked child the session, output and environment of a new process."""
    os.setsid()
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.closerange(3, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    unbuffered = bool(env.get("PYTHONUNBUFFERED"))
    sys.stdout = _text_stream(1, "surrogateescape", buffered=not unbuffered)
    sys.stderr = _text_stream(2, "backslashreplace", buffered=False)


def _text_stream(number: int, errors: str, *, buffered: bool) -> io.TextIOWrapper:
    raw = io.FileIO(number, "w", closefd=False)
    binary: Any = io.BufferedWriter(raw) if buffered else raw
    return io.TextIOWrapper(binary, encoding="utf-8", errors=errors, write_through=not buffered)


def _run(arguments: list[str]) -> None:
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        runpy.run_path(arguments[0], run_name="__main__")


def _main() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in _IMPORTED_ONCE:
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # a collection in a child would copy the memory it shares with the others
    _run(_serve(socket.socket(fileno=int(sys.argv[1]))))


if __name__ == "__main__":
    _main()
