"""Settings of a conversation, archiving and deleting it."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.current_user import current_user
from chatty.common.errors import ChatError
from chatty.common.pages import SeeOther, validated, with_status
from conversations import access, actions, queries
from conversations.models import Membership
from conversations.web.forms import ConversationForm, DeleteForm, LevelForm, PermissionsForm
from conversations.web.signed_in import member_view

SUCCESSORS_SHOWN = 100


def redirect_to(conversation_id: int, page: str = "conversation") -> SeeOther:
    return SeeOther(reverse(f"conversations:{page}", args=[conversation_id]))


@member_view("GET", "POST")
def settings(request: HttpRequest, conversation_id: int) -> HttpResponse:
    """For owners and admins: name, topic and access. For everyone: notifications and leaving."""
    membership = access.member_of(current_user(request), conversation_id)
    if request.method != "POST":
        return _settings_page(request, membership)
    form = ConversationForm(request.POST)
    try:
        with validated(form):
            # Only save what was changed in the form: someone else may have changed the other values.
            changed = {
                k: v for k, v in form.cleaned_data.items() if v != request.POST.get(f"was_{k}")
            }
            actions.update_conversation(membership.user, conversation_id, **changed)
    except ChatError as error:
        return with_status(_settings_page(request, membership, form), error)
    messages.success(request, _("Saved."))
    return redirect_to(conversation_id, "settings")


@member_view("POST")
def permissions(request: HttpRequest, conversation_id: int) -> HttpResponse:
    """Change what everyone can do and what only admins can do, and slow mode."""
    membership = access.member_of(current_user(request), conversation_id)
    form = PermissionsForm(request.POST, conversation=membership.conversation)
    try:
        access.require("change-permissions", membership)
        if not form.is_valid():
            raise ChatError("invalid")
        changed = {k: v for k, v in form.cleaned_data.items() if k in form.changed_data}
        actions.update_conversation(membership.user, conversation_id, **changed)
    except ChatError as error:
        if error.code != "invalid":
            messages.error(request, error.detail)
        page = _settings_page(request, membership, permissions_form=form)
        return with_status(page, error)
    messages.success(request, _("Saved."))
    return redirect_to(conversation_id, "settings")


def _settings_page(
    request: HttpRequest,
    membership: Membership,
    form: ConversationForm | None = None,
    permissions_form: PermissionsForm | None = None,
) -> HttpResponse:
    """`form`: a rejected form to show again, even if the user can't manage the conversation any more."""
    conversation = membership.conversation
    now = {name: getattr(conversation, name) for name in ConversationForm.base_fields}
    context = {
        "conversation": conversation,
        "membership": membership,
        "title": queries.title(conversation, membership.user),
        "form": form or ConversationForm(initial=now),
        # The original values, kept after a rejection: changes are detected by comparing with these.
        "was": {name: request.POST.get(f"was_{name}", value) for name, value in now.items()},
        "level_form": LevelForm(level=membership.level, is_direct=conversation.is_direct),
        "can": access.can(membership),
        "permissions_form": permissions_form or PermissionsForm(conversation=conversation),
        "successors": actions.successors(membership)[:SUCCESSORS_SHOWN],
    }
    return render(request, "conversations/settings.html", context)


@member_view("POST")
def archive(request: HttpRequest, conversation_id: int) -> HttpResponse:
    return run_action(
        request,
        conversation_id,
        lambda: actions.archive(current_user(request), conversation_id),
        _("Conversation archived. You can still read it."),
    )


@member_view("POST")
def unarchive(request: HttpRequest, conversation_id: int) -> HttpResponse:
    return run_action(
        request,
        conversation_id,
        lambda: actions.unarchive(current_user(request), conversation_id),
        _("Conversation unarchived."),
    )


@member_view("GET", "POST")
def delete(request: HttpRequest, conversation_id: int) -> HttpResponse:
    membership = access.member_of(current_user(request), conversation_id)
    conversation = access.require("delete", membership)
    form = DeleteForm(
        request.POST if request.method == "POST" else None, expected=conversation.name
    )
    if request.method == "POST" and form.is_valid():
        actions.delete_conversation(membership.user, conversation_id)
        gone = _("Deleted “%(name)s” and all its messages.") % {"name": conversation.name}
        messages.success(request, gone)
        return SeeOther(reverse("conversations:home"))
    context = {"conversation": conversation, "title": conversation.name, "form": form}
    page = render(request, "conversations/delete.html", context)
    return with_status(page, ChatError("invalid")) if form.errors else page


def run_action(
    request: HttpRequest,
    conversation_id: int,
    action: Callable[[], object],
    success: str,
    *,
    to: SeeOther | None = None,
    error_page: Callable[[HttpRequest, Membership], HttpResponse] = _settings_page,
) -> HttpResponse:
    """Run an action without a form, show a message about the result, and redirect to `to`.

    Errors are shown on `error_page`, with their status; not_found is raised.
    """
    try:
        action()
    except ChatError as error:
        if error.code == "not_found":
            raise
        membership = access.member_of(current_user(request), conversation_id)
        if membership.conversation.is_direct:
            error_page = _settings_page  # direct messages have no other page for this
        messages.error(request, error.detail)
        return with_status(error_page(request, membership), error)
    messages.success(request, success)
    return to or redirect_to(conversation_id)
