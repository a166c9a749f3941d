"""Tells the causes of an IntegrityError apart: a duplicate, a race, or a bug of ours."""

from __future__ import annotations

import re
import sqlite3

from django.db import IntegrityError
from django.db.models import Model

_DEFECTS = {"23502", "23514", "SQLITE_CONSTRAINT_NOTNULL", "SQLITE_CONSTRAINT_CHECK"}


def is_taken(error: IntegrityError, model: type[Model], *fields: str) -> bool:
    """Return whether the error is a duplicate in exactly these unique fields of `model`."""
    table = model._meta.db_table
    columns = {model._meta.get_field(name).get_attname_column()[1] for name in fields}  # type: ignore[union-attr]
    cause = error.__cause__
    if isinstance(cause, sqlite3.IntegrityError):
        found = re.fullmatch(r"UNIQUE constraint failed: (.+)", str(cause))
        return found is not None and set(found[1].split(", ")) == {f"{table}.{c}" for c in columns}
    diag = getattr(cause, "diag", None)
    if diag is None or getattr(cause, "sqlstate", None) != "23505" or diag.table_name != table:
        return False
    # "Key (email)=(ada@example.org) already exists.", in any language
    found = re.search(r"\(([^()]*)\)=\(", diag.message_detail or "")
    return found is not None and {name.strip('" ') for name in found[1].split(",")} == columns


def may_be_a_race(error: IntegrityError) -> bool:
    """Return False for NOT NULL and CHECK violations: trying again would only fail again."""
    cause = error.__cause__
    code = getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None)
    return code not in _DEFECTS
