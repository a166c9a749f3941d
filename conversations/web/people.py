"""The card of a person: who they are, what they are up to, and what we share."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from accounts.current_user import current_user
from accounts.queries import people_with_accounts
from chatty.common.errors import ChatError
from conversations import queries
from conversations.realtime.presence import online_users
from conversations.web.signed_in import member_view


@member_view("GET")
def person(request: HttpRequest, user_id: int) -> HttpResponse:
    user = current_user(request)
    found = people_with_accounts([user_id])
    if not found:
        raise ChatError("not_found")
    (shown,) = found
    is_me = shown.pk == user.pk
    context = {
        "person": shown,
        "is_me": is_me,
        "is_online": is_me or (shown.is_active and bool(online_users({shown.pk}))),
        "local_time": timezone.localtime(timezone=shown.zone) if shown.zone else None,
        "shared": [] if is_me else queries.shared_groups(user, shown),
    }
    return render(request, "conversations/person.html", context)
