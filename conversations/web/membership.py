"""The user's own membership: joining, leaving, read marks, notification level, favourites."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.current_user import current_user
from chatty.common.errors import ChatError
from chatty.common.pages import SeeOther, with_status
from conversations import access, actions, limits, queries
from conversations.models import Membership
from conversations.web.settings import redirect_to, run_action
from conversations.web.signed_in import member_view, parse_id, parse_ids, safe_next


@member_view("POST")
def join(request: HttpRequest, conversation_id: int) -> HttpResponse:
    actions.join(current_user(request), conversation_id)
    page = reverse("conversations:conversation", args=[conversation_id])
    return SeeOther(safe_next(request, page))


@member_view("POST")
def leave(request: HttpRequest, conversation_id: int) -> HttpResponse:
    membership = access.member_of(current_user(request), conversation_id)

    next_owner = parse_id(request.POST.get("owner"), least=1)

    def go() -> None:
        actions.leave(current_user(request), conversation_id, next_owner=next_owner)

    name = queries.title(membership.conversation, membership.user)
    left = _("You left “%(name)s”.") % {"name": name}
    home = SeeOther(reverse("conversations:home"))
    return run_action(request, conversation_id, go, left, to=home)


LEAVE_PAGE = 100


@member_view("GET", "POST")
def leave_many(request: HttpRequest) -> HttpResponse:
    """Leave several groups at once. Unopened ones are listed first."""
    user = current_user(request)
    error: ChatError | None = None
    if request.method == "POST":
        ids = parse_ids(request.POST.getlist("conversations"))[: limits.LEAVE_MAX]
        if ids:
            return _leave_each(request, ids)
        error = ChatError("invalid", _("Choose the conversations you want to leave."))
    before = parse_id(request.GET.get("before"), least=1)
    found = queries.memberships_to_leave(user, limit=LEAVE_PAGE + 1, before=before)
    page = found[:LEAVE_PAGE]
    context = {
        "page": page,
        "more": len(found) > LEAVE_PAGE,
        "last": page[-1] if page else None,
        "error": error.detail if error else "",
    }
    shown = render(request, "conversations/leave_many.html", context)
    return with_status(shown, error) if error else shown


def _leave_each(request: HttpRequest, ids: list[int]) -> HttpResponse:
    """Leave each group separately: if one fails, the others are still left."""
    left = 0
    for conversation_id in dict.fromkeys(ids):
        try:
            membership = access.member_of(current_user(request), conversation_id)
            name = queries.title(membership.conversation, membership.user)
            actions.leave(current_user(request), conversation_id)
        except ChatError as error:
            if error.code != "not_found":  # not_found: already left, in another window
                messages.error(request, f"{name}: {error.detail}")
        else:
            left += 1
    if left:
        text = ngettext(
            "You left %(count)d conversation.", "You left %(count)d conversations.", left
        )
        messages.success(request, text % {"count": left})
    return SeeOther(reverse("conversations:leave_many"))


@member_view("POST")
def read(request: HttpRequest, conversation_id: int) -> HttpResponse:
    seq = parse_id(request.POST.get("seq"))
    if seq is None:
        raise ChatError("invalid")
    actions.mark_read(current_user(request), conversation_id, seq)
    return SeeOther(safe_next(request, redirect_to(conversation_id).url))


@member_view("POST")
def unread(request: HttpRequest, conversation_id: int) -> HttpResponse:
    """Mark a message as unread, and leave the page: staying there would mark it as read immediately."""
    seq = parse_id(request.POST.get("seq"), least=1)
    if seq is None:
        raise ChatError("invalid")
    actions.mark_unread(current_user(request), conversation_id, seq)
    messages.success(request, _("Marked as unread."))
    return SeeOther(reverse("conversations:home") + "?list")


@member_view("POST")
def level(request: HttpRequest, conversation_id: int) -> HttpResponse:
    chosen = request.POST.get("level", "")
    settings = redirect_to(conversation_id, "settings").url
    return run_action(
        request,
        conversation_id,
        lambda: actions.set_level(current_user(request), conversation_id, chosen),
        _("Saved."),
        to=SeeOther(safe_next(request, settings)),
    )


@member_view("POST")
def favourite(request: HttpRequest, conversation_id: int) -> HttpResponse:
    """Add a conversation to the favourites with `on=1`, else remove it."""
    is_on = request.POST.get("on") == "1"
    actions.set_favourite(current_user(request), conversation_id, is_on)
    return SeeOther(safe_next(request, redirect_to(conversation_id).url))


@member_view("GET")
def options(request: HttpRequest, conversation_id: int) -> HttpResponse:
    """What the reader can do with a conversation in the list. Scripts show it as a menu (row_menu.js)."""
    user = current_user(request)
    with access.reading(user, conversation_id) as membership:
        conversation = membership.conversation
        context = {
            "conversation": conversation,
            "membership": membership,
            "title": queries.title(conversation, user),
            "is_muted": membership.level == Membership.Level.NOTHING,
            "is_unread": membership.last_read_seq < conversation.last_seq,
            "can_leave": access.allows("leave", membership),
        }
        return render(request, "conversations/options.html", context)
