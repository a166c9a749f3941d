"""Statements that are executed for every request, socket or message.

The ORM builds and compiles a statement each time, which takes longer than the database needs to run it, and
PostgreSQL parses and plans it each time. Here the text is fixed, and PostgreSQL prepares it once per
connection (WatchedConnection.run() in postgres.py). With DATABASE_PREPARE off it doesn't, because a pooler
may execute each transaction in another session.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache, partial
from typing import Any

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connection, connections

from chatty.postgres import Row, Statement, Step


def fetch_rows(sql: str, parameters: Sequence[Any]) -> list[Row]:
    """Execute a SELECT and return all rows, as the driver returns them: see rows.py for conversions.

    `sql` must be one of a few fixed texts, because each different one is prepared. Values are parameters:
    integers, texts, datetimes and None.
    """
    # django.db.connection would look it up for each attribute.
    database: Any = connections[DEFAULT_DB_ALIAS]
    if database.vendor != "postgresql":
        with database.cursor() as cursor:
            cursor.execute(sql, parameters)
            return list(cursor.fetchall())
    (rows,) = run((_numbered(sql), [_as_text(each) for each in parameters]))
    return rows


def run(*steps: Step, commit: bool = False) -> list[list[Row]]:
    """Execute statements in one round trip to PostgreSQL; see WatchedConnection.run().

    `commit`: also commit, unless the transaction is part of a larger one.
    """
    database: Any = connections[DEFAULT_DB_ALIAS]
    database.close_if_health_check_failed()
    database.ensure_connection()
    database.validate_no_broken_transaction()
    # With savepoints, the end of this atomic block is not the end of the transaction.
    ends = commit and database.in_atomic_block and not database.savepoint_ids

    def execute(*_: Any) -> list[list[Row]]:
        with database.wrap_database_errors:
            rows: list[list[Row]] = database.connection.run(
                *steps, prepare=settings.DATABASE_PREPARE, commit=ends and database.commit_on_exit
            )
        return rows

    if not (database.execute_wrappers or database.queries_logged):
        return execute()
    # As Django's cursors do. A round trip is one entry.
    sql = "; ".join(statement.sql.decode() for statement, _values in steps)
    values = [None if each is None else each.decode() for _, values in steps for each in values]
    called = execute
    for wrapper in reversed(database.execute_wrappers):
        called = partial(wrapper, called)
    found = called(sql, values, False, {"connection": database, "cursor": None})
    if database.queries_logged:
        database.queries_log.append({"sql": f"{sql} -- {values}", "time": ""})
    return found


def array(column: Iterable[Any]) -> bytes:
    """Return a PostgreSQL array as a parameter of run(). NULL is not supported."""
    # Every element is quoted, and quotes and backslashes are escaped.
    quoted = [str(value).replace("\\", "\\\\").replace('"', '\\"') for value in column]
    return ('{"' + '","'.join(quoted) + '"}').encode() if quoted else b"{}"


def in_ids() -> str:
    """Return a condition with one parameter, list_ids(), so that any number of ids has the same text."""
    if connection.vendor == "postgresql":
        return "= ANY(%s::bigint[])"
    return "IN (SELECT value FROM json_each(%s))"


def list_ids(ids: Iterable[int]) -> str:
    listed = ",".join(map(str, ids))
    return f"{{{listed}}}" if connection.vendor == "postgresql" else f"[{listed}]"


@cache
def _numbered(sql: str) -> Statement:
    """Return the statement with $1, $2 and so on for its placeholders."""
    first, *others = sql.split("%s")
    return Statement(first + "".join(f"${number}{part}" for number, part in enumerate(others, 1)))


def _as_text(value: int | str | datetime | None) -> bytes | None:
    """Return a parameter in PostgreSQL's text format."""
    if value is None:
        return None
    return (value.isoformat() if isinstance(value, datetime) else str(value)).encode()
