"""Removes expired rows and values, every hour. Each app registers what to remove, in `ready`.

Each purge is a recurring job. Its steps are short transactions, because the server is in use.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet

from chatty.jobs import queue

logger = logging.getLogger(__name__)

EVERY_SECONDS = 3600.0
BATCH = 50  # rows deleted in one transaction: a few milliseconds on SQLite


def register(name: str, find: Callable[[], list[Any]], remove: Callable[[list[Any]], int]) -> None:
    """Register a purge. `name`: what it removes, in the plural, as an identifier.

    `find`: outside of a transaction, returns the keys of at most BATCH rows. `remove`: in one, removes those
    that have not changed since, and returns how many.
    """

    def step(keys: list[Any]) -> queue.Again:
        gone = remove(keys) if keys else 0
        if not gone:
            return queue.again(EVERY_SECONDS)
        logger.debug("Removed %s expired %s", gone, name)
        return queue.again()

    queue.register(f"purge_{name}", step, prepare=find, recurring=True)


def register_rows(name: str, expired: Callable[[], QuerySet[Any]]) -> None:
    """Register the deletion of rows."""

    def find() -> list[Any]:
        return list(expired().order_by().values_list("pk", flat=True)[:BATCH])

    def remove(keys: list[Any]) -> int:
        # Filter again: a row may have been extended since it was selected.
        gone, _by_model = expired().filter(pk__in=keys).delete()
        return gone

    register(name, find, remove)
