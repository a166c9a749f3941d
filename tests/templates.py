"""What tests set up once and then copy: migrated databases, collected static files, whole installations.

It is kept in the cache of pytest for as long as the code that it was made with stays the same, because
setting up takes longer than most tests, and the others wait for it.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
_CACHE = ROOT / ".pytest_cache" / "templates"
# All that can change what is set up: a file more costs some time, a missing one gives tests an old template.
_FOLDERS = ("accounts", "chatty", "conversations", "locale", "static", "templates")
_FILES = ("manage.py", "requirements.txt", "requirements-dev.txt", "proof/services.py")
_OF_TESTS = (
    "cast",
    "databases",
    "hashers",
    "installations",
    "served_settings",
    "services",
    "settings",
    "templates",
)
# The database without people in the template "postgres".
MIGRATED_DATABASE = "chatty_migrated"
_in_use: list[IO[str]] = []  # open, and so locked, until the process ends


@functools.cache
def directory() -> Path:
    """Return the directory for templates of the present code. Removes unused ones of other code."""
    _CACHE.mkdir(parents=True, exist_ok=True)
    own = _CACHE / _digest()
    with _locked(_CACHE / "lock"):
        for other in _CACHE.glob("*.used"):
            if other.stem != own.name:
                _remove_unused(other)
        used = own.with_suffix(".used").open("w")
        fcntl.flock(used, fcntl.LOCK_SH)
        _in_use.append(used)
        own.mkdir(exist_ok=True)
    return own


def migrated_sqlite() -> Path:
    """Return the path of a database without people, which may not exist yet."""
    return directory() / "migrated.db"


@contextlib.contextmanager
def lock() -> Iterator[None]:
    """Hold this while looking for a template and creating it: other processes wait."""
    with _locked(directory() / "lock"):
        yield


def _digest() -> str:
    found = hashlib.sha256(sys.version.encode())
    for path in sorted(_sources()):
        found.update(str(path.relative_to(ROOT)).encode())
        found.update(path.read_bytes())
    return found.hexdigest()[:16]


def _sources() -> Iterator[Path]:
    for folder in _FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            parts = path.relative_to(ROOT).parts
            if path.is_file() and not {"tests", "__pycache__"} & set(parts):
                yield path
    yield from (ROOT / name for name in _FILES)
    yield from (ROOT / "tests" / f"{name}.py" for name in _OF_TESTS)


def _remove_unused(used: Path) -> None:
    with used.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # by a run that started before the code was changed
        shutil.rmtree(used.with_suffix(""), ignore_errors=True)
        used.unlink()


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
