"""What a pooled connection to PostgreSQL does otherwise here.

Imported by the settings, so nothing here may ask for them.
"""

from __future__ import annotations

import select
from typing import Any

import psycopg


class WatchedConnection(psycopg.Connection[Any]):
    """A connection that tells whether it is still open without asking the server.

    A pool asks before it hands one out, by an empty statement, and this round trip was a quarter of what
    a socket's entrance cost the process. The socket itself knows: between two uses a living server says
    nothing, and one that went away has hung up. What fell silent without a word (a black hole), the
    empty statement would wait for as well.
    """

    def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
        if query == "" and not self.closed and self._is_quiet():
            return None
        return super().execute(query, *args, **kwargs)

    def _is_quiet(self) -> bool:
        poll = select.poll()
        poll.register(self.fileno(), select.POLLIN)
        return not poll.poll(0)
