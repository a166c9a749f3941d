"""Servers of two builds behind one address, as while the processes of an installation are updated."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import socketserver
import threading
from collections.abc import Callable
from pathlib import Path

from tests.installations import ROOT, ChatServer, Installation

_CONNECTION = re.compile(rb"\r\nconnection:[^\r]*", re.IGNORECASE)
# What the other build adds to files, to be noticed in a page: `html[data-other]`, `--other`, and a string.
_CHANGES = {
    "static/js/main.js": "document.documentElement.dataset.other = 'yes';\n",
    "static/js/views/pane.js": "export const OTHER = 'yes';\n",
    "static/js/views/switcher.js": "export const OTHER = 'yes';\n",
    "static/css/tokens.css": "@layer tokens { :root { --other: yes; } }\n",
    "templates/_script_strings.html": '<span data-i18n="other">yes</span>\n',
}

Choose = Callable[[str], ChatServer]


class Front(ChatServer):
    """A proxy, used like a server. `choose(path)` returns the server that gets a request; it can be replaced
    at any time. Sockets stay with their server."""

    def __init__(self, installation: Installation, choose: Choose) -> None:
        super().__init__(installation, "front", (), {})
        self.choose = choose
        self._listener = _Listener(("127.0.0.1", self.port), _Handler)
        self._listener.front = self
        threading.Thread(target=self._listener.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown()
        self._listener.server_close()


class _Listener(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128
    front: Front


class _Handler(socketserver.BaseRequestHandler):
    """One request per connection, so that each can go to another server."""

    server: _Listener
    request: socket.socket

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            self._forward()

    def _forward(self) -> None:
        sent = b""
        while b"\r\n\r\n" not in sent:
            data = self.request.recv(65_536)
            if not data:
                return
            sent += data
        head, end, body = sent.partition(b"\r\n\r\n")
        path = head.split(b" ", 2)[1].decode()
        if b"\r\nupgrade: websocket" not in head.lower():
            head = _CONNECTION.sub(b"", head) + b"\r\nConnection: close"
        with socket.create_connection(("127.0.0.1", self.server.front.choose(path).port)) as far:
            far.sendall(head + end + body)
            threading.Thread(target=_pump, args=(self.request, far), daemon=True).start()
            _pump(far, self.request)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def other_build(home: Path) -> str:
    """Copy what browsers get, with some changes. Returns TEST_BUILD of servers of this build."""
    build = home / "other-build"
    shutil.copytree(ROOT / "static", build / "static")
    (build / "templates").mkdir()
    for name, change in _CHANGES.items():
        (build / name).write_text((ROOT / name).read_text() + change)
    return str(build)
