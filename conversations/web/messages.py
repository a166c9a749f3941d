"""Forms for sending, editing, deleting and reacting to messages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.dateparse import parse_datetime

from accounts.current_user import current_user
from chatty.common.errors import ChatError
from chatty.common.pages import SeeOther, with_status
from conversations import access, actions, capabilities, limits
from conversations.content import Content
from conversations.models import Message
from conversations.web.conversation_page import Composer, conversation_page, message_url
from conversations.web.message_page import actions_page
from conversations.web.signed_in import member_view, safe_next
from conversations.wire import timestamp

# With these errors the key can't be used, or was used for another message: a retry needs a new one.
NEEDS_FRESH_KEY = {"key_reused", "invalid"}


@member_view("POST")
def send(request: HttpRequest, conversation_id: int) -> HttpResponse:
    """Send a message, and mark everything before it as read."""
    user = current_user(request)
    composer = Composer.posted(request.POST)
    try:
        content = _content_of(request, composer)
        sent = actions.send_content(user, conversation_id, content, key=composer.key)
    except ChatError as error:
        return _send_error_page(request, conversation_id, composer, error)
    actions.mark_read(user, conversation_id, sent.message.seq)
    return SeeOther(reverse("conversations:conversation", args=[conversation_id]))


def _content_of(request: HttpRequest, composer: Composer) -> Content:
    """Return what was sent, with files that came with the form itself. If the form is shown again, it has
    them."""
    content = Content.from_form(request.POST)
    for name, part in capabilities.claimed_parts().items():
        if sent := request.FILES.getlist(name):
            made = part.from_form(current_user(request), composer.key, sent)
            content = msgspec.structs.replace(content, **{name: (*getattr(content, name), *made)})
            composer.values[name] = msgspec.json.encode(getattr(content, name)).decode()
    return content


def _send_error_page(
    request: HttpRequest, conversation_id: int, composer: Composer, error: ChatError
) -> HttpResponse:
    if error.code in NEEDS_FRESH_KEY:
        composer.renew_key()
    composer.error = error.detail
    if "reply_to" in error.fields:
        composer.cancel_reply()
    try:
        with access.reading(current_user(request), conversation_id) as membership:
            if not access.allows("send", membership):
                return unsent(request, composer.body, error)
            return with_status(conversation_page(request, membership, composer), error)
    except ChatError:
        return unsent(request, composer.body, error)


def unsent(request: HttpRequest, body: str, error: ChatError) -> HttpResponse:
    """Show a message that can't be sent to its author, so that they can copy it."""
    context = {"body": body, "detail": error.detail, "code": error.code}
    return with_status(render(request, "conversations/unsent.html", context), error)


@member_view("GET", "POST")
def edit(request: HttpRequest, message_id: int) -> HttpResponse:
    user = current_user(request)
    body = request.POST.get("body", "")
    if request.method == "POST":
        base: dict[str, Any] = {}
        if "edited_at" in request.POST:
            base["base"] = _base(request.POST["edited_at"])
        try:
            edited = actions.edit_message(user, message_id, body, **base)
            return SeeOther(message_url(_with_conversation(edited)))
        except ChatError as error:
            return _edit_error_page(request, message_id, body, error)
    message, membership = access.message_for(user, message_id)
    if chat_error := access.message_refusal("edit", membership, message):
        raise chat_error
    return _edit_page(request, message, message.body, timestamp(message.edited_at))


def _base(text: str) -> datetime | None:
    """Return the `edited_at` of a form, None for "". An invalid one becomes a time that matches no message,
    so that a newer version is never overwritten."""
    if not text:
        return None
    try:
        at = parse_datetime(text)
    except ValueError:
        at = None
    return at if at and at.tzinfo else datetime.min.replace(tzinfo=UTC)


def _edit_error_page(
    request: HttpRequest, message_id: int, body: str, error: ChatError
) -> HttpResponse:
    try:
        message, membership = access.message_for(current_user(request), message_id)
    except ChatError:
        return unsent(request, body, error)
    if access.message_refusal("edit", membership, message):
        return unsent(request, body, error)
    if isinstance(error, actions.EditConflictError):
        # The user now sees the other version, so saving again overwrites it.
        seen = timestamp(error.current.edited_at)
        page = _edit_page(request, message, body, seen, other=error.current)
    else:
        page = _edit_page(
            request, message, body, request.POST.get("edited_at", "")[:40], error.detail
        )
    return with_status(page, error)


def _edit_page(
    request: HttpRequest,
    message: Message,
    body: str,
    edited_at: str | None,
    error: str = "",
    *,
    other: Message | None = None,
) -> HttpResponse:
    """`edited_at`: of the message when the edit began. `other`: the newer version, after a conflict."""
    context = {
        "message_row": message,
        "body": body,
        "edited_at": edited_at or "",
        "other": other,
        "error": error,
        "body_max": limits.BODY_MAX,
        "back": message_url(message),
    }
    return render(request, "conversations/message_edit.html", context)


@member_view("GET", "POST")
def delete(request: HttpRequest, message_id: int) -> HttpResponse:
    user = current_user(request)
    if request.method == "POST":
        message = _with_conversation(actions.delete_message(user, message_id))
        return SeeOther(message_url(message))
    message, membership = access.message_for(user, message_id)
    if message.is_deleted:
        return SeeOther(message_url(message))
    if error := access.message_refusal("delete", membership, message):
        raise error
    context = {
        "message_row": message,
        "is_own": message.author_id == user.pk,
        "back": message_url(message),
    }
    return render(request, "conversations/message_delete.html", context)


@member_view("GET", "POST")
def react(request: HttpRequest, message_id: int) -> HttpResponse:
    """Add or remove a reaction: `emoji`, `on` = 1 | 0. Open pages of the previous version still link here."""
    user = current_user(request)
    if request.method != "POST":
        found, _membership = access.message_for(user, message_id)
        return HttpResponseRedirect(reverse("conversations:message", args=[found.pk]) + "?actions")
    emoji = request.POST.get("emoji", "").strip()
    action = actions.unreact if request.POST.get("on") == "0" else actions.react
    try:
        message = _with_conversation(action(user, message_id, emoji))
    except ChatError as error:
        found, membership = access.message_for(user, message_id)
        if access.message_refusal("react", membership, found):
            raise
        return actions_page(request, found, membership, emoji=emoji, error=error)
    page = safe_next(request, message_url(message)).partition("#")[0]
    return SeeOther(f"{page}#m{message.pk}")


def _with_conversation(message: Message) -> Message:
    """Reload a message with its conversation, whose last_seq message_url() needs."""
    return Message.objects.select_related("conversation").get(pk=message.pk)
