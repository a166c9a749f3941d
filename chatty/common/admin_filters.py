"""What the lists of the administration may be asked for."""

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
    """A list that can be narrowed by the filters beside it and by nothing else.

    By default Django takes any lookup of any column from the address: patterns a database cannot
    read, years that are none, and the first letters of secrets, one after the other.
    """

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        if "\0" in value:  # PostgreSQL cannot be asked for one
            return False
        column, _, kind = lookup.partition("__")
        for each in self.list_filter:
            if isinstance(each, type) and issubclass(each, admin.SimpleListFilter):
                if lookup == each.parameter_name:
                    return True
            elif column == (each[0] if isinstance(each, list | tuple) else each) and kind in _KINDS:
                return True
        return False
