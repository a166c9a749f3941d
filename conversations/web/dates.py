"""Jumping to a date in a conversation: a page that asks for it, to which the headings of days lead."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from accounts.current_user import current_user
from chatty.common.pages import SeeOther
from conversations import access, queries
from conversations.web.moments import day_label
from conversations.web.signed_in import member_view


@member_view("GET")
def dates(request: HttpRequest, conversation_id: int) -> HttpResponse:
    """`to`: the day to go to, in the reader's time zone."""
    with access.reading(current_user(request), conversation_id) as membership:
        conversation = membership.conversation
        page = reverse("conversations:conversation", args=[conversation.pk])
        wanted = _parse_day(request.GET.get("to"))
        if wanted:
            found = queries.first_since(conversation, _start_of(wanted))
            # After the last message, its end is nearest.
            return SeeOther(f"{page}?around={found.seq}#m{found.pk}" if found else page)
        today = timezone.localdate()
        oldest = queries.first_since(conversation, datetime.min.replace(tzinfo=UTC))
        first = timezone.localdate(oldest.created_at) if oldest else today
        context = {
            "conversation": conversation,
            "title": queries.title(conversation, membership.user),
            "back": page,
            "today": today.isoformat(),
            "first": first.isoformat() if oldest else "",
            "is_wrong": bool(request.GET.get("to")),
            "shortcuts": [
                (day.isoformat(), day_label(day, today))
                for day in (today - timedelta(days=days) for days in (1, 7, 30, 365))
                if day >= first
            ],
        }
        return render(request, "conversations/dates.html", context)


def _parse_day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None


def _start_of(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
