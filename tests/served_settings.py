"""Settings of real servers in tests: those of Chatty, with a cheap password hasher.

Tests about the cost of hashing set DJANGO_SETTINGS_MODULE to chatty.settings.
"""

from __future__ import annotations

import os
from pathlib import Path

from chatty.settings import *  # noqa: F403
from chatty.settings import TEMPLATES

PASSWORD_HASHERS = ["tests.hashers.QuickArgon2idHasher"]

if other := os.environ.get("TEST_BUILD"):  # a directory: see tests/browser/builds.py
    STATICFILES_DIRS = [Path(other) / "static"]
    TEMPLATES[0]["DIRS"].insert(0, Path(other) / "templates")
