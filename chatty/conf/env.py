"""Reads the environment: one place that turns its text into values, or says what is wrong with it.

Any variable may also be given as a file (`SECRET_KEY_FILE=/run/secrets/key`), and all of them may
stand in `.env` beside manage.py; what is really set in the environment wins. chatty/conf/known_settings.py
lists them. Whatever is wrong raises ImproperlyConfigured with a sentence that repeats no secret.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import idna
import psycopg
from django.core.exceptions import ImproperlyConfigured
from environ import FileAwareEnv
from psycopg.conninfo import make_conninfo

from chatty.conf.known_settings import NAMES, SETTINGS, nearest, slip_of
from chatty.postgres import WatchedConnection

BASE_DIR = Path(__file__).resolve().parents[2]
SECRET_FILE = "secret_key"  # noqa: S105 (its name)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_LINE = re.compile(r"(?:export )?([A-Za-z_0-9]+)=")


def read_file(path: Path) -> None:
    """Puts what stands in `path` into the environment, unless it is set there already.

    Raises ImproperlyConfigured for a file that cannot be read or understood, and for unknown names.
    """
    try:
        content = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text in UTF-8"
        raise ImproperlyConfigured(
            f"{path} cannot be read: {reason}. The user who runs Chatty needs to read it; delete it "
            "if nothing in it is needed."
        ) from None
    seen: set[str] = set()
    for number, name in _names_in(path, content):
        if name not in NAMES:
            raise ImproperlyConfigured(
                f"{path}, line {number}: there is no setting {name}. Did you mean {nearest(name)}? "
                ".env.example lists them all."
            )
        if name in seen:
            raise ImproperlyConfigured(f"{path}, line {number}: {name} stands there twice.")
        seen.add(name)
    FileAwareEnv.read_env(str(path), encoding="utf-8-sig")


def _names_in(path: Path, content: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.match(line)
        if match is None:
            # Not repeated: it may hold a password.
            raise ImproperlyConfigured(
                f"{path}, line {number} should look like NAME=value, without blanks around the name."
            )
        yield number, match[1]


def require_known_names(environment: Mapping[str, str]) -> None:
    """Raises ImproperlyConfigured for a name that is almost one of ours. Others are not our business."""
    for name in sorted(environment):
        meant = slip_of(name)
        if meant is not None:
            raise ImproperlyConfigured(
                f"The environment has {name}, which is no setting. Did you mean {meant}? "
                "Unset it if it belongs to something else."
            )


env = FileAwareEnv()
read_file(BASE_DIR / ".env")
require_known_names(os.environ)


def get_str(name: str, default: str = "") -> str:
    """The value without surrounding blanks; `default` when it is missing or empty."""
    if name not in SETTINGS:
        raise LookupError(f"{name} is missing in chatty/conf/known_settings.py")
    file = os.environ.get(f"{name}_FILE")
    if file and os.environ.get(name):
        raise ImproperlyConfigured(f"{name} and {name}_FILE are both set. Keep one of them.")
    try:
        return str(env.str(name, default=default)).strip() or default
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text in UTF-8"
        raise ImproperlyConfigured(f"{name}_FILE={file} cannot be read: {reason}.") from None


def get_bool(name: str, default: bool = False) -> bool:
    value = get_str(name).lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    if value:
        raise ImproperlyConfigured(f"{name}={value!r} should be 1 or 0.")
    return default


def get_float(name: str, default: float, *, least: float = 0, most: float = 1e12) -> float:
    value = get_str(name)
    try:
        result = float(value) if value else default
    except ValueError:
        raise ImproperlyConfigured(f"{name}={value!r} should be a number.") from None
    if not least <= result <= most:
        raise ImproperlyConfigured(f"{name}={value} should be between {least:g} and {most:g}.")
    return result


def get_int(name: str, default: int, *, least: int = 0, most: int = 10**12) -> int:
    result = get_float(name, default, least=least, most=most)
    if result != int(result):
        raise ImproperlyConfigured(f"{name}={result} should be a whole number.")
    return int(result)


def get_choice(name: str, allowed: tuple[str, ...]) -> str:
    """One of `allowed`; the first is the default."""
    value = get_str(name, allowed[0]).lower()
    if value not in allowed:
        raise ImproperlyConfigured(f"{name}={value!r} should be one of: {', '.join(allowed)}.")
    return value


def get_sign_up() -> str:
    if get_str("SIGN_UP").lower() == "invited":
        raise ImproperlyConfigured(
            "SIGN_UP=invited does not work yet: this version of Chatty has no invitations. "
            "Set SIGN_UP=closed and make accounts in the administration, or SIGN_UP=open."
        )
    return get_choice("SIGN_UP", ("open", "closed"))


def get_list(name: str) -> list[str]:
    """Items separated by commas or blanks."""
    return get_str(name).replace(",", " ").split()


def get_networks(name: str) -> list[Network]:
    """Addresses (10.0.0.2) and networks (10.0.0.0/8, ::1)."""
    try:
        return [ipaddress.ip_network(word, strict=False) for word in get_list(name)]
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: {error}.") from None


@dataclass(frozen=True, slots=True)
class Address:
    """Where people reach Chatty: PUBLIC_URL taken apart."""

    scheme: str
    host: str  # without port; IPv6 in brackets, as Django's ALLOWED_HOSTS wants it
    port: int | None

    @property
    def is_secure(self) -> bool:
        return self.scheme == "https"

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.host}" + (f":{self.port}" if self.port else "")

    @property
    def socket_origin(self) -> str:
        return self.origin.replace("http", "ws", 1)


def get_public_address(name: str = "PUBLIC_URL") -> Address | None:
    value = get_str(name).rstrip("/")
    if not value:
        return None
    shown = name if "@" in value else f"{name}={value!r}"  # before an @ there may be a password
    wrong = ImproperlyConfigured(
        f"{shown} should look like https://chat.example.org (no path, no user)."
    )
    try:
        parts = urlsplit(value)
        port = parts.port
        host = ascii_host(parts.hostname or "")
    except ValueError:
        raise wrong from None
    if parts.scheme not in {"http", "https"} or not host or "@" in parts.netloc:
        raise wrong
    if parts.path or parts.query or parts.fragment or re.search(r"[\s\\,*]", host):
        raise wrong
    if port == {"http": 80, "https": 443}[parts.scheme]:
        port = None  # browsers leave the default port out of the Origin header
    return Address(parts.scheme, f"[{host}]" if ":" in host else host, port)


def ascii_host(host: str) -> str:
    """The name as browsers send it: münchen.example is xn--mnchen-3ya.example. Raises ValueError."""
    # Names of ASCII stay as they are: inside a network there are some with underscores.
    return host if host.isascii() else idna.encode(host, uts46=True).decode("ascii")


def get_origins(name: str) -> list[str]:
    """Origins such as https://example.org; a host may begin with `*.`."""
    found = []
    for word in get_list(name):
        wrong = ImproperlyConfigured(f"{name}: {word!r} should look like https://www.example.org.")
        try:
            parts = urlsplit(word.rstrip("/"))
            star = "*." if (parts.hostname or "").startswith("*.") else ""
            host = ascii_host((parts.hostname or "").removeprefix(star))
            port = f":{parts.port}" if parts.port is not None else ""
        except ValueError:
            raise wrong from None
        if parts.scheme not in {"http", "https"} or not host or parts.path or "@" in parts.netloc:
            raise wrong
        found.append(f"{parts.scheme}://{star}{f'[{host}]' if ':' in host else host}{port}")
    return found


def get_database(data_dir: Path) -> dict[str, Any]:
    """Django's settings of the one database: DATABASE_URL, or SQLite in `data_dir`."""
    url = get_str("DATABASE_URL")
    if not url:
        return get_sqlite(data_dir / "chatty.db")
    parts = _database_parts(url)
    if parts.scheme == "sqlite":
        path = "" if parts.netloc else env.db_url_config(url)["NAME"]
        if path in {"", ":memory:"}:
            raise ImproperlyConfigured(
                "DATABASE_URL: SQLite needs a file, written like sqlite:////var/lib/chatty/chatty.db."
            )
        return get_sqlite(Path(path).absolute())
    config: dict[str, Any] = env.db_url_config(url)
    options = config.get("OPTIONS", {})
    if not config["NAME"] and "service" not in options:
        raise ImproperlyConfigured("DATABASE_URL does not name a database: postgres://host/name.")
    try:
        make_conninfo("", **options)
    except psycopg.ProgrammingError as error:
        raise ImproperlyConfigured(f"DATABASE_URL: {error}.") from None
    return get_postgresql(config)


def _database_parts(url: str) -> SplitResult:
    """Raises ImproperlyConfigured without repeating any of it: there is a password inside."""
    wrong = ImproperlyConfigured(
        "DATABASE_URL should look like postgres://user:password@host:5432/name or "
        "sqlite:////path/to/file. A character such as / # ? or @ in the password is written as "
        "%2F %23 %3F or %40."
    )
    try:
        parts = urlsplit(url)
        if "," not in parts.netloc:
            parts.port  # noqa: B018 (raises ValueError)
    except ValueError:
        raise wrong from None
    if parts.scheme not in {"postgres", "postgresql", "psql", "pgsql", "sqlite"}:
        raise wrong
    if not url.startswith(f"{parts.scheme}://") or parts.fragment or "@" in parts.path:
        raise wrong
    return parts


def get_email(default_from: str) -> dict[str, Any]:
    """Django's settings of mail."""
    config: dict[str, Any] = {"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"}
    if url := get_str("EMAIL_URL"):
        wrong = ImproperlyConfigured(
            "EMAIL_URL should look like smtp+tls://user:password@mail.example.org:587 (or smtp+ssl, "
            "smtp, consolemail). A character such as / # ? or @ in the password is written as %2F "
            "%23 %3F or %40."
        )
        try:
            parts = urlsplit(url)
            config = env.email_url_config(url)
        except (ValueError, ImproperlyConfigured):
            raise wrong from None
        if parts.fragment or (parts.scheme.startswith("smtp") and not parts.hostname):
            raise wrong
    return {**config, "DEFAULT_FROM_EMAIL": get_str("EMAIL_FROM", default_from)}


def get_sqlite(path: Path) -> dict[str, Any]:
    return {
        "ENGINE": "chatty.sqlite",
        "NAME": path,
        "OPTIONS": {
            # A transaction that reads and then writes would fail at once under DEFERRED.
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            # FULL: with NORMAL a power cut could take back what we have acknowledged.
            "init_command": (
                "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;PRAGMA foreign_keys=ON;"
                "PRAGMA cache_size=-16000;PRAGMA temp_store=MEMORY;"
                # Deleted text is overwritten with zeros; FAST would leave it in freed pages.
                "PRAGMA secure_delete=ON;"
                "PRAGMA journal_size_limit=67108864;"
            ),
        },
    }


def get_postgresql(config: dict[str, Any]) -> dict[str, Any]:
    size = get_int("DATABASE_POOL", 24, least=2, most=1000)
    options = {
        "connect_timeout": 5,
        # A line that swallows everything hangs up on nobody: the kernel would go on sending for a
        # quarter of an hour, and every thread with it. Milliseconds, and seconds.
        "tcp_user_timeout": 10_000,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 2,
        **config.get("OPTIONS", {}),
        # Several threads per process; the one who finds no connection for 5 s is told to come back.
        "pool": {
            "min_size": 2,
            "max_size": size,
            "timeout": 5,
            "connection_class": WatchedConnection,
        },
    }
    return {
        **config,
        "ENGINE": "django.db.backends.postgresql",
        "CONN_MAX_AGE": 0,  # the pool keeps them; anything else is refused beside a pool
        # Cursors of a session, too, do not outlive a transaction behind such a pooler.
        "DISABLE_SERVER_SIDE_CURSORS": not get_bool("DATABASE_PREPARE", True),
        "CONN_HEALTH_CHECKS": True,  # or the pool hands out dead ones after a restart
        "OPTIONS": options,
    }


def get_secret_key(data_dir: Path) -> tuple[str, bool]:
    """Return (key, stored). Without a stored one a key of this process alone: enough to run `setup`."""
    key = get_str("SECRET_KEY")
    if key:
        return key, True
    try:
        key = (data_dir / SECRET_FILE).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return secrets.token_urlsafe(50), False
    except OSError as error:
        raise ImproperlyConfigured(f"The secret cannot be read: {error}.") from None
    if not key:
        raise ImproperlyConfigured(
            f"{data_dir / SECRET_FILE} is empty: delete it, run setup again."
        )
    return key, True


def derive_key(secret: str, purpose: str) -> str:
    """A key of its own for `purpose`, so that one use of the secret tells nothing about another."""
    return hmac.new(secret.encode(), f"chatty.{purpose}".encode(), hashlib.sha256).hexdigest()
