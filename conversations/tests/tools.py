"""Helpers for tests of asynchronous code."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import wraps
from typing import ParamSpec, TypeVar

from asgiref.sync import sync_to_async
from django.db import connections

from conversations.models import Conversation

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(eq=False)
class BaseFakeSocket:
    """The attributes of a socket that rooms use. What it does with frames is up to each test."""

    user_id: int
    sid: str = "sid"
    name: str = ""
    rooms: set[int] = field(default_factory=set)
    has_joined: bool = False
    is_stale: bool = False


def do(function: Callable[P, R]) -> Callable[P, Awaitable[R]]:
    """Run a function in a thread, as servers do, and close its connections."""

    @wraps(function)
    def tidily(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        finally:
            connections.close_all()

    return sync_to_async(tidily)


def versions(conversation_ids: Iterable[int]) -> dict[int, int]:
    """Return {id: version} from the database."""
    rows = Conversation.objects.filter(pk__in=conversation_ids)
    return dict(rows.values_list("pk", "version"))


async def until(condition: Callable[[], object], seconds: float = 5) -> None:
    """Wait for a condition. Raise AssertionError if it does not become true in time."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, (
            "the condition did not become true in time"
        )
        await asyncio.sleep(0.01)
