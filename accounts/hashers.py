"""Argon2id with limits: 19 MiB, two passes, one lane, and a bounded number of hashes at a time.

Django's parameters need 100 MiB and 8 threads per password: a handful of sign-in attempts would
exhaust a small server. These parameters are the ones OWASP recommends. The semaphore bounds memory
and CPU time under any load and leaves one CPU free. The number of waiting requests is bounded too,
because each holds a thread that other requests need; any further one gets "busy".
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.contrib.auth.hashers import Argon2PasswordHasher

from chatty.common.errors import ChatError

PARALLEL_HASHES = max(1, (os.cpu_count() or 2) - 1)
# At least half of the request threads stay free for other work.
PLACES_MAX = max(PARALLEL_HASHES + 1, settings.HTTP_RUNNING // 2)
WAIT_SECONDS = 5.0

_places = threading.BoundedSemaphore(PARALLEL_HASHES)
_line = threading.BoundedSemaphore(PLACES_MAX)  # hashing or waiting for it


@contextmanager
def place_to_hash() -> Iterator[None]:
    """Hold one of the places for hashing. Raises ChatError("busy") if none becomes free in time."""
    if not _line.acquire(blocking=False):
        raise ChatError("busy", retry_after=1)
    try:
        if not _places.acquire(timeout=WAIT_SECONDS):
            raise ChatError("busy", retry_after=WAIT_SECONDS)
        try:
            yield
        finally:
            _places.release()
    finally:
        _line.release()


class Argon2idHasher(Argon2PasswordHasher):
    time_cost = 2
    memory_cost = 19 * 1024  # KiB
    parallelism = 1

    def encode(self, password: str, salt: str) -> str:
        with place_to_hash():
            return super().encode(password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        with place_to_hash():
            return super().verify(password, encoded)
