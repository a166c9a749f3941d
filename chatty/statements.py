"""Statements that are executed for every request, socket or message.

The ORM builds and compiles a statement each time, which takes longer than the database needs to run it, and
PostgreSQL parses and plans it each time. Here the text is fixed, and PostgreSQL prepares it once per
connection. With DATABASE_PREPARE off it doesn't, because a pooler may execute each transaction in another
session.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connection, connections
from psycopg import errors
from psycopg.pq import TransactionStatus
from psycopg.types.numeric import Int8


def fetch_rows(sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Execute a SELECT and return all rows, as the driver returns them: see rows.py for conversions.

    `sql` must be one of a few fixed texts, because each different one is prepared. Values are parameters.
    """
    # django.db.connection would look it up for each attribute.
    database: Any = connections[DEFAULT_DB_ALIAS]
    if database.vendor != "postgresql":
        with database.cursor() as cursor:
            cursor.execute(sql, parameters)
            return list(cursor.fetchall())
    with _prepared_cursor(database) as cursor:
        # psycopg chooses the type of an int by its size, and PostgreSQL would prepare the statement for
        # each combination of types.
        cursor.execute(sql, [Int8(each) if type(each) is int else each for each in parameters])
        return list(cursor.fetchall())


def in_ids() -> str:
    """Return a condition with one parameter, list_ids(), so that any number of ids has the same text."""
    if connection.vendor == "postgresql":
        return "= ANY(%s::bigint[])"
    return "IN (SELECT value FROM json_each(%s))"


def list_ids(ids: Iterable[int]) -> str:
    listed = ",".join(map(str, ids))
    return f"{{{listed}}}" if connection.vendor == "postgresql" else f"[{listed}]"


def _prepared_cursor(database: Any) -> Any:
    """Like database.cursor(), so that statements are logged, wrapped and counted as usual."""
    database.close_if_health_check_failed()
    database.ensure_connection()
    with database.wrap_database_errors:
        return database._prepare_cursor(_cursor_class()(database.connection))


@cache
def _cursor_class() -> Any:
    # Not imported at the top: Django's module is only needed with PostgreSQL.
    from django.db.backends.postgresql.base import ServerBindingCursor
    from psycopg.types.datetime import TimestamptzLoader

    base: Any = ServerBindingCursor  # which the stubs know as an object

    class PreparedCursor(base):
        """Prepares every statement on its first execution.

        Only this class does: all other statements of the connection have their values in their text, and
        psycopg would count and store each of them if `prepare_threshold` were set.
        """

        def __init__(self, connection: Any) -> None:
            super().__init__(connection)
            # Django's own loader is written in Python, to set the time zone of naive datetimes. It took
            # 3 µs per value. psycopg's takes the time zone of the connection, which is UTC.
            self.adapters.register_loader("timestamptz", TimestamptzLoader)

        def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
            raw = self.connection
            is_alone = raw.autocommit and raw.pgconn.transaction_status == TransactionStatus.IDLE
            raw.prepare_threshold = 0 if settings.DATABASE_PREPARE else None
            try:
                return super().execute(query, params, **options)
            except errors.FeatureNotSupported as error:
                # A migration has changed the type of a column: "cached plan must not change result type".
                if not is_alone:
                    # The transaction has failed. Clients retry, with a new connection.
                    raw.close()
                    raise errors.OperationalError("A prepared statement is outdated.") from error
                raw.deallocate_all()
                return super().execute(query, params, **options)
            finally:
                raw.prepare_threshold = None

        def _send_query_prepared(self, name: bytes, pgq: Any, **options: Any) -> None:
            self._query = pgq  # for Django's log of queries
            super()._send_query_prepared(name, pgq, **options)

    return PreparedCursor
