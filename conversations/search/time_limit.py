"""Ends statements that take too long, instead of letting them hold a thread and a connection."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connection, transaction
from django.utils.translation import gettext_lazy as _

from chatty.common.errors import ChatError

STATEMENT_SECONDS = 2.0
_CANCELED = "57014"  # SQLSTATE
_INSTRUCTIONS = (
    10_000  # of SQLite's virtual machine between two looks at the clock: less than a millisecond
)


@contextmanager
def time_limit() -> Iterator[None]:
    """Inside, reading statements end after STATEMENT_SECONDS. Then raises ChatError("busy")."""
    limited = _limit_postgres if connection.vendor == "postgresql" else _limit_sqlite
    try:
        with limited():
            yield
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) == _CANCELED or "interrupted" in str(error):
            raise ChatError("busy", _TOO_LONG, retry_after=5) from error
        raise


_TOO_LONG = _("This search takes too long. Add a filter such as in: or from:, or try again later.")


@contextmanager
def _limit_postgres() -> Iterator[None]:
    with transaction.atomic():
        with connection.cursor() as cursor:
            # The planner doesn't know how many entries have a gram, and would read all of them one by one.
            cursor.execute(
                "SELECT set_config('statement_timeout', %s, true),"
                " set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true)",
                [str(round(STATEMENT_SECONDS * 1000))],
            )
        yield


@contextmanager
def _limit_sqlite() -> Iterator[None]:
    connection.ensure_connection()
    database = connection.connection
    ends_at = time.monotonic() + STATEMENT_SECONDS
    database.set_progress_handler(lambda: time.monotonic() > ends_at, _INSTRUCTIONS)
    try:
        yield
    finally:
        database.set_progress_handler(None, 0)
