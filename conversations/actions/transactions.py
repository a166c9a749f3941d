"""How a deed becomes a transaction, and what to answer when the database will not."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from django.db import IntegrityError, InterfaceError, OperationalError, connection, transaction

from chatty.common.errors import ChatError
from chatty.common.integrity import may_be_a_race
from chatty.ops import failures

P = ParamSpec("P")
R = TypeVar("R")

SERIALIZATION_FAILURES = ("40001", "40P01")  # serialization failure, deadlock: trying again helps
LOCK_NOT_AVAILABLE = "55P03"


def in_transaction(function: Callable[P, R]) -> Callable[P, R]:
    """Run a deed as one transaction. A deadlock, or a race two people lose to a unique constraint,
    is tried once more: the second time the other's row is there to be seen.

    Raises ChatError("unavailable") when the database cannot be reached (the outcome is then
    unknown) and ChatError("busy") when a lock was not to be had in time.
    """

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        # Inside somebody else's transaction a failed statement spoils theirs: no second try there.
        tries = 1 if connection.in_atomic_block else 2
        while True:
            tries -= 1
            try:
                with transaction.atomic():
                    return function(*args, **kwargs)
            except (IntegrityError, OperationalError, InterfaceError) as error:
                if tries and is_worth_retrying(error):
                    continue
                chat_error = database_chat_error(error)
                if chat_error is None:
                    raise
                raise chat_error from error

    return run


def is_worth_retrying(error: Exception) -> bool:
    if isinstance(error, IntegrityError):
        return may_be_a_race(error)
    return sqlstate(error) in SERIALIZATION_FAILURES


def database_chat_error(error: Exception) -> ChatError | None:
    """Return what to answer for a failure of the database, None for a failure of ours."""
    if isinstance(error, IntegrityError):
        return None
    if sqlstate(error) == LOCK_NOT_AVAILABLE or "database is locked" in str(error):
        return ChatError("busy", retry_after=1)
    if failures.note_unwritable(error):
        return ChatError("unavailable", failures.UNWRITABLE, retry_after=5)
    return ChatError("unavailable", retry_after=1)


def sqlstate(error: BaseException) -> str | None:
    """Return PostgreSQL's code behind a database error, None when there is none."""
    return getattr(error.__cause__, "sqlstate", None)
