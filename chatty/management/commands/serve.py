"""Serves Chatty: pages, REST and sockets on one port."""

from __future__ import annotations

import sys
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from chatty.server import startup, uvicorn_server


class Command(BaseCommand):
    help = "Serve Chatty. Stops gracefully on SIGTERM or Ctrl+C."
    requires_system_checks = []  # run below, to report failures in plain sentences

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--host",
            default=settings.HOST,
            help="Address to listen on. Default: HOST, or 127.0.0.1.",
        )
        parser.add_argument(
            "--port",
            type=int,
            default=settings.PORT,
            help="Port to listen on. Default: PORT, or 8000. 0 picks a free port.",
        )
        parser.add_argument(
            "--workers",
            type=int,
            default=1,
            help="Number of processes. More than one needs PostgreSQL and Redis.",
        )

    def handle(self, *, host: str, port: int, workers: int, **options: Any) -> None:
        if workers < 1:
            raise CommandError("--workers must be at least 1.")
        uvicorn_server.trim_memory()
        try:
            startup.require_ready(workers)
            listener = uvicorn_server.listening_socket(host, port)
        except (uvicorn_server.UnservableError, ImproperlyConfigured) as error:
            raise CommandError(str(error)) from None
        port = listener.getsockname()[1]
        self.say(*startup.describe(), f"Listening on: {host}:{port}")

        def show() -> None:
            self.say(f"Chatty is ready: {address(host, port)}")

        if workers > 1:
            sys.exit(uvicorn_server.Workers(listener, workers, on_ready=show).run())
        try:
            uvicorn_server.serve(listener, on_ready=show)
        except KeyboardInterrupt:
            self.stdout.write("Stopped.")

    def say(self, *lines: str) -> None:
        for line in lines:
            self.stdout.write(line)
        self.stdout.flush()


def address(host: str, port: int) -> str:
    """Return the URL to open in a browser."""
    if settings.PUBLIC_URL:
        return str(settings.PUBLIC_URL)
    if host in {"0.0.0.0", "::", "[::]"}:  # noqa: S104 (compared, not listened on)
        host = "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host and '[' not in host else host}:{port}"
