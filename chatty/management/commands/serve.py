"""Serves Chatty: pages, REST and sockets on one port."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from chatty import checks, databases, server

_SET_UP = "Run this first: python manage.py setup"
_OTHERS_CONNECTIONS = 5  # for commands, backups and a curious administrator


class Command(BaseCommand):
    help = "Serve Chatty. Stops gracefully on SIGTERM or Ctrl+C."
    requires_system_checks = []  # run below, so that they speak in sentences

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default=settings.HOST, help="Default: HOST, or 127.0.0.1.")
        parser.add_argument(
            "--port",
            type=int,
            default=settings.PORT,
            help="Default: PORT, or 8000; 0 = a free one.",
        )
        parser.add_argument(
            "--workers",
            type=int,
            default=1,
            help="Processes; more than one needs PostgreSQL and Redis.",
        )

    def handle(self, *, host: str, port: int, workers: int, **options: Any) -> None:
        if workers < 1:
            raise CommandError("--workers should be at least 1.")
        try:
            refuse_unsafe(workers)
            databases.prepare_to_serve() if is_there() else None
            refuse_unfinished(workers)
            listener = server.listening_socket(host, port)
        except (server.UnservableError, ImproperlyConfigured) as error:
            raise CommandError(str(error)) from None
        port = listener.getsockname()[1]

        def tell() -> None:
            self.stdout.write(f"Chatty is ready: {address(host, port)}", ending="\n")
            self.stdout.flush()

        if workers > 1:
            tell()
            sys.exit(server.Workers(listener, workers).run())
        try:
            server.serve(listener, on_ready=tell)
        except KeyboardInterrupt:
            self.stdout.write("Stopped.")


def address(host: str, port: int) -> str:
    """Where to point a browser."""
    if settings.PUBLIC_URL:
        return str(settings.PUBLIC_URL)
    if host in {"0.0.0.0", "::", "[::]"}:  # noqa: S104 (compared, not listened on)
        host = "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host and '[' not in host else host}:{port}"


def refuse_unsafe(workers: int) -> None:
    """Raises UnservableError for what the system checks call an error."""
    faults = [fault for fault in run_checks() if fault.is_serious()]
    if workers > 1:
        faults += checks.several_processes(workers)
    if faults:
        raise server.UnservableError(
            "\n".join(f"{fault.msg}\n  {fault.hint or ''} ({fault.id})" for fault in faults)
        )


def is_there() -> bool:
    """False before the first set-up: merely connecting to SQLite would leave an empty database."""
    return not checks.uses_sqlite() or Path(settings.DATABASES["default"]["NAME"]).exists()


def refuse_unfinished(workers: int) -> None:
    """Raises UnservableError before set-up, after an update not set up, and without the database."""
    if not settings.SECRET_IS_STORED or not is_there():
        raise server.UnservableError(f"Chatty is not set up yet. {_SET_UP}")
    try:
        executor = MigrationExecutor(connection)
        pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
        spare = databases.spare_connections()
    except DatabaseError as error:
        reason = str(error).strip().partition("\n")[0]
        raise server.UnservableError(
            f"The database does not answer: {reason}\nCheck DATABASE_URL, and that it is running."
        ) from None
    finally:
        connection.close()
    if pending:
        raise server.UnservableError(
            f"The database is {len(pending)} steps behind this version of Chatty. {_SET_UP}"
        )
    if not settings.DEBUG and not staticfiles_storage.exists("staticfiles.json"):
        raise server.UnservableError(f"The files of the pages are not collected yet. {_SET_UP}")
    refuse_crowding(workers, spare)


def refuse_crowding(workers: int, spare: int | None) -> None:
    if spare is None:
        return
    pool = settings.DATABASES["default"]["OPTIONS"]["pool"]["max_size"]
    if workers * pool + _OTHERS_CONNECTIONS > spare:
        most = max(2, (spare - _OTHERS_CONNECTIONS) // workers)
        raise server.UnservableError(
            f"{workers} x {pool} connections are more than PostgreSQL grants ({spare}). "
            f"Set DATABASE_POOL={most}, use fewer workers, or raise max_connections."
        )
