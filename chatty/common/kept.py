"""Values that many requests need and that rarely change, kept in this process for a moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, TypeVar

KEEP_SECONDS = 1.0

Value = TypeVar("Value")


class Kept(Generic[Value]):
    """A value from the database, read again at the first use after KEEP_SECONDS."""

    def __init__(self, read: Callable[[], Value]) -> None:
        self._read = read
        self._kept: tuple[float, Value] | None = None

    def get(self) -> Value:
        kept, now = self._kept, time.monotonic()
        if kept is not None and now - kept[0] < KEEP_SECONDS:
            return kept[1]
        value = self._read()
        self._kept = (now, value)
        return value

    def last(self) -> Value | None:
        """Return what was read last, however long ago. Never reads."""
        return self._kept and self._kept[1]

    def forget(self) -> None:
        self._kept = None
