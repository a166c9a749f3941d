"""Keeps a rebuild of the index from overwriting newer entries with older ones.

The reader of the change feed and a rebuild both read messages and then write their entries. If both do it at
the same time, the one that has read the older state could write last.
"""

from __future__ import annotations

from django.db import connection

_LOCK = 0x43_48_41_54_53_52  # an advisory lock of PostgreSQL: any number that nothing else uses


def share_index() -> None:
    """Before reading messages: wait for a rebuild, and let it wait until the end of the transaction."""
    _lock("SELECT pg_advisory_xact_lock_shared(%s)")


def lock_index() -> None:
    """The same, for one transaction at a time."""
    _lock("SELECT pg_advisory_xact_lock(%s)")


def _lock(statement: str) -> None:
    if connection.vendor == "postgresql":  # on SQLite, writing transactions are exclusive
        with connection.cursor() as cursor:
            cursor.execute(statement, [_LOCK])
