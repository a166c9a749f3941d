"""The page of a conversation's members."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.current_user import current_user
from accounts.models import NAME_MAX, User
from chatty.common.errors import ChatError
from chatty.common.pages import with_status
from conversations import access, actions, queries
from conversations.models import Membership
from conversations.realtime.presence import online_users
from conversations.web.people_search import PEOPLE_FOUND, search_people
from conversations.web.settings import redirect_to, run_action
from conversations.web.signed_in import member_view, parse_ids

MEMBERS_PAGE = 50


@member_view("GET", "POST")
def members(request: HttpRequest, conversation_id: int) -> HttpResponse:
    """GET: list the members; `q` searches for others. POST `people`: add them."""
    user = current_user(request)
    membership = access.member_of(user, conversation_id)
    access.require("list-members", membership)
    error: ChatError | None = None
    if request.method == "POST":
        try:
            return _add(request, membership)
        except ChatError as chat_error:
            error = chat_error
    page = _members_page(request, membership, error)
    return with_status(page, error) if error else page


def _add(request: HttpRequest, membership: Membership) -> HttpResponse:
    ids = parse_ids(request.POST.getlist("people"))
    if not ids:
        raise ChatError("invalid", _("Choose someone to add."))
    added = actions.add_members(membership.user, membership.conversation_id, ids)
    text = ngettext("Added %(count)d person.", "Added %(count)d people.", len(added))
    messages.success(request, text % {"count": len(added)})
    return redirect_to(membership.conversation_id, "members")


def _members_page(
    request: HttpRequest, membership: Membership, error: ChatError | None = None
) -> HttpResponse:
    conversation = membership.conversation
    can = access.can(membership)
    text = request.GET.get("q", "")[:NAME_MAX]
    pages = Paginator(queries.members(conversation), MEMBERS_PAGE)
    shown = pages.get_page(request.GET.get("page"))
    found: list[User] = []
    if "add" in can:
        found = search_people(request, text, limit=PEOPLE_FOUND, exclude_members_of=conversation)
    told = queries.shows_presence(pages.count)
    here: set[int] = set()
    if told:  # the reader is online, too, though their socket may open after this page
        here = online_users([each.user_id for each in shown]) | {membership.user_id}
    context = {
        "conversation": conversation,
        "title": queries.title(conversation, membership.user),
        "page": shown,
        "shows_presence": told,
        "rows": [_member_row(membership, each, here) for each in shown],
        "can": can,
        "removals": queries.removals(conversation) if "allow-to-join" in can else [],
        "q": text,
        "found": found,
        "chosen": parse_ids(request.POST.getlist("people")),
        "error": error.detail if error else "",
    }
    return render(request, "conversations/members.html", context)


def _member_row(mine: Membership, membership: Membership, online: set[int]) -> dict[str, Any]:
    roles = [
        (role, label)
        for role, label in Membership.Role.choices
        if access.can_change_role(mine, membership, role)
    ]
    is_me = membership.user_id == mine.user_id
    return {
        "membership": membership,
        "user": membership.user,
        "is_me": is_me,
        "is_online": membership.user.is_active and membership.user_id in online,
        "roles": roles if len(roles) > 1 else [],
        "can_remove": not is_me and access.can_remove(mine, membership),
    }


@member_view("POST")
def remove_member(request: HttpRequest, conversation_id: int, user_id: int) -> HttpResponse:
    return run_action(
        request,
        conversation_id,
        lambda: actions.remove_member(current_user(request), conversation_id, user_id),
        _("Removed."),
        to=redirect_to(conversation_id, "members"),
        error_page=_members_page,
    )


@member_view("POST")
def allow_to_join(request: HttpRequest, conversation_id: int, user_id: int) -> HttpResponse:
    return run_action(
        request,
        conversation_id,
        lambda: actions.allow_to_join(current_user(request), conversation_id, user_id),
        _("They can join again now."),
        to=redirect_to(conversation_id, "members"),
        error_page=_members_page,
    )


@member_view("POST")
def change_role(request: HttpRequest, conversation_id: int, user_id: int) -> HttpResponse:
    role = request.POST.get("role", "")
    return run_action(
        request,
        conversation_id,
        lambda: actions.change_role(current_user(request), conversation_id, user_id, role),
        _("Role changed."),
        to=redirect_to(conversation_id, "members"),
        error_page=_members_page,
    )
