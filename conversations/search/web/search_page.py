"""The page to search messages. It works without scripts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.current_user import current_user
from accounts.models import User
from chatty.common.errors import ChatError
from chatty.common.pages import ECHO_MAX, with_status
from conversations.models import Message
from conversations.queries import sidebar_row
from conversations.search import queries
from conversations.search.filters import titles
from conversations.search.matching import ExcerptPart
from conversations.search.query_text import QUOTES, TEXT_MAX, parse, toggled
from conversations.web.signed_in import member_view, parse_id


@dataclass(frozen=True, slots=True)
class ResultRow:
    """`conversation`: its title, as the reader sees it."""

    message: Message
    conversation: str
    excerpt: list[ExcerptPart]


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter that can be added or removed with one press. `url`: of the search after that."""

    label: str
    is_on: bool
    url: str


@member_view("GET")
def search(request: HttpRequest) -> HttpResponse:
    user, text = current_user(request), request.GET.get("q", "").strip()
    before = parse_id(request.GET.get("before"), least=1)
    filters = [_filter(text, *choice) for choice in _choices()]
    context: dict[str, Any] = {"q": text[:ECHO_MAX], "query_max": TEXT_MAX, "filters": filters}
    if not text:
        context["q"] = _within(user, parse_id(request.GET.get("in"), least=1))
        return render(request, "search/search.html", context)
    try:
        page = queries.search(user, parse(text), before=before)
    except ChatError as error:
        context |= {"error": error.detail}
        return with_status(render(request, "search/search.html", context), error)
    context |= {"searched": True, "rows": _rows(user, page), "older_url": _older_url(text, page)}
    return render(request, "search/search.html", context)


def _within(user: User, conversation_id: int | None) -> str:
    """Return the filter for a conversation, as one would type it; "" if it isn't the user's. After a space,
    because browsers put the cursor before what a field has.
    """
    row = conversation_id and sidebar_row(user, conversation_id)
    if not row:
        return ""
    # By its number if the name is made of others', or has what would end it.
    is_plain = not row.unnamed and not set(row.name) & set(QUOTES)
    return f' in:"{row.name}"' if is_plain else f" in:{row.id}"


def _filter(text: str, name: str, label: str) -> Filter:
    is_on, changed = toggled(text, name)
    return Filter(label, is_on, f"?{urlencode({'q': changed})}" if changed else "?")


def _choices() -> list[tuple[str, str]]:
    """Return the filters that need no typing, each with its label."""
    week = timezone.localdate() - timedelta(days=7)
    return [
        ("from:me", _("From me")),
        ("mentions:me", _("Mentions me")),
        (f"after:{week}", _("Last 7 days")),
        ("has:image", _("Pictures")),
        ("has:file", _("Files")),
        ("has:audio", _("Audio")),
        ("has:video", _("Videos")),
    ]


def _rows(user: User, page: queries.SearchPage) -> list[ResultRow]:
    found = [(result.message, result.excerpt) for result in page.results]
    names = titles(user, {message.conversation_id for message, _excerpt in found})
    return [
        ResultRow(message, names.get(message.conversation_id, ""), excerpt)
        for message, excerpt in found
    ]


def _older_url(text: str, page: queries.SearchPage) -> str:
    return "" if page.older is None else f"?{urlencode({'q': text, 'before': page.older})}"
