"""Authentication of the REST API: Bearer tokens for programs, session and CSRF token for pages."""

from __future__ import annotations

from typing import Any

from drf_spectacular.contrib.rest_framework_simplejwt import SimpleJWTScheme
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework_simplejwt.authentication import JWTAuthentication

from accounts import failures, tokens
from accounts.models import User
from chatty.common.errors import ChatError


class SignInJWTAuthentication(JWTAuthentication):
    """SimpleJWT authentication that checks the sign-in row on every request.

    A request with a Bearer token is authenticated by the token alone: an invalid one gives 401,
    regardless of any cookies. Sets request.auth to a tokens.Bearer.
    """

    def authenticate(self, request: Request) -> tuple[User, tokens.Bearer] | None:  # type: ignore[override]
        raw = tokens.bearer_of(request.META.get("HTTP_AUTHORIZATION"))
        if raw is None:
            return None
        with failures.log_failure(request._request, "api"):
            bearer = tokens.identify(raw)
        return bearer.sign_in.user, bearer


class SignInSessionAuthentication(SessionAuthentication):
    """For Chatty's own pages. SignInMiddleware has already checked the sign-in."""

    def enforce_csrf(self, request: Request) -> None:
        try:
            super().enforce_csrf(request)
        except PermissionDenied:
            raise ChatError("csrf") from None


class SignInJWTScheme(SimpleJWTScheme):  # type: ignore[no-untyped-call]
    """Describes SignInJWTAuthentication in the OpenAPI schema."""

    target_class = "accounts.api.authentication.SignInJWTAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        definition = super().get_security_definition(auto_schema)  # type: ignore[no-untyped-call]
        return {**definition, "description": "An access token: see `POST /api/token/`."}


def client_of(request: Request) -> str:
    return str(request.META.get("HTTP_USER_AGENT", ""))


def sid_of(request: Request) -> str | None:
    """Return the id of the sign-in that authenticated this request."""
    auth: Any = request.auth
    if isinstance(auth, tokens.Bearer):
        return auth.sign_in.sid
    return request.session.get("sid")
