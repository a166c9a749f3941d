"""Does the background work in a process of its own, beside servers with BACKGROUND_WORK=0."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from chatty.common.errors import ChatError
from chatty.conf import checks
from chatty.ops import health
from chatty.server import startup, uvicorn_server
from chatty.server.asgi_types import Receive, Scope, Send
from chatty.server.responses import send_error
from chatty.server.router import Router
from conversations.realtime import background

PORT = 8100


class Command(BaseCommand):
    help = (
        "Do the background work of Chatty: jobs, emails, and what follows from messages. Needs PostgreSQL. "
        "Servers then run with BACKGROUND_WORK=0. Stops gracefully on SIGTERM or Ctrl+C."
    )
    requires_system_checks = []  # run below, to report failures in plain sentences

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--host",
            default="127.0.0.1",
            help="Address of /healthz, /readyz and /metrics. Default: 127.0.0.1.",
        )
        parser.add_argument(
            "--port",
            type=int,
            default=PORT,
            help=f"Port of /healthz, /readyz and /metrics. Default: {PORT}. 0 picks a free port.",
        )

    def handle(self, *, host: str, port: int, **options: Any) -> None:
        if checks.uses_sqlite():
            raise CommandError(
                "Only one process can use an SQLite database, and that is the server. It does the "
                "background work itself. To do it in a process of its own, use PostgreSQL."
            )
        try:
            startup.require_ready()
            listener = uvicorn_server.listening_socket(host, port)
        except (uvicorn_server.UnservableError, ImproperlyConfigured) as error:
            raise CommandError(str(error)) from None
        port = listener.getsockname()[1]
        self.say(*startup.describe(), f"Listening on: {host}:{port} (only for monitoring)")
        if settings.BACKGROUND_WORK:
            self.say("Note: servers with BACKGROUND_WORK=1 do background work, too.")
        ready = "Chatty is ready: background work"
        try:
            uvicorn_server.serve(listener, on_ready=lambda: self.say(ready), app=application())
        except KeyboardInterrupt:
            self.say("Stopped.")

    def say(self, *lines: str) -> None:
        for line in lines:
            self.stdout.write(line)
        self.stdout.flush()


def application() -> Router:
    """Return an ASGI application that only responds to monitoring, and does the work in its lifespan."""
    return Router(
        http=_not_found,
        websockets={},
        probes=health.probes(layer=lambda: "unused", collect_metrics=background.collect_metrics),
        on_startup=background.start,
        on_shutdown=background.stop,
        trusted=[],
        https=False,
    )


async def _not_found(scope: Scope, receive: Receive, send: Send) -> None:
    await send_error(scope, send, ChatError("not_found"))
