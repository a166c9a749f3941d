"""The page behind the link of an invitation. GET changes nothing, because mail scanners open links."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables

from accounts import actions as account_actions
from accounts import devices, failures
from accounts.models import User
from accounts.web.forms import SignInForm, SignUpForm
from accounts.web.forms_answered import get_or_post
from accounts.wire import person_to_wire
from chatty.common.errors import ChatError
from chatty.common.limiter import client_address
from chatty.common.pages import SeeOther, site_of, validated, with_status
from conversations.invitations import actions, queries, rules
from conversations.invitations.actions import Accepted
from conversations.invitations.rules import Offer

# The query parameter for people who have an account, or want to use another one.
SIGN_IN, SIGN_UP = "sign-in", "sign-up"


@sensitive_post_parameters("password")
@sensitive_variables("token")
@get_or_post
def invite(request: HttpRequest, token: str) -> HttpResponse:
    try:
        response = _answer(request, token)
    except ChatError as error:
        context = {"error": error, "is_signed_in": request.user.is_authenticated}
        response = with_status(render(request, "invitations/ended.html", context), error)
    # The path has the secret, which no other page and no log must get. Not "no-referrer": browsers would
    # send forms with the origin "null", which is rejected.
    response.headers["Referrer-Policy"] = "strict-origin"
    response.headers["X-Robots-Tag"] = "noindex"
    return response


def _answer(request: HttpRequest, token: str) -> HttpResponse:
    invitation = queries.find_invitation(token, address=client_address(request))
    user = request.user if isinstance(request.user, User) else None
    mode = _mode(request, user)
    offer = queries.get_offer(invitation, user if mode == "join" else None)
    if mode == "join":
        return _join(request, token, offer)
    return _sign_up(request, token, offer) if mode == SIGN_UP else _sign_in(request, token, offer)


def _mode(request: HttpRequest, user: User | None) -> str:
    """Return which form is shown or was sent: "join", SIGN_IN or SIGN_UP."""
    can_sign_up = rules.can_sign_up()
    if SIGN_IN in request.GET or (SIGN_UP in request.GET and not can_sign_up):
        return SIGN_IN
    if SIGN_UP in request.GET:
        return SIGN_UP
    if user is not None:
        return "join"
    return SIGN_UP if can_sign_up else SIGN_IN


def _join(request: HttpRequest, token: str, offer: Offer) -> HttpResponse:
    user = request.user
    assert isinstance(user, User)
    if request.method == "POST":
        accepted = actions.accept(user, token, address=client_address(request))
        return _landing(request, accepted)
    sent_to = offer.invitation.email
    context = {
        # A member may not know who got the email.
        "sent_to_someone_else": bool(sent_to) and sent_to != user.email,
        "landing": _url_of(offer) if offer.is_accepted else "",
    }
    return _render(request, offer, "invitations/join.html", context)


def _sign_up(request: HttpRequest, token: str, offer: Offer) -> HttpResponse:
    initial = {"email": offer.invitation.email}
    form = SignUpForm(request.POST if request.method == "POST" else None, initial=initial)

    def enter() -> Accepted:
        data = form.cleaned_data
        return actions.sign_up_and_accept(
            token,
            email=data["email"],
            password=data["password"],
            name=data["name"],
            time_zone=data["time_zone"],
            address=client_address(request),
            site=site_of(request),
        )

    return _enter(request, offer, form, enter, "invitations/sign_up.html")


def _sign_in(request: HttpRequest, token: str, offer: Offer) -> HttpResponse:
    initial = {"email": offer.invitation.email}
    form = SignInForm(request.POST if request.method == "POST" else None, initial=initial)

    def enter() -> Accepted:
        with failures.log_failure(request, "form"):
            user = account_actions.authenticate(
                email=form.cleaned_data["email"],
                password=form.cleaned_data["password"],
                address=client_address(request),
                device=devices.device_of(request),
            )
        return actions.accept(user, token, address=client_address(request))

    return _enter(request, offer, form, enter, "invitations/sign_in.html")


def _enter(
    request: HttpRequest,
    offer: Offer,
    form: SignUpForm | SignInForm,
    enter: Callable[[], Accepted],
    template: str,
) -> HttpResponse:
    """Accept the invitation and sign this browser in, or show the form."""
    error: ChatError | None = None
    if request.method == "POST":
        try:
            with validated(form):
                accepted = enter()
        except ChatError as chat_error:
            if chat_error.code in _ENDS:
                raise
            error = chat_error
        else:
            account_actions.sign_in_web(
                request, accepted.user, time_zone=form.cleaned_data["time_zone"]
            )
            response = _landing(request, accepted)
            devices.remember(request, response, accepted.user)
            return response
    page = _render(request, offer, template, {"form": form, "can_sign_up": rules.can_sign_up()})
    return with_status(page, error) if error else page


# Errors of the invitation, and not of what was entered in the form.
_ENDS = {
    *("not_found", "invitation_ended", "invitation_expired", "invitation_used"),
    *("archived", "too_many", "removed"),
}


def _landing(request: HttpRequest, accepted: Accepted) -> HttpResponse:
    """Go to the conversation, and say who the invitation was from."""
    if accepted.joined:
        words = {"name": accepted.user.name, "inviter": accepted.inviter.name}
        text = _("Welcome, %(name)s. %(inviter)s invited you.")
        messages.success(request, text % words)
    if not accepted.conversations:
        return SeeOther(reverse("conversations:home"))
    return SeeOther(reverse("conversations:conversation", args=[accepted.conversations[0]]))


def _url_of(offer: Offer) -> str:
    if not offer.conversations:
        return reverse("conversations:home")
    return reverse("conversations:conversation", args=[offer.conversations[0].pk])


def _render(
    request: HttpRequest, offer: Offer, template: str, context: dict[str, Any]
) -> HttpResponse:
    face = person_to_wire(offer.inviter)
    if not request.user.is_authenticated:
        face = msgspec.structs.replace(face, picture=None)  # only people who are signed in get it
    shared = {
        "offer": offer,
        "inviter": offer.inviter,
        "face": face,
        "has_look_alike": queries.has_look_alike(offer.inviter, offer.conversations),
    }
    return render(request, template, {**shared, **context})
