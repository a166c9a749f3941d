"""Claiming work: what jobs, deliveries and the cursors of readers have in common.

1. claim() takes rows that are due, in a short transaction of its own. It sets a token and a time at which
   the claim runs out. No other process takes them before that.
2. The work is done.
3. finish() removes the row, or release() keeps it for later, on condition that the token is still there.
   If it is not, the claim ran out and another process has started over: ClaimLostError rolls back what the
   late one has written in this transaction.

Therefore work that only writes to the database, in the transaction of step 3, takes effect exactly once.
Anything else may happen twice, after a crash between steps 2 and 3.

Times are those of the servers' clocks. If a clock is set back, claims and delays would last longer by that
much. Times further in the future than they could ever have been set are therefore ignored: see `unplanned`.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import sqlite3
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from chatty.common.errors import DATABASE_ERRORS
from chatty.jobs.work import ERROR_MAX, Work
from chatty.ops import logs

logger = logging.getLogger(__name__)

W = TypeVar("W", bound=Work)

LEASE_SECONDS = 30.0  # how long a claim lasts if it isn't extended
RETRY_SECONDS = 1.0  # after the first failure; doubled with each
RETRY_SECONDS_MAX = 600.0
# Errors that Django takes for a state of the database, and that depend on the statement: statement_timeout,
# and limits such as that of an entry of an index; on SQLite, anything wrong with it, and an interruption.
_SQLSTATES_OF_STATEMENTS = ("57014", "54")  # the beginnings
_SQLITE_CODES_OF_STATEMENTS = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_INTERRUPT)
# How often workers look for rows that no one has woken them for, while any are waiting and otherwise.
SWEEP_SECONDS = 1.0
IDLE_SWEEP_SECONDS = 5.0
KILLED = "The process ended while it worked on this."
# How far in the future work without failures can be due, unless someone has asked for a later time: after
# trouble of the database, and if the clocks of servers differ.
UNPLANNED_SECONDS_MAX = 60.0
ALL, NONE = ~Q(pk__in=[]), Q(pk__in=[])  # of the rows


class ClaimLostError(Exception):
    """The claim ran out, and another process may have started over."""


def claim(
    rows: QuerySet[W],
    limit: int,
    *,
    lease: float = LEASE_SECONDS,
    unplanned: Q = NONE,
    order: tuple[str, ...] = ("due_at", "pk"),
) -> list[W]:
    """Claim up to `limit` of these rows that are due, in this order.

    `lease`: in seconds. `unplanned`: those that are never due later than UNPLANNED_SECONDS_MAX from now,
    unless they have failed. A later time is from a clock that was set back since.

    Processes that claim at the same time get different rows. Must not be called in a transaction.
    """
    now = timezone.now()
    claimable = _is_free(now, lease) & _is_due(now, unplanned)
    due = rows.filter(claimable, set_aside_at=None).order_by(*order)
    if connection.vendor == "sqlite" and not due.exists():
        return []  # don't wait for a turn to write
    with transaction.atomic(durable=True):
        claimed = _mark(due[:limit], secrets.token_hex(8), now + timedelta(seconds=lease))
        return _set_aside_killers(claimed, now)


def _mark(due: QuerySet[W], token: str, until: datetime) -> list[W]:
    """Claim these rows in one statement, except those that another transaction has locked."""
    model = due.model
    table = model._meta.db_table
    locked = f"FOR UPDATE OF {table} SKIP LOCKED" if connection.vendor == "postgresql" else ""
    chosen, parameters = due.values("id").query.sql_with_params()
    # Materialized, or PostgreSQL could choose again for each row, and more than `limit`.
    claimed = model._default_manager.raw(
        f"""WITH due AS MATERIALIZED ({chosen} {locked})
        UPDATE {table} SET claim = %s, claimed_until = %s, failures = failures + 1
        WHERE id IN (SELECT due.id FROM due) RETURNING *""",  # noqa: S608 - our own names
        [*parameters, token, connection.ops.adapt_datetimefield_value(until)],
    )
    return sorted(claimed, key=lambda row: (row.due_at, row.pk))


def _is_free(now: datetime, lease: float) -> Q:
    longest = now + timedelta(seconds=2 * max(lease, LEASE_SECONDS))
    return Q(claimed_until=None) | Q(claimed_until__lte=now) | Q(claimed_until__gt=longest)


def _is_due(now: datetime, unplanned: Q) -> Q:
    longest_delay = now + timedelta(seconds=2 * RETRY_SECONDS_MAX)
    longest = now + timedelta(seconds=UNPLANNED_SECONDS_MAX)
    was_set_back = Q(due_at__gt=longest_delay, failures__gt=0)
    was_set_back |= Q(due_at__gt=longest, failures=0) & unplanned
    return Q(due_at__lte=now) | was_set_back


def _set_aside_killers(rows: list[W], now: datetime) -> list[W]:
    """Set aside rows that have ended their process too often. Return the others."""
    for row in rows:
        if row.failures > row.FAILURES_MAX:
            error, failures = row.error or KILLED, row.failures - 1
            values = {"set_aside_at": now, "error": error, "failures": failures}
            change(row, claim="", claimed_until=None, **values)
            logger.error("%s %s was set aside: %s", row._meta.verbose_name, row.pk, error)
    return [row for row in rows if row.set_aside_at is None]


def extend(row: Work, *, lease: float = LEASE_SECONDS, **values: Any) -> None:
    """Extend the claim. `values`: of other columns. Raises ClaimLostError."""
    change(row, claimed_until=timezone.now() + timedelta(seconds=lease), **values)


def finish(row: Work) -> None:
    """Remove a row whose work is done. Raises ClaimLostError."""
    gone, _by_model = _claimed(row).delete()
    if not gone:
        raise ClaimLostError


def release(row: Work, *, due_at: datetime | None = None, **values: Any) -> None:
    """End the claim after a success and keep the row: the next part of the work is due at `due_at` (None:
    now). `values`: of other columns. Raises ClaimLostError."""
    change(
        row,
        claim="",
        claimed_until=None,
        due_at=due_at or timezone.now(),
        failures=0,
        error="",
        **values,
    )


def give_back(row: Work, *, due_at: datetime | None = None) -> None:
    """End the claim without a result, for a reason that isn't the row's: a shutdown, or a database that
    can't be reached. Doesn't count as a failure. Raises ClaimLostError."""
    failures = max(row.failures - 1, 0)
    due_at = due_at or row.due_at
    change(row, claim="", claimed_until=None, due_at=due_at, failures=failures)


def fail(row: Work, error: Exception, *, set_aside: bool | None = None) -> None:
    """End the claim after a failure. The work is tried again later, longer after each failure.

    `set_aside`: whether to set it aside instead (None: after FAILURES_MAX failures). Raises
    ClaimLostError.
    """
    if set_aside is None:
        set_aside = row.failures >= row.FAILURES_MAX
    now = timezone.now()
    text = logs.describe_error(error)[:ERROR_MAX]
    change(
        row,
        claim="",
        claimed_until=None,
        error=text,
        due_at=now + retry_delay(row.failures),
        set_aside_at=now if set_aside else None,
    )
    if set_aside:
        logger.error("%s %s was set aside: %s", row._meta.verbose_name, row.pk, text)


def change(row: Work, **values: Any) -> None:
    """Change columns of a claimed row. Raises ClaimLostError."""
    if not _claimed(row).update(**values):
        raise ClaimLostError
    for name, value in values.items():
        setattr(row, name, value)


def try_again(rows: QuerySet[Any]) -> int:
    """Make rows that were set aside, or wait after a failure, due now. Returns how many."""
    waiting = rows.filter(Q(set_aside_at__isnull=False) | Q(failures__gt=0), claim="")
    return waiting.update(due_at=timezone.now(), set_aside_at=None, failures=0)


def retry_delay(failures: int) -> timedelta:
    """Return how long to wait after this many failures in a row."""
    doubled = RETRY_SECONDS * 2.0 ** min(failures - 1, 30)
    return timedelta(seconds=min(doubled, RETRY_SECONDS_MAX))


def is_database_trouble(error: BaseException) -> bool:
    """Whether the error comes from the state of the database (down, locked, restarting), not from the
    work. What would fail again with any state is the work's own failure, or it would be repeated
    permanently."""
    if not isinstance(error, DATABASE_ERRORS):
        return False
    sqlstate = getattr(error.__cause__, "sqlstate", None) or ""
    sqlite_code = getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF  # without its details
    return not (
        sqlstate.startswith(_SQLSTATES_OF_STATEMENTS) or sqlite_code in _SQLITE_CODES_OF_STATEMENTS
    )


def sweep_delay(rows: QuerySet[Any]) -> float:
    """Return how long a worker should wait before it looks again for rows that are due, in seconds."""
    waiting = rows.filter(set_aside_at=None)
    next_one = waiting.filter(claim="").order_by("due_at").values_list("due_at", flat=True).first()
    if next_one is not None:
        seconds = (next_one - timezone.now()).total_seconds()
        # Already due: another process is quicker, or something keeps it from being claimed.
        return min(seconds if seconds > 0 else SWEEP_SECONDS, IDLE_SWEEP_SECONDS)
    return SWEEP_SECONDS if waiting.exists() else IDLE_SWEEP_SECONDS


def give_all_back(rows: Iterable[Work]) -> None:
    """Give back claims on which no work has begun."""
    for row in rows:
        with contextlib.suppress(ClaimLostError):
            give_back(row)


def _claimed(row: Work) -> QuerySet[Any]:
    # None if the claim was ended: no row has that.
    return type(row)._default_manager.filter(pk=row.pk, claim=row.claim or None)
