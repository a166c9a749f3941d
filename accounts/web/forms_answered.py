"""Form handling for the account pages, including the redirect afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods

from accounts.installation import is_sign_up_offered
from chatty.common.errors import ChatError
from chatty.common.pages import SeeOther, validated, with_status

NEXT_MAX = 2_000  # characters of the URL to go to afterwards

get_or_post = require_http_methods(["GET", "HEAD", "POST"])


def form_response(
    request: HttpRequest,
    template: str,
    form: forms.Form,
    action: Callable[[], None],
    *,
    to: str,
    **context: Any,
) -> HttpResponse:
    """Run `action` for a valid form and redirect to `to`. Otherwise render the form, with errors."""
    error: ChatError | None = None
    if request.method == "POST":
        try:
            with validated(form):
                action()
        except ChatError as chat_error:
            error = chat_error
        else:
            return SeeOther(to)
    page = render(
        request,
        template,
        {
            "form": form,
            "next": next_url(request),
            "error_code": error.code if error else "",
            "sign_up_open": is_sign_up_offered,  # called by the templates that offer it
            **context,
        },
    )
    return with_status(page, error) if error else page


def posted_data(request: HttpRequest) -> QueryDict | None:
    return request.POST if request.method == "POST" else None


def next_url(request: HttpRequest) -> str:
    """Return the requested URL to go to afterwards, or "" if there is none or it isn't ours.

    A URL of another site would be an open redirect.
    """
    url = request.POST.get(REDIRECT_FIELD_NAME) or request.GET.get(REDIRECT_FIELD_NAME) or ""
    if len(url) > NEXT_MAX:
        return ""
    safe = url_has_allowed_host_and_scheme(
        url, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return url if safe else ""


def destination(request: HttpRequest) -> str:
    return next_url(request) or resolve_url(settings.LOGIN_REDIRECT_URL)
