"""The page with the pinned messages of a conversation, and the form that pins and unpins. They work without
scripts; the page also in the side pane."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from accounts.current_user import current_user
from chatty.common.errors import ChatError
from chatty.common.pages import SeeOther, with_status
from conversations import access, queries
from conversations.models import Message
from conversations.pins import actions
from conversations.pins.queries import pinned_in
from conversations.pins.rules import PIN
from conversations.web.conversation_page import message_url
from conversations.web.message_page import actions_page
from conversations.web.signed_in import member_view, safe_next


@member_view("GET")
def pins(request: HttpRequest, conversation_id: int) -> HttpResponse:
    with access.reading(current_user(request), conversation_id) as membership:
        rows = pinned_in(conversation_id)
    context = {
        "conversation": membership.conversation,
        "title": queries.title(membership.conversation, membership.user),
        "rows": rows,
        "can_pin": access.allows(PIN.name, membership),
    }
    return render(request, "pins/pins.html", context)


@member_view("POST")
def pin(request: HttpRequest, message_id: int) -> HttpResponse:
    """Pin or unpin a message: `on` = 1 | 0."""
    user = current_user(request)
    action = actions.unpin if request.POST.get("on") == "0" else actions.pin
    try:
        action(user, message_id)
    except ChatError as error:
        found, membership = access.message_for(user, message_id)
        if access.message_refusal(PIN.name, membership, found):
            raise
        messages.error(request, error.detail)
        return with_status(actions_page(request, found, membership), error)
    message = Message.objects.select_related("conversation").get(pk=message_id)
    return SeeOther(safe_next(request, message_url(message)))
