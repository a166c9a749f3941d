"""What admins decide on the page of a conversation's people."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from accounts.current_user import current_user
from chatty.common.errors import ChatError
from conversations import access
from conversations.join_requests import actions
from conversations.web.settings import redirect_to
from conversations.web.signed_in import member_view


def _run(
    request: HttpRequest, conversation_id: int, action: Callable[[], object], success: str
) -> HttpResponse:
    """Run an action, and return to the people. Errors are shown there, unless they have no access."""
    try:
        action()
    except ChatError as error:
        if error.code == "not_found":
            access.member_of(current_user(request), conversation_id)
        messages.error(request, error.detail)
    else:
        messages.success(request, success)
    return redirect_to(conversation_id, "members")


@member_view("POST")
def make_link(request: HttpRequest, conversation_id: int) -> HttpResponse:
    def run() -> None:
        actions.make_link(current_user(request), conversation_id)

    return _run(request, conversation_id, run, _("New link created."))


@member_view("POST")
def revoke_link(request: HttpRequest, conversation_id: int) -> HttpResponse:
    def run() -> None:
        actions.revoke_link(current_user(request), conversation_id)

    return _run(request, conversation_id, run, _("The link no longer works."))


@member_view("POST")
def accept(request: HttpRequest, conversation_id: int, user_id: int) -> HttpResponse:
    def run() -> None:
        actions.accept(current_user(request), conversation_id, user_id)

    return _run(request, conversation_id, run, _("Added."))


@member_view("POST")
def decline(request: HttpRequest, conversation_id: int, user_id: int) -> HttpResponse:
    def run() -> None:
        block = "block" in request.POST
        actions.decline(current_user(request), conversation_id, user_id, block=block)

    return _run(request, conversation_id, run, _("Declined."))


@member_view("POST")
def unblock(request: HttpRequest, conversation_id: int, user_id: int) -> HttpResponse:
    def run() -> None:
        actions.unblock(current_user(request), conversation_id, user_id)

    return _run(request, conversation_id, run, _("They can ask again now."))
