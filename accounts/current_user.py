"""Who is asking, as one of our users: what Django and DRF type as anybody, signed in or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accounts.models import User

if TYPE_CHECKING:
    from django.http import HttpRequest
    from rest_framework.request import Request


def current_user(request: HttpRequest | Request) -> User:
    """Return who is asking. Only for views that turn everybody else away before."""
    assert isinstance(request.user, User)
    return request.user
