"""Searching for people by name."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from accounts.current_user import current_user
from accounts.models import NAME_MAX, User
from chatty.common.limiter import limiter
from conversations import queries

PEOPLE_FOUND = 20


def search_people(request: HttpRequest, text: str, **options: Any) -> list[User]:
    """Return people, those first whom the reader has messaged last. `options`: of queries.people().

    Raises ChatError("slow_down") if LIMIT_PEOPLE is exceeded, which only scripts should reach.
    """
    text = text[:NAME_MAX]
    reader = current_user(request)
    if text:
        limiter.check("people", str(reader.pk))
    return queries.people(reader, text=text, **options)
