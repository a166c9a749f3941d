"""The page with the files of a conversation. It works without scripts, and in the side pane."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from accounts.current_user import current_user
from conversations import access, queries
from conversations.attachments import limits, wire
from conversations.attachments.models import File
from conversations.attachments.queries import FilesQuery, files_of, senders_of
from conversations.web.files import FileRow, file_row
from conversations.web.signed_in import member_view, parse_id

_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])", re.ASCII)


@dataclass(frozen=True, slots=True)
class ListedFile:
    file: FileRow
    sender: str
    message_id: int
    at: datetime


@member_view("GET")
def files(request: HttpRequest, conversation_id: int) -> HttpResponse:
    kind = request.GET.get("kind", "")
    kind = kind if kind in File.Kind.values else ""
    person = parse_id(request.GET.get("person"), least=1)
    month = _month(request.GET.get("month", ""))
    since, until = _times_of(month) if month else (None, None)
    before = parse_id(request.GET.get("before"), least=1)
    query = FilesQuery(kind, person, since, until, before)
    with access.reading(current_user(request), conversation_id) as membership:
        found = files_of(conversation_id, query)
        people = senders_of(conversation_id)
    shown, older = _page(found)
    filters = {"kind": kind, "person": person or "", "month": month}
    context: dict[str, Any] = {
        "conversation": membership.conversation,
        "title": queries.title(membership.conversation, membership.user),
        "rows": [_listed(file) for file in shown],
        "kinds": File.Kind.choices,
        "people": people,
        "kind": kind,
        "person": person,
        "month": month,
        "filtered": any(filters.values()),
        "older_url": older and f"?{urlencode({**filters, 'before': older})}",
    }
    return render(request, "attachments/files.html", context)


def _page(found: list[File]) -> tuple[list[File], int | None]:
    """Return the files to show, and the message before which the next page continues.

    A page ends between messages, so a message with several files is never divided.
    """
    if len(found) <= limits.PAGE_SIZE:
        return found, None
    last = found[-1].message_id
    shown = [file for file in found if file.message_id != last]
    return shown, shown[-1].message_id


def _month(text: str) -> str:
    return text if _MONTH.fullmatch(text) and text[:4] > "1000" else ""


def _times_of(month: str) -> tuple[datetime, datetime]:
    """Return when a month begins and ends, in the active time zone."""
    year, number = int(month[:4]), int(month[5:])
    begins = datetime(year, number, 1)  # noqa: DTZ001 - gets the time zone below
    ends = datetime(year + number // 12, number % 12 + 1, 1)  # noqa: DTZ001
    return timezone.make_aware(begins), timezone.make_aware(ends)


def _listed(file: File) -> ListedFile:
    assert file.message is not None
    row = file_row(wire.stored_value(file, file.alt))
    return ListedFile(row, file.owner.name, file.message.pk, file.message.created_at)
