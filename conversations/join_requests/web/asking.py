"""The page of an address with which people ask to join, and their own requests."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.current_user import current_user
from chatty.common.errors import ChatError
from chatty.common.pages import SeeOther, ShortField, validated, with_status
from conversations.join_requests import actions, queries
from conversations.join_requests.models import NOTE_MAX, JoinLink, JoinRequest
from conversations.models import Membership
from conversations.queries import open_group
from conversations.web.signed_in import member_view


class AskForm(forms.Form):
    note = ShortField(
        label=gettext_lazy("Why would you like to join?"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "maxlength": NOTE_MAX}),
        help_text=gettext_lazy("The admins of the conversation read it."),
    )


@member_view("GET", "POST")
def ask(request: HttpRequest, token: str) -> HttpResponse:
    """GET changes nothing. POST asks."""
    user = current_user(request)
    link = actions.find_link(user, token)
    home = reverse("conversations:conversation", args=[link.conversation_id])
    if Membership.objects.filter(conversation=link.conversation_id, user=user).exists():
        return SeeOther(home)
    public: Any = open_group(user, link.conversation_id)
    if public is not None and not public.removed:
        return SeeOther(home)  # made public since: they can join without asking
    form = AskForm(request.POST if request.method == "POST" else None)
    error: ChatError | None = None
    if request.method == "POST":
        try:
            with validated(form):
                actions.ask_to_join(user, token, form.cleaned_data["note"])
        except ChatError as chat_error:
            if chat_error.code == "not_found":
                raise
            error = chat_error
        else:
            messages.success(request, _("Your request was sent to the admins."))
            return SeeOther(request.path)
    page = _page(request, link, form)
    return with_status(page, error) if error else page


def _page(request: HttpRequest, link: JoinLink, form: AskForm) -> HttpResponse:
    own = queries.request_by(current_user(request), link.conversation_id)
    context = {
        "conversation": link.conversation,
        "own": own,
        "may_ask": own is None or actions.may_ask_again(own),
        "is_waiting": own is not None and own.state == JoinRequest.State.WAITING,
        "form": form,
    }
    return render(request, "join_requests/ask.html", context)


@member_view("GET")
def own_requests(request: HttpRequest) -> HttpResponse:
    rows = queries.own_requests(current_user(request))
    return render(request, "join_requests/own.html", {"rows": rows})


@member_view("POST")
def withdraw(request: HttpRequest, conversation_id: int) -> HttpResponse:
    actions.withdraw(current_user(request), conversation_id)
    messages.success(request, _("Request withdrawn."))
    return SeeOther(reverse("join_requests:own"))
