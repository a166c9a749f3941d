"""Access and refresh tokens: SimpleJWT's, tied to a sign-in row.

SimpleJWT's own rotation accepted one refresh token six times in parallel, and its access tokens
outlive a sign-out. Here both tokens carry the `sid`, the row decides whether they are valid, and a
refresh token can be exchanged once.

A response can be lost, and two tasks of a program can refresh at the same time. So the row stores the
id of the previous refresh token, and for a short time exchanging it returns the same pair again.
Tokens are not stored: a pair is derived from the row's `refresh_jti`, `rotated_at` and `expires_at`
and the signing key.
"""

from __future__ import annotations

import hashlib
import math
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NoReturn, TypeVar
from uuid import uuid4

from django.conf import settings
from django.utils import timezone
from rest_framework_simplejwt import tokens as simple
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import (
    ExpiredTokenError,
    TokenBackendError,
    TokenBackendExpiredToken,
    TokenError,
)
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.utils import datetime_to_epoch

from accounts import actions
from accounts.failures import ForgedTokenError
from accounts.models import SignIn, User
from accounts.queries import get_rotated_sign_in, get_sign_in, require_live
from chatty.common.errors import ChatError
from chatty.conf.env import derive_key

SomeToken = TypeVar("SomeToken", "AccessToken", "RefreshToken")

# Our tokens have some 350 characters. PyJWT parses the header before it checks the signature, so it
# must not get anything long or deeply nested.
TOKEN_MAX = 1024

_VERIFIED_MAX = 1024  # tokens, of about 1 KB each

# For how long the previous refresh token is accepted again.
REPEAT_SECONDS = 60


class KeyRing(TokenBackend):
    """Signs with SECRET_KEY. Accepts tokens signed with SECRET_KEY_FALLBACKS too."""

    def __init__(self, key: str, *older: str) -> None:
        super().__init__("HS256", key, audience=api_settings.AUDIENCE, issuer=api_settings.ISSUER)
        self._older = KeyRing(*older) if older else None
        # A program sends the same token with each request. Verifying its signature took 0.25 ms, most of
        # it to check that our key isn't a certificate. Only valid tokens are cached.
        self._verified = lru_cache(maxsize=_VERIFIED_MAX)(super().decode)

    def decode(self, token: Any, verify: bool = True) -> dict[str, Any]:
        if not verify:
            return dict(super().decode(token, verify))
        try:
            payload = self._verified(token)
            if "exp" in payload and int(payload["exp"]) <= time.time():  # it expired since
                raise TokenBackendExpiredToken
            return dict(payload)
        except TokenBackendExpiredToken:
            raise
        except TokenBackendError:
            if self._older is None:
                raise
            return self._older.decode(token, verify)


@lru_cache(maxsize=4)
def _key_ring(*secrets: str) -> KeyRing:
    return KeyRing(*[derive_key(secret, "jwt") for secret in secrets])


class _SignInToken:
    def get_token_backend(self) -> TokenBackend:
        return _key_ring(settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)


class AccessToken(_SignInToken, simple.AccessToken):
    """Authenticates requests for some minutes, while its sign-in is live."""


class RefreshToken(_SignInToken, simple.RefreshToken):  # type: ignore[misc]
    """Can be exchanged for the next pair, once."""

    access_token_class = AccessToken


@dataclass(frozen=True, slots=True)
class Pair:
    """`expires_in` and `refresh_expires_in`: for how many more seconds each token is valid. A pair that is
    returned again has fewer."""

    access: str
    refresh: str
    expires_in: int = field(compare=False)
    refresh_expires_in: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Bearer:
    """What an access token authenticates. `expires_at` in Unix seconds."""

    sign_in: SignIn
    expires_at: float


def begin(user: User, *, client: str, address: str = "unknown") -> Pair:
    """Sign a program in. Raises ChatError("account_closed")."""
    now = timezone.now()
    sign_in = actions.begin_token_sign_in(
        user,
        client=client,
        address=address,
        refresh_jti=uuid4().hex,
        expires_at=now + api_settings.REFRESH_TOKEN_LIFETIME,
    )
    return _pair(sign_in, issued_at=now)


def rotate(raw: str) -> Pair:
    """Exchange a refresh token for a new pair.

    For REPEAT_SECONDS the token that was exchanged last returns the same pair again, as long as
    neither token of that pair has been used. Any other exchanged token must have been copied. The
    server cannot know which of the two copies is the thief's, so the whole sign-in ends.

    Raises ChatError("token_invalid" | "account_closed").
    """
    old = _parsed(RefreshToken, raw)
    sign_in = require_live(_sign_in_of(old), code="token_invalid")
    now = timezone.now()
    new, expires_at = uuid4().hex, now + api_settings.REFRESH_TOKEN_LIFETIME
    if actions.rotate_refresh(
        sign_in.sid, old=old["jti"], new=new, rotated_at=now, expires_at=expires_at
    ):
        sign_in.refresh_jti, sign_in.expires_at = new, expires_at
        return _pair(sign_in, issued_at=now)
    since = now - timedelta(seconds=REPEAT_SECONDS)
    answered = get_rotated_sign_in(sign_in.sid, old["jti"], since=since)
    if answered is None or answered.rotated_at is None:
        actions.end_sign_in(sign_in.sid)
        _invalid()
    return _pair(answered, issued_at=answered.rotated_at)


def end(raw: str) -> None:
    """End the sign-in of a refresh token, exchanged or not. Raises ChatError("token_invalid")."""
    actions.end_sign_in(_parsed(RefreshToken, raw)["sid"])


def identify(raw: str) -> Bearer:
    """Return what an access token authenticates. One query, and a write on the first use of a pair.

    Raises ChatError("token_invalid" | "account_closed").
    """
    token = _parsed(AccessToken, raw)
    sign_in = require_live(_sign_in_of(token), code="token_invalid")
    if sign_in.previous_jti and token["jti"] == _access_jti(sign_in.refresh_jti):
        actions.confirm_refresh(sign_in.sid, sign_in.refresh_jti)
    return Bearer(sign_in, float(token["exp"]))


def bearer_of(header: str | None) -> str | None:
    """Return the token of an Authorization header, or None if it is absent or of another scheme.

    Raises ChatError("token_invalid") for a malformed Bearer header.
    """
    scheme, _, rest = (header or "").strip().partition(" ")
    if scheme.lower() != "bearer":
        return None
    token = rest.strip()
    if not token or " " in token:
        _invalid()
    return token


def _pair(sign_in: SignIn, *, issued_at: datetime) -> Pair:
    """Return the current pair of this sign-in. The same row and `issued_at` give the same pair."""
    refresh = RefreshToken.for_user(sign_in.user)
    refresh["jti"], refresh["sid"] = sign_in.refresh_jti, sign_in.sid
    refresh.set_iat(at_time=issued_at)
    refresh["exp"] = datetime_to_epoch(sign_in.expires_at)
    access = refresh.access_token
    access["jti"] = _access_jti(sign_in.refresh_jti)
    access.set_iat(at_time=issued_at)
    access.set_exp(from_time=issued_at)
    now = time.time()
    return Pair(
        access=str(access),
        refresh=str(refresh),
        expires_in=max(0, math.ceil(access["exp"] - now)),
        refresh_expires_in=max(0, math.ceil(refresh["exp"] - now)),
    )


def _access_jti(refresh_jti: str) -> str:
    """Return the id of the access tokens issued with this refresh token. It is not secret."""
    return hashlib.sha256(f"access {refresh_jti}".encode()).hexdigest()[:32]


def _parsed(kind: type[SomeToken], raw: str) -> SomeToken:
    """Check the signature, expiry, audience, issuer, type, and that the claims we read are present."""
    if len(raw) > TOKEN_MAX or not raw.isascii():
        raise ForgedTokenError
    try:
        token = kind(raw)  # type: ignore[arg-type]  # SimpleJWT means text by "Token"
    except ExpiredTokenError:
        _invalid()
    except (TokenError, ValueError, RecursionError):
        raise ForgedTokenError from None
    if not isinstance(token.get("sid"), str) or not token.get(api_settings.USER_ID_CLAIM):
        raise ForgedTokenError
    return token


def _sign_in_of(token: simple.Token) -> SignIn | None:
    sign_in = get_sign_in(token["sid"], SignIn.Kind.TOKEN)
    if sign_in is None or str(sign_in.user_id) != token[api_settings.USER_ID_CLAIM]:
        return None
    return sign_in


def _invalid() -> NoReturn:
    raise ChatError("token_invalid")
