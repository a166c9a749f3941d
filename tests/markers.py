"""Marks that several modules share."""

from __future__ import annotations

from typing import Any

import pytest

# For tests of real servers whose code hardly depends on the database: on PostgreSQL, they are long.
postgres_is_long = pytest.mark.parametrize(
    "any_installation",
    ["sqlite", pytest.param("postgres", marks=pytest.mark.long)],
    indirect=True,
)


def first_of(*values: Any) -> list[Any]:
    """Return values of a parameter: the first is tested in every run, the others by `make test-long`."""
    first, *others = values
    return [first, *(pytest.param(other, marks=pytest.mark.long) for other in others)]
