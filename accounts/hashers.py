"""Argon2id with bounds: 19 MiB, two passes, one lane, and only so many at a time.

Django's own parameters take 100 MiB and 8 threads for each password, which lets a handful of
sign-in attempts exhaust a small server. These are the ones OWASP recommends. The semaphore bounds
memory and processor time whatever arrives, and leaves a processor to everything else. Only so many
may wait for it, since whoever waits holds a thread that other requests need; the rest is told "busy".
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
# Of the threads for requests at least half do something else.
PLACES_MAX = max(PARALLEL_HASHES + 1, settings.HTTP_RUNNING // 2)
WAIT_SECONDS = 5.0

_places = threading.BoundedSemaphore(PARALLEL_HASHES)
_line = threading.BoundedSemaphore(PLACES_MAX)  # hashing or waiting for it


@contextmanager
def place_to_hash() -> Iterator[None]:
    """Hold one of the places for hashing. Raises ChatError("busy") when none gets free in time."""
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
