"""The page to search messages. It works without scripts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from accounts.current_user import current_user
from accounts.models import User
from chatty.common.errors import ChatError
from chatty.common.pages import ECHO_MAX, with_status
from conversations.models import Message
from conversations.search import queries
from conversations.search.filters import titles
from conversations.search.matching import ExcerptPart
from conversations.search.query_text import TEXT_MAX, parse
from conversations.web.signed_in import member_view, parse_id


@dataclass(frozen=True, slots=True)
class ResultRow:
    """`conversation`: its title, as the reader sees it."""

    message: Message
    conversation: str
    excerpt: list[ExcerptPart]


@member_view("GET")
def search(request: HttpRequest) -> HttpResponse:
    user, text = current_user(request), request.GET.get("q", "").strip()
    before = parse_id(request.GET.get("before"), least=1)
    context: dict[str, Any] = {"q": text[:ECHO_MAX], "query_max": TEXT_MAX}
    if not text:
        return render(request, "search/search.html", context)
    try:
        page = queries.search(user, parse(text), before=before)
    except ChatError as error:
        context |= {"error": error.detail}
        return with_status(render(request, "search/search.html", context), error)
    context |= {"searched": True, "rows": _rows(user, page), "older_url": _older_url(text, page)}
    return render(request, "search/search.html", context)


def _rows(user: User, page: queries.SearchPage) -> list[ResultRow]:
    found = [(result.message, result.excerpt) for result in page.results]
    names = titles(user, {message.conversation_id for message, _excerpt in found})
    return [
        ResultRow(message, names.get(message.conversation_id, ""), excerpt)
        for message, excerpt in found
    ]


def _older_url(text: str, page: queries.SearchPage) -> str:
    return "" if page.older is None else f"?{urlencode({'q': text, 'before': page.older})}"
