"""Authentication of the WebSocket handshake, independent of the socket itself.

Any site can make a browser open a socket with our cookie, so a cookie is accepted only with an
Origin that is ours. Programs send no Origin, but a Bearer token. A request with a token is
authenticated by the token alone. Opening a socket never signs anyone out: the only write here
records that a token has been used.
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
    """`expires_at`: when the session or the token expires, in Unix seconds."""

    user: User
    sid: str
    kind: Literal["web", "token"]
    expires_at: float


def origin_verdict(scope: Scope) -> Literal["same", "absent", "foreign"]:
    """Compare the Origin header with ours. "same" includes CSRF_TRUSTED_ORIGINS. No queries.

    Scheme, host and port must match. Headers of trusted proxies are already applied to the scope.
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

    Raises ChatError("unauthenticated" | "token_invalid" | "account_closed"). Callers should reject
    foreign origins first; here their cookies are ignored.
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
    """Return the language Django would use for a request with these headers."""
    request = HttpRequest()
    request.META["HTTP_ACCEPT_LANGUAGE"] = ",".join(_headers(scope, b"accept-language"))
    request.COOKIES = {name: morsel.value for name, morsel in _cookies(scope).items()}
    return translation.get_language_from_request(request)


def renew(token: str, identity: SocketIdentity) -> SocketIdentity:
    """Return the identity with a later expiry, from a newer token of the same user and sign-in.

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
    """Return the session of the cookie, which must never be saved, or None without a cookie."""
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
    # As for pages: anyone can point a domain of theirs at this server (DNS rebinding).
    if not domain or not validate_host(domain, settings.ALLOWED_HOSTS):
        return None
    secure = scope.get("scheme") in {"wss", "https"}
    return _parsed_origin(f"{'https' if secure else 'http'}://{hosts[0]}")


def _is_trusted(origin: Origin) -> bool:
    return any(_matches(origin, pattern) for pattern in settings.CSRF_TRUSTED_ORIGINS)


def _matches(origin: Origin, pattern: str) -> bool:
    """As in Django's CSRF check: exact, or any subdomain for "https://*.example.org"."""
    trusted = _parsed_origin(pattern.replace("://*.", "://", 1))
    if trusted is None or (trusted[0], trusted[2]) != (origin[0], origin[2]):
        return False
    if "://*." in pattern:
        return origin[1].endswith(f".{trusted[1]}")
    return origin[1] == trusted[1]


def _parsed_origin(text: str) -> Origin | None:
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


def _headers(scope: Scope, wanted: bytes) -> list[str]:
    return [value.decode("latin-1") for name, value in scope["headers"] if name == wanted]
