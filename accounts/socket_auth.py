"""Authentication of the WebSocket handshake, independent of the socket itself.

Any site can make a browser open a socket with our cookie, so a cookie is accepted only with an
Origin that is ours. Programs send no Origin, but a Bearer token. Scripts of other sites can't set
headers for a socket: if API_ORIGINS lists them, they send the token in the first frame. A request
with a token is authenticated by the token alone. Opening a socket never signs anyone out: the only
write here records that a token has been used.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from importlib import import_module
from typing import Any, Literal

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
from chatty.common.origins import Origin, is_listed, parse_origin

__all__ = [
    "SocketIdentity",
    "identify",
    "language",
    "origin_verdict",
    "renew",
    "sends_token_later",
    "valid_sids",
]

Scope = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SocketIdentity:
    """`expires_at`: when the session or the token expires, in Unix seconds."""

    user: User
    sid: str
    kind: Literal["web", "token"]
    expires_at: float


def origin_verdict(scope: Scope) -> Literal["same", "absent", "listed", "foreign"]:
    """Compare the Origin header with ours. "same" includes CSRF_TRUSTED_ORIGINS. No queries.

    "listed": in API_ORIGINS, and not the same. Its cookies are ignored. Scheme, host and port must
    match. Headers of trusted proxies are already applied to the scope.
    """
    given = _headers(scope, b"origin")
    if not given:
        return "absent"
    origin = parse_origin(given[0]) if len(given) == 1 else None
    if origin is None:
        return "foreign"
    if origin == _own_origin(scope) or is_listed(origin, settings.CSRF_TRUSTED_ORIGINS):
        return "same"
    return "listed" if is_listed(origin, settings.API_ORIGINS) else "foreign"


def sends_token_later(scope: Scope) -> bool:
    """Return whether the first frame must be `auth`: browsers can't set headers for a socket."""
    return origin_verdict(scope) == "listed" and not _headers(scope, b"authorization")


def identify(scope: Scope, first_token: str | None = None) -> SocketIdentity:
    """Return who opens this socket. At most two queries. `first_token`: that of the first frame.

    Raises ChatError("unauthenticated" | "token_invalid" | "account_closed"). Callers should reject
    foreign origins first; here their cookies are ignored.
    """
    given = _headers(scope, b"authorization")
    if len(given) > 1:
        raise ChatError("token_invalid")
    token = first_token or tokens.bearer_of(given[0] if given else None)
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
    return parse_origin(f"{'https' if secure else 'http'}://{hosts[0]}")


def _headers(scope: Scope, wanted: bytes) -> list[str]:
    return [value.decode("latin-1") for name, value in scope["headers"] if name == wanted]
