"""The cost of a call does not depend on the depth of the stack."""

from __future__ import annotations

import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from chatty.common.call_stack import call_with_stack_space

DEPTHS = range(300)


def nothing() -> None:
    pass


def seconds_at(depth: int) -> float:
    """Return the seconds that 2,000 calls take at this depth."""
    if depth:
        return seconds_at(depth - 1)
    began = time.perf_counter()
    for _ in range(2_000):
        nothing()
    return time.perf_counter() - began


def least_seconds_at(depth: int, *, room: bool) -> float:
    if room:
        return min(call_with_stack_space(seconds_at, depth) for _ in range(5))
    return min(seconds_at(depth) for _ in range(5))


@pytest.mark.parametrize("room", [True, False])
def test_call_cost_does_not_depend_on_stack_depth_with_room(room: bool):
    with ThreadPoolExecutor(1) as pool:  # a stack of its own
        found = list(pool.map(lambda depth: least_seconds_at(depth, room=room), DEPTHS))
    worst = max(found) / statistics.median(found)
    if room:
        assert worst < 10
    else:
        assert worst > 10, "This Python does not need call_stack.py any more: remove it."


def test_arguments_results_and_errors_are_passed_on():
    assert call_with_stack_space(divmod, 7, 2) == (3, 1)
    assert call_with_stack_space(sorted, [1, 2], reverse=True) == [2, 1]
    with pytest.raises(ZeroDivisionError):
        call_with_stack_space(divmod, 1, 0)
