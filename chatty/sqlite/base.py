"""Django's SQLite backend with a fair queue in front of every transaction.

SQLite has one writer at a time, and waiting connections poll. A form would starve while the message
writer is busy (20 writes in 3 s, against 560 with a queue). So every transaction of this process waits
for its turn, in order of arrival, before BEGIN IMMEDIATE. Reads outside of transactions do not wait:
in WAL mode readers never wait for the writer.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

from django.db.backends.sqlite3 import base


class FairLock:
    """A lock that is acquired in order of arrival. Any thread may release it, not only its holder."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._taken = False

    def acquire(self) -> None:
        with self._guard:
            if not self._taken:
                self._taken = True
                return
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        turn.acquire()  # returns when release() hands the lock over to this thread

    def release(self) -> None:
        with self._guard:
            if self._waiting:
                # _taken stays True, so that no other thread can acquire the lock in between.
                self._waiting.popleft().release()
            else:
                self._taken = False


_turns: dict[str, FairLock] = {}  # one queue per database file
_turns_guard = threading.Lock()


def turn_for(name: str) -> FairLock:
    with _turns_guard:
        return _turns.setdefault(name, FairLock())


class DatabaseWrapper(base.DatabaseWrapper):
    """Acquires the lock before a transaction, and releases it on commit, rollback or close."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._held: FairLock | None = None

    def _start_transaction_under_autocommit(self) -> None:
        if self._held is not None:  # the end of a transaction was missed: waiting would deadlock
            super()._start_transaction_under_autocommit()
            return
        turn = turn_for(str(self.settings_dict["NAME"]))
        turn.acquire()
        try:
            super()._start_transaction_under_autocommit()
        except BaseException:
            turn.release()
            raise
        self._held = turn

    def _commit(self) -> None:
        super()._commit()
        self._give_up_turn()

    def _rollback(self) -> None:
        try:
            super()._rollback()
        finally:
            self._give_up_turn()

    def _close(self) -> None:
        try:
            super()._close()
        finally:
            self._give_up_turn()

    def _give_up_turn(self) -> None:
        if self._held is not None:
            turn, self._held = self._held, None
            turn.release()
