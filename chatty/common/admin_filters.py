"""Restricts the lookups that lists in the admin site accept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest

if TYPE_CHECKING:
    Base = admin.ModelAdmin[Any]
else:
    Base = object

_KINDS = ("exact", "isnull", "isempty")


class OwnFiltersOnly(Base):
    """A list that accepts only its own filters as lookups.

    By default Django accepts any lookup on any column from the URL. Invalid patterns and years would
    raise database errors, and a secret could be found out by guessing it letter by letter.
    """

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        if "\0" in value:  # PostgreSQL raises an error for NUL
            return False
        column, _, kind = lookup.partition("__")
        for each in self.list_filter:
            if isinstance(each, type) and issubclass(each, admin.SimpleListFilter):
                if lookup == each.parameter_name:
                    return True
            elif column == (each[0] if isinstance(each, list | tuple) else each) and kind in _KINDS:
                return True
        return False
