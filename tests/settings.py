"""Settings of the test suite: the real ones in their own directory, with shorter timeouts.

TEST_DATABASE_URL and TEST_REDIS_URL choose the database and Redis (`make test-postgres` sets them). The
developer's own environment and .env are ignored.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

_WORKER = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
_NUMBER = int(_WORKER.removeprefix("gw"))


def _own_database(redis_url: str) -> str:
    """Each worker has its own database of the one Redis, because tests empty it before they start."""
    return redis_url and f"{redis_url.rpartition('/')[0]}/{_NUMBER}"


_HOME = Path(tempfile.mkdtemp(prefix=f"chatty-test-{_WORKER}-"))
(_HOME / "static").mkdir()
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)

_ENVIRONMENT = {
    "DATA_DIR": str(_HOME),
    "DATABASE_URL": os.environ.get("TEST_DATABASE_URL", ""),
    "REDIS_URL": _own_database(os.environ.get("TEST_REDIS_URL", "")),
    "SECRET_KEY": "a-key-for-tests-only-0123456789-abcdefghijklmnopqrstuvwxyz",
    "DATABASE_POOL": "24",
    # Not where `make run` collects files: each Client would list all of them.
    "STATIC_ROOT": str(_HOME / "static"),
    **dict.fromkeys(
        ("CSRF_TRUSTED_ORIGINS", "DEBUG", "EMAIL_URL", "HOST", "LOG_LEVEL", "PORT", "PUBLIC_URL"),
        "",
    ),
    **dict.fromkeys(("CUSTOM_EMOJI", "SECRET_KEY_FALLBACKS", "SIGN_UP", "TRUSTED_PROXIES"), ""),
}
os.environ.update(_ENVIRONMENT)
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"

from chatty.settings import *  # noqa: E402,F403
from chatty.settings import CHANNEL_LAYERS, DATABASES, STORAGES  # noqa: E402

if "sqlite" in DATABASES["default"]["ENGINE"]:
    # A file, because threads must share one database, and in-memory databases have no WAL.
    DATABASES["default"]["TEST"] = {"NAME": str(_HOME / "test.db")}

if os.environ["REDIS_URL"]:
    # Pub/sub does not depend on the database number.
    CHANNEL_LAYERS["default"]["CONFIG"]["prefix"] = f"chatty-{_WORKER}"

# Argon2 takes 20 ms by design; the tests of accounts/hashers.py select it explicitly.
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.MD5PasswordHasher",
    "accounts.hashers.Argon2idHasher",
]
STORAGES["staticfiles"] = {
    "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage",
}
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
