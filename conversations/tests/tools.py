"""Small things for tests of what runs in an event loop."""

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
    """What rooms note about a socket. What it does with frames is up to each test."""

    user_id: int
    sid: str = "sid"
    name: str = ""
    rooms: set[int] = field(default_factory=set)
    has_joined: bool = False
    is_stale: bool = False


def do(function: Callable[P, R]) -> Callable[P, Awaitable[R]]:
    """Run a function in a thread, as any server does, and leave no connection open in it."""

    @wraps(function)
    def tidily(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        finally:
            connections.close_all()

    return sync_to_async(tidily)


def versions(conversation_ids: Iterable[int]) -> dict[int, int]:
    """Return id -> version, as the database has it."""
    rows = Conversation.objects.filter(pk__in=conversation_ids)
    return dict(rows.values_list("pk", "version"))


async def until(condition: Callable[[], object], seconds: float = 5) -> None:
    """Wait for a condition; an AssertionError when it does not come true in time."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, "it did not come to that"
        await asyncio.sleep(0.01)
