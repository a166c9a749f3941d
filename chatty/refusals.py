"""How a request is refused: the same code and sentence as a page for people, as JSON under /api/."""

from __future__ import annotations

import logging
import math

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import loader
from django.utils.translation import gettext as _

from chatty.common.errors import ChatError

log = logging.getLogger("chatty.refusals")

# Which template says it; every other status is told by 400.html with the sentence of its code.
_TEMPLATES = {401: "403.html", 403: "403.html", 404: "404.html", 500: "500.html"}


def answer(request: HttpRequest, error: ChatError) -> HttpResponse:
    """Templates get `code`, `detail`, `status` and `request_id`."""
    response: HttpResponse
    if request.path_info.startswith("/api/"):
        response = JsonResponse(error.as_dict(), status=error.status)
    else:
        response = _page(request, error)
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(math.ceil(error.retry_after))
    return response


def _page(request: HttpRequest, error: ChatError) -> HttpResponse:
    context = {
        "code": error.code,
        "detail": error.detail,
        "status": error.status,
        "request_id": getattr(request, "request_id", ""),
    }
    # Without the request nothing asks the database who is signed in: it may be what broke.
    broken = error.status >= 500
    template = _TEMPLATES.get(error.status, "500.html" if broken else "400.html")
    page = loader.render_to_string(template, context, None if broken else request)
    return HttpResponse(page, status=error.status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return answer(request, ChatError("invalid", _("That request could not be understood.")))


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return answer(request, ChatError("not_allowed"))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return answer(request, ChatError("not_found"))


def server_error(request: HttpRequest) -> HttpResponse:
    return answer(request, ChatError("server_error"))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """`reason` is Django's, in English and for developers: people are told what helps."""
    detail = _(
        "This form was open for too long, or your browser keeps no cookies for this page. "
        "Go back, reload the page and send it again; copy what you wrote first."
    )
    return answer(request, ChatError("csrf", detail))
