"""Notification settings: of this browser, which scripts fill in, quiet hours, and of each conversation."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts import actions as account_actions
from accounts.current_user import current_user
from accounts.web.forms import QuietHoursForm
from accounts.web.forms_answered import form_response, posted_data
from chatty.common.pages import SeeOther
from conversations.models import Conversation
from conversations.web.forms import levels
from conversations.web.layout import get_sidebar
from conversations.web.signed_in import member_view


@member_view("GET", "POST")
def notifications(request: HttpRequest) -> HttpResponse:
    user = current_user(request)
    rows = [
        (row, levels(is_direct=row.conversation.kind == Conversation.Kind.DIRECT))
        for row in get_sidebar(request).rows
    ]
    initial = {"start": user.quiet_start, "end": user.quiet_end}
    form = QuietHoursForm(posted_data(request), initial=initial)

    def change() -> None:
        account_actions.set_quiet_hours(user, **form.cleaned_data)
        messages.success(request, _("Saved."))

    if "remove" in request.POST:
        account_actions.set_quiet_hours(user, start="", end="")
        messages.success(request, _("Saved."))
        return SeeOther(reverse("conversations:notifications"))
    return form_response(
        request,
        "conversations/notifications.html",
        form,
        change,
        to=reverse("conversations:notifications"),
        rows=rows,
        zone=user.time_zone if user.zone else settings.TIME_ZONE,
    )
