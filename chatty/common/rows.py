"""Objects from statements written by hand, where building them through the ORM costs too much.

Values go through the fields' own conversions, as in the ORM. Which columns need one is found out once;
the others cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeVar

from django.db import connection, connections
from django.db.models import Model

ModelT = TypeVar("ModelT", bound=Model)
Converter = Callable[..., Any]


@cache
def columns_of(model: type[Model], alias: str) -> str:
    """Return a SELECT's list of all columns of a table called `alias` there."""
    return ", ".join(f"{alias}.{field.column}" for field in model._meta.concrete_fields)


def column_count(model: type[Model]) -> int:
    return len(_names(model))


def instance_from_row(model: type[ModelT], row: Sequence[Any]) -> ModelT:
    """Return the object of a row that begins with columns_of(model)."""
    names = _names(model)
    values = row[: len(names)]
    if conversions := _conversions(model, connection.alias):
        values = list(values)
        for index, expression, converters in conversions:
            for converter in converters:
                values[index] = converter(values[index], expression, connection)
    return model.from_db(connection.alias, names, values)


@cache
def _names(model: type[Model]) -> list[str]:
    return [field.attname for field in model._meta.concrete_fields]


@cache
def _conversions(model: type[Model], alias: str) -> list[tuple[int, Any, list[Converter]]]:
    """Return (index, expression, converters) of each column that the database does not return as
    its field holds it: the same converters as the ORM's compiler applies."""
    database = connections[alias]
    found = []
    for index, field in enumerate(model._meta.concrete_fields):
        expression = field.cached_col
        converters = [
            *database.ops.get_db_converters(expression),
            *expression.get_db_converters(database),
        ]
        if converters:
            found.append((index, expression, converters))
    return found
