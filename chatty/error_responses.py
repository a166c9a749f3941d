"""Error responses of Django: JSON under /api/, a page elsewhere, with the same code and message."""

from __future__ import annotations

import logging
import math
import sys
from typing import Any

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import loader
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from chatty.common.errors import DATABASE_ERRORS, ChatError
from chatty.ops import failures, logs

log = logging.getLogger("chatty.error_responses")

# Templates by status, for visitors. All others use 400.html, which shows the message of the code.
_TEMPLATES = {403: "403.html", 404: "404.html"}
# What a URL with nothing but this in it leads to.
_MISSING = {
    "": gettext_noop("Page not found"),
    "conversation_id": gettext_noop("Conversation not found"),
    "message_id": gettext_noop("Message not found"),
    "user_id": gettext_noop("Person not found"),
    "invitation_id": gettext_noop("Invitation not found"),
    "emoji_id": gettext_noop("Emoji not found"),
}


def error_response(request: HttpRequest, error: ChatError) -> HttpResponse:
    """Templates get `code`, `detail`, `status`, `title` and `request_id`."""
    response: HttpResponse
    if request.path_info.startswith(("/api/", "//api/")):
        response = JsonResponse(error.as_dict(), status=error.status)
    else:
        response = _error_page(request, error)
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(math.ceil(error.retry_after))
    return response


def _error_page(request: HttpRequest, error: ChatError) -> HttpResponse:
    # 401 requires WWW-Authenticate with a scheme, and there is none for pages.
    status = 403 if error.status == 401 else error.status
    context = {
        "code": error.code,
        "detail": error.detail,
        "status": status,
        "request_id": getattr(request, "request_id", ""),
    }
    if status >= 500:
        return HttpResponse(_plain_page(context), status=status)
    template = _TEMPLATES.get(status, "400.html")
    # Who asks too often gets a page without queries.
    if status != 429 and _is_page_request(request):
        template = "conversations/error.html"
        context["title"] = _title(request, status)
    return HttpResponse(loader.render_to_string(template, context, request), status=status)


def _title(request: HttpRequest, status: int) -> str:
    """Name what is missing as far as the URL does, so that no one learns what there is."""
    if status != 404:
        return _("Not allowed") if status == 403 else _("That didn’t work")
    given = request.resolver_match.kwargs if request.resolver_match else {}
    (only,) = given if len(given) == 1 else ("",)
    return _(_MISSING.get(only, _MISSING[""]))


def _is_page_request(request: HttpRequest) -> bool:
    """Return whether a signed-in user requests a page, and not a picture, for example."""
    user = getattr(request, "user", None)
    return "text/html" in request.headers.get("Accept", "") and bool(user and user.is_authenticated)


def _plain_page(context: dict[str, Any]) -> str:
    """Render an error page without the request, so that it does not query the database for the user.

    The database may be what failed. So may the template: then one sentence is the page.
    """
    try:
        return loader.render_to_string("500.html", context)
    except Exception:
        log.exception("The error page could not be rendered")
        return format_html(
            "<!doctype html><title>Chatty</title><p>{detail} ({request_id})", **context
        )


def database_error(error: Exception) -> ChatError:
    """Log that the database failed, and return the error to respond with."""
    if failures.note_unwritable(error):
        return ChatError("unavailable", failures.UNWRITABLE, retry_after=5)
    log.warning("The database did not respond: %s", logs.describe_error(error))
    return ChatError("unavailable", retry_after=2)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, DisallowedHost):
        return error_response(request, _foreign_host_error(request))
    return error_response(request, ChatError("invalid", _("The request couldn’t be read.")))


def _foreign_host_error(request: HttpRequest) -> ChatError:
    """Return the error for a Host that is not allowed. Usually a proxy does not pass Host on."""
    host = logs.one_line(request.META.get("HTTP_HOST", ""), 100)
    if not settings.PUBLIC_URL:
        fix = "set PUBLIC_URL to the address that people use"
    else:
        fix = f"make the proxy pass the Host header on, or change PUBLIC_URL={settings.PUBLIC_URL}"
    if failures.is_due("host"):
        log.warning("Rejected a request for the host %r: %s", host, fix)
    return ChatError(
        "invalid",
        _("Chatty isn’t available at this address. Check the address or ask your administrator."),
    )


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_response(request, ChatError("not_allowed"))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    error = ChatError("not_found")
    if "//" in request.path_info:  # usually of a program whose base URL ends with a slash
        error = ChatError("not_found", _("The path has two slashes in a row. Leave one out."))
    return error_response(request, error)


def server_error(request: HttpRequest) -> HttpResponse:
    """Also handles errors outside of views: middleware already queries the database for the user."""
    error = sys.exc_info()[1]
    if isinstance(error, DATABASE_ERRORS):
        return error_response(request, database_error(error))
    return error_response(request, ChatError("server_error"))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """`reason` is Django's, in English and for developers. Users see what they can do instead."""
    detail = _(
        "This form has expired, or your browser blocks cookies for this site. Copy your"
        " text, go back, reload the page and try again."
    )
    return error_response(request, ChatError("csrf", detail))
