"""Who calls the REST API: a program by its Bearer token, or a page by its session and CSRF token."""

from __future__ import annotations

from typing import Any

from drf_spectacular.authentication import SessionScheme
from drf_spectacular.contrib.rest_framework_simplejwt import SimpleJWTScheme
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework_simplejwt.authentication import JWTAuthentication

from accounts import failures, tokens
from accounts.models import User
from chatty.common.errors import ChatError


class SignInJWTAuthentication(JWTAuthentication):
    """SimpleJWT's, asking the sign-in row each time.

    Whoever shows a Bearer token is judged by it alone: a bad one is 401, whatever cookies came along.
    request.auth is a tokens.Bearer.
    """

    def authenticate(self, request: Request) -> tuple[User, tokens.Bearer] | None:  # type: ignore[override]
        raw = tokens.bearer_of(request.META.get("HTTP_AUTHORIZATION"))
        if raw is None:
            return None
        with failures.log_failure(request._request, "api"):
            bearer = tokens.identify(raw)
        return bearer.sign_in.user, bearer


class SignInSessionAuthentication(SessionAuthentication):
    """For Chatty's own pages. The middleware has looked at the sign-in already."""

    def enforce_csrf(self, request: Request) -> None:
        try:
            super().enforce_csrf(request)
        except PermissionDenied:
            raise ChatError("csrf") from None


class SignInJWTScheme(SimpleJWTScheme):  # type: ignore[no-untyped-call]
    """Tells the OpenAPI description what SignInJWTAuthentication wants."""

    target_class = "accounts.api.authentication.SignInJWTAuthentication"
    name = "bearer"


class SignInSessionScheme(SessionScheme):  # type: ignore[no-untyped-call]
    """The same of SignInSessionAuthentication: a page's cookie, with its CSRF token when it writes."""

    target_class = "accounts.api.authentication.SignInSessionAuthentication"
    name = "session"


def client_of(request: Request) -> str:
    return str(request.META.get("HTTP_USER_AGENT", ""))


def sid_of(request: Request) -> str | None:
    """The sign-in this request came with."""
    auth: Any = request.auth
    if isinstance(auth, tokens.Bearer):
        return auth.sign_in.sid
    return request.session.get("sid")
