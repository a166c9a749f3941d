"""Model instances from raw SQL, for queries that are too expensive through the ORM.

Values go through the fields' converters, as in the ORM. The columns that need one are determined once
per model, so all others cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeVar, cast

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Model
from django.db.models.base import ModelState

ModelT = TypeVar("ModelT", bound=Model)
Converter = Callable[..., Any]
Row = Sequence[Any]


@cache
def columns_of(model: type[Model], alias: str, *names: str) -> str:
    """Return the columns of the model for a SELECT in which its table is called `alias`.

    `names`: only the columns of these attributes, such as "author_id".
    """
    meta = model._meta
    columns = {field.attname: field.column for field in meta.concrete_fields}
    return ", ".join(f"{alias}.{columns[name]}" for name in names or columns)


def column_count(model: type[Model]) -> int:
    return len(_names(model))


def instance_from_row(model: type[ModelT], row: Row) -> ModelT:
    """Return the instance of a row whose first columns are columns_of(model)."""
    return instance_maker(model)(row)


def instance_maker(model: type[ModelT], *names: str, start: int = 0) -> Callable[[Row], ModelT]:
    """Return a function that makes instances of rows, which have columns_of(model, ..., *names) from column
    `start` on. If there are names, all other fields are deferred."""
    return cast(
        "Callable[[Row], ModelT]", _maker(model, names or _names(model), start, DEFAULT_DB_ALIAS)
    )


def attach(instance: Model, name: str, related: Model | None) -> None:
    """Set a foreign key's object that was read with the instance, as select_related() does.

    Assigning it would also compare databases and ids, which takes 5 µs.
    """
    instance._state.fields_cache[name] = related


@cache
def _maker(
    model: type[Model], names: tuple[str, ...], start: int, alias: str
) -> Callable[[Row], Model]:
    end = start + len(names)
    conversions = _conversions(model, names, alias)

    def make(row: Row) -> Model:
        # As Model.from_db(), but without a loop over the fields in Python, which took 15 µs for a
        # user. The difference: pre_init and post_init are not sent, and no model here receives them.
        instance = model.__new__(model)
        values = instance.__dict__
        values["_state"] = state = ModelState()
        state.db, state.adding = alias, False
        values.update(zip(names, row[start:end], strict=True))
        for name, expression, converters in conversions:
            # NULL is None for every field, and most messages have neither data nor mentions.
            if (value := values[name]) is not None:
                for converter in converters:
                    value = converter(value, expression, connections[alias])
                values[name] = value
        return instance

    return make


@cache
def _names(model: type[Model]) -> tuple[str, ...]:
    return tuple(field.attname for field in model._meta.concrete_fields)


def _conversions(
    model: type[Model], names: tuple[str, ...], alias: str
) -> list[tuple[str, Any, list[Converter]]]:
    """Return (attribute, expression, converters) of each column that needs conversion.

    The converters are the ones that the ORM's compiler applies.
    """
    database = connections[alias]
    found = []
    for field in model._meta.concrete_fields:
        expression = field.cached_col
        converters = [
            *database.ops.get_db_converters(expression),
            *expression.get_db_converters(database),
        ]
        if converters and field.attname in names:
            found.append((field.attname, expression, converters))
    return found
