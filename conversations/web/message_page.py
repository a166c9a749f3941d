"""The permalink of a message, and its page with everything the reader can do with it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.safestring import mark_safe

from accounts.current_user import current_user
from chatty.common.errors import ChatError
from chatty.common.pages import with_status
from conversations import access
from conversations.emoji import custom_reaction, picture_html
from conversations.models import Membership, Message
from conversations.web.conversation_page import join_page, message_url
from conversations.web.signed_in import member_view

QUICK_EMOJI = ("👍", "❤️", "😂", "🎉", "👀", "🙏", "✅", "🚀", "😮", "😢", "🔥", "💯")


@member_view("GET")
def message(request: HttpRequest, message_id: int) -> HttpResponse:
    """Redirect to the message in its conversation; with `?actions`, show the page of its actions."""
    try:
        found, membership = access.message_for(current_user(request), message_id)
    except ChatError as error:
        return join_page(request, access.conversation_id_of(message_id), error)
    if "actions" not in request.GET or not found.is_text or found.is_deleted:
        return HttpResponseRedirect(message_url(found))
    return actions_page(request, found, membership)


def actions_page(
    request: HttpRequest,
    found: Message,
    membership: Membership,
    *,
    emoji: str = "",
    error: ChatError | None = None,
) -> HttpResponse:
    """`emoji`: a reaction that was rejected with `error`."""
    conversation_url = reverse("conversations:conversation", args=[found.conversation_id])
    mine = found.reactions.filter(user_id=membership.user_id)
    reacted = set(mine.values_list("emoji", flat=True))
    context: dict[str, Any] = {
        "message_row": found,
        "back": message_url(found),
        "reply_url": f"{conversation_url}?reply_to={found.pk}#composer",
        "can": access.can(membership),
        "can_reply": access.allows("reply", membership),
        **{
            f"can_{action}": access.message_refusal(action, membership, found) is None
            for action in ("react", "edit", "delete")
        },
        "choices": [
            *((each, each in reacted, each) for each in QUICK_EMOJI),
            *((each, True, _shown(each)) for each in sorted(reacted.difference(QUICK_EMOJI))),
        ],
        "emoji": emoji,
        "error": error.detail if error else "",
    }
    page = render(request, "conversations/message_actions.html", context)
    return with_status(page, error) if error else page


def _shown(reaction: str) -> str:
    custom = custom_reaction(reaction)
    return mark_safe(picture_html(*custom)) if custom else reaction
