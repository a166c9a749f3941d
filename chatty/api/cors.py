"""CORS: lets the scripts of other websites use the API, if API_ORIGINS lists them.

They authenticate with a token, never with a cookie: a cookie that comes with such a request is dropped
before anything reads it, and browsers are never told that they may send one. So these websites can do
nothing with a visitor's session.
"""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers

from chatty.common.origins import is_listed, parse_origin

GetResponse = Callable[[HttpRequest], HttpResponse]

# The API, and what its responses link to.
_PATHS = ("/api/", "/files/", "/emoji/")
_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
_REQUEST_HEADERS = (
    "Accept, Accept-Language, Authorization, Content-Type, If-Match, If-None-Match, If-Range, Range, "
    "Upload-Offset"
)
_RESPONSE_HEADERS = (
    "Accept-Ranges, Allow, Chatty-Build, Content-Disposition, Content-Range, ETag, Link, Location, "
    "RateLimit, RateLimit-Policy, Retry-After, Upload-Length, Upload-Offset, X-Request-ID"
)
_PREFLIGHT_SECONDS = 600  # for which browsers remember the response to a preflight request


class CorsMiddleware:
    """Must come before everything that reads a cookie."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not settings.API_ORIGINS or not request.path_info.startswith(_PATHS):
            return self.get_response(request)
        origin = _listed_origin(request)
        if origin is None:
            response = self.get_response(request)
        elif request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            response = _preflight_response()
        else:
            request.META.pop("HTTP_COOKIE", None)
            request.COOKIES = {}
            response = self.get_response(request)
        if origin is not None:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = _RESPONSE_HEADERS
        patch_vary_headers(response, ["Origin"])
        return response


def _listed_origin(request: HttpRequest) -> str | None:
    """Return the request's Origin header if it is listed and not our own, else None."""
    given = request.headers.get("Origin", "")
    origin = parse_origin(given)
    if origin is None or not is_listed(origin, settings.API_ORIGINS):
        return None
    own = parse_origin(f"{request.scheme}://{request.get_host()}")
    return None if origin == own else given


def _preflight_response() -> HttpResponse:
    headers = {
        "Access-Control-Allow-Methods": _METHODS,
        "Access-Control-Allow-Headers": _REQUEST_HEADERS,
        "Access-Control-Max-Age": str(_PREFLIGHT_SECONDS),
    }
    return HttpResponse(status=204, headers=headers)
