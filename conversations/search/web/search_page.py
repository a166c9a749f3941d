"""The page to search messages, and people, conversations and files by name. It works without scripts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from accounts.current_user import current_user
from chatty.common.errors import ChatError
from chatty.common.pages import ECHO_MAX, with_status
from conversations.models import Message
from conversations.search import queries
from conversations.search.found_names import SHOWN, FoundConversation, FoundNames, find_names
from conversations.search.matching import ExcerptPart
from conversations.search.mine import Mine
from conversations.search.query_text import TEXT_MAX, parse, toggled
from conversations.search.web.menus import Menus, value_of
from conversations.web.files import FileRow, file_row
from conversations.web.signed_in import member_view, parse_id


@dataclass(frozen=True, slots=True)
class ResultRow:
    """`conversation`: its title, as the reader sees it."""

    message: Message
    conversation: str
    excerpt: list[ExcerptPart]


@dataclass(frozen=True, slots=True)
class ConversationRow:
    """`about`: its second line."""

    found: FoundConversation
    about: str


@dataclass(frozen=True, slots=True)
class FoundFileRow:
    """`name`: with the words that were searched for. `conversation`: its title."""

    message: Message
    conversation: str
    file: FileRow
    name: list[ExcerptPart]


@member_view("GET")
def search(request: HttpRequest) -> HttpResponse:
    mine = Mine(current_user(request))
    before = parse_id(request.GET.get("before"), least=1)
    typed, also = request.GET.get("q", "").strip(), request.GET.get("also", "").strip()
    text = f"{typed} {also}".strip()
    # A search that begins in a conversation: its filter is sent with what is typed.
    within = "" if text else _within(mine, parse_id(request.GET.get("in"), least=1))
    opened, find = request.GET.get("menu", ""), request.GET.get("find", "").strip()[:TEXT_MAX]
    menus = Menus(request, mine, text or within, opened=opened, find=find)
    context: dict[str, Any] = {
        "q": text[:ECHO_MAX],
        "within": within,
        "query_max": TEXT_MAX,
        "mention": menus.mention(),
    }
    try:
        context["menus"] = menus.build()
        if text and request.GET.get("part") != "menus":  # which is all that scripts need of it
            context |= _found(mine, text, before)
    except ChatError as error:
        if "menus" not in context:
            context["menus"] = Menus(request, mine, text).build()
        context |= {"error": error.detail}
        return with_status(render(request, "search/search.html", context), error)
    return render(request, "search/search.html", context)


def _within(mine: Mine, conversation_id: int | None) -> str:
    """Return the filter for a conversation, as one would type it; "" if it isn't the user's."""
    if conversation_id is None or conversation_id not in mine.rows:
        return ""
    row, titles = mine.rows[conversation_id], mine.titles_of([conversation_id])
    is_name = bool(row.name or row.direct_key)
    value = value_of(titles[conversation_id], conversation_id, is_name=is_name)
    return toggled("", "in", value)[1]


def _found(mine: Mine, text: str, before: int | None) -> dict[str, Any]:
    query = parse(text)
    files = SHOWN if before is None else 0
    page = queries.search(mine.user, query, before=before, files=files, mine=mine)
    messages = [each.message for each in page.results] + [each.message for each in page.files]
    titles = mine.titles_of({each.conversation_id for each in messages})
    rows = [
        ResultRow(each.message, titles.get(each.message.conversation_id, ""), each.excerpt)
        for each in page.results
    ]
    named_files = [
        FoundFileRow(
            each.message,
            titles.get(each.message.conversation_id, ""),
            file_row(each.file),
            each.name,
        )
        for each in page.files
    ]
    older_url = "" if page.older is None else f"?{urlencode({'q': text, 'before': page.older})}"
    names = find_names(mine, query) if before is None else FoundNames([], [])
    return {
        "searched": True,
        "rows": rows,
        "people": names.people,
        "conversations": [ConversationRow(each, _about(each)) for each in names.conversations],
        "files": named_files,
        "has_names": bool(names.people or names.conversations or named_files),
        "older_url": older_url,
    }


def _about(found: FoundConversation) -> str:
    if not found.is_mine:
        return _("Not joined · open to everyone")
    if found.conversation.is_archived:
        return _("Archived")
    if found.conversation.topic:
        return found.conversation.topic
    return _("Public conversation") if found.conversation.is_open else _("Private conversation")
