"""What the pages of all apps share in answering a form."""

from __future__ import annotations

import math
from typing import Any, TypeVar

from django import forms
from django.http import HttpResponse, HttpResponseRedirect

from chatty.common.errors import ChatError

Response = TypeVar("Response", bound=HttpResponse)


# Of a line that was refused, so much is shown again: more than anybody types, and no megabyte.
ECHO_MAX = 1_000


class ShortField(forms.CharField):
    """One line of text, of which a page shows no more than ECHO_MAX characters again."""

    def bound_data(self, data: Any, initial: Any) -> Any:
        shown = super().bound_data(data, initial)
        return shown[:ECHO_MAX] if isinstance(shown, str) else shown


class SeeOther(HttpResponseRedirect):
    """303: the form was taken; read on over there, and a reload posts nothing again."""

    status_code = 303


def add_form_error(form: forms.Form, error: ChatError) -> None:
    """Say a refusal in the form: at its fields where it names them, else above."""
    if not error.fields:
        form.add_error(None, error.detail)
    for name, sentences in error.fields.items():
        form.add_error(name if name in form.fields else None, sentences)


def with_status(response: Response, error: ChatError) -> Response:
    """Give a page that shows a refusal its status.

    401 becomes 400: it would have to name a scheme to authenticate with, and a form is none.
    """
    response.status_code = 400 if error.status == 401 else error.status
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(math.ceil(error.retry_after))
    return response
