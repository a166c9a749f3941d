"""A mail server for tests, which answers as a test says."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from email import message_from_bytes
from email.message import Message
from typing import Any, Self


class MailServer:
    """Listens on a free port of this machine, or on `port`. Use it with `with`.

    `answers`: by command ("RCPT"), what to answer instead of success; "" means to say nothing more, and
    "QUIT" to close the connection. `after_data`: called when a message has arrived, before the answer.
    """

    def __init__(self, port: int = 0) -> None:
        self.messages: list[Message] = []
        self.answers: dict[str, str] = {}
        self.connections = 0
        self.after_data: Any = lambda: None
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.mail = self
        self.ended = threading.Event()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    @property
    def references(self) -> list[str]:
        return [message["Message-ID"] for message in self.messages]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=[0.05], daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    mail: MailServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed is no error."""


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        mail = self.server.mail
        mail.connections += 1
        if not self._answer("CONNECT", "220 tests"):
            return
        while line := self.rfile.readline():
            command = line[:4].decode("latin-1").upper().strip()
            if command == "DATA":
                if not self._answer("DATA", "354 go on"):
                    return
                if mail.answers.get("DATA"):
                    continue
                self._receive(mail)
                if not self._answer("END", "250 stored"):
                    return
            elif not self._answer(command, "221 bye" if command == "QUIT" else "250 ok"):
                return

    def _receive(self, mail: MailServer) -> None:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b"."))
        mail.messages.append(message_from_bytes(b"".join(lines)))
        mail.after_data()

    def _answer(self, command: str, success: str) -> bool:
        answer = self.server.mail.answers.get(command, success)
        if answer == "":
            self.server.mail.ended.wait(60)
            return False
        with contextlib.suppress(OSError):
            if answer == "QUIT":
                self.request.shutdown(socket.SHUT_RDWR)
                return False
            self.wfile.write(answer.encode() + b"\r\n")
        return command != "QUIT"
