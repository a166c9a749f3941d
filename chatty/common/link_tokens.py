"""The secrets in links. The database has only their hashes, by which rows are found: comparing a guess with a
stored token could reveal how much of it is right, by the time it takes.

A derived token depends on the server's secret and on what it was derived from. So the same link can be shown
or sent again, although it is not stored.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from django.conf import settings
from django.utils.crypto import salted_hmac

_BYTES = 24  # 192 bits
LENGTH = _BYTES * 4 // 3  # characters of a derived token


def hash_token(token: str) -> str:
    """Return what is stored of a token. Any text has a hash, which no row has if it is no token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def derive_token(purpose: str, text: str) -> str:
    return _derive(purpose, text, settings.SECRET_KEY)


def find_token(purpose: str, text: str, token_hash: str) -> str | None:
    """Return the token that was derived from `text` and has this hash, also with a former secret key."""
    for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        token = _derive(purpose, text, secret)
        if hmac.compare_digest(hash_token(token), token_hash):
            return token
    return None


def _derive(purpose: str, text: str, secret: str) -> str:
    made = salted_hmac(f"chatty.{purpose}", text, secret=secret, algorithm="sha256")
    return base64.urlsafe_b64encode(made.digest()[:_BYTES]).decode()
