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
from accounts.models import User
from accounts.web.forms import PasswordResetForm, SetPasswordForm, SignInForm, SignUpForm
from accounts.web.forms_answered import (
    destination,
    form_response,
    get_or_post,
    known_zone,
    posted_data,
)
from chatty.common.errors import ChatError
from chatty.common.limiter import client_address
from chatty.common.pages import SeeOther, with_status


@sensitive_post_parameters("password", "again")
@get_or_post
def sign_up(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        return SeeOther(destination(request))
    try:
        actions.require_sign_up_open()
    except ChatError as error:
        page = render(request, "accounts/sign_up_closed.html", {"detail": error.detail})
        return with_status(page, error)
    form = SignUpForm(posted_data(request))
    entered: list[User] = []

    def enter() -> None:
        data = form.cleaned_data
        user = actions.register(
            email=data["email"],
            password=data["password"],
            name=data["name"],
            time_zone=known_zone(data["time_zone"]),
            address=client_address(request),
        )
        actions.sign_in_web(request, user)
        entered.append(user)

    response = form_response(request, "accounts/sign_up.html", form, enter, to=destination(request))
    for user in entered:
        devices.remember(request, response, user)
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
                **form.cleaned_data,
                address=client_address(request),
                device=devices.device_of(request),
            )
        actions.sign_in_web(request, user)
        entered.append(user)

    response = form_response(request, "accounts/sign_in.html", form, enter, to=destination(request))
    for user in entered:
        devices.remember(request, response, user)
    return response


@get_or_post
def password_reset(request: HttpRequest) -> HttpResponse:
    form = PasswordResetForm(posted_data(request))

    def ask() -> None:
        # Never build the link from Host if PUBLIC_URL is known: an attacker could send a Host header
        # that makes the emailed link, with its token, point to their own server.
        site = settings.PUBLIC_URL or request.build_absolute_uri("/").rstrip("/")
        email = form.cleaned_data["email"]
        address, device = client_address(request), devices.device_of(request)
        actions.request_password_reset(email=email, address=address, site=site, device=device)

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
