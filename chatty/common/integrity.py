"""What a database refused to store, and why: another row that is already there, or a defect of ours."""

from __future__ import annotations

import re
import sqlite3

from django.db import IntegrityError
from django.db.models import Model

_DEFECTS = {"23502", "23514", "SQLITE_CONSTRAINT_NOTNULL", "SQLITE_CONSTRAINT_CHECK"}


def is_taken(error: IntegrityError, model: type[Model], *fields: str) -> bool:
    """Whether another row of `model` has the same values in exactly these unique fields."""
    table = model._meta.db_table
    columns = {model._meta.get_field(name).get_attname_column()[1] for name in fields}  # type: ignore[union-attr]
    cause = error.__cause__
    if isinstance(cause, sqlite3.IntegrityError):
        found = re.fullmatch(r"UNIQUE constraint failed: (.+)", str(cause))
        return found is not None and set(found[1].split(", ")) == {f"{table}.{c}" for c in columns}
    diag = getattr(cause, "diag", None)
    if diag is None or getattr(cause, "sqlstate", None) != "23505" or diag.table_name != table:
        return False
    # "Key (email)=(ada@example.org) already exists.", in whatever language
    found = re.search(r"\(([^()]*)\)=\(", diag.message_detail or "")
    return found is not None and {name.strip('" ') for name in found[1].split(",")} == columns


def may_be_a_race(error: IntegrityError) -> bool:
    """False for a missing or forbidden value: trying again would only fail again."""
    cause = error.__cause__
    code = getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None)
    return code not in _DEFECTS
