"""Recognising browsers that signed in before, by a signed cookie that outlives the sign-in.

The cookie grants no access. A browser that signs in to an account it has used before has separate
limits, so strangers who use up the shared ones cannot lock the owner out.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse

from accounts.models import User

MAX_AGE = 400 * 24 * 3600  # seconds; browsers keep no cookie longer
ACCOUNTS_MAX = 5
_SALT = "accounts.devices"
_LENGTH_MAX = 512


@dataclass(frozen=True, slots=True)
class Device:
    """A browser, with the ids of the accounts that have signed in there, latest first."""

    id: str
    accounts: tuple[int, ...]

    def has_signed_in(self, user: User) -> bool:
        return user.pk in self.accounts


def device_of(request: HttpRequest) -> Device | None:
    """Return the device of a request, or None without a valid device cookie."""
    cookie = request.COOKIES.get(settings.DEVICE_COOKIE_NAME, "")
    if not cookie or len(cookie) > _LENGTH_MAX:
        return None
    try:
        found = signing.loads(cookie, salt=_SALT, max_age=MAX_AGE)
    except signing.BadSignature:
        return None
    return Device(str(found["id"]), tuple(found["accounts"]))


def remember(request: HttpRequest, response: HttpResponse, user: User) -> None:
    """Add `user` to the device cookie of this browser."""
    device = device_of(request) or Device(secrets.token_urlsafe(12), ())
    accounts = [user.pk, *(pk for pk in device.accounts if pk != user.pk)][:ACCOUNTS_MAX]
    response.set_cookie(
        settings.DEVICE_COOKIE_NAME,
        signing.dumps({"id": device.id, "accounts": accounts}, salt=_SALT),
        max_age=MAX_AGE,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
