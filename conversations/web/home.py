"""The first page, and finding conversations to join."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render

from accounts.current_user import current_user
from conversations import limits, queries
from conversations.web.layout import can_be_part, get_sidebar
from conversations.web.signed_in import member_view, parse_id

BROWSE_PAGE = 50


@can_be_part
@member_view("GET")
def home(request: HttpRequest) -> HttpResponse:
    """Redirect to the latest conversation. On phones, if there are several, and with ?list, show the list
    instead."""
    rows = get_sidebar(request).rows
    is_choice = len(rows) > 1 and _is_phone(request)
    if rows and "list" not in request.GET and not is_choice:
        return HttpResponseRedirect(rows[0].url)
    return render(request, "conversations/home.html", {"has_conversations": bool(rows)})


def _is_phone(request: HttpRequest) -> bool:
    """A guess. It does little harm if wrong, because the other page is one click away."""
    return "Mobi" in request.headers.get("User-Agent", "")


@member_view("GET")
def browse(request: HttpRequest) -> HttpResponse:
    text = request.GET.get("q", "").replace("\x00", "")[: limits.NAME_MAX]
    after_id = parse_id(request.GET.get("after_id"), least=1)
    after = (request.GET.get("after", "").replace("\x00", ""), after_id) if after_id else None
    found = queries.browse(current_user(request), text=text, limit=BROWSE_PAGE + 1, after=after)
    page, more = found[:BROWSE_PAGE], len(found) > BROWSE_PAGE
    context = {"found": page, "more": more, "q": text, "last": page[-1] if page else None}
    return render(request, "conversations/browse.html", context)
