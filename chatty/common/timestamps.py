"""What time it is for what is being done.

Now, but for one case: talk that is brought in from earlier (the demo, imports) goes through the very
same actions as everything else, only under a clock that tells the time it happened.
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
    """Return the moment (aware) that actions of this thread or task are stamped with."""
    clock = _clock.get()
    return timezone.now() if clock is None else clock()


@contextmanager
def use_clock(clock: Clock) -> Iterator[None]:
    """Stamp what is done inside with this clock. It is asked anew for every message, so that one
    batch may hold the talk of a whole day; what it says must not go backwards."""
    token = _clock.set(clock)
    try:
        yield
    finally:
        _clock.reset(token)
