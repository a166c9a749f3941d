"""The settings page that shows how much storage someone's files use."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from accounts.current_user import current_user
from conversations import limits
from conversations.attachments import queries, rules, wire
from conversations.web.files import file_row, size_text
from conversations.web.signed_in import member_view


@member_view("GET")
def storage(request: HttpRequest) -> HttpResponse:
    user = current_user(request)
    used = rules.used_by(user)
    most = settings.FILES_PERSON_MB * rules.MEGABYTE
    context = {
        "current_page": "files",
        "used": size_text(used),
        "used_bytes": used,
        "most": size_text(most) if most else "",
        "most_bytes": most,
        "file_max": size_text(limits.file_max()),
        "largest": [
            (file_row(wire.stored_value(file, file.alt)), file.message_id)
            for file in queries.largest_of(user)
        ],
    }
    return render(request, "attachments/storage.html", context)
