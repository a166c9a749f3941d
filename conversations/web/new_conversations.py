"""Creating groups and starting direct messages."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from accounts.current_user import current_user
from accounts.models import NAME_MAX, User
from accounts.queries import active_users
from chatty.common.errors import ChatError
from chatty.common.pages import validated, with_status
from conversations import actions
from conversations.web.forms import ConversationForm
from conversations.web.people_search import PEOPLE_FOUND, search_people
from conversations.web.settings import redirect_to
from conversations.web.signed_in import member_view, parse_ids


@member_view("GET", "POST")
def new_group(request: HttpRequest) -> HttpResponse:
    """Create a group. Searching for people is another button of the same form, so that no input is lost."""
    user = current_user(request)
    creating = request.method == "POST" and "find" not in request.POST
    chosen = parse_ids(request.POST.getlist("people"))
    form = ConversationForm(request.POST if creating else None, initial=_posted_fields(request))
    error: ChatError | None = None
    if creating:
        try:
            with validated(form):
                made = actions.create_conversation(user, member_ids=chosen, **form.cleaned_data)
                return redirect_to(made.pk)
        except ChatError as chat_error:
            error = chat_error
    context = {"form": form, **_people_to_choose(request, chosen)}
    page = render(request, "conversations/new_group.html", context)
    error = error or context["too_fast"]
    return with_status(page, error) if error else page


def _posted_fields(request: HttpRequest) -> dict[str, str]:
    return {
        name: request.POST[name] for name in ConversationForm.base_fields if name in request.POST
    }


def _people_to_choose(request: HttpRequest, chosen: list[int]) -> dict[str, Any]:
    """Return the selected people, who stay selected, and the search results."""
    me = current_user(request).pk
    text = request.POST.get("q", "")[:NAME_MAX]
    ticked = list(active_users(chosen[:100]).exclude(pk=me))
    out = {me, *(person.pk for person in ticked)}
    found: list[User] = []
    too_fast: ChatError | None = None
    try:
        found = search_people(request, text, limit=PEOPLE_FOUND + len(out))
    except ChatError as error:
        too_fast = error
    others = [person for person in found if person.pk not in out][:PEOPLE_FOUND]
    return {"q": text, "chosen": ticked, "found": others, "too_fast": too_fast}


@member_view("GET", "POST")
def new_direct(request: HttpRequest) -> HttpResponse:
    """Message one person, with their own button, or all who are ticked. Searching is another button of the
    same form, so that they stay ticked."""
    user = current_user(request)
    error: ChatError | None = None
    if request.method == "POST":
        try:
            if "find" not in request.POST:
                return redirect_to(actions.open_with(user, _people_to_message(request)).pk)
        except ChatError as chat_error:
            error = chat_error
    text = request.POST.get("q", request.GET.get("q", ""))[:NAME_MAX]
    chosen = list(active_users(parse_ids(request.POST.getlist("people"))[:100]).exclude(pk=user.pk))
    out = {user.pk, *(person.pk for person in chosen)}
    found = search_people(request, text, limit=PEOPLE_FOUND + len(out))
    context = {
        "q": text,
        "chosen": chosen,
        "found": [person for person in found if person.pk not in out][:PEOPLE_FOUND],
        "more": len(found) >= PEOPLE_FOUND + len(out),
        "error": error.detail if error else "",
    }
    page = render(request, "conversations/new_direct.html", context)
    return with_status(page, error) if error else page


def _people_to_message(request: HttpRequest) -> list[int]:
    if "user" in request.POST:
        ids = parse_ids(request.POST.getlist("user"))
    else:
        ids = parse_ids(request.POST.getlist("people"))
    if not ids:
        raise ChatError("invalid", _("Choose someone to message."))
    return ids
