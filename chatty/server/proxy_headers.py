"""Applies the headers in which a trusted proxy describes the client. From others they are dropped."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from chatty.common.errors import ChatError
from chatty.conf.env import Network
from chatty.server.asgi_types import Scope

# Only trusted proxies may describe the client. No code behind this one sees these headers.
_PROXY_HEADERS = frozenset(
    {
        b"x-forwarded-for",
        b"x-forwarded-proto",
        b"x-forwarded-host",
        b"x-forwarded-port",
        b"x-forwarded-ssl",
        b"x-real-ip",
        b"forwarded",
        b"daphne-root-path",
    }
)


def apply_proxy_headers(scope: Scope, trusted: Sequence[Network]) -> Scope:
    """Return a copy of `scope` with the client, scheme and host that a trusted proxy reports.

    `root_path` is always empty: Daphne reads it from a header that any client can send, and Django
    would strip it from the path, which bypasses path rules of the proxy. Header names with underscores
    are dropped, because request.META does not distinguish them from names with dashes.
    """
    forwarded: dict[bytes, bytes] = {}
    headers: list[tuple[bytes, bytes]] = []
    for name, value in scope["headers"]:
        if name in _PROXY_HEADERS:
            # Repeated headers are one list (RFC 9110, 5.3).
            forwarded[name] = forwarded[name] + b"," + value if name in forwarded else value
        elif b"_" not in name:
            headers.append((name, value))
    scope = {**scope, "headers": headers, "root_path": "", "chatty.proxied": bool(forwarded)}
    if forwarded and is_trusted(scope.get("client"), trusted):
        _apply_headers(scope, forwarded, trusted)
    elif _last_header(forwarded, b"x-forwarded-proto") == b"https":
        scope["chatty.untrusted_proxy"] = (scope.get("client") or ("unknown",))[0]
    return scope


def untrusted_proxy_error(address: str) -> ChatError:
    detail = (
        f"The proxy at {address} forwarded an https request, but is not trusted. "
        f"If you run this server, set TRUSTED_PROXIES={address}"
    )
    return ChatError("invalid", detail)


def _apply_headers(
    scope: Scope, headers: Mapping[bytes, bytes], trusted: Sequence[Network]
) -> None:
    client = client_behind(headers.get(b"x-forwarded-for", b"").decode("latin-1"), trusted)
    if client:
        scope["client"] = [client, 0]
    proto = _last_header(headers, b"x-forwarded-proto")
    if proto in {b"http", b"https"}:
        secure = proto == b"https"
        sockets = scope["type"] == "websocket"
        scope["scheme"] = ("ws" if sockets else "http") + ("s" if secure else "")
    host = _last_header(headers, b"x-forwarded-host")
    if host:
        others = [(name, value) for name, value in scope["headers"] if name != b"host"]
        scope["headers"] = [*others, (b"host", host)]


def _last_header(headers: Mapping[bytes, bytes], name: bytes) -> bytes:
    """Return the last value, from the nearest proxy. Any before it may come from the client."""
    return headers.get(name, b"").rpartition(b",")[2].strip().lower()


def client_behind(forwarded_for: str, trusted: Sequence[Network]) -> str:
    """Return the right-most address that is not a trusted proxy, or "" if there is none.

    Addresses further left may be forged by the client.
    """
    for entry in reversed(forwarded_for.split(",")):
        address = parse_address(entry.strip())
        if address is None:
            return ""
        if not any(address in network for network in trusted):
            return str(address)
    return ""


def is_trusted(client: Sequence[Any] | None, trusted: Sequence[Network]) -> bool:
    if not trusted or not client:
        return False
    address = parse_address(str(client[0]))
    return address is not None and any(address in network for network in trusted)


def parse_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Parse 1.2.3.4, 1.2.3.4:5678, ::1 and [::1]:5678. Returns None for anything else."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
