"""Django's sessions in the database, looked for under keys that can be there."""

from __future__ import annotations

from django.contrib.sessions.backends import db


class SessionStore(db.SessionStore):
    def _validate_session_key(self, key: str | None) -> bool:
        """A cookie can hold anything, a NUL included: PostgreSQL would refuse to look for that."""
        return key is not None and len(key) >= 8 and key.isascii() and key.isalnum()
