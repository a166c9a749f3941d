"""Explains to administrators why Chatty cannot start or store something, and how to fix it."""

from __future__ import annotations

import errno
import logging
import os
import re
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import psycopg_pool
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, InterfaceError, connections
from django.utils.translation import gettext_lazy as _

from chatty.common.errors import ChatError

log = logging.getLogger("chatty.database")

UNWRITABLE = _(
    "Chatty can’t save anything right now because its disk is full or read-only. Try again later."
)
_URL = "DATABASE_URL"
_REPORT_SECONDS = 10.0  # minimum interval between log entries about the same problem

_reported_at: dict[str, float] = {}
_unwritable_at: float | None = None

_BEHIND = (
    "The database is not set up for this version of Chatty. Run this first: python manage.py setup"
)
_POOLER = (
    "A pooler such as PgBouncer at {where} runs in transaction mode, and Chatty sets time-outs for each "
    "session. Set DATABASE_PREPARE=off, or point {url} to PostgreSQL itself."
)

# Connection errors of PostgreSQL, libpq and psycopg, and their explanations. These errors have no
# code, so their texts are matched. If the server's language is not English, nothing matches and
# explain_postgresql_error() uses its generic sentence.
_CONNECTING: list[tuple[str, str]] = [
    (
        r"password authentication failed|no password supplied",
        "PostgreSQL at {where} does not accept the password of {user!r}. Check the password in {url}.",
    ),
    (
        r'role "[^"]*" does not exist',
        "PostgreSQL at {where} has no user {user!r}. Create it, or check the user in {url}.",
    ),
    (
        r'database "[^"]*" does not exist',
        "PostgreSQL at {where} has no database {name!r}. Create it: createdb --owner={user} {name}",
    ),
    (
        r"no pg_hba\.conf entry|(Peer|Ident) authentication failed",
        "PostgreSQL at {where} rejects {user!r} from this machine: {reason}\nCheck its pg_hba.conf.",
    ),
    (
        r"resolve host|translate host name|Name or service not known|getaddrinfo",
        "Can't find the host {host!r}. Check the host in {url}.",
    ),
    (
        r"certificate|SSL|TLS",
        "No secure connection to PostgreSQL at {where}: {reason}\nCheck sslmode and sslrootcert in {url}.",
    ),
    (
        r"too many clients|remaining connection slots|too many connections",
        "PostgreSQL at {where} has no connections left. Lower DATABASE_POOL, or raise max_connections.",
    ),
    (
        r"starting up|shutting down|in recovery mode|not yet accepting",
        "PostgreSQL at {where} is starting or stopping. Try again in a moment.",
    ),
    (
        r"unsupported startup parameter",
        _POOLER,
    ),
    (
        r"refused|No such file or directory|timeout|timed out|unreachable|closed the connection",
        "PostgreSQL does not respond at {where}: {reason}\nCheck {url} and that PostgreSQL is running.",
    ),
]


def explain(error: BaseException) -> str | None:
    """Return an explanation for administrators, or None for a bug, where the traceback helps more."""
    if isinstance(error, ImproperlyConfigured):
        return str(error)
    if isinstance(error, ChatError):  # actions convert database errors; the cause is the original
        error = error.__cause__ or error
    if isinstance(error, (DatabaseError, InterfaceError, psycopg_pool.PoolTimeout)):
        return explain_database_error(error)
    if isinstance(error, OSError) and error.filename and _is_ours(Path(str(error.filename))):
        return explain_file_error(error)
    return None


def _is_ours(path: Path) -> bool:
    ours = (Path(settings.DATA_DIR), Path(settings.STATIC_ROOT))
    return any(path.is_relative_to(place) or place.is_relative_to(path) for place in ours)


def explain_file_error(error: OSError) -> str:
    """Explain an error of a file or directory below DATA_DIR or STATIC_ROOT."""
    path = Path(str(error.filename))
    if error.errno == errno.ENOSPC:
        return f"The disk is full, so {path} can't be written. Free some space."
    if error.errno == errno.EROFS:
        return f"The disk is read-only, so {path} can't be written. Mount it read-write."
    return (
        f"Can't use {path}: {error.strerror}. {_ownership(path)}"
        "Check DATA_DIR, STATIC_ROOT and their owner."
    )


def explain_database_error(error: BaseException) -> str | None:
    """Return None if the statement is at fault, not the state of the database."""
    lite = next((e for e in _chain(error) if isinstance(e, sqlite3.Error)), None)
    if lite is not None:
        return explain_sqlite_error(lite)
    return explain_postgresql_error(error)


def is_unwritable(error: BaseException) -> bool:
    """Return whether the database is reachable, but rejects writes until an administrator fixes it."""
    for each in _chain(error):
        # Read-only (a standby or a role), disk full, I/O error.
        if getattr(each, "sqlstate", None) in {"25006", "53100", "58030"}:
            return True
        if isinstance(each, sqlite3.Error) and _sqlite_code(each) in {
            "SQLITE_FULL",
            "SQLITE_READONLY",
            "SQLITE_IOERR",
        }:
            return True
    return False


def note_unwritable(error: BaseException) -> bool:
    """Return whether the database is unwritable. If so, log the cause and make /readyz report it."""
    global _unwritable_at
    if not is_unwritable(error):
        return False
    _unwritable_at = time.monotonic()
    if is_due("unwritable"):
        log.error("The database cannot be written: %s", explain_database_error(error))
    return True


def is_due(what: str) -> bool:
    """Return whether `what` should be logged: not if it was within the last _REPORT_SECONDS.

    Any client can cause these problems, and must not be able to fill the log.
    """
    now = time.monotonic()
    if now - _reported_at.get(what, -_REPORT_SECONDS) < _REPORT_SECONDS:
        return False
    _reported_at[what] = now
    return True


def was_unwritable(seconds: float) -> bool:
    """Return whether note_unwritable() recorded a failed write within the last `seconds`."""
    return _unwritable_at is not None and time.monotonic() - _unwritable_at < seconds


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


# --- SQLite ---------------------------------------------------------------------------------------


def _sqlite_code(error: sqlite3.Error) -> str:
    """Return the primary code: SQLITE_READONLY for SQLITE_READONLY_DBMOVED."""
    name = getattr(error, "sqlite_errorname", None) or ""
    return "_".join(name.split("_")[:2])


def explain_sqlite_error(error: sqlite3.Error) -> str | None:
    path = Path(str(settings.DATABASES["default"]["NAME"]))
    match _sqlite_code(error):
        case "SQLITE_FULL":
            return f"The disk is full, so {path} can't grow. Free some space."
        case "SQLITE_READONLY" | "SQLITE_CANTOPEN" | "SQLITE_PERM" | "SQLITE_AUTH":
            return _no_access(path)
        case "SQLITE_IOERR":
            return f"The disk can't read or write {path}: {error}. Check the system log."
        case "SQLITE_NOTADB":
            return f"{path} is not an SQLite database. Check DATABASE_URL and DATA_DIR."
        case "SQLITE_CORRUPT":
            return f"{path} is damaged. Stop Chatty and restore a backup (docs/deploy.md)."
        case "SQLITE_BUSY":
            return f"Another program has locked {path}. Stop that program first."
    return _BEHIND if re.match("no such (table|column)", str(error)) else None


def _no_access(path: Path) -> str:
    where = path if path.exists() else path.parent
    try:
        if os.statvfs(where).f_flag & os.ST_RDONLY:
            return f"The disk with {path} is read-only. Mount it read-write."
        if not path.parent.is_dir():
            return f"The directory {path.parent} doesn't exist. Check DATABASE_URL and DATA_DIR."
    except OSError:
        pass
    return (
        f"{path} is not writable. {_ownership(path)}The file, the files beside it and its directory "
        "must belong to the user who runs Chatty."
    )


def _ownership(path: Path) -> str:
    """Return a sentence about the owner of the file, or "" if this user owns it and can write."""
    for place in (path, *path.parents):
        try:
            owner = place.stat().st_uid
        except OSError:
            continue
        if owner == os.geteuid() and os.access(place, os.W_OK):
            return ""
        return (
            f"{place} is owned by {_name_of(owner)}, but Chatty runs as {_name_of(os.geteuid())}. "
        )
    return ""


def _name_of(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


# --- PostgreSQL -----------------------------------------------------------------------------------


def explain_postgresql_error(error: BaseException) -> str | None:
    config = settings.DATABASES["default"]
    if any(isinstance(e, psycopg_pool.PoolTimeout) for e in _chain(error)):
        # The pool's timeout does not include the reason, so connect directly to find it.
        error = _why_no_connection() or error
    state = next((s for e in _chain(error) if (s := getattr(e, "sqlstate", None))), None)
    reason = _reason(error)
    known = {
        "url": _URL,
        "where": where(config),
        "host": str(config.get("HOST") or config.get("OPTIONS", {}).get("host") or ""),
        "user": str(config.get("USER") or ""),
        "name": str(config.get("NAME") or ""),
        "reason": reason,
    }
    match state:
        case "42P01" | "42703":
            return _BEHIND
        case "53100":
            return "PostgreSQL at {where} has run out of disk space. Free some.".format(**known)
        case "25006":
            return (
                "PostgreSQL at {where} is read-only: it is a standby, or "
                "default_transaction_read_only is on. {url} must point to the primary server."
            ).format(**known)
        case "42501":
            return (
                "{user!r} has no permission to do that in PostgreSQL at {where}: {reason}".format(
                    **known
                )
            )
        case "55P03":
            return "Another program holds a lock in the database: {reason}".format(**known)
        case "57P01" | "57P02" | "57P03":
            return "PostgreSQL at {where} is starting or stopping. Try again.".format(**known)
    if state is not None and not state.startswith(("08", "28", "3D", "53", "57", "58")):
        return None
    for pattern, sentence in _CONNECTING:
        if re.search(pattern, str(error), re.IGNORECASE):
            return sentence.format(**known)
    if isinstance(error, (psycopg.ProgrammingError,)):
        return "{url}: {reason}.".format(**known)
    if any(
        isinstance(e, (psycopg.OperationalError, psycopg_pool.PoolTimeout)) for e in _chain(error)
    ):
        sentence = (
            "PostgreSQL does not respond at {where}: {reason}\n"
            "Check {url} and that PostgreSQL is running."
        )
        return sentence.format(**known)
    return None


def _reason(error: BaseException) -> str:
    """Return the first line of PostgreSQL's message, without psycopg's "connection failed: ..."."""
    line = str(error).strip().partition("\n")[0]
    return re.sub(r"^(connection failed: )?(connection to server .*? failed: )?", "", line)


def _why_no_connection() -> BaseException | None:
    try:
        connect_directly().close()
    except psycopg.Error as error:
        return error
    return None


def require_database() -> None:
    """Raises ImproperlyConfigured if PostgreSQL cannot be reached.

    Bypasses the pool, which would retry for five seconds and not report the reason.
    """
    if connections["default"].vendor != "postgresql":
        return
    error = _why_no_connection()
    if error is not None:
        raise ImproperlyConfigured(explain_postgresql_error(error) or str(error))
    if settings.DATABASE_PREPARE and _sessions_are_shared():
        config = settings.DATABASES["default"]
        raise ImproperlyConfigured(_POOLER.format(where=where(config), url=_URL))


def _sessions_are_shared() -> bool:
    """Return whether a pooler shares sessions of PostgreSQL between connections, per transaction."""

    def session(connection: psycopg.Connection[Any]) -> int:
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        return int(row[0]) if row else 0

    with connect_directly() as one:
        first = session(one)
        if one.info.backend_pid == first:
            return False  # there is no pooler in between
        with connect_directly() as other, other.transaction():
            # `one` has returned its session, so `other` gets it. If a third connection has it by now,
            # `one` gets a different session.
            return session(other) == first or session(one) != first


def connect_directly(**changes: Any) -> psycopg.Connection[Any]:
    """Return a connection outside of the pool, in autocommit mode. Raises psycopg.Error."""
    parameters = connections["default"].get_connection_params()
    for name in ("pool", "cursor_factory", "context", "prepare_threshold"):
        parameters.pop(name, None)
    parameters.update(changes)
    return psycopg.connect(**parameters, autocommit=True)


def where(config: dict[str, Any]) -> str:
    """Return "host:port", or the directory of the Unix socket."""
    options = config.get("OPTIONS", {})
    host = str(config.get("HOST") or options.get("host") or options.get("hostaddr") or "the socket")
    port = config.get("PORT") or options.get("port") or ("" if host.startswith("/") else 5432)
    return f"{host}:{port}" if port and host != "the socket" else host
