"""Who may open a socket: the rules of the handshake, without the socket.

A page shows the cookie its browser holds, which any site could make it send: so a cookie counts
only beside an Origin that is ours. Programs have no Origin and show a Bearer token. Whoever shows
a token is judged by the token alone. Opening a socket never signs anybody out: all that may be
written here is that a token has been used.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from importlib import import_module
from typing import Any, Literal
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest
from django.http.request import split_domain_port, validate_host
from django.utils import translation

from accounts import failures, tokens
from accounts.models import SignIn, User
from accounts.queries import require_live, valid_sids
from accounts.sessions import sign_in_of
from chatty.common.errors import ChatError

__all__ = ["SocketIdentity", "identify", "language", "origin_verdict", "renew", "valid_sids"]

Scope = Mapping[str, Any]
Origin = tuple[str, str, int]  # scheme, host, port

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class SocketIdentity:
    """`expires_at` in Unix seconds: when the session or the token runs out."""

    user: User
    sid: str
    kind: Literal["web", "token"]
    expires_at: float


def origin_verdict(scope: Scope) -> Literal["same", "absent", "foreign"]:
    """Whether the page that opens the socket is one of ours ("same" includes trusted origins).

    Scheme, host and port all count; a proxy's word on them is already in the scope. Asks nothing.
    """
    given = _headers(scope, b"origin")
    if not given:
        return "absent"
    origin = _parsed_origin(given[0]) if len(given) == 1 else None
    if origin is None:
        return "foreign"
    return "same" if origin == _own_origin(scope) or _is_trusted(origin) else "foreign"


def identify(scope: Scope) -> SocketIdentity:
    """Return who opens this socket. At most two queries.

    Raises ChatError("unauthenticated" | "token_invalid" | "account_closed"). A foreign page is to
    be refused before; here its cookie counts for nothing.
    """
    given = _headers(scope, b"authorization")
    if len(given) > 1:
        raise ChatError("token_invalid")
    token = tokens.bearer_of(given[0] if given else None)
    if token is not None:
        with failures.log_failure(scope, "socket"):
            return _by_token(token)
    if origin_verdict(scope) != "same":
        raise ChatError("unauthenticated")
    return _by_session(_session(scope))


def language(scope: Scope) -> str:
    """Return the language its client asks for: what Django would answer a request with."""
    request = HttpRequest()
    request.META["HTTP_ACCEPT_LANGUAGE"] = ",".join(_headers(scope, b"accept-language"))
    request.COOKIES = {name: morsel.value for name, morsel in _cookies(scope).items()}
    return translation.get_language_from_request(request)


def renew(token: str, identity: SocketIdentity) -> SocketIdentity:
    """Return the identity with a later end, from a fresh token of the same person and sign-in.

    Raises ChatError("token_invalid" | "account_closed").
    """
    fresh = _by_token(token)
    if (fresh.user.pk, fresh.sid) != (identity.user.pk, identity.sid):
        raise ChatError("token_invalid")
    if fresh.expires_at <= identity.expires_at:
        raise ChatError("token_invalid")
    return dataclasses.replace(identity, user=fresh.user, expires_at=fresh.expires_at)


def _by_token(token: str) -> SocketIdentity:
    bearer = tokens.identify(token)
    return SocketIdentity(bearer.sign_in.user, bearer.sign_in.sid, "token", bearer.expires_at)


def _by_session(session: SessionBase | None) -> SocketIdentity:
    sign_in: SignIn | None = sign_in_of(session) if session is not None else None
    sign_in = require_live(sign_in, code="unauthenticated")
    return SocketIdentity(sign_in.user, sign_in.sid, "web", sign_in.expires_at.timestamp())


def _session(scope: Scope) -> SessionBase | None:
    """The session of the cookie, read but never saved. None without a cookie."""
    morsel = _cookies(scope).get(settings.SESSION_COOKIE_NAME)
    if morsel is None or not morsel.value:
        return None
    store: type[SessionBase] = import_module(settings.SESSION_ENGINE).SessionStore
    return store(morsel.value)


def _cookies(scope: Scope) -> SimpleCookie:
    cookies: SimpleCookie = SimpleCookie()
    for header in _headers(scope, b"cookie"):
        try:
            cookies.load(header)
        except CookieError:
            continue
    return cookies


def _own_origin(scope: Scope) -> Origin | None:
    hosts = _headers(scope, b"host")
    if len(hosts) != 1:
        return None
    domain, _ = split_domain_port(hosts[0])
    # As for pages: an unknown name that somebody else pointed at this machine is not ours.
    if not domain or not validate_host(domain, settings.ALLOWED_HOSTS):
        return None
    secure = scope.get("scheme") in {"wss", "https"}
    return _parsed_origin(f"{'https' if secure else 'http'}://{hosts[0]}")


def _is_trusted(origin: Origin) -> bool:
    return any(_matches(origin, pattern) for pattern in settings.CSRF_TRUSTED_ORIGINS)


def _matches(origin: Origin, pattern: str) -> bool:
    """Like Django's forms: exact, or any subdomain with "https://*.example.org"."""
    trusted = _parsed_origin(pattern.replace("://*.", "://", 1))
    if trusted is None or (trusted[0], trusted[2]) != (origin[0], origin[2]):
        return False
    if "://*." in pattern:
        return origin[1].endswith(f".{trusted[1]}")
    return origin[1] == trusted[1]


def _parsed_origin(text: str) -> Origin | None:
    """Take apart scheme://host[:port]; None for anything else, "null" included."""
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


def _headers(scope: Scope, wanted: bytes) -> list[str]:
    return [value.decode("latin-1") for name, value in scope["headers"] if name == wanted]
