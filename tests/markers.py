"""Marks that several modules share."""

from __future__ import annotations

import pytest

# For tests of real servers whose code hardly depends on the database: on PostgreSQL, they are long.
postgres_is_long = pytest.mark.parametrize(
    "any_installation",
    ["sqlite", pytest.param("postgres", marks=pytest.mark.long)],
    indirect=True,
)
