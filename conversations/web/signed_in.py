"""The decorators of all views for signed-in users, and helpers to parse ids from URLs and forms."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from accounts import tokens
from accounts.current_user import current_user
from accounts.models import User
from chatty.common.errors import ChatError
from chatty.common.numbers import NUMBER_MAX
from chatty.common.pages import SeeOther
from chatty.error_responses import error_response

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


def member_view(*methods: str) -> Callable[[View[P]], View[P]]:
    """Require a signed-in user and one of these methods (GET includes HEAD).

    Others are redirected to sign in and then return to the page. After a POST they return to the page that
    it belongs to, because the URL itself may only accept POST. A submitted message is shown to be copied.
    """
    allowed = {*methods, *({"HEAD"} if "GET" in methods else ())}

    def decorate(view: View[P]) -> View[P]:
        @functools.wraps(view)
        def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            if request.method not in allowed:
                return _method_not_allowed(request, allowed)
            if request.user.is_authenticated:
                if any(isinstance(value, int) and value > NUMBER_MAX for value in kwargs.values()):
                    raise ChatError("not_found")  # no row has it, and databases would raise errors
                return view(request, *args, **kwargs)
            if request.method == "POST":
                return _sign_in_response(request, redirect_to_login(_page_of(kwargs)).url)
            return redirect_to_login(request.get_full_path())

        return guarded  # type: ignore[return-value]  # wraps() loses that `request` is positional

    return decorate


def reader_view(
    view: Callable[Concatenate[HttpRequest, User, P], HttpResponse],
) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
    """Require a signed-in user, and pass it to the view, for what programs with an access token read, too."""

    @member_view("GET")
    def of_session(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        return view(request, current_user(request), *args, **kwargs)

    @functools.wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        token = tokens.bearer_of(request.headers.get("Authorization"))
        if token is not None and request.method in ("GET", "HEAD"):
            return view(request, tokens.identify(token).sign_in.user, *args, **kwargs)
        return of_session(request, *args, **kwargs)

    return guarded


def _sign_in_response(request: HttpRequest, sign_in: str) -> HttpResponse:
    """Redirect to sign in. A submitted message is shown first, because the redirect would lose it."""
    body = request.POST.get("body", "")
    if not body.strip():
        return SeeOther(sign_in)
    error = ChatError("unauthenticated")
    context = {"body": body, "sign_in": sign_in}
    return render(request, "conversations/unsent_signed_out.html", context, status=error.status)


def _method_not_allowed(request: HttpRequest, allowed: set[str]) -> HttpResponse:
    page = error_response(request, ChatError("method_not_allowed"))
    page.headers["Allow"] = ", ".join(sorted(allowed))
    return page


def _page_of(kwargs: dict[str, Any]) -> str:
    if "message_id" in kwargs:
        return reverse("conversations:message", args=[kwargs["message_id"]])
    if "conversation_id" in kwargs:
        return reverse("conversations:conversation", args=[kwargs["conversation_id"]])
    return reverse("conversations:home")


def parse_id(text: object, *, least: int = 0) -> int | None:
    """Return an id or seq from a URL or form; None if it is not a number that a row can have."""
    if not isinstance(text, str) or not text.isascii() or not text.isdigit() or len(text) > 19:
        return None
    number = int(text)
    return number if least <= number <= NUMBER_MAX else None


def parse_ids(texts: list[str]) -> list[int]:
    return [number for text in texts if (number := parse_id(text, least=1)) is not None]


def safe_next(request: HttpRequest, otherwise: str) -> str:
    """Return the form's `next` URL if it is on this site, else `otherwise`."""
    url = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(
        url, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return url if safe else otherwise
