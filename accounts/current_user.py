"""request.user with the type of our model. Django and DRF type it as any user or AnonymousUser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accounts.models import User

if TYPE_CHECKING:
    from django.http import HttpRequest
    from rest_framework.request import Request


def current_user(request: HttpRequest | Request) -> User:
    """Return the signed-in user. Only for views that require one."""
    assert isinstance(request.user, User)
    return request.user
