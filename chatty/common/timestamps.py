"""The current time for actions, which can be overridden.

The demo and imports create past messages by the same actions as everything else, with a clock that
returns the time of each message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime

from django.utils import timezone

Clock = Callable[[], datetime]

_clock: ContextVar[Clock | None] = ContextVar("chatty_clock", default=None)


def now() -> datetime:
    """Return the current time (aware) for actions of this thread or task."""
    clock = _clock.get()
    return timezone.now() if clock is None else clock()


@contextmanager
def use_clock(clock: Clock) -> Iterator[None]:
    """Use this clock for the actions inside.

    It is called for every message, so one batch can span a whole day. Its times must not decrease.
    """
    token = _clock.set(clock)
    try:
        yield
    finally:
        _clock.reset(token)
