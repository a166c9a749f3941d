"""Checks before Chatty serves, however it is started, and their error messages."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from chatty.common import redis_clients
from chatty.conf import checks
from chatty.ops import databases, failures

log = logging.getLogger("chatty.server.startup")

SET_UP = "Run this first: python manage.py setup"
_OTHERS_CONNECTIONS = 5  # left for commands, backups and administrators

_is_done = False


class StartError(ImproperlyConfigured):
    """Why Chatty cannot start. The message says how to fix it."""


def require_ready(workers: int = 1) -> None:
    """Run all checks, once per process. Raises StartError or ImproperlyConfigured."""
    global _is_done
    if _is_done:
        return
    require_safe_settings(workers)
    os.umask(0o077)  # as in manage.py, for servers that are not started by it
    databases.protect_files()
    if database_exists():
        databases.prepare_to_serve()
    require_set_up(workers)
    require_working_redis()
    _is_done = True


def require_ready_from_anywhere() -> None:
    """As require_ready(), but works inside a running event loop, where Django allows no queries."""
    _outside_of_loops(require_ready)


def _outside_of_loops(function: Callable[[], None]) -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        function()
        return
    with ThreadPoolExecutor(1) as executor:
        executor.submit(function).result()


def require_safe_settings(workers: int) -> None:
    """Raises StartError if a system check reports an error."""
    faults = [fault for fault in run_checks() if fault.is_serious()]
    if workers > 1:
        faults += checks.check_several_processes(workers)
    if faults:
        raise StartError(
            "\n".join(f"{fault.msg}\n  {fault.hint or ''} ({fault.id})" for fault in faults)
        )


def database_exists() -> bool:
    """Return False before the first set-up: connecting to SQLite would create an empty database."""
    return not checks.uses_sqlite() or Path(settings.DATABASES["default"]["NAME"]).exists()


def require_set_up(workers: int) -> None:
    """Raises StartError if Chatty or an update is not set up, or if there is no database."""
    if not settings.SECRET_IS_STORED or not database_exists():
        raise StartError(f"Chatty is not set up yet. {SET_UP}")
    failures.require_database()
    try:
        executor = MigrationExecutor(connection)
        databases.require_no_newer_migrations(executor.loader)
        pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
        spare = databases.spare_connections()
        if not pending:
            databases.compare_secret()
            databases.write_probe()
    except DatabaseError as error:
        sentence = failures.explain_database_error(error)
        if sentence is None:
            raise
        raise StartError(sentence) from None
    finally:
        connection.close()
    if pending:
        raise StartError(
            f"The database is behind this version of Chatty (migrations to apply: {len(pending)}). "
            f"{SET_UP}"
        )
    if not settings.DEBUG and not staticfiles_storage.exists("staticfiles.json"):
        raise StartError(f"The static files have not been collected yet. {SET_UP}")
    require_spare_connections(workers, spare)


def require_spare_connections(workers: int, spare: int | None) -> None:
    if spare is None:
        return
    pool = settings.DATABASES["default"]["OPTIONS"]["pool"]["max_size"]
    if workers * pool + _OTHERS_CONNECTIONS > spare:
        most = max(2, (spare - _OTHERS_CONNECTIONS) // workers)
        raise StartError(
            f"{workers} x {pool} connections are more than PostgreSQL allows ({spare}). "
            f"Set DATABASE_POOL={most}, use fewer workers, or raise max_connections."
        )


def require_working_redis() -> None:
    """Raises StartError for permanent problems. Without a reachable Redis Chatty is only slower."""
    fault = redis_clients.fault(settings.REDIS_URL) if settings.REDIS_URL else None
    if fault is None:
        return
    sentence, may_pass = fault
    if not may_pass:
        raise StartError(sentence)
    log.warning("%s", sentence)


# --- the services in use --------------------------------------------------------------------------


def describe() -> list[str]:
    """Return the database, Redis and address in use, one per line, without credentials."""
    public = settings.PUBLIC_URL or "not set (only reachable from this machine)"
    return [f"Database: {_database()}", f"Redis: {_redis()}", f"PUBLIC_URL: {public}"]


def _database() -> str:
    config = settings.DATABASES["default"]
    if checks.uses_sqlite():
        return f"SQLite, {config['NAME']}"
    name = config["NAME"] or config.get("OPTIONS", {}).get("service", "")
    user = f" as {config['USER']}" if config.get("USER") else ""
    return f"PostgreSQL, {name} at {failures.where(config)}{user}"


def _redis() -> str:
    if not settings.REDIS_URL:
        return "not used (one process)"
    return redis_clients.target(settings.REDIS_URL).described
