"""Deletes expired rows and values. Each app registers its purges; the engine runs them all.

They run at the start of a process and every hour, while the server is in use. So each step is one
short transaction, followed by a pause.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet

# A purge yields the number of deleted or changed rows after each step, which is one short transaction.
Purge = Callable[[], Iterator[int]]

BATCH = 50  # rows deleted in one transaction: a few milliseconds on SQLite
FOUND_MAX = 10_000  # ids selected at once, outside of the transactions

# An advisory lock of PostgreSQL. Any number that nothing else uses.
_LOCK = 0x43_48_41_54_55_50

_purges: dict[str, Purge] = {}


def register(name: str, purge: Purge) -> None:
    """Register a purge. `name` is for the log: what it deletes, in the plural."""
    _purges[name] = purge


def registered() -> dict[str, Purge]:
    return dict(_purges)


def delete_in_batches(rows: QuerySet[Any]) -> Iterator[int]:
    """Delete these rows, BATCH per step. Stops early if another process is already purging."""
    while found := list(rows.order_by().values_list("pk", flat=True)[:FOUND_MAX]):
        gone = 0
        for start in range(0, len(found), BATCH):
            with transaction.atomic():
                if not _take_turn():
                    return
                # Filter again: a row may have been extended since it was selected.
                deleted, _by_model = rows.filter(pk__in=found[start : start + BATCH]).delete()
            gone += deleted
            yield deleted
        if not gone:
            return


def _take_turn() -> bool:
    """Return whether this process may purge. The lock is held until the transaction ends."""
    if connection.vendor != "postgresql":
        return True  # SQLite has one process and one writer
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        return bool(cursor.fetchone()[0])
