"""Middleware for every request: request id, paths, charset, security headers, CSP, build and errors."""

from __future__ import annotations

import codecs
import secrets
from collections.abc import Callable

from csp.middleware import CSPMiddleware, PolicyParts
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

from chatty import error_responses
from chatty.assets import build
from chatty.common.call_stack import call_with_stack_space
from chatty.common.errors import DATABASE_ERRORS, ChatError
from chatty.ops import logs

GetResponse = Callable[[HttpRequest], HttpResponse]


class RequestIdMiddleware:
    """Generates an id for each request, for logs, a header and error pages.

    An id from the client is never used: it could forge log entries.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        identity = secrets.token_hex(6)
        request.request_id = identity  # type: ignore[attr-defined]
        token = logs.request_id.set(identity)
        try:
            response = call_with_stack_space(self.get_response, request)
        finally:
            logs.request_id.reset(token)
        response.headers["X-Request-ID"] = identity
        return response


class ApiPathMiddleware:
    """Accepts paths below /api/ with or without the trailing slash.

    Django would redirect to the path with the slash. A client that follows the redirect sends GET
    without the body, so a POST would be lost silently.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if f"{request.path_info}/".startswith("/api/") and not request.path_info.endswith("/"):
            request.path_info += "/"
            request.path += "/"
        return self.get_response(request)


class RedirectMiddleware:
    """Makes permanent redirects keep the method and the body.

    Django's redirects to the path with the slash and to HTTPS are 301: clients then send GET without the
    body, so a form or request would be lost. Views redirect after a POST with 303.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code == 301 and request.method not in ("GET", "HEAD"):
            response.status_code = 308
        return response


class CharsetMiddleware:
    """Rejects requests in any encoding other than UTF-8.

    Django decodes forms and query strings with the charset of Content-Type. Browsers always use UTF-8.
    Some of Python's codecs produce characters that can be neither stored nor rendered.
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
    """Adds the security headers that Django and django-csp have no settings for."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        response.headers.setdefault(
            "Permissions-Policy", "camera=(), geolocation=(), microphone=(self), payment=(), usb=()"
        )
        if "Cache-Control" not in response.headers:
            # Pages are personal: proxies must not cache them, and the back button must not show them
            # after signing out.
            response.headers["Cache-Control"] = "private, no-store"
        return response


class ContentSecurityPolicyMiddleware(CSPMiddleware):
    """Without Trusted Types on pages with scripts that are not ours, which don't support them."""

    _FOREIGN_SCRIPTS = ("/admin/", "/api/docs/")

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        if request.path_info.startswith(self._FOREIGN_SCRIPTS):
            without = {"require-trusted-types-for": None, "trusted-types": None}
            parts.replace = {**(parts.replace or {}), **without}
        return parts


class BuildMiddleware:
    """Adds the build id. A page that stays open finds out from it that Chatty was updated."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers[build.HEADER] = build.build_id()
        return response


class ErrorMiddleware:
    """Converts uncaught ChatErrors and database failures to error responses."""

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
