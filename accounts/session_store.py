"""Django's database sessions, with a check of the key from the cookie."""

from __future__ import annotations

from typing import Any

from django.contrib.sessions.backends import db
from django.db import connection
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
        rows = fetch_rows(
            f"SELECT {columns_of(model, 's')} FROM {model._meta.db_table} s"  # noqa: S608
            " WHERE s.session_key = %s AND s.expire_date > %s",
            [self.session_key, connection.ops.adapt_datetimefield_value(timezone.now())],
        )
        if rows:
            return instance_from_row(model, rows[0])
        self._session_key = None
        return None
