"""Pages for signing up, signing in and out, and resetting a password."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render, resolve_url
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from accounts import actions, devices, failures
from accounts.installation import (
    installation_settings,
    is_set_up,
    sign_up_policy,
)
from accounts.models import SignUpPolicy, SignUpRequest, User
from accounts.web.forms import AddressForm, ConfirmForm, SetPasswordForm, SignInForm, SignUpForm
from accounts.web.forms_answered import (
    destination,
    form_response,
    get_or_post,
    posted_data,
)
from chatty.common.errors import ChatError
from chatty.common.limiter import client_address
from chatty.common.pages import SeeOther, site_of, with_status


@sensitive_post_parameters("password")
@get_or_post
def sign_up(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        return SeeOther(destination(request))
    try:
        actions.require_sign_up_offered()
    except ChatError as error:
        page = render(request, "accounts/sign_up_closed.html", {"detail": error.detail})
        return with_status(page, error)
    policy = sign_up_policy()
    asks = policy == SignUpPolicy.APPROVED
    form = SignUpForm(posted_data(request), asks_approval=asks)
    entered: list[User] = []
    waiting: list[str] = []
    to = destination(request)

    def enter() -> None:
        data = form.cleaned_data
        created = actions.sign_up(
            email=data["email"],
            password=data["password"],
            name=data["name"],
            time_zone=data["time_zone"],
            note=data.get("note", ""),
            address=client_address(request),
            site=site_of(request),
        )
        waiting.append(created.state if isinstance(created, SignUpRequest) else "")
        if isinstance(created, User):
            actions.sign_in_web(request, created)
            entered.append(created)
            _welcome(request, created)

    response = form_response(
        request,
        "accounts/sign_up.html",
        form,
        enter,
        to=to,
        asks_approval=asks,
        domains=[] if policy == SignUpPolicy.OPEN else settings.SIGN_UP_DOMAINS,
    )
    if SignUpRequest.State.UNCONFIRMED in waiting:
        return SeeOther(resolve_url("accounts:sign_up_sent"))
    if SignUpRequest.State.WAITING in waiting:
        return SeeOther(resolve_url("accounts:sign_up_waiting"))
    for user in entered:
        devices.remember(request, response, user)
    return response


def _welcome(request: HttpRequest, user: User) -> None:
    """Say what to do first, in the administrator's words if there are any."""
    text = installation_settings().welcome or _(
        "Welcome, %(name)s. Say hello, or invite the people you work with."
    ) % {"name": user.name}
    messages.success(request, text, extra_tags="welcome")


@require_http_methods(["GET", "HEAD"])
def sign_up_waiting(request: HttpRequest) -> HttpResponse:
    return render(request, "accounts/sign_up_waiting.html", {"mail": settings.MAIL_SET_UP})


@require_http_methods(["GET", "HEAD"])
def sign_up_sent(request: HttpRequest) -> HttpResponse:
    return render(request, "accounts/sign_up_sent.html")


@get_or_post
def sign_up_link(request: HttpRequest) -> HttpResponse:
    """Send the link again that confirms the address of someone who is signing up."""
    form = AddressForm(posted_data(request))

    def ask() -> None:
        actions.request_sign_up_link(
            email=form.cleaned_data["email"],
            address=client_address(request),
            site=site_of(request),
        )

    sent = resolve_url("accounts:sign_up_sent")
    return form_response(request, "accounts/sign_up_link.html", form, ask, to=sent)


@sensitive_post_parameters("password")
@get_or_post
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """Confirm an address. GET changes nothing, because programs open the links in emails, too."""
    address = client_address(request)
    try:
        found = actions.confirmation_of(token, address=address)
    except ChatError as error:
        page = render(request, "accounts/confirm_expired.html", {"detail": error.detail})
        return with_status(page, error)
    user = request.user if isinstance(request.user, User) else None
    is_own = user is not None and user.pk == found.user_id
    form = ConfirmForm(posted_data(request), asks_password=not is_own)
    confirmed: list[User] = []

    def do() -> None:
        with failures.log_failure(request, "form"):
            owner = actions.confirm_address(
                token,
                user=user,
                password=form.cleaned_data.get("password", ""),
                address=address,
                site=site_of(request),
                device=devices.device_of(request),
            )
        if not is_own:
            actions.sign_in_web(request, owner)
            confirmed.append(owner)
        messages.success(request, _("Email address confirmed."))

    to = resolve_url("accounts:email" if is_own else settings.LOGIN_REDIRECT_URL)
    response = form_response(
        request, "accounts/confirm.html", form, do, to=to, email=found.email, is_own=is_own
    )
    for owner in confirmed:
        devices.remember(request, response, owner)
    return response


@sensitive_post_parameters("password")
@get_or_post
def sign_in(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated and request.method != "POST":
        return SeeOther(destination(request))
    form = SignInForm(posted_data(request))
    entered: list[User] = []

    def enter() -> None:
        with failures.log_failure(request, "form"):
            user = actions.authenticate(
                email=form.cleaned_data["email"],
                password=form.cleaned_data["password"],
                address=client_address(request),
                device=devices.device_of(request),
            )
        actions.sign_in_web(request, user, time_zone=form.cleaned_data["time_zone"])
        entered.append(user)

    response = form_response(request, "accounts/sign_in.html", form, enter, to=destination(request))
    home = resolve_url(settings.LOGIN_REDIRECT_URL)
    for user in entered:
        if user.is_superuser and not is_set_up() and destination(request) == home:
            response = SeeOther(resolve_url(settings.INSTALLATION_URL))
        devices.remember(request, response, user)
    return response


@get_or_post
def password_reset(request: HttpRequest) -> HttpResponse:
    form = AddressForm(posted_data(request))

    def ask() -> None:
        actions.request_password_reset(
            email=form.cleaned_data["email"],
            address=client_address(request),
            site=site_of(request),
            device=devices.device_of(request),
        )

    done = resolve_url("accounts:password_reset_done")
    return form_response(request, "accounts/password_reset.html", form, ask, to=done)


@require_http_methods(["GET", "HEAD"])
def password_reset_done(request: HttpRequest) -> HttpResponse:
    return render(request, "accounts/password_reset_done.html")


@sensitive_post_parameters("new_password", "again")
@get_or_post
def password_reset_confirm(request: HttpRequest, uid: str, token: str) -> HttpResponse:
    try:
        email = actions.get_user_of_link(uid, token).email
    except ChatError as error:
        page = render(request, "accounts/password_reset_expired.html", {"detail": error.detail})
        return with_status(page, error)
    form = SetPasswordForm(posted_data(request))

    def change() -> None:
        actions.reset_password_by_link(uid, token, new=form.cleaned_data["new_password"])
        messages.success(request, _("Password changed. Sign in with your new password."))

    done = resolve_url("accounts:sign_in")
    return form_response(
        request, "accounts/password_reset_confirm.html", form, change, to=done, email=email
    )


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    messages.success(request, _("You’re signed out."))
    return SeeOther(resolve_url(settings.LOGOUT_REDIRECT_URL or settings.LOGIN_URL))
