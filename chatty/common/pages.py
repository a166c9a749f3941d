"""Form handling shared by the pages of all apps."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from chatty.common.errors import ChatError

Response = TypeVar("Response", bound=HttpResponse)


# Characters of a rejected value that are rendered again: more than people type, but not a megabyte.
ECHO_MAX = 1_000


class ShortField(forms.CharField):
    """One line of text. A rejected value is rendered with at most ECHO_MAX characters."""

    def bound_data(self, data: Any, initial: Any) -> Any:
        shown = super().bound_data(data, initial)
        return shown[:ECHO_MAX] if isinstance(shown, str) else shown


class SeeOther(HttpResponseRedirect):
    """303 after a successful POST, so that reloading does not post the form again."""

    status_code = 303


def site_of(request: HttpRequest) -> str:
    """Return the base URL of links in emails.

    Never built from Host if PUBLIC_URL is known: an attacker could send a Host header that makes the
    emailed link, with its token, point to their own server.
    """
    return settings.PUBLIC_URL or request.build_absolute_uri("/").rstrip("/")


def add_form_error(form: forms.Form, error: ChatError) -> None:
    """Show an error at the fields it names, or above the form."""
    if not error.fields:
        form.add_error(None, error.detail)
    for name, sentences in error.fields.items():
        form.add_error(name if name in form.fields else None, sentences)


@contextmanager
def validated(form: forms.Form) -> Iterator[None]:
    """Run the block if the form is valid, and show its ChatError in the form. Raises it, or ("invalid")."""
    if not form.is_valid():
        raise ChatError("invalid")
    try:
        yield
    except ChatError as error:
        add_form_error(form, error)
        raise


def with_status(response: Response, error: ChatError) -> Response:
    """Set the status of a page that shows an error.

    401 becomes 400: it requires WWW-Authenticate with a scheme, and there is none for forms.
    """
    response.status_code = 400 if error.status == 401 else error.status
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(math.ceil(error.retry_after))
    return response
