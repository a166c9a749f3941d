"""Finds what was created with a key, and remembers it. Used by actions that create something.

An action calls find() first, and again in its transaction before it creates anything, and then
remember() in the same transaction. Of two simultaneous requests, the second violates the unique constraint:
the action runs again, and finds what the first one has created.
"""

from __future__ import annotations

import hashlib
import hmac
import json

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from chatty.common.errors import ChatError
from chatty.idempotency.models import UsedKey


def find(user_id: int, kind: str, key: str, sent: object) -> int | None:
    """Return the id of what this user created with the key, None if nothing. `sent` is what was sent with it
    and must be JSON: with something else, the key raises ChatError("key_reused").
    """
    used = UsedKey.objects.filter(user_id=user_id, kind=kind, key=key).first()
    if used is None:
        return None
    secrets = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    stored = bytes(used.fingerprint)
    if not any(hmac.compare_digest(stored, _fingerprint(sent, secret)) for secret in secrets):
        raise ChatError("key_reused", _("This key was already used for something else."))
    return used.created_id


def remember(user_id: int, kind: str, key: str, sent: object, created_id: int) -> None:
    fingerprint = _fingerprint(sent, settings.SECRET_KEY)
    UsedKey.objects.create(
        user_id=user_id, kind=kind, key=key, fingerprint=fingerprint, created_id=created_id
    )


def _fingerprint(sent: object, secret: str) -> bytes:
    """Return a keyed hash, so that what was sent can't be guessed from the database. Never change it."""
    hash_key = hashlib.sha256(f"used key {secret}".encode()).digest()
    encoded = json.dumps(sent, sort_keys=True).encode()
    return hashlib.blake2b(encoded, key=hash_key, digest_size=16).digest()
