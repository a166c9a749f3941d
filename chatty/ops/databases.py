"""Database handling around serving and set-up.

Timeouts and the lock of serving processes, the locks between set-up and servers, and the checks that
the code and the secret belong to the database.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import logging
import os
import secrets
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, connections, transaction
from django.db.migrations.loader import MigrationLoader
from django.utils import timezone

from chatty.conf.env import SECRET_FILE, derive_key
from chatty.ops import failures
from chatty.postgres import create_connection_class

log = logging.getLogger("chatty.database")

_ANSWER_SECONDS = 2.0  # for the error of a statement that PostgreSQL has cancelled to arrive

# Kept open as long as the process lives: the lock, and one connection, because closing the last
# connection makes SQLite checkpoint and delete the whole log every time.
_held: list[IO[str] | sqlite3.Connection] = []


def prepare_to_serve() -> None:
    """Must be called before the first query. Further calls do nothing.

    Raises ImproperlyConfigured if another process serves the same SQLite database.
    """
    for alias in connections:
        if "postgresql" in connections.settings[alias]["ENGINE"]:
            _bound_statements(alias)
        elif not _held:
            _hold(Path(connections.settings[alias]["NAME"]))


def _bound_statements(alias: str) -> None:
    """Set timeouts for statements. Only for serving processes: migrations and backups take longer.

    Otherwise a hanging statement would block a thread, a connection and maybe a lock that all others
    wait for. PostgreSQL cancels it; if PostgreSQL itself does not respond, the connection class does.
    """
    milliseconds = round(settings.STATEMENT_SECONDS * 1000)
    limits = {
        "statement_timeout": milliseconds,
        "lock_timeout": round(milliseconds * 0.6),
        "idle_in_transaction_session_timeout": milliseconds * 2,
    }
    options = connections.settings[alias]["OPTIONS"]
    begin_with = b""
    if settings.DATABASE_PREPARE:
        text = " ".join(f"-c {name}={value}" for name, value in limits.items())
        if text not in options.get("options", ""):
            options["options"] = f"{options.get('options', '')} {text}".strip()
    else:
        # A pooler may assign each transaction a different session, so set the limits in each
        # transaction. Outside of transactions the connection's `timeout_seconds` is the only limit.
        each = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in limits.items())
        begin_with = f"SELECT {each}".encode()
    if "pool" in options:
        timeout_seconds = settings.STATEMENT_SECONDS + _ANSWER_SECONDS
        options["pool"]["connection_class"] = create_connection_class(timeout_seconds, begin_with)


def _hold(path: Path) -> None:
    """Keep other servers off this database: SQLite has one writer, and no events between processes."""
    lock = _server_lock(path, "process")
    try:
        anchor = sqlite3.connect(path, check_same_thread=False)
        anchor.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        raise ImproperlyConfigured(failures.explain_sqlite_error(error) or str(error)) from None
    _held.extend([lock, anchor])


def _server_lock(path: Path, owner: str) -> IO[str]:
    """Take the lock that a server of this SQLite database holds as long as it runs.

    `owner`: describes the holder in the error messages of other processes, before the process id.
    """
    try:
        lock = path.with_name(path.name + ".lock").open("a+", encoding="ascii")
    except OSError as error:
        raise ImproperlyConfigured(failures.explain_file_error(error)) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.seek(0)
        holder = lock.read(40).strip() or "process unknown"
        lock.close()
        raise ImproperlyConfigured(_held_by(path, holder)) from None
    lock.truncate(0)
    lock.write(f"{owner} {os.getpid()}")
    lock.flush()
    return lock


def _held_by(path: Path, holder: str) -> str:
    if holder.startswith("setup"):
        return f"`setup` is using {path} ({holder}). Start Chatty when it has finished."
    return (
        f"Another Chatty server is using {path} ({holder}). Stop it first, or set DATABASE_URL and "
        "REDIS_URL: with PostgreSQL and Redis, you can run any number of processes."
    )


def protect_files() -> None:
    """Restrict access to the data: directory 0700, database and secret 0600.

    Older versions created them readable for all users of the machine.
    """
    data = Path(settings.DATA_DIR)
    files = [data / SECRET_FILE]
    if "sqlite" in settings.DATABASES["default"]["ENGINE"]:
        path = Path(settings.DATABASES["default"]["NAME"])
        files += [
            path.with_name(path.name + end) for end in ("", "-wal", "-shm", ".lock", ".setup")
        ]
    for path, mode in [(data, 0o700), *((file, 0o600) for file in files)]:
        try:
            had = stat.S_IMODE(path.stat().st_mode)
            if had & ~mode & 0o077:
                path.chmod(had & mode)
                log.warning(
                    "Other users could access %s (mode %o). Changed the mode to %o",
                    path,
                    had,
                    had & mode,
                )
        except FileNotFoundError:
            continue
        except OSError as error:
            log.warning(
                "Other users can access %s, and its mode can't be changed: %s", path, error.strerror
            )


# --- set-up ---------------------------------------------------------------------------------------

_SETUP_LOCK = 0x43_68_61_74_74_79  # "Chatty", as PostgreSQL's advisory lock


@contextmanager
def setup_lock(say: Callable[[str], None]) -> Iterator[None]:
    """Allow one set-up at a time. A second one reports with `say` that it waits, then has nothing to do.

    Without this lock, two set-ups would run the same migrations at once.
    """
    if connection.vendor == "postgresql":
        with failures.connect_directly() as other, other.transaction():
            # A lock of the transaction, because a pooler may assign each transaction another session.
            row = other.execute("SELECT pg_try_advisory_xact_lock(%s)", [_SETUP_LOCK]).fetchone()
            if row is not None and not row[0]:
                say(_WAITING)
                other.execute("SELECT pg_advisory_xact_lock(%s)", [_SETUP_LOCK])
            yield
        return
    path = Path(connection.settings_dict["NAME"])
    with path.with_name(path.name + ".setup").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say(_WAITING)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


_WAITING = "Another setup is running. Waiting for it to finish..."


@contextmanager
def migration_lock() -> Iterator[None]:
    """Keep servers from using the SQLite database inside. Raises ImproperlyConfigured if one does.

    On PostgreSQL servers keep running: that allows rolling upgrades (docs/deploy.md).
    """
    if connection.vendor == "postgresql":
        yield
        return
    with _server_lock(Path(connection.settings_dict["NAME"]), "setup, process"):
        yield


# --- the code and the secret that fit the database --------------------------------------------------


def require_no_newer_migrations(loader: MigrationLoader) -> None:
    """Raises ImproperlyConfigured if the database was migrated by a newer version than this code.

    Django stores the names of applied migrations. One that does not exist in this code must be from a
    newer version.
    """
    unknown = sorted(
        f"{app}.{name}"
        for app, name in loader.applied_migrations.keys() - loader.disk_migrations.keys()
        if app in loader.migrated_apps
    )
    if unknown:
        raise ImproperlyConfigured(
            f"The database was set up by a newer version of Chatty: this version has no {unknown[-1]}. "
            "Install the newer version, or restore the backup from before the upgrade."
        )


def fingerprint(secret: str, salt: str) -> str:
    """Return a slow, salted hash of the secret, to store in the database.

    Someone who can read the database cannot guess a secret of 50 random characters from it, and
    hardly even one that a person made up.
    """
    digest = hashlib.scrypt(
        derive_key(secret, "fingerprint").encode(), salt=salt.encode(), n=2**14, r=8, p=1, dklen=32
    )
    return f"{salt}${digest.hex()}"


def compare_secret() -> None:
    """Raises ImproperlyConfigured if the database was used with a different secret than this process has.

    Stores the fingerprint if there is none yet, or if it is that of a key in SECRET_KEY_FALLBACKS.
    """
    stored = _instance().secret_fingerprint
    salt = stored.partition("$")[0]
    if stored and hmac.compare_digest(fingerprint(settings.SECRET_KEY, salt), stored):
        return
    former = settings.SECRET_KEY_FALLBACKS
    if stored and not any(hmac.compare_digest(fingerprint(key, salt), stored) for key in former):
        raise ImproperlyConfigured(
            "The secret key is not the one that this database was used with. Check SECRET_KEY, or the "
            f"file {SECRET_FILE} in DATA_DIR: all processes need the same key. If the old key is lost or "
            "was replaced, accept the new one with: python manage.py accept_secret\n"
            "Everyone then has to sign in again."
        )
    accept_secret()


def accept_secret() -> None:
    """Store the fingerprint of this process's secret, replacing any other."""
    instance = _instance()
    instance.secret_fingerprint = fingerprint(settings.SECRET_KEY, secrets.token_hex(8))
    instance.save(update_fields=["secret_fingerprint"])


def write_probe() -> None:
    """Commit a small write. Raises DatabaseError if nothing can be stored."""
    with transaction.atomic():  # on SQLite this waits for the turn, like every write
        apps.get_model("conversations", "Instance").objects.filter(pk=1).update(
            probed_at=timezone.now()
        )


def _instance() -> Any:
    # Not imported: uvicorn_server.py imports this module before models are loaded.
    return apps.get_model("conversations", "Instance").objects.get_or_create(pk=1)[0]


def spare_connections() -> int | None:
    """Return how many connections PostgreSQL allows ordinary users.

    None on SQLite, and behind a pooler, which has limits of its own.
    """
    if connection.vendor != "postgresql" or not settings.DATABASE_PREPARE:
        return None
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('max_connections')::int"
            " - current_setting('superuser_reserved_connections')::int"
        )
        return int(cursor.fetchone()[0])
