"""Model instances from raw SQL, for queries that are too expensive through the ORM.

Values go through the fields' converters, as in the ORM. The columns that need one are determined once
per model, so all others cost nothing.
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
    """Return the columns of the model for a SELECT in which its table is called `alias`."""
    return ", ".join(f"{alias}.{field.column}" for field in model._meta.concrete_fields)


def column_count(model: type[Model]) -> int:
    return len(_names(model))


def instance_from_row(model: type[ModelT], row: Sequence[Any]) -> ModelT:
    """Return the instance of a row whose first columns are columns_of(model)."""
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
    """Return (index, expression, converters) of each column that needs conversion.

    The converters are the ones that the ORM's compiler applies.
    """
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
