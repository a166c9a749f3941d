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
from django.utils.formats import date_format

from accounts.current_user import current_user
from accounts.models import User
from conversations import access, queries
from conversations.attachments import limits, wire
from conversations.attachments.models import File
from conversations.attachments.queries import FilesQuery, files_of, period_of, senders_of
from conversations.web.files import FileRow, file_row
from conversations.web.signed_in import member_view, parse_id

_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])", re.ASCII)


@dataclass(frozen=True, slots=True)
class ListedFile:
    file: FileRow
    sender: User
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
        period = period_of(conversation_id)
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
        "months": _months(period, month),
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


def _months(period: tuple[datetime, datetime] | None, chosen: str) -> list[tuple[str, str]]:
    """Return each month in which a file can have been sent, latest first, and its name.

    Not as a field of the type "month": several browsers show that as a text, and take any.
    """
    found = {chosen} if chosen else set()
    if period is not None:
        first, last = (_number_of(timezone.localtime(time)) for time in period)
        found.update(_text_of(number) for number in range(first, last + 1))
    months = sorted(found, reverse=True)
    return [(each, date_format(_times_of(each)[0], "F Y")) for each in months]


def _number_of(time: datetime) -> int:
    return 12 * time.year + time.month - 1


def _text_of(number: int) -> str:
    return f"{number // 12}-{number % 12 + 1:02}"


def _times_of(month: str) -> tuple[datetime, datetime]:
    """Return when a month begins and ends, in the active time zone."""
    year, number = int(month[:4]), int(month[5:])
    begins = datetime(year, number, 1)  # noqa: DTZ001 - gets the time zone below
    ends = datetime(year + number // 12, number % 12 + 1, 1)  # noqa: DTZ001
    return timezone.make_aware(begins), timezone.make_aware(ends)


def _listed(file: File) -> ListedFile:
    assert file.message is not None
    row = file_row(wire.stored_value(file, file.alt))
    return ListedFile(row, file.owner, file.message.pk, file.message.created_at)
