"""Reads the environment: one place that turns its text into values, or says what is wrong with it.

Any variable may also be given as a file (`SECRET_KEY_FILE=/run/secrets/key`), and all of them may
stand in `.env` beside manage.py; what is really set in the environment wins. `.env.example` lists them.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from environ import FileAwareEnv

from chatty.postgres import WatchedConnection

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_FILE = "secret_key"  # noqa: S105 (its name)

# Said explicitly: redis-py changed its defaults between versions. Nobody waits long for a doorbell.
REDIS_OPTIONS = {"socket_connect_timeout": 2, "socket_timeout": 5, "health_check_interval": 15}

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

env = FileAwareEnv()
FileAwareEnv.read_env(str(BASE_DIR / ".env"))


def text(name: str, default: str = "") -> str:
    """The value without surrounding blanks; `default` when it is missing or empty."""
    return str(env.str(name, default=default)).strip() or default


def flag(name: str, default: bool = False) -> bool:
    value = text(name).lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    if value:
        raise ImproperlyConfigured(f"{name}={value!r} should be 1 or 0.")
    return default


def number(name: str, default: float, *, least: float = 0, most: float = 1e12) -> float:
    value = text(name)
    try:
        result = float(value) if value else default
    except ValueError:
        raise ImproperlyConfigured(f"{name}={value!r} should be a number.") from None
    if not least <= result <= most:
        raise ImproperlyConfigured(f"{name}={value} should be between {least:g} and {most:g}.")
    return result


def whole(name: str, default: int, *, least: int = 0, most: int = 10**12) -> int:
    result = number(name, default, least=least, most=most)
    if result != int(result):
        raise ImproperlyConfigured(f"{name}={result} should be a whole number.")
    return int(result)


def choice(name: str, allowed: tuple[str, ...]) -> str:
    """One of `allowed`; the first is the default."""
    value = text(name, allowed[0]).lower()
    if value not in allowed:
        raise ImproperlyConfigured(f"{name}={value!r} should be one of: {', '.join(allowed)}.")
    return value


def words(name: str) -> list[str]:
    """Items separated by commas or blanks."""
    return text(name).replace(",", " ").split()


def networks(name: str) -> list[Network]:
    """Addresses (10.0.0.2) and networks (10.0.0.0/8, ::1)."""
    try:
        return [ipaddress.ip_network(word, strict=False) for word in words(name)]
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


def public_address(name: str = "PUBLIC_URL") -> Address | None:
    value = text(name).rstrip("/")
    if not value:
        return None
    wrong = ImproperlyConfigured(
        f"{name}={value!r} should look like https://chat.example.org (no path, no user)."
    )
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise wrong from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
        raise wrong
    if parts.path or parts.query or parts.fragment:
        raise wrong
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if port == {"http": 80, "https": 443}[parts.scheme]:
        port = None  # browsers leave the default port out of the Origin header
    return Address(parts.scheme, host, port)


def database(data_dir: Path) -> dict[str, Any]:
    """Django's settings of the one database: DATABASE_URL, or SQLite in `data_dir`."""
    url = text("DATABASE_URL")
    if not url:
        return sqlite(data_dir / "chatty.db")
    config: dict[str, Any] = env.db_url_config(url)
    if "sqlite" in config["ENGINE"]:
        return sqlite(Path(config["NAME"]))
    if "postgresql" in config["ENGINE"]:
        return postgresql(config)
    raise ImproperlyConfigured("DATABASE_URL should begin with postgres:// or sqlite:///.")


def sqlite(path: Path) -> dict[str, Any]:
    if str(path) == ":memory:":
        raise ImproperlyConfigured("DATABASE_URL: SQLite needs a file, threads share it.")
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
                "PRAGMA journal_size_limit=67108864;"
            ),
        },
    }


def postgresql(config: dict[str, Any]) -> dict[str, Any]:
    size = whole("DATABASE_POOL", 24, least=2, most=1000)
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
        "CONN_HEALTH_CHECKS": True,  # or the pool hands out dead ones after a restart
        "OPTIONS": options,
    }


def secret_key(data_dir: Path) -> tuple[str, bool]:
    """Return (key, stored). Without a stored one a key of this process alone: enough to run `setup`."""
    key = text("SECRET_KEY")
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


def derived_key(secret: str, purpose: str) -> str:
    """A key of its own for `purpose`, so that one use of the secret tells nothing about another."""
    return hmac.new(secret.encode(), f"chatty.{purpose}".encode(), hashlib.sha256).hexdigest()
