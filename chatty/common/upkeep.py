"""What is removed once it has run out. Each app registers its own; the engine runs them all.

They run at the start of a process and every hour, beside everybody's work: so in short transactions,
one per step, with a pause after each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet

# A purge does one short transaction per step and yields how many rows it removed.
Purge = Callable[[], Iterator[int]]

BATCH = 50  # rows deleted in one transaction: a few milliseconds on SQLite
FOUND_MAX = 10_000  # rows looked up at once, outside of any transaction

# Any number, as long as nothing else uses it.
_LOCK = 0x43_48_41_54_55_50

_purges: dict[str, Purge] = {}


def register(name: str, purge: Purge) -> None:
    """Have the engine run `purge`. `name` is for the log: what it removes, in the plural."""
    _purges[name] = purge


def registered() -> dict[str, Purge]:
    return dict(_purges)


def delete_in_batches(rows: QuerySet[Any]) -> Iterator[int]:
    """Delete these rows, BATCH of them a step. Ends early where another process is at it."""
    while found := list(rows.order_by().values_list("pk", flat=True)[:FOUND_MAX]):
        gone = 0
        for start in range(0, len(found), BATCH):
            with transaction.atomic():
                if not _take_turn():
                    return
                # Asked again: a row may have been prolonged since it was found.
                deleted, _by_model = rows.filter(pk__in=found[start : start + BATCH]).delete()
            gone += deleted
            yield deleted
        if not gone:
            return


def _take_turn() -> bool:
    """Whether nobody else purges this database now. Holds until the transaction ends."""
    if connection.vendor != "postgresql":
        return True  # SQLite has one process and one writer
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        return bool(cursor.fetchone()[0])
