"""Marks that several modules share."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import pytest

# For tests of real servers whose code hardly depends on the database: on PostgreSQL, they are long.
postgres_is_long = pytest.mark.parametrize(
    "any_installation",
    ["sqlite", pytest.param("postgres", marks=pytest.mark.long)],
    indirect=True,
)


def on_each_database(moments: Sequence[str], short: Collection[tuple[str, str]]) -> Any:
    """Mark a test that takes `any_installation` and `moment`: only pairs in `short` are in every run."""
    return pytest.mark.parametrize(
        ("any_installation", "moment"),
        [
            pytest.param(kind, moment, marks=[] if (kind, moment) in short else pytest.mark.long)
            for kind in ("sqlite", "postgres")
            for moment in moments
        ],
        indirect=["any_installation"],
    )


def first_of(*values: Any) -> list[Any]:
    """Return values of a parameter, or tuples of values of several: the first is tested in every run, the
    others by `make test-long`."""
    first, *others = (value if isinstance(value, tuple) else (value,) for value in values)
    long = (pytest.param(*other, marks=pytest.mark.long) for other in others)
    return [pytest.param(*first), *long]
