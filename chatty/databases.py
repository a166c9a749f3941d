"""What a serving process does differently with its database than a command does."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from pathlib import Path
from typing import IO

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, connections

from chatty.postgres import giving_up_after

_ANSWER_SECONDS = 2.0  # for word of a statement that PostgreSQL itself has ended to get here

# Open as long as the process lives: the lock, and one connection, because closing the last one
# would write the whole log back into the database and throw it away, over and over.
_held: list[IO[str] | sqlite3.Connection] = []


def prepare_to_serve() -> None:
    """Call before the first query. Calling it again changes nothing.

    Raises ImproperlyConfigured when another process serves the same SQLite database.
    """
    for alias in connections:
        if "postgresql" in connections.settings[alias]["ENGINE"]:
            _bound_statements(alias)
        elif not _held:
            _hold(Path(connections.settings[alias]["NAME"]))


def _bound_statements(alias: str) -> None:
    """Serving processes only: a migration or a backup may take its time.

    A statement that hangs would otherwise hold a thread, a connection and maybe a lock that
    everybody waits for. PostgreSQL ends it; when PostgreSQL itself is not heard of, we do.
    """
    milliseconds = round(settings.STATEMENT_SECONDS * 1000)
    limits = {
        "statement_timeout": milliseconds,
        "lock_timeout": round(milliseconds * 0.6),
        "idle_in_transaction_session_timeout": milliseconds * 2,
    }
    said = " ".join(f"-c {name}={value}" for name, value in limits.items())
    options = connections.settings[alias]["OPTIONS"]
    if said not in options.get("options", ""):
        options["options"] = f"{options.get('options', '')} {said}".strip()
    if "pool" in options:
        patience = settings.STATEMENT_SECONDS + _ANSWER_SECONDS
        options["pool"]["connection_class"] = giving_up_after(patience)


def _hold(path: Path) -> None:
    """SQLite has one writer, and what one process tells its sockets another would not hear."""
    lock = path.with_name(path.name + ".lock").open("a+", encoding="ascii")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.seek(0)
        owner = lock.read(20).strip() or "unknown"
        lock.close()
        raise ImproperlyConfigured(
            f"Chatty is already served from {path} (process {owner}). Stop that one first, or set "
            "DATABASE_URL and REDIS_URL: PostgreSQL and Redis serve any number of processes."
        ) from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    anchor = sqlite3.connect(path, check_same_thread=False)
    anchor.execute("SELECT count(*) FROM sqlite_master").fetchone()
    _held.extend([lock, anchor])


def spare_connections() -> int | None:
    """How many connections PostgreSQL grants ordinary users; None where there is no such limit."""
    if connection.vendor != "postgresql":
        return None
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('max_connections')::int"
            " - current_setting('superuser_reserved_connections')::int"
        )
        return int(cursor.fetchone()[0])
