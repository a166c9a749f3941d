"""Names that are found whatever their case, accents and script, the same on every database.

SQLite ignores the case of ASCII letters only, and no database ignores accents. So each name is stored a
second time as fold_loosely() returns it, and searches compare that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from operator import or_
from typing import Any

from django.db import models
from django.db.models import Q

from chatty.common.text import fold_loosely

_BATCH = 500
# In one search: each is another condition, and no name that people search for has more.
_WORDS_MAX = 10
_PREFIX = "folded_"
_OPTIONS: dict[str, Any] = {"default": "", "db_default": "", "blank": True, "editable": False}


class FoldedColumn(models.TextField):
    """The folded text of another field, which has its name without "folded_".

    It is "" in rows of processes of the previous version, which run during an upgrade. update() has to set
    it itself.
    """

    def __init__(self, **_options: Any) -> None:
        super().__init__(**_OPTIONS)

    def deconstruct(self) -> Any:
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.TextField", args, kwargs

    def pre_save(self, model_instance: models.Model, add: bool) -> str:
        folded = fold_loosely(getattr(model_instance, self.name.removeprefix(_PREFIX)) or "")
        setattr(model_instance, self.name, folded)
        return folded


class Folded(models.Model):
    """Saves the folded column of a field together with it."""

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        saved = kwargs.get("update_fields")
        if saved is not None:
            folded = {f"{_PREFIX}{field}" for field in saved}
            columns = {each.name for each in self._meta.concrete_fields}
            kwargs["update_fields"] = {*saved, *(folded & columns)}
        super().save(*args, **kwargs)


def contains(word: str, field: str = "name") -> Q:
    """Return the condition that a text contains a word. `field`: can be a lookup, such as "user__name"."""
    start, _, name = field.rpartition("__")
    column = f"{start}__folded_{name}" if start else f"folded_{name}"
    former = Q(**{column: "", f"{field}__icontains": word})
    return Q(**{f"{column}__contains": fold_loosely(word)}) | former


def each_word(text: str, condition: Callable[[str], Q]) -> Q:
    """Return the condition that `condition(word)` is true of each of the first words of `text`."""
    found = Q()
    for word in words_of(text):
        found &= condition(word)
    return found


def contains_all(text: str, *fields: str) -> Q:
    """Return the condition that one of the fields contains each of the first words of `text`: not always the
    same one. Without `fields`, the name."""

    def is_in(word: str) -> Q:
        return reduce(or_, (contains(word, field) for field in fields or ("name",)))

    return each_word(text, is_in)


def holds_all(folded: str, text: str) -> bool:
    """Whether a folded text that has been read contains each of the first words of `text`."""
    return all(fold_loosely(word) in folded for word in words_of(text))


def words_of(text: str) -> list[str]:
    """Return the first words of what was typed, each once."""
    # No text contains NUL, and PostgreSQL raises an error for it.
    return list(dict.fromkeys(text.replace("\0", "").split()))[:_WORDS_MAX]


def fill_folded(
    model: Any, columns: Mapping[str, str], fold: Callable[[str], str] = fold_loosely
) -> None:
    """Set the columns of all rows. For migrations. `columns`: field -> its folded column."""
    last = 0
    while batch := list(model.objects.filter(pk__gt=last).order_by("pk")[:_BATCH]):
        for row in batch:
            for field, column in columns.items():
                setattr(row, column, fold(getattr(row, field)))
        model.objects.bulk_update(batch, list(columns.values()))
        last = batch[-1].pk
