"""Web origins (RFC 6454), and lists of them from settings."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

Origin = tuple[str, str, int]  # scheme, host, port

_PORTS = {"http": 80, "https": 443}


def parse_origin(text: str) -> Origin | None:
    """Parse scheme://host[:port]. Returns None for anything else, including "null"."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname or "@" in parts.netloc:
        return None
    if parts.path or parts.query or parts.fragment:
        return None
    return parts.scheme, parts.hostname, _PORTS[parts.scheme] if port is None else port


def is_listed(origin: Origin, patterns: Iterable[str]) -> bool:
    """As in Django's CSRF check: exact, or any subdomain for "https://*.example.org"."""
    return any(_matches(origin, pattern) for pattern in patterns)


def _matches(origin: Origin, pattern: str) -> bool:
    listed = parse_origin(pattern.replace("://*.", "://", 1))
    if listed is None or (listed[0], listed[2]) != (origin[0], origin[2]):
        return False
    if "://*." in pattern:
        return origin[1].endswith(f".{listed[1]}")
    return origin[1] == listed[1]
