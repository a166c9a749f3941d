"""Reads settings from the environment: converts text to values, or reports what is invalid.

Each variable can also be given as a file (`SECRET_KEY_FILE=/run/secrets/key`), and all of them can be
in `.env` next to manage.py; variables of the environment take precedence. The settings are declared in
chatty/conf/known_settings.py. Errors raise ImproperlyConfigured with a message that contains no secret.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import idna
import psycopg
from django.core.exceptions import ImproperlyConfigured
from environ import FileAwareEnv
from psycopg.conninfo import make_conninfo

from chatty.conf.known_settings import NAMES, SETTINGS
from chatty.conf.names import find_nearest, require_known_names
from chatty.conf.setting import UNBOUNDED, Setting
from chatty.postgres import WatchedConnection

BASE_DIR = Path(__file__).resolve().parents[2]
SECRET_FILE = "secret_key"  # noqa: S105 (its name)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_LINE = re.compile(r"(?:export )?([A-Za-z_0-9]+)=")


def read_file(path: Path) -> None:
    """Set the variables of the file `path` in the environment, unless they are set there already.

    Raises ImproperlyConfigured if the file cannot be read or parsed, or has unknown names.
    """
    try:
        content = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ImproperlyConfigured(
            f"Can't read {path}: {reason}. The user who runs Chatty must be able to read it. If you "
            "don't need it, delete it."
        ) from None
    seen: set[str] = set()
    for number, name in _names_in(path, content):
        if name not in NAMES:
            raise ImproperlyConfigured(
                f"{path}, line {number}: unknown setting {name}. Did you mean {find_nearest(name)}? "
                "All settings are listed in docs/settings.md."
            )
        if name in seen:
            raise ImproperlyConfigured(f"{path}, line {number}: {name} is set twice.")
        seen.add(name)
    FileAwareEnv.read_env(str(path), encoding="utf-8-sig")


def _names_in(path: Path, content: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.match(line)
        if match is None:
            # Not quoted: it can contain a password.
            raise ImproperlyConfigured(
                f"{path}, line {number} must look like NAME=value, without spaces around the name."
            )
        yield number, match[1]


env = FileAwareEnv()
read_file(BASE_DIR / ".env")
require_known_names(os.environ)


def get_declaration(name: str, *kinds: str) -> Setting:
    """Return the declaration of a setting. Raises LookupError if there is none, or it is of another kind."""
    setting = SETTINGS.get(name)
    if setting is None:
        raise LookupError(f"{name} is not declared in chatty/conf/")
    if kinds and setting.kind not in kinds:
        raise LookupError(f"{name} is declared as {setting.kind}, and read as {kinds[0]}")
    return setting


def get_str(name: str, default: str | None = None) -> str:
    """The value without surrounding spaces, or the default if it is missing or empty.

    `default` is only for settings whose default depends on others: the rest declare theirs.
    """
    setting = get_declaration(name)
    if default is None:
        default = setting.default
    file = os.environ.get(f"{name}_FILE")
    if file and os.environ.get(name):
        raise ImproperlyConfigured(f"{name} and {name}_FILE are both set. Remove one of them.")
    try:
        return str(env.str(name, default=default)).strip() or default
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ImproperlyConfigured(f"Can't read {name}_FILE={file}: {reason}.") from None


def get_bool(name: str) -> bool:
    get_declaration(name, "flag")
    value = get_str(name).lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{name}={value!r} must be 1 or 0.")


def get_float(name: str, default: float | None = None) -> float:
    setting = get_declaration(name, "number", "whole number")
    value = get_str(name, None if default is None else f"{default}")
    try:
        result = float(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name}={value!r} must be a number.") from None
    if not setting.least <= result <= setting.most:
        limits = f"between {setting.least:g} and {setting.most:g}"
        if setting.most == UNBOUNDED:
            limits = f"at least {setting.least:g}"
        raise ImproperlyConfigured(f"{name}={value} must be {limits}.")
    return result


def get_int(name: str, default: int | None = None) -> int:
    get_declaration(name, "whole number")
    result = get_float(name, default)
    if result != int(result):
        raise ImproperlyConfigured(f"{name}={result} must be a whole number.")
    return int(result)


def get_choice(name: str) -> str:
    """One of the choices, or "" if the setting is not given and has no default."""
    setting = get_declaration(name, "choice")
    allowed = setting.choices
    value = get_str(name).lower()
    if value not in allowed and value != setting.default:
        raise ImproperlyConfigured(f"{name}={value!r} must be one of: {', '.join(allowed)}.")
    return value


def get_path(name: str) -> Path:
    """A given path is relative to the working directory, the default to the directory of manage.py."""
    default = get_declaration(name, "path").default
    value = get_str(name, "")
    return Path(value) if value else BASE_DIR / default


def get_rates() -> dict[str, str]:
    """Rate limits by the name of their bucket: {"sign_in": "10/5m"} is LIMIT_SIGN_IN."""
    return {
        name.removeprefix("LIMIT_").lower(): get_str(name)
        for name, setting in SETTINGS.items()
        if setting.kind == "rate"
    }


def get_list(name: str) -> list[str]:
    """Items separated by commas or spaces."""
    get_declaration(name, "list", "networks", "origins")
    return get_str(name).replace(",", " ").split()


def get_networks(name: str) -> list[Network]:
    """Addresses (10.0.0.2) and networks (10.0.0.0/8, ::1)."""
    get_declaration(name, "networks")
    try:
        return [ipaddress.ip_network(item, strict=False) for item in get_list(name)]
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: {error}.") from None


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of PUBLIC_URL."""

    scheme: str
    host: str  # without port; IPv6 in brackets, as in Django's ALLOWED_HOSTS
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
    get_declaration(name, "url")
    value = get_str(name).rstrip("/")
    if not value:
        return None
    shown = name if "@" in value else f"{name}={value!r}"  # there can be a password before an @
    wrong = ImproperlyConfigured(
        f"{shown} must look like https://chat.example.org, without a path or a user."
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
    # ASCII names are not encoded: names in private networks can have underscores.
    return host if host.isascii() else idna.encode(host, uts46=True).decode("ascii")


def get_origins(name: str) -> list[str]:
    """Origins such as https://example.org; a host may begin with `*.`."""
    found = []
    get_declaration(name, "origins")
    for word in get_list(name):
        wrong = ImproperlyConfigured(f"{name}: {word!r} must look like https://www.example.org.")
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
                "DATABASE_URL: SQLite needs the path of a file: sqlite:////var/lib/chatty/chatty.db."
            )
        return get_sqlite(Path(path).absolute())
    config: dict[str, Any] = env.db_url_config(url)
    options = config.get("OPTIONS", {})
    if not config["NAME"] and "service" not in options:
        raise ImproperlyConfigured(
            "DATABASE_URL has no database name. It must look like postgres://host/name."
        )
    try:
        make_conninfo("", **options)
    except psycopg.ProgrammingError as error:
        raise ImproperlyConfigured(f"DATABASE_URL: {error}.") from None
    return get_postgresql(config)


def _database_parts(url: str) -> SplitResult:
    """Raises ImproperlyConfigured without quoting the URL: it can contain a password."""
    wrong = ImproperlyConfigured(
        "DATABASE_URL must look like postgres://user:password@host:5432/name or "
        "sqlite:////path/to/file. In a password, write / # ? and @ as %2F %23 %3F and %40."
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
    """Django's settings for mail. `default_from` is the sender if EMAIL_FROM is not set."""
    config: dict[str, Any] = {"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"}
    if url := get_str("EMAIL_URL"):
        wrong = ImproperlyConfigured(
            "EMAIL_URL must look like smtp+tls://user:password@mail.example.org:587 (or smtp+ssl, "
            "smtp, consolemail). In a password, write / # ? and @ as %2F %23 %3F and %40."
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
            # With DEFERRED, a transaction that reads and then writes can fail immediately.
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            # FULL: with NORMAL, acknowledged writes could be lost in a power failure.
            "init_command": (
                "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;PRAGMA foreign_keys=ON;"
                "PRAGMA cache_size=-16000;PRAGMA temp_store=MEMORY;"
                # Overwrites deleted text with zeros; FAST would leave it in freed pages.
                "PRAGMA secure_delete=ON;"
                "PRAGMA journal_size_limit=67108864;"
            ),
        },
    }


def get_postgresql(config: dict[str, Any]) -> dict[str, Any]:
    size = get_int("DATABASE_POOL")
    options = {
        "connect_timeout": 5,
        # If the network drops everything silently, the kernel would retransmit for a quarter of an
        # hour, and block a thread for as long. Milliseconds; the keepalives are in seconds.
        "tcp_user_timeout": 10_000,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 2,
        **config.get("OPTIONS", {}),
        # Shared by the threads of a process. A thread that gets no connection for 5 s gives up.
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
        "CONN_MAX_AGE": 0,  # the pool keeps them; Django accepts no other value with a pool
        # Behind a transaction pooler, cursors of a session don't outlive a transaction either.
        "DISABLE_SERVER_SIDE_CURSORS": not get_bool("DATABASE_PREPARE"),
        "CONN_HEALTH_CHECKS": True,  # or the pool returns dead ones after a restart
        "OPTIONS": options,
    }


def get_secret_key(data_dir: Path) -> tuple[str, bool]:
    """Return (key, is_stored). Without a stored key, generates one: enough to run `setup`."""
    key = get_str("SECRET_KEY")
    if key:
        return key, True
    try:
        key = (data_dir / SECRET_FILE).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return secrets.token_urlsafe(50), False
    except OSError as error:
        raise ImproperlyConfigured(f"Can't read the secret key: {error}.") from None
    if not key:
        raise ImproperlyConfigured(
            f"{data_dir / SECRET_FILE} is empty. Delete it and run: python manage.py setup"
        )
    return key, True


def derive_key(secret: str, purpose: str) -> str:
    """A key for `purpose`. Keys for different purposes can't be computed from each other."""
    return hmac.new(secret.encode(), f"chatty.{purpose}".encode(), hashlib.sha256).hexdigest()
