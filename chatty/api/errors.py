"""Error responses of the REST API: {"code", "detail", "fields", "retry"}, with the code's status."""

from __future__ import annotations

import math
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.response import Response

from chatty import error_responses
from chatty.common.errors import DATABASE_ERRORS, ChatError

_WHOLE = "non_field_errors"  # DRF's name of the errors of no field
_CODES: list[tuple[type[Exception], str]] = [
    (exceptions.NotAuthenticated, "unauthenticated"),
    (exceptions.AuthenticationFailed, "token_invalid"),
    (exceptions.PermissionDenied, "not_allowed"),
    (PermissionDenied, "not_allowed"),
    (exceptions.NotFound, "not_found"),
    (Http404, "not_found"),
    (exceptions.MethodNotAllowed, "method_not_allowed"),
    (exceptions.UnsupportedMediaType, "unsupported_media"),
    (exceptions.NotAcceptable, "not_acceptable"),
]


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """Return None for anything unexpected: Django then logs it and responds with 500."""
    error = as_chat_error(exc)
    if error is None:
        return None
    headers = {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(math.ceil(error.retry_after))
    if error.status == 401:
        headers["WWW-Authenticate"] = getattr(exc, "auth_header", None) or "Bearer"
    if isinstance(exc, exceptions.MethodNotAllowed):
        headers["Allow"] = ", ".join(context["view"].allowed_methods)
    if error.status == 415:
        parsers = context["view"].get_parsers()
        headers["Accept"] = ", ".join(parser.media_type for parser in parsers)
    return Response(error.as_dict(), status=error.status, headers=headers)


def as_chat_error(exc: Exception) -> ChatError | None:
    if isinstance(exc, ChatError):
        return exc
    if isinstance(exc, exceptions.ValidationError):
        return ChatError("invalid", fields=_fields(exc.detail))
    if isinstance(exc, exceptions.ParseError):
        return ChatError("bad_frame", _("The request couldn’t be read."))
    if isinstance(exc, DATABASE_ERRORS):
        return error_responses.database_error(exc)
    for kind, code in _CODES:
        if isinstance(exc, kind):
            return ChatError(code)
    return None


def _fields(detail: Any) -> dict[str, list[str]]:
    """Flatten DRF's nested details: the messages of all levels are listed under the outermost field, those of
    a field within it with the name of that field."""
    if isinstance(detail, dict):
        return {str(name): _sentences(value) for name, value in detail.items()}
    return {_WHOLE: _sentences(detail)}


def _sentences(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [
            f"{name}: {sentence}" if isinstance(name, str) and name != _WHOLE else sentence
            for name, inner in value.items()
            for sentence in _sentences(inner)
        ]
    if isinstance(value, list | tuple):
        return [sentence for inner in value for sentence in _sentences(inner)]
    return [str(value)]
