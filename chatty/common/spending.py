"""Tokens of rate limits for things that may fail: they only count what is done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from chatty.common.errors import ChatError
from chatty.common.limiter import limiter


@dataclass
class Tokens:
    """The block lowers `left` when it has done a part of what it took them for."""

    left: int


@contextmanager
def spending(name: str, key: str, cost: int = 1) -> Iterator[Tokens]:
    """Take tokens of a bucket for what the block does. If it raises ChatError, those that are left go back.

    Use this outside of transactions: the limiter may have to wait for Redis, which must not happen while a
    lock is held. Raises ChatError("slow_down").
    """
    limiter.check(name, key, cost)
    tokens = Tokens(cost)
    try:
        yield tokens
    except ChatError:
        if tokens.left:
            limiter.put_back(name, key, tokens.left)
        raise
