"""Runs actions in transactions and turns database failures into ChatErrors."""

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

# Serialization failure and deadlock: a retry can succeed.
SERIALIZATION_FAILURES = ("40001", "40P01")
LOCK_NOT_AVAILABLE = "55P03"


def in_transaction(function: Callable[P, R]) -> Callable[P, R]:
    """Run an action in one transaction, and retry it once after a deadlock or a violated unique
    constraint: two people did the same at once, and the second attempt sees the other's row.

    Raises ChatError("unavailable") if the database can't be reached (the transaction may or may not have
    been committed), and ChatError("busy") if a lock was not available in time.
    """

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        # No retry inside an outer transaction: PostgreSQL aborts it with the first failed statement.
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
    """Return the ChatError for a database failure, None if the error is a bug of ours."""
    if isinstance(error, IntegrityError):
        return None
    if sqlstate(error) == LOCK_NOT_AVAILABLE or "database is locked" in str(error):
        return ChatError("busy", retry_after=1)
    if failures.note_unwritable(error):
        return ChatError("unavailable", failures.UNWRITABLE, retry_after=5)
    return ChatError("unavailable", retry_after=1)


def sqlstate(error: BaseException) -> str | None:
    """Return PostgreSQL's SQLSTATE of a database error, None if it has none."""
    return getattr(error.__cause__, "sqlstate", None)
