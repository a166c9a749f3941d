"""The connection class of PostgreSQL's pool.

The settings import this module, so it must not use them.
"""

from __future__ import annotations

import hashlib
import select
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import generators
from psycopg.adapt import Transformer
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus
from psycopg.types.datetime import TimestamptzLoader

_INTERVAL_SECONDS = 0.1  # psycopg's default: how soon Ctrl+C is noticed
_REPLAN_RUNS = 500  # the most runs with the same plans: see WatchedConnection.run()
# SQLSTATEs of a prepared statement that can't be used any more: a migration has changed the type of a
# column, or something has reset the session.
_STALE = ("0A000", "26000", "42P05")
_GOOD = (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK, ExecStatus.PIPELINE_SYNC)

Row = tuple[Any, ...]


class Statement:
    """A statement for WatchedConnection.run(), with $1, $2 and so on for parameters, as PostgreSQL has them.

    It must make the types of the parameters clear, for example with casts.
    """

    __slots__ = ("name", "sql")

    def __init__(self, sql: str) -> None:
        self.sql = sql.encode()
        self.name = b"chatty_" + hashlib.blake2b(self.sql, digest_size=8).hexdigest().encode()


# A statement with its parameters in PostgreSQL's text format.
Step = tuple[Statement, Sequence[bytes | None]]


class WatchedConnection(psycopg.Connection[Any]):
    """A connection that is checked without a round trip, and has a timeout for responses.

    Before it hands out a connection, the pool executes an empty statement. That round trip was a
    quarter of the CPU time of connecting a WebSocket. Instead, this class polls the TCP socket: an
    idle server sends nothing, and if it has gone away, the socket is closed. A connection that is dead
    without being closed is not detected, but then the empty statement would hang as well.

    After `timeout_seconds` without a response the connection is closed, and the caller gets an
    OperationalError. PostgreSQL's timeouts cover slow statements, and the kernel's tcp_user_timeout
    covers lost packets. Neither helps if something in between still acknowledges every byte: a proxy,
    or the kernel of a server whose PostgreSQL or disk hangs. Whether a commit has succeeded is unknown
    then.
    """

    timeout_seconds: float | None = None
    # A statement to execute after each BEGIN, for poolers that assign a session per transaction.
    begin_with: bytes = b""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._kept: set[bytes] = set()  # the names of prepared statements
        self._runs, self._replan_at = 0, 1
        self._loads: Any = None  # a Transformer

    def run(self, *steps: Step, prepare: bool, commit: bool = False) -> list[list[Row]]:
        """Execute statements in one round trip, in order. Returns the rows of each.

        Begins a transaction if necessary, like execute(). With `commit` it is committed in the same round
        trip, and commit() has nothing left to do. If a statement fails, those after it, including the
        commit, are not executed, and its error is raised.

        With `prepare` the session keeps the statements and their plans. PostgreSQL needs several times
        as long to parse and plan such a statement as to execute it. By itself it only makes new plans when
        a table is analysed, a minute after it has grown. One that was made for an empty table reads all of
        it, which soon takes most of the time. Therefore plans are made again after 1, 2, 4, 8 runs and so
        on, so that a table can only double in between, and later after each _REPLAN_RUNS.
        """
        if any(
            value is not None and 0 in value for _statement, values in steps for value in values
        ):
            # libpq would cut off the value there.
            raise psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")
        results = self._run_again_if_outdated(steps, prepare, commit)
        if self._loads is None:  # not in __init__(): the connection gets its adapters later
            # Django's loader of timestamps is written in Python, to set the time zone of naive ones. It took
            # 3 µs each. psycopg's takes the time zone of the session, which is UTC.
            context = self.cursor()
            context.adapters.register_loader("timestamptz", TimestamptzLoader)
            self._loads = Transformer(
                context
            )  # kept, because it has to find the loader of each type
        found: list[list[Row]] = []
        for result in results:
            self._loads.set_pgresult(result)
            found.append(self._loads.load_rows(0, result.ntuples, tuple))
        self._loads.set_pgresult(None)  # frees the result
        return found

    def _run_again_if_outdated(self, steps: Sequence[Step], prepare: bool, commit: bool) -> Any:
        began = self.pgconn.transaction_status == TransactionStatus.IDLE
        try:
            with self.lock:
                return self.wait(self._run(steps, prepare, commit))
        except psycopg.Error as error:
            if not prepare or error.sqlstate not in _STALE:
                raise
            if not began:
                # The transaction has failed, and only its caller could begin it again.
                self.close()
                raise psycopg.OperationalError("A prepared statement is outdated.") from error
        self.rollback()
        self.execute("DEALLOCATE ALL")
        self.rollback()  # of the transaction in which that was executed
        self._kept.clear()
        with self.lock:
            return self.wait(self._run(steps, prepare, commit))

    def _run(self, steps: Sequence[Step], prepare: bool, commit: bool) -> Any:
        """Send the commands as one pipeline, and return the results of the steps."""
        self._check_connection_ok()
        pgconn = self.pgconn
        begin = self._commands_before_run(prepare)
        pgconn.enter_pipeline_mode()
        try:
            sent: list[tuple[bytes, bool]] = []  # (statement to be prepared, whether it is a step)
            known = set(self._kept)
            for command in begin:
                pgconn.send_query_params(command, None)
                sent.append((b"", False))
            for statement, values in steps:
                if not prepare:
                    pgconn.send_query_params(statement.sql, values)
                else:
                    if statement.name not in known:
                        known.add(statement.name)
                        pgconn.send_prepare(statement.name, statement.sql)
                        sent.append((statement.name, False))
                    pgconn.send_query_prepared(statement.name, values)
                sent.append((b"", True))
            if commit:
                pgconn.send_query_params(b"COMMIT", None)
                sent.append((b"", False))
            pgconn.pipeline_sync()
            sent.append((b"", False))
            # psycopg's own pipelines send each command by itself, with a system call.
            yield from generators.send(pgconn)
            found, failed = [], None
            for name, is_step in sent:
                (result,) = yield from generators.fetch_many(pgconn)
                if result.status in _GOOD:
                    if name:
                        self._kept.add(name)
                    if is_step:
                        found.append(result)
                elif failed is None:
                    failed = result
                    if pgconn.status != ConnStatus.OK:  # the connection is lost: no more results
                        raise self._error(failed)
            pgconn.exit_pipeline_mode()
        except BaseException:
            self.close()  # what is left of the results would be taken for those of the next statement
            raise
        if failed is not None:
            raise self._error(failed)
        return found

    def _commands_before_run(self, prepare: bool) -> list[bytes]:
        commands = []
        if not self._autocommit and self.pgconn.transaction_status == TransactionStatus.IDLE:
            commands.append(self._get_tx_start_command())
            if self.begin_with:
                commands.append(self.begin_with)
        if prepare:
            self._runs += 1
            if self._runs >= self._replan_at:
                self._replan_at += min(self._runs, _REPLAN_RUNS)
                commands.append(b"DISCARD PLANS")
        return commands

    def _error(self, result: Any) -> psycopg.Error:
        return psycopg.errors.error_from_result(result, encoding=self.pgconn._encoding)

    def _start_query(self) -> Any:
        begins = not self._autocommit and self.pgconn.transaction_status == TransactionStatus.IDLE
        yield from super()._start_query()
        if begins and self.begin_with:
            yield from self._exec_command(self.begin_with)

    def set_autocommit(self, value: bool) -> None:
        """The same without a generator and a lock when there is nothing to check. Django switches it off
        and on again around each transaction."""
        if self.pgconn.transaction_status == TransactionStatus.IDLE and self._pipeline is None:
            self._autocommit = bool(value)
        else:
            super().set_autocommit(value)

    def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
        if query == "" and not self.closed and self._is_quiet():
            return None
        return super().execute(query, *args, **kwargs)

    def wait(
        self, gen: Any, interval: float = _INTERVAL_SECONDS, timeout: float | None = None
    ) -> Any:
        if timeout is not None or self.timeout_seconds is None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, self.timeout_seconds)
        except psycopg.OperationalError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.close()  # a late response would be taken for that of the next statement
            raise

    def rollback(self) -> None:
        """Skip the rollback of a closed connection.

        If it failed, Django would immediately request a new connection, and wait for it until the
        pool's timeout.
        """
        if not self.closed:
            super().rollback()

    def _is_quiet(self) -> bool:
        poll = select.poll()
        poll.register(self.fileno(), select.POLLIN)
        return not poll.poll(0)


def create_connection_class(
    timeout_seconds: float, begin_with: bytes = b""
) -> type[WatchedConnection]:
    """Return a WatchedConnection class with this `timeout_seconds` and `begin_with`."""
    return type(
        "ConfiguredConnection",
        (WatchedConnection,),
        {"timeout_seconds": timeout_seconds, "begin_with": begin_with},
    )
