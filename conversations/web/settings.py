"""Opening conversations, their people and settings, and one's own view of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import NAME_MAX, User
from accounts.queries import active_users
from chatty.common.errors import ChatError
from chatty.common.limiter import limiter
from chatty.common.pages import SeeOther, refused, with_status
from conversations import access, actions, limits, queries
from conversations.models import Membership
from conversations.realtime.presence import who_is_here
from conversations.web.forms import ConversationForm, DeleteForm, LevelForm
from conversations.web.layout import door, own, safe_next, whole, wholes

PEOPLE_FOUND = 20
MEMBERS_PAGE = 50


def _to(conversation_id: int, page: str = "conversation") -> SeeOther:
    return SeeOther(reverse(f"conversations:{page}", args=[conversation_id]))


# --- opening -----------------------------------------------------------------------------------------


@door("GET", "POST")
def new_group(request: HttpRequest) -> HttpResponse:
    """Looking for people is a press of another button of the same form, so nothing typed is lost."""
    user = own(request)
    creating = request.method == "POST" and "find" not in request.POST
    chosen = wholes(request.POST.getlist("people"))
    form = ConversationForm(request.POST if creating else None, initial=_typed(request))
    error: ChatError | None = None
    if creating:
        if form.is_valid():
            try:
                made = actions.create_conversation(user, member_ids=chosen, **form.cleaned_data)
                return _to(made.pk)
            except ChatError as refusal:
                error = refusal
                refused(form, error)
        else:
            error = ChatError("invalid")
    context = {"form": form, **_people_to_choose(request, chosen)}
    page = render(request, "conversations/new_group.html", context)
    error = error or context["too_fast"]
    return with_status(page, error) if error else page


def _typed(request: HttpRequest) -> dict[str, str]:
    return {
        name: request.POST[name] for name in ConversationForm.base_fields if name in request.POST
    }


def _people_to_choose(request: HttpRequest, chosen: list[int]) -> dict[str, Any]:
    """Those chosen already come first and stay ticked; then who was looked for."""
    me = own(request).pk
    text = request.POST.get("q", "")[:NAME_MAX]
    ticked = list(active_users(chosen[:100]).exclude(pk=me))
    out = {me, *(person.pk for person in ticked)}
    found: list[User] = []
    too_fast: ChatError | None = None
    try:
        found = _search_people(request, text, limit=PEOPLE_FOUND + len(out))
    except ChatError as refusal:
        too_fast = refusal
    others = [person for person in found if person.pk not in out][:PEOPLE_FOUND]
    return {"q": text, "chosen": ticked, "found": others, "too_fast": too_fast}


@door("GET", "POST")
def new_direct(request: HttpRequest) -> HttpResponse:
    user = own(request)
    error: ChatError | None = None
    if request.method == "POST":
        try:
            other = whole(request.POST.get("user"), least=1)
            if other is None:
                raise ChatError("invalid", _("Choose who to write to."))
            return _to(actions.open_direct(user, other).pk)
        except ChatError as refusal:
            error = refusal
    text = request.GET.get("q", "")[:NAME_MAX]
    found = _search_people(request, text, limit=PEOPLE_FOUND + 1)
    context = {
        "q": text,
        "found": [person for person in found if person.pk != user.pk][:PEOPLE_FOUND],
        "more": len(found) > PEOPLE_FOUND,
        "error": error.detail if error else "",
    }
    page = render(request, "conversations/new_direct.html", context)
    return with_status(page, error) if error else page


def _search_people(request: HttpRequest, text: str, **options: Any) -> list[User]:
    """Look for people by name, not faster than people can."""
    text = text.replace("\x00", "")[:NAME_MAX]
    if text:
        limiter.check("people", str(own(request).pk))
    return queries.people(text=text, **options)


# --- coming and going ----------------------------------------------------------------------------------


@door("POST")
def join(request: HttpRequest, conversation_id: int) -> HttpResponse:
    actions.join(own(request), conversation_id)
    page = reverse("conversations:conversation", args=[conversation_id])
    return SeeOther(safe_next(request, page))


@door("POST")
def leave(request: HttpRequest, conversation_id: int) -> HttpResponse:
    membership = access.member_of(own(request), conversation_id)

    def go() -> None:
        actions.leave(own(request), conversation_id)

    name = membership.conversation.name
    left = _("You have left “%(name)s”.") % {"name": name}
    home = SeeOther(reverse("conversations:home"))
    return _done(request, conversation_id, go, left, to=home)


LEAVE_PAGE = 100


@door("GET", "POST")
def leave_many(request: HttpRequest) -> HttpResponse:
    """Leave many groups at once; those one was added to and has not opened come first."""
    user = own(request)
    error: ChatError | None = None
    if request.method == "POST":
        ids = wholes(request.POST.getlist("conversations"))[: limits.LEAVE_MAX]
        if ids:
            return _leave_each(request, ids)
        error = ChatError("invalid", _("Choose the conversations you want to leave."))
    before = whole(request.GET.get("before"), least=1)
    found = queries.leavable(user, limit=LEAVE_PAGE + 1, before=before)
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
    """Each by itself: one that cannot be left, as its last owner, keeps nobody in the others."""
    left = 0
    for conversation_id in dict.fromkeys(ids):
        try:
            name = access.member_of(own(request), conversation_id).conversation.name
            actions.leave(own(request), conversation_id)
        except ChatError as refusal:
            if refusal.code != "not_found":  # else left already, in another window
                messages.error(request, f"{name}: {refusal.detail}")
        else:
            left += 1
    if left:
        said = ngettext(
            "You left %(count)d conversation.", "You left %(count)d conversations.", left
        )
        messages.success(request, said % {"count": left})
    return SeeOther(reverse("conversations:leave_many"))


# --- what a conversation is like -----------------------------------------------------------------------


@door("GET", "POST")
def settings(request: HttpRequest, conversation_id: int) -> HttpResponse:
    """Name, topic and access for who manages; for everybody the way out and what to be told of."""
    membership = access.member_of(own(request), conversation_id)
    if request.method != "POST":
        return _settings_page(request, membership)
    form = ConversationForm(request.POST)
    error: ChatError | None = None
    if form.is_valid():
        try:
            # What the form did not change is left alone: somebody else may have changed it meanwhile.
            changed = {
                k: v for k, v in form.cleaned_data.items() if v != request.POST.get(f"was_{k}")
            }
            actions.revise_conversation(membership.user, conversation_id, **changed)
        except ChatError as refusal:
            error = refusal
            refused(form, error)
    else:
        error = ChatError("invalid")
    if error:
        return with_status(_settings_page(request, membership, form), error)
    messages.success(request, _("Saved."))
    return _to(conversation_id, "settings")


def _settings_page(
    request: HttpRequest, membership: Membership, form: ConversationForm | None = None
) -> HttpResponse:
    """`form`: a refused one, shown again whatever has become of who may change what."""
    conversation = membership.conversation
    now = {name: getattr(conversation, name) for name in ConversationForm.base_fields}
    context = {
        "conversation": conversation,
        "membership": membership,
        "title": queries.title(conversation, membership.user),
        "form": form or ConversationForm(initial=now),
        # What the page began with, also after a refusal: the changes are counted from there.
        "was": {name: request.POST.get(f"was_{name}", value) for name, value in now.items()},
        "level_form": LevelForm(level=membership.level, is_direct=conversation.is_direct),
        "can_manage": access.can_manage(membership),
        "can_delete": access.can_delete_conversation(membership),
    }
    return render(request, "conversations/settings.html", context)


@door("POST")
def archive(request: HttpRequest, conversation_id: int) -> HttpResponse:
    return _done(
        request,
        conversation_id,
        lambda: actions.archive(own(request), conversation_id),
        _("The conversation is archived. It can still be read."),
    )


@door("POST")
def unarchive(request: HttpRequest, conversation_id: int) -> HttpResponse:
    return _done(
        request,
        conversation_id,
        lambda: actions.unarchive(own(request), conversation_id),
        _("The conversation is out of the archive."),
    )


@door("GET", "POST")
def delete(request: HttpRequest, conversation_id: int) -> HttpResponse:
    membership = access.member_of(own(request), conversation_id)
    if not access.can_delete_conversation(membership):
        raise ChatError("not_allowed")
    conversation = membership.conversation
    form = DeleteForm(
        request.POST if request.method == "POST" else None, expected=conversation.name
    )
    if request.method == "POST" and form.is_valid():
        actions.delete_conversation(membership.user, conversation_id)
        gone = _("“%(name)s” and everything in it is deleted.") % {"name": conversation.name}
        messages.success(request, gone)
        return SeeOther(reverse("conversations:home"))
    context = {"conversation": conversation, "title": conversation.name, "form": form}
    page = render(request, "conversations/delete.html", context)
    return with_status(page, ChatError("invalid")) if form.errors else page


# --- people --------------------------------------------------------------------------------------------


@door("GET", "POST")
def members(request: HttpRequest, conversation_id: int) -> HttpResponse:
    """GET: who is in it, `q` finds others. POST `people`: add them."""
    user = own(request)
    membership = access.member_of(user, conversation_id)
    if membership.conversation.is_direct:
        raise ChatError("direct_fixed")
    error: ChatError | None = None
    if request.method == "POST":
        try:
            return _add(request, membership)
        except ChatError as refusal:
            error = refusal
    page = _members_page(request, membership, error)
    return with_status(page, error) if error else page


def _add(request: HttpRequest, membership: Membership) -> HttpResponse:
    ids = wholes(request.POST.getlist("people"))
    if not ids:
        raise ChatError("invalid", _("Choose who to add."))
    added = actions.add_members(membership.user, membership.conversation_id, ids)
    said = ngettext("%(count)d person added.", "%(count)d people added.", len(added))
    messages.success(request, said % {"count": len(added)})
    return _to(membership.conversation_id, "members")


def _members_page(
    request: HttpRequest, membership: Membership, error: ChatError | None = None
) -> HttpResponse:
    conversation = membership.conversation
    can_add = access.can_manage(membership) and not conversation.is_archived
    text = request.GET.get("q", "")[:NAME_MAX]
    pages = Paginator(queries.members(conversation), MEMBERS_PAGE)
    shown = pages.get_page(request.GET.get("page"))
    found: list[User] = []
    if can_add:
        found = _search_people(request, text, limit=PEOPLE_FOUND, exclude_members_of=conversation)
    told = queries.are_told(pages.count)
    here = who_is_here([each.user_id for each in shown]) if told else set()
    context = {
        "conversation": conversation,
        "title": conversation.name,
        "page": shown,
        "told": told,
        "rows": [_member_row(membership, each, here) for each in shown],
        "can_add": can_add,
        "removals": queries.removals(conversation) if access.can_manage(membership) else [],
        "q": text,
        "found": found,
        "chosen": wholes(request.POST.getlist("people")),
        "error": error.detail if error else "",
    }
    return render(request, "conversations/members.html", context)


def _member_row(mine: Membership, membership: Membership, here: set[int]) -> dict[str, Any]:
    editable = not mine.conversation.is_archived
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
        "here": membership.user.is_active and membership.user_id in here,
        "roles": roles if editable and len(roles) > 1 else [],
        "can_remove": not is_me and access.can_remove(mine, membership),
    }


@door("POST")
def remove_member(request: HttpRequest, conversation_id: int, user_id: int) -> HttpResponse:
    return _done(
        request,
        conversation_id,
        lambda: actions.remove_member(own(request), conversation_id, user_id),
        _("Removed."),
        to=_to(conversation_id, "members"),
        shown=_members_page,
    )


@door("POST")
def allow_to_join(request: HttpRequest, conversation_id: int, user_id: int) -> HttpResponse:
    return _done(
        request,
        conversation_id,
        lambda: actions.allow_to_join(own(request), conversation_id, user_id),
        _("They can join again."),
        to=_to(conversation_id, "members"),
        shown=_members_page,
    )


@door("POST")
def change_role(request: HttpRequest, conversation_id: int, user_id: int) -> HttpResponse:
    role = request.POST.get("role", "")
    return _done(
        request,
        conversation_id,
        lambda: actions.change_role(own(request), conversation_id, user_id, role),
        _("The role is changed."),
        to=_to(conversation_id, "members"),
        shown=_members_page,
    )


# --- one's own view of it --------------------------------------------------------------------------------


@door("POST")
def read(request: HttpRequest, conversation_id: int) -> HttpResponse:
    seq = whole(request.POST.get("seq"))
    if seq is None:
        raise ChatError("invalid")
    actions.mark_read(own(request), conversation_id, seq)
    return SeeOther(safe_next(request, _to(conversation_id).url))


@door("POST")
def unread(request: HttpRequest, conversation_id: int) -> HttpResponse:
    """Make a message unread again, and go away: staying would show it as read the next moment."""
    seq = whole(request.POST.get("seq"), least=1)
    if seq is None:
        raise ChatError("invalid")
    actions.mark_unread(own(request), conversation_id, seq)
    messages.success(request, _("Marked as unread."))
    return SeeOther(reverse("conversations:home") + "?list")


@door("POST")
def level(request: HttpRequest, conversation_id: int) -> HttpResponse:
    chosen = request.POST.get("level", "")
    return _done(
        request,
        conversation_id,
        lambda: actions.set_level(own(request), conversation_id, chosen),
        _("Saved."),
        to=_to(conversation_id, "settings"),
    )


def _done(
    request: HttpRequest,
    conversation_id: int,
    deed: Callable[[], object],
    said: str,
    *,
    to: SeeOther | None = None,
    shown: Callable[[HttpRequest, Membership], HttpResponse] = _settings_page,
) -> HttpResponse:
    """Do something that has no form to be shown again, and say what it came to.

    A refusal is told on the page `shown`, with its status; not_found as a 404.
    """
    try:
        deed()
    except ChatError as error:
        if error.code == "not_found":
            raise
        membership = access.member_of(own(request), conversation_id)
        if membership.conversation.is_direct:
            shown = _settings_page  # it has no other
        messages.error(request, error.detail)
        return with_status(shown(request, membership), error)
    messages.success(request, said)
    return to or _to(conversation_id)
