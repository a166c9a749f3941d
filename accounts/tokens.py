"""Access and refresh tokens: SimpleJWT's, tied to a sign-in row.

SimpleJWT's own rotation let one refresh token through six times in parallel and its access tokens
outlive a sign-out. Here both carry the `sid`, the row decides, and a refresh token works once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NoReturn, TypeVar

from django.conf import settings
from rest_framework_simplejwt import tokens as simple
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import (
    TokenBackendError,
    TokenBackendExpiredToken,
    TokenError,
)
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.utils import datetime_from_epoch

from accounts import actions
from accounts.models import SignIn, User
from accounts.queries import require_live, sign_in_with
from chatty.common.errors import ChatError
from chatty.env import derived_key

SomeToken = TypeVar("SomeToken", "AccessToken", "RefreshToken")

# Ours have some 350 characters. PyJWT reads the header before it checks the signature, so nothing
# long or deeply nested may reach it.
TOKEN_MAX = 1024


class KeyRing(TokenBackend):
    """Signs with the present secret; also believes tokens signed with SECRET_KEY_FALLBACKS."""

    def __init__(self, key: str, *older: str) -> None:
        super().__init__("HS256", key, audience=api_settings.AUDIENCE, issuer=api_settings.ISSUER)
        self._older = KeyRing(*older) if older else None

    def decode(self, token: Any, verify: bool = True) -> dict[str, Any]:
        try:
            return super().decode(token, verify)
        except TokenBackendExpiredToken:
            raise
        except TokenBackendError:
            if self._older is None:
                raise
            return self._older.decode(token, verify)


@lru_cache(maxsize=4)
def _key_ring(*secrets: str) -> KeyRing:
    return KeyRing(*[derived_key(secret, "jwt") for secret in secrets])


class _SignInToken:
    def get_token_backend(self) -> TokenBackend:
        return _key_ring(settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)


class AccessToken(_SignInToken, simple.AccessToken):
    """Opens doors for some minutes, as long as its sign-in lives."""


class RefreshToken(_SignInToken, simple.RefreshToken):  # type: ignore[misc]
    """Buys the next pair, once."""

    access_token_class = AccessToken


@dataclass(frozen=True, slots=True)
class Pair:
    access: str
    refresh: str


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whom an access token speaks for. `expires_at` in Unix seconds."""

    sign_in: SignIn
    expires_at: float


def begin(user: User, *, client: str) -> Pair:
    """Sign a program in. Raises ChatError("account_closed")."""
    token = RefreshToken.for_user(user)
    sign_in = actions.begin_token_sign_in(
        user,
        client=client,
        refresh_jti=token["jti"],
        expires_at=datetime_from_epoch(token["exp"]),
    )
    token["sid"] = sign_in.sid
    return Pair(access=str(token.access_token), refresh=str(token))


def rotate(raw: str) -> Pair:
    """Trade a refresh token for a new pair.

    Raises ChatError("token_invalid" | "account_closed"). A token that was traded before has been
    copied by somebody: nobody can tell who is the thief, so the whole sign-in ends.
    """
    old = _parsed(RefreshToken, raw)
    sign_in = require_live(_sign_in_of(old), code="token_invalid")
    new = RefreshToken.for_user(sign_in.user)
    new["sid"] = sign_in.sid
    if not actions.rotate_refresh(
        sign_in.sid, old=old["jti"], new=new["jti"], expires_at=datetime_from_epoch(new["exp"])
    ):
        actions.end_sign_in(sign_in.sid)
        _invalid()
    return Pair(access=str(new.access_token), refresh=str(new))


def end(raw: str) -> None:
    """End the sign-in of a refresh token, traded or not. Raises ChatError("token_invalid")."""
    actions.end_sign_in(_parsed(RefreshToken, raw)["sid"])


def identify(raw: str) -> Bearer:
    """Return whom an access token speaks for. One query.

    Raises ChatError("token_invalid" | "account_closed").
    """
    token = _parsed(AccessToken, raw)
    sign_in = require_live(_sign_in_of(token), code="token_invalid")
    return Bearer(sign_in, float(token["exp"]))


def bearer_of(header: str | None) -> str | None:
    """Return the token of an Authorization header, None if it speaks of something else or is absent.

    Raises ChatError("token_invalid") for a Bearer header that cannot be read.
    """
    scheme, _, rest = (header or "").strip().partition(" ")
    if scheme.lower() != "bearer":
        return None
    token = rest.strip()
    if not token or " " in token:
        _invalid()
    return token


def _parsed(kind: type[SomeToken], raw: str) -> SomeToken:
    """Check signature, time, audience, issuer and type, and that all claims we read are there."""
    if len(raw) > TOKEN_MAX or not raw.isascii():
        _invalid()
    try:
        token = kind(raw)  # type: ignore[arg-type]  # SimpleJWT means text by "Token"
    except (TokenError, ValueError, RecursionError):
        _invalid()
    if not isinstance(token.get("sid"), str) or not token.get(api_settings.USER_ID_CLAIM):
        _invalid()
    return token


def _sign_in_of(token: simple.Token) -> SignIn | None:
    sign_in = sign_in_with(token["sid"], SignIn.Kind.TOKEN)
    if sign_in is None or str(sign_in.user_id) != token[api_settings.USER_ID_CLAIM]:
        return None
    return sign_in


def _invalid() -> NoReturn:
    raise ChatError("token_invalid")
