"""What every request through Django gets: an id, a few headers, and errors turned into answers."""

from __future__ import annotations

import codecs
import secrets
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from chatty import error_responses
from chatty.common.call_stack import call_with_room
from chatty.common.errors import DATABASE_ERRORS, ChatError
from chatty.ops import logs

GetResponse = Callable[[HttpRequest], HttpResponse]


class RequestIdMiddleware:
    """Gives a request an id of ours (never the client's): in the logs, a header and error pages."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        identity = secrets.token_hex(6)
        request.request_id = identity  # type: ignore[attr-defined]
        token = logs.request_id.set(identity)
        try:
            response = call_with_room(self.get_response, request)
        finally:
            logs.request_id.reset(token)
        response.headers["X-Request-ID"] = identity
        return response


class ApiPathMiddleware:
    """Takes a path below /api/ with or without its last slash.

    Django would redirect to the path with the slash, and a client that follows sends GET without the
    body: what was to be posted would be lost without a word.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if f"{request.path_info}/".startswith("/api/") and not request.path_info.endswith("/"):
            request.path_info += "/"
            request.path += "/"
        return self.get_response(request)


class CharsetMiddleware:
    """Refuses text in any other encoding than UTF-8.

    Django decodes forms and query strings as the header Content-Type says. No browser says anything
    but UTF-8; some of Python's codecs make characters of a form that can be neither stored nor shown.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.encoding and codecs.lookup(request.encoding).name not in ("utf-8", "ascii"):
            request.encoding = "utf-8"
            sentence = _("Send text encoded as UTF-8.")
            return error_responses.error_response(request, ChatError("unsupported_media", sentence))
        return self.get_response(request)


class SecurityHeadersMiddleware:
    """The headers Django and django-csp have no setting for."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        response.headers.setdefault(
            "Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
        )
        if "Cache-Control" not in response.headers:
            # Pages are somebody's own: no proxy may keep one, nor the back button after signing out.
            response.headers["Cache-Control"] = "private, no-store"
        return response


class ErrorMiddleware:
    """Answers a ChatError no view has caught, and a database that is away, as a page or as JSON."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, ChatError):
            return error_responses.error_response(request, exception)
        if isinstance(exception, DATABASE_ERRORS):
            return error_responses.error_response(
                request, error_responses.database_error(exception)
            )
        return None
