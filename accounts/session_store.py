"""Django's database sessions, with a check of the key from the cookie."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.contrib.sessions.backends import db
from django.db import connection
from django.db.models import Model
from django.utils import timezone

from chatty.common.rows import columns_of, instance_from_row
from chatty.statements import fetch_rows


class SessionStore(db.SessionStore):
    def _validate_session_key(self, key: str | None) -> bool:
        """Reject keys Django never issues: PostgreSQL raises an error for a NUL, for example."""
        return key is not None and len(key) >= 8 and key.isascii() and key.isalnum()

    def _get_session_from_db(self) -> Any:
        """As Django's, without the ORM: every page and every socket of a browser needs it."""
        model = self.model
        now = connection.ops.adapt_datetimefield_value(timezone.now())
        rows = fetch_rows(_session_statement(model), [self.session_key, now])
        if rows:
            return instance_from_row(model, rows[0])
        self._session_key = None
        return None


@cache
def _session_statement(model: type[Model]) -> str:
    columns, table = columns_of(model, "s"), model._meta.db_table
    return f"SELECT {columns} FROM {table} s WHERE s.session_key = %s AND s.expire_date > %s"  # noqa: S608
