"""Removes deleted text from SQLite's log (WAL) and from the unused space of the database file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from django.db import connection

from chatty.sqlite.base import turn_for

_READER_SECONDS = 0.05  # how long a checkpoint waits for readers, and blocks writers


def truncate_log() -> bool:
    """Checkpoint the log (-wal) and truncate it. Returns True if it is empty now.

    Until then the log contains old versions of pages, with text that has been deleted since. Returns
    False while a reader still uses an older snapshot. Raises sqlite3.Error. On PostgreSQL, which
    manages its log itself, this does nothing.
    """
    if connection.vendor != "sqlite":
        return True
    path = Path(connection.settings_dict["NAME"]).absolute()
    log = path.with_name(path.name + "-wal")
    if not log.exists() or not log.stat().st_size:
        return True
    # A separate connection with its own timeout. mode=rw: never create a missing database.
    with closing(
        sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=_READER_SECONDS)
    ) as database:
        # PASSIVE does nearly all of the work without blocking anyone.
        database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        turn = turn_for(str(connection.settings_dict["NAME"]))
        turn.acquire()
        try:
            [(busy, _in_log, _copied)] = database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            turn.release()
    return not busy


def compact() -> None:
    """Rewrite the database file without deleted data. No other process may use it during that time.

    Needs free disk space of twice the database's size. Raises DatabaseError.
    """
    with connection.cursor() as cursor:
        cursor.execute("VACUUM")
    truncate_log()
