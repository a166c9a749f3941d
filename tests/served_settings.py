"""Settings of real servers in tests: those of Chatty, with a cheap password hasher.

Tests about the cost of hashing set DJANGO_SETTINGS_MODULE to chatty.settings.
"""

from __future__ import annotations

from chatty.settings import *  # noqa: F403

PASSWORD_HASHERS = ["tests.hashers.QuickArgon2idHasher"]
