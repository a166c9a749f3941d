"""Inviting people: creating a link, sending emails, and the list of one's own invitations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.crypto import get_random_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.current_user import current_user
from accounts.models import User
from chatty.common.errors import ChatError
from chatty.common.look_alikes import look_alike
from chatty.common.pages import SeeOther, site_of, validated, with_status
from conversations.invitations import actions, queries
from conversations.invitations.actions import Created
from conversations.invitations.links import link_of, qr_code
from conversations.invitations.queries import InvitedTo
from conversations.invitations.web.forms import EmailsForm, LinkForm, can_create
from conversations.web.signed_in import member_view, parse_id, parse_ids

LIST_PAGE = 25
# What was entered can be sent again, but not with the same key.
_NEEDS_FRESH_KEY = {"key_reused", "invitation_ended"}
# Of invitations that aren't valid.
_STATES = {
    "expired": gettext_lazy("Expired"),
    "used": gettext_lazy("Used"),
    "revoked": gettext_lazy("Revoked"),
    "archived": gettext_lazy("Archived"),
    "ended": gettext_lazy("No longer valid"),
}


@member_view("GET", "POST")
def invitations(request: HttpRequest) -> HttpResponse:
    """GET: the forms and the list; `conversation` is chosen in advance. POST: create a link.

    The link is only in the response to the POST. Reloading that posts the form again, with the same key,
    and shows the same link.
    """
    if request.method != "POST":
        return _page(request)
    form = _link_form(request)

    def create() -> HttpResponse:
        created = actions.create_invitation(current_user(request), **form.terms())
        return _page(request, created=created)

    return _run(form, create, lambda: _page(request, link_form=form))


@member_view("POST")
def send_emails(request: HttpRequest) -> HttpResponse:
    form = _emails_form(request)

    def send() -> HttpResponse:
        answers = actions.invite_by_email(
            current_user(request), form.addresses_given(), site=site_of(request), **form.terms()
        )
        return _page(request, answers=answers)

    return _run(form, send, lambda: _page(request, emails_form=form))


def _run(
    form: LinkForm | EmailsForm,
    work: Callable[[], HttpResponse],
    show_again: Callable[[], HttpResponse],
) -> HttpResponse:
    try:
        with validated(form):
            return work()
    except ChatError as error:
        if error.code in _NEEDS_FRESH_KEY:
            form.set_key(get_random_string(32))
        return with_status(show_again(), error)


@member_view("POST")
def renew_link(request: HttpRequest, invitation_id: int) -> HttpResponse:
    """Create a new link for an invitation, and show it once."""
    user = current_user(request)
    try:
        created = actions.renew_link(user, invitation_id, key=request.POST.get("key", ""))
    except ChatError as error:
        if error.code == "not_found":
            raise
        return with_status(_page(request, error=error), error)
    return _page(request, created=created)


@member_view("POST")
def revoke(request: HttpRequest, invitation_id: int) -> HttpResponse:
    actions.revoke(current_user(request), invitation_id)
    messages.success(request, _("Invitation revoked. Its link no longer works."))
    return SeeOther(reverse("invitations:invitations"))


def _page(
    request: HttpRequest,
    *,
    created: Created | None = None,
    error: ChatError | None = None,
    **more: Any,
) -> HttpResponse:
    """`more`: a rejected "link_form" or "emails_form", "answers" about addresses."""
    user = current_user(request)
    before = parse_id(request.GET.get("before"), least=1)
    found = queries.invitations_of(user, limit=LIST_PAGE + 1, before=before)
    page = found[:LIST_PAGE]
    context: dict[str, Any] = {
        "link_form": _link_form(request, is_bound=False),
        "can_email": settings.MAIL_SET_UP,
        "emails_form": _emails_form(request, is_bound=False),
        "error": error.detail if error else "",
        "rows": [_row(each) for each in page],
        "older": page[-1].invitation.pk if len(found) > LIST_PAGE else None,
        "can_create": can_create(_conversations(request)),
        **more,
    }
    if created is not None:
        link = link_of(request, created.token)
        context |= {"created": created.invitation, "link": link, "qr_code": qr_code(link)}
    return render(request, "invitations/invitations.html", context)


def _row(found: queries.Listed) -> dict[str, Any]:
    inviter = found.invitation.created_by
    return {
        "found": found,
        "invitation": found.invitation,
        "number": str(found.invitation.pk),
        "state": _STATES.get(found.state, ""),
        "key": get_random_string(32),  # for a new link
        "people": [(each, _imitates(each, inviter)) for each in found.people],
    }


def _imitates(person: User, inviter: User) -> bool:
    return person.pk != inviter.pk and look_alike(person.name, inviter.name)


def _link_form(request: HttpRequest, *, is_bound: bool = True) -> LinkForm:
    return LinkForm(request.POST if is_bound else None, prefix="link", **_choices(request))


def _emails_form(request: HttpRequest, *, is_bound: bool = True) -> EmailsForm:
    return EmailsForm(request.POST if is_bound else None, prefix="emails", **_choices(request))


def _choices(request: HttpRequest) -> dict[str, Any]:
    conversations = _conversations(request)
    first = parse_id(request.GET.get("conversation"), least=1)
    chosen = [each.pk for each in conversations if each.pk == first]
    return {"conversations": conversations, "chosen": chosen, "key": get_random_string(32)}


def _conversations(request: HttpRequest) -> list[InvitedTo]:
    """Read them once per request: both forms have the same."""
    found: list[InvitedTo] | None = getattr(request, "_conversations_to_invite_to", None)
    if found is None:
        asked = [request.GET.get("conversation", ""), *request.POST.getlist("conversations")]
        user, first = current_user(request), parse_ids(asked)
        found = queries.conversations_to_invite_to(user, first=first)
        request._conversations_to_invite_to = found  # type: ignore[attr-defined]
    return found
