"""What a pooled connection to PostgreSQL does otherwise here.

Imported by the settings, so nothing here may ask for them.
"""

from __future__ import annotations

import select
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

_INTERVAL_SECONDS = 0.1  # as psycopg has it: how soon Ctrl+C is noticed


class WatchedConnection(psycopg.Connection[Any]):
    """A connection that tells whether it is still open without asking the server, and gives a silent
    one up.

    A pool asks before it hands one out, by an empty statement, and this round trip was a quarter of what
    connecting a socket cost the process. The socket itself knows: between two uses a living server says
    nothing, and one that went away has hung up. What fell silent without a word (a black hole), the
    empty statement would wait for as well.

    After `patience` seconds without an answer the connection is closed, and whoever waited gets an
    OperationalError. The server's own time-outs end what it takes too long for, and the kernel's
    (tcp_user_timeout) a line that swallows everything; neither ends it when something in between still
    says that it got every byte: a proxy, or the kernel of a machine whose PostgreSQL or disk hangs.
    Whether a commit got through is then unknown.
    """

    patience: float | None = None
    # A statement after each BEGIN, for poolers that lend a session for one transaction only.
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
                self.close()  # an answer that came after all would be taken for the next one's
            raise

    def rollback(self) -> None:
        """Of a connection that is gone there is nothing to roll back. Told that this failed, Django would
        ask for a new one within the same breath, and wait for it as long as the pool allows."""
        if not self.closed:
            super().rollback()

    def _is_quiet(self) -> bool:
        poll = select.poll()
        poll.register(self.fileno(), select.POLLIN)
        return not poll.poll(0)


def giving_up_after(seconds: float, begin_with: bytes = b"") -> type[WatchedConnection]:
    """Return the class of connections with so much patience.

    `begin_with`: a statement that follows every BEGIN.
    """
    return type(
        "ImpatientConnection",
        (WatchedConnection,),
        {"patience": seconds, "begin_with": begin_with},
    )
