"""Django's database sessions, with a check of the key from the cookie."""

from __future__ import annotations

from django.contrib.sessions.backends import db


class SessionStore(db.SessionStore):
    def _validate_session_key(self, key: str | None) -> bool:
        """Reject keys Django never issues: PostgreSQL raises an error for a NUL, for example."""
        return key is not None and len(key) >= 8 and key.isascii() and key.isalnum()
