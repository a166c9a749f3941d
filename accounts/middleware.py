"""Middleware for the signed-in user and their preferences.

Both are synchronous on purpose: under ASGI every async-capable middleware around a synchronous view
costs two thread switches.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation
from django.utils.functional import SimpleLazyObject

from accounts.actions import touch_sign_in
from accounts.models import SignIn, User
from accounts.queries import is_live
from accounts.sessions import sign_in_of, signed_with_old_key

GetResponse = Callable[[HttpRequest], HttpResponse]

# How stale "last seen" may get. Each update writes two rows, which is too much for every request.
TOUCH_EVERY = timedelta(minutes=5)


class SignInMiddleware:
    """Sets request.user to the user of a live sign-in, or to AnonymousUser.

    Must come after AuthenticationMiddleware, whose request.user ignores sign-ins and is replaced.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = SimpleLazyObject(lambda: _signed_in_user(request))
        request.user = user  # type: ignore[assignment]

        def resolved() -> User | AnonymousUser:
            bool(user.is_authenticated)  # queries the database; sync_to_async runs it in a thread
            return user  # type: ignore[return-value]

        async def auser() -> User | AnonymousUser:
            # sync_to_async() inspects the function, which takes 20 µs, and nothing here is asynchronous.
            return await sync_to_async(resolved)()

        request.auser = auser
        return self.get_response(request)


class PreferencesMiddleware:
    """Applies language, time zone, theme, contrast and density of the user's profile.

    The defaults, also for visitors, are the browser's language (set by Django's LocaleMiddleware),
    the server's time zone and the system's theme and contrast.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # Without a cookie no one is signed in. Touching the session would add `Vary: Cookie`.
        if settings.SESSION_COOKIE_NAME not in request.COOKIES or request.user.is_anonymous:
            return self.get_response(request)
        user = request.user
        # For templates that must not query the database, such as error pages.
        request.theme, request.contrast = user.theme, user.contrast  # type: ignore[attr-defined]
        request.density = user.density  # type: ignore[attr-defined]
        with timezone.override(user.zone):
            if user.language not in dict(settings.LANGUAGES):
                return self.get_response(request)
            with translation.override(user.language):
                request.LANGUAGE_CODE = user.language
                response = self.get_response(request)
        response.headers.setdefault("Content-Language", user.language)
        return response


def _signed_in_user(request: HttpRequest) -> User | AnonymousUser:
    sign_in = sign_in_of(request.session)
    if sign_in is None or not is_live(sign_in):
        if SESSION_KEY in request.session:
            request.session.flush()
        return AnonymousUser()
    if signed_with_old_key(request.session, sign_in.user):
        request.session.cycle_key()
        request.session[HASH_SESSION_KEY] = sign_in.user.get_session_auth_hash()
    _touch(request, sign_in)
    return sign_in.user


def _touch(request: HttpRequest, sign_in: SignIn) -> None:
    if timezone.now() - sign_in.last_seen_at < TOUCH_EVERY:
        return
    touch_sign_in(sign_in.sid, lifetime=timedelta(seconds=request.session.get_expiry_age()))
    request.session.modified = True  # extends the session and its cookie as well
