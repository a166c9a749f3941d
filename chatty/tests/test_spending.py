"""Tokens go back for what was not done."""

from __future__ import annotations

import pytest

from chatty.common.errors import ChatError
from chatty.common.limiter import limiter
from chatty.common.spending import spending


@pytest.fixture(autouse=True)
def three_an_hour(settings):
    settings.LIMITS = {**settings.LIMITS, "uploads": "3/h"}


def left() -> int:
    taken = 0
    while True:
        try:
            limiter.check("uploads", "k")
        except ChatError:
            return taken
        taken += 1


def test_what_is_done_counts():
    with spending("uploads", "k", 2):
        pass
    assert left() == 1


def test_what_fails_does_not_count():
    with pytest.raises(ChatError, match="empty"), spending("uploads", "k", 2):
        raise ChatError("empty")
    assert left() == 3


def test_the_part_that_was_done_before_it_failed_counts():
    with pytest.raises(ChatError, match="empty"), spending("uploads", "k", 3) as tokens:
        tokens.left -= 1
        raise ChatError("empty")
    assert left() == 2


def test_an_error_of_the_server_may_have_done_something():
    with pytest.raises(RuntimeError), spending("uploads", "k"):
        raise RuntimeError
    assert left() == 2


def test_nothing_is_done_beyond_the_limit():
    with pytest.raises(ChatError, match="slow_down"), spending("uploads", "k", 4):
        raise AssertionError
    assert left() == 3
