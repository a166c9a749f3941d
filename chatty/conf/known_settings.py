"""Every setting that can stand in the environment or in `.env`: the one list of their names.

chatty/conf/env.py reads no other name, refuses names in `.env` that are not here, and finds slips in the
environment by it. Imports nothing of Django, so that it can be read before there are settings.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Setting:
    """`kind` is text, url, secret, flag, number, whole number, choice, list, path or rate.

    `default` is written as in the environment; "" where there is none or where it depends on others.
    """

    name: str
    kind: str
    default: str
    description: str


def _settings() -> Iterable[Setting]:
    def add(name: str, kind: str, default: str, description: str) -> Setting:
        return Setting(name, kind, default, description)

    # Where Chatty is reached
    yield add("PUBLIC_URL", "url", "", "The address people type. Gives host, cookies, links, HSTS.")
    yield add("HOST", "text", "127.0.0.1", "The address to listen on.")
    yield add("PORT", "whole number", "8000", "The port to listen on; 0 takes a free one.")
    yield add("TRUSTED_PROXIES", "list", "", "Proxies whose X-Forwarded headers are believed.")
    yield add("CSRF_TRUSTED_ORIGINS", "list", "", "Other origins that may send forms and sockets.")
    yield add("METRICS_TOKEN", "secret", "", "The Bearer token that opens /metrics.")
    # Where it keeps things
    yield add("DATA_DIR", "path", "var", "The directory for the secret and the SQLite database.")
    yield add("DATABASE_URL", "url", "", "PostgreSQL or SQLite; without it SQLite in DATA_DIR.")
    yield add(
        "DATABASE_POOL", "whole number", "24", "PostgreSQL connections of a process, at most."
    )
    yield add("DATABASE_PREPARE", "flag", "1", "Off behind PgBouncer in transaction mode.")
    yield add("REDIS_URL", "url", "", "Redis, which several processes hear each other by.")
    yield add("STATIC_ROOT", "path", "staticfiles", "Where setup collects the files of the pages.")
    yield add("SECRET_KEY", "secret", "", "Signs sessions and tokens; setup makes one.")
    yield add("SECRET_KEY_FALLBACKS", "list", "", "Former secrets that are still accepted.")
    # Who may come in
    yield add("ADMIN_EMAIL", "text", "", "The address of the administrator that setup makes.")
    yield add("SIGN_UP", "choice", "open", "Who may open an account: open or closed.")
    yield add("PASSWORD_MIN_LENGTH", "whole number", "8", "The fewest characters of a password.")
    yield add("SESSION_DAYS", "whole number", "30", "How long a browser stays signed in.")
    yield add("ACCESS_TOKEN_SECONDS", "whole number", "600", "How long an access token is valid.")
    yield add("REFRESH_TOKEN_DAYS", "whole number", "30", "How long a refresh token is valid.")
    # Mail
    yield add("EMAIL_URL", "url", "", "The mail server; without it mails are printed.")
    yield add("EMAIL_FROM", "text", "", "The sender of mails.")
    # Limits
    yield add("HTTP_RUNNING", "whole number", "12", "Requests worked on at once.")
    yield add("HTTP_WAITING", "whole number", "64", "Requests waiting in line.")
    yield add("HTTP_HEADER_SECONDS", "number", "15", "How long request headers may take.")
    yield add(
        "HTTP_BODY_SECONDS", "number", "10", "How long 16 KiB of a body or an answer may take."
    )
    yield add("HTTP_BODY_MAX", "whole number", "1048576", "Bytes of a request body.")
    yield add("SHUTDOWN_SECONDS", "whole number", "15", "How long stopping waits for requests.")
    yield add("STATEMENT_SECONDS", "number", "5", "How long a database statement may take.")
    yield add("SOCKET_THREADS", "whole number", "", "Threads for database work of sockets.")
    yield add("SOCKETS_PER_USER", "whole number", "20", "Sockets of one person at one process.")
    yield add("SOCKETS_PER_ADDRESS", "whole number", "500", "Sockets from one address.")
    yield add("TICK_SECONDS", "number", "5", "How often a process looks for missed messages.")
    yield add("PRESENCE_SECONDS", "number", "15", "How long somebody still counts as here.")
    yield add(
        "PRESENCE_MEMBERS", "whole number", "100", "Largest conversation that shows presence."
    )
    # How often
    yield add(
        "LIMIT_SIGN_IN", "rate", "10/5m", "Passwords: one account, one address, right or wrong."
    )
    yield add("LIMIT_SIGN_IN_ADDRESS", "rate", "50/5m", "Wrong passwords from one address.")
    yield add("LIMIT_SIGN_IN_ALL", "rate", "600/m", "Wrong passwords altogether.")
    yield add("LIMIT_SIGN_IN_DEVICE", "rate", "10/5m", "Beyond these, from a browser known here.")
    yield add("LIMIT_SIGN_IN_DEVICES", "rate", "30/5m", "From all known browsers of one account.")
    yield add("LIMIT_PASSWORDS", "rate", "300/5m", "Passwords from one address, right or wrong.")
    yield add("LIMIT_SIGN_UP", "rate", "20/h", "Accounts asked for from one address.")
    yield add("LIMIT_RESET", "rate", "5/h", "Mails about a forgotten password to one mailbox.")
    yield add("LIMIT_RESET_ADDRESS", "rate", "20/h", "The same asked for from one address.")
    yield add("LIMIT_RESET_ALL", "rate", "300/h", "The same altogether.")
    yield add("LIMIT_REFRESH", "rate", "300/m", "Refreshed tokens from one address.")
    yield add("LIMIT_PICTURES", "rate", "30/h", "Pictures one person puts up.")
    yield add("LIMIT_PEOPLE", "rate", "120/m", "Searches for people by one person.")
    yield add("LIMIT_ADDITIONS", "rate", "500/d", "People one person adds or begins to write to.")
    yield add("LIMIT_FRAMES", "rate", "400/10s", "Frames of one person at one process.")
    yield add(
        "LIMIT_RENDERING", "rate", "1000/10s", "Milliseconds of rendering one person's Markdown."
    )
    yield add("LIMIT_REQUESTS", "rate", "400/10s", "API requests of one person at one process.")
    # For developers
    yield add("DEBUG", "flag", "0", "Shows errors with all details. Never in public.")
    yield add("LOG_LEVEL", "choice", "info", "How much is logged: debug, info, warning or error.")
    yield add("LOG_FORMAT", "choice", "line", "The form of every log line: line or json.")
    yield add("ACCESS_LOG", "choice", "off", "A line for each request: off, on or json.")
    yield add("HSTS_SECONDS", "whole number", "31536000", "How long browsers insist on https.")
    yield add("HSTS_SUBDOMAINS", "flag", "0", "Whether HSTS covers subdomains, too.")


SETTINGS = {setting.name: setting for setting in _settings()}

# Not Chatty's own, but read by what it runs on or beside: they may stand in `.env`.
FOREIGN = frozenset(
    {
        "COMPOSE_FILE",
        "COMPOSE_PROFILES",
        "COMPOSE_PROJECT_NAME",
        "DJANGO_SETTINGS_MODULE",
        "POSTGRES_PASSWORD",
        "PROMETHEUS_MULTIPROC_DIR",
        "WEB_CONCURRENCY",
        "WORKERS",
    }
)

# Names other software sets that look like a slip in one of ours.
_SET_BY_OTHERS = frozenset(
    {
        "COST", "DATADIR", "DATA_DIRS", "DEBUGS", "DEBUG_", "DPORT", "GHOST", "HOSTFILE", "HOSTS",
        "HOST_", "LHOST", "LOGLEVEL", "LOG_LEVELS", "LPORT", "MAIL_FROM", "MAIL_URL", "MPORT",
        "PORTFILE", "PORTS", "PORT_",
        "POST", "RHOST", "RPORT", "SORT", "SPORT", "VHOST", "XDEBUG", "XPORT", "XHOST", "_DEBUG",
        "_HOST", "_PORT", "DEBUGFILE", "DEBUGP",
    }
)  # fmt: skip


def _names() -> Iterable[str]:
    for name in SETTINGS:
        yield name
        yield f"{name}_FILE"
    yield from FOREIGN


NAMES = frozenset(_names())


def is_one_slip_away(name: str, other: str) -> bool:
    """Whether one letter is missing, too many or wrong, two are swapped, or only the case differs."""
    if name == other:
        return False
    if "_" in other and name.upper() == other:
        return True
    if abs(len(name) - len(other)) > 1:
        return False
    start = next(
        (at for at, (a, b) in enumerate(zip(name, other, strict=False)) if a != b),
        min(len(name), len(other)),
    )
    a, b = name[start:], other[start:]
    return (
        a[1:] == b[1:]  # wrong, or at the end
        or a[1:] == b
        or a == b[1:]
        or (a[:2] == b[1::-1] and a[2:] == b[2:] and len(b) > 1)
    )


def slip_of(name: str) -> str | None:
    """Return the known name that `name`, found in the environment, is most likely meant to be."""
    if name in NAMES or name in _SET_BY_OTHERS:
        return None
    return next((known for known in sorted(NAMES) if is_one_slip_away(name, known)), None)


def nearest(name: str) -> str:
    """Return the known name with the fewest slips between it and `name`."""
    return min(sorted(SETTINGS), key=lambda known: _distance(name.upper(), known))


def _distance(a: str, b: str) -> int:
    """Letters missing, too many or wrong, and swaps of two (optimal string alignment)."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        following = [i]
        for j, y in enumerate(b, 1):
            cost = min(row[j] + 1, following[j - 1] + 1, row[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, before[j - 2] + 1)
            following.append(cost)
        before, row = row, following
    return row[-1]
