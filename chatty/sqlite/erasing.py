"""What SQLite keeps of deleted text: in its log, and in the unused space of its file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from django.db import connection

from chatty.sqlite.base import turn_for

_READER_SECONDS = 0.05  # how long writers are held up for a reader of an older state


def truncate_log() -> bool:
    """Copy the log (-wal) to the database file and cut it to nothing. True where no log is left.

    Until then older versions of pages, with text deleted since, are in the log. Returns False while
    somebody reads an older state. Raises sqlite3.Error. PostgreSQL keeps its log by its own rules.
    """
    if connection.vendor != "sqlite":
        return True
    path = Path(connection.settings_dict["NAME"]).absolute()
    log = path.with_name(path.name + "-wal")
    if not log.exists() or not log.stat().st_size:
        return True
    # A connection of its own, with its own patience; it never makes a database where there is none.
    with closing(
        sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=_READER_SECONDS)
    ) as database:
        # Nearly all of the work, and nobody waits for it.
        database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        turn = turn_for(str(connection.settings_dict["NAME"]))
        turn.acquire()
        try:
            [(busy, _in_log, _copied)] = database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            turn.release()
    return not busy


def compact() -> None:
    """Write the database anew, with nothing in it but what is stored now. Nobody may use it meanwhile.

    Raises DatabaseError: free space on the disk, twice the size of the database, is needed.
    """
    with connection.cursor() as cursor:
        cursor.execute("VACUUM")
    truncate_log()
