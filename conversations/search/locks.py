"""Keeps a rebuild of the index from overwriting newer entries with older ones.

The reader of the change feed and a rebuild both read messages and then write their entries. If both do it at
the same time, the one that has read the older state could write last. On SQLite, writing transactions are
exclusive anyway.
"""

from __future__ import annotations

from django.db import connection

from chatty.postgres import Statement
from chatty.statements import run

_LOCK = 0x43_48_41_54_53_52  # an advisory lock of PostgreSQL: any number that nothing else uses

# Before messages are read: wait for a rebuild's step, and let it wait until the end of the transaction.
SHARE_INDEX = Statement(f"SELECT pg_advisory_xact_lock_shared({_LOCK})")


def share_index() -> None:
    if connection.vendor == "postgresql":
        run((SHARE_INDEX, []))


def lock_index() -> None:
    """Wait for all others, and let them wait until the end of the transaction."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
