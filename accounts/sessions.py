"""Finds the sign-in of a browser's session, for pages and for sockets.

This module only reads: opening a socket must never sign anyone out. A session that was signed with a
key in SECRET_KEY_FALLBACKS is still valid.
"""

from __future__ import annotations

from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase
from django.utils.crypto import constant_time_compare

from accounts.models import SignIn, User
from accounts.queries import get_sign_in

SID_KEY = "sid"


def sign_in_of(session: SessionBase) -> SignIn | None:
    """Return the sign-in of this session, live or not, with its user. One query.

    None if no one is signed in, or if the password has changed since.
    """
    sid, user_id = session.get(SID_KEY), session.get(SESSION_KEY)
    if not sid or not user_id:
        return None
    sign_in = get_sign_in(sid, SignIn.Kind.WEB)
    if sign_in is None or str(sign_in.user_id) != user_id:
        return None
    return sign_in if _hash_matches(session, sign_in.user) else None


def signed_with_old_key(session: SessionBase, user: User) -> bool:
    """Return whether this session is valid only by a key in SECRET_KEY_FALLBACKS."""
    return not _same(session, user.get_session_auth_hash())


def _hash_matches(session: SessionBase, user: User) -> bool:
    return _same(session, user.get_session_auth_hash()) or any(
        _same(session, old) for old in user.get_session_auth_fallback_hash()
    )


def _same(session: SessionBase, expected: str) -> bool:
    return constant_time_compare(session.get(HASH_SESSION_KEY) or "", expected)
