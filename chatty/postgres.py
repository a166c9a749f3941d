"""The connection class of PostgreSQL's pool.

The settings import this module, so it must not use them.
"""

from __future__ import annotations

import select
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

_INTERVAL_SECONDS = 0.1  # psycopg's default: how soon Ctrl+C is noticed


class WatchedConnection(psycopg.Connection[Any]):
    """A connection that is checked without a round trip, and has a timeout for responses.

    Before it hands out a connection, the pool executes an empty statement. That round trip was a
    quarter of the CPU time of connecting a WebSocket. Instead, this class polls the TCP socket: an
    idle server sends nothing, and if it has gone away, the socket is closed. A connection that is dead
    without being closed is not detected, but then the empty statement would hang as well.

    After `patience` seconds without a response the connection is closed, and the caller gets an
    OperationalError. PostgreSQL's timeouts cover slow statements, and the kernel's tcp_user_timeout
    covers lost packets. Neither helps if something in between still acknowledges every byte: a proxy,
    or the kernel of a server whose PostgreSQL or disk hangs. Whether a commit has succeeded is unknown
    then.
    """

    patience: float | None = None
    # A statement to execute after each BEGIN, for poolers that assign a session per transaction.
    begin_with: bytes = b""

    def _start_query(self) -> Any:
        begins = not self._autocommit and self.pgconn.transaction_status == TransactionStatus.IDLE
        yield from super()._start_query()
        if begins and self.begin_with:
            yield from self._exec_command(self.begin_with)

    def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
        if query == "" and not self.closed and self._is_quiet():
            return None
        return super().execute(query, *args, **kwargs)

    def wait(
        self, gen: Any, interval: float = _INTERVAL_SECONDS, timeout: float | None = None
    ) -> Any:
        if timeout is not None or self.patience is None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, self.patience)
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


def giving_up_after(seconds: float, begin_with: bytes = b"") -> type[WatchedConnection]:
    """Return a WatchedConnection class with this `patience` and `begin_with`."""
    return type(
        "ImpatientConnection",
        (WatchedConnection,),
        {"patience": seconds, "begin_with": begin_with},
    )
