"""Objects from statements written by hand, where building them through the ORM costs too much.

For PostgreSQL alone: it gives values as Django's fields hold them. SQLite's would have to be converted.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, TypeVar

from django.db import connection
from django.db.models import Model

Made = TypeVar("Made", bound=Model)


@cache
def columns_of(model: type[Model], alias: str) -> str:
    """Return a SELECT's list of all columns of a table called `alias` there."""
    return ", ".join(f"{alias}.{field.column}" for field in model._meta.concrete_fields)


def width(model: type[Model]) -> int:
    return len(_names(model))


def made(model: type[Made], row: Sequence[Any]) -> Made:
    """Return the object of a row that begins with columns_of(model)."""
    names = _names(model)
    return model.from_db(connection.alias, names, row[: len(names)])


@cache
def _names(model: type[Model]) -> list[str]:
    return [field.attname for field in model._meta.concrete_fields]
