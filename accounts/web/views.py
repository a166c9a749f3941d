"""Pages for signing up, in and out, and for one's own settings. Plain forms; they call actions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import REDIRECT_FIELD_NAME, logout
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from accounts import actions, devices, failures, queries
from accounts.models import User
from accounts.sessions import SID_KEY
from accounts.web.forms import (
    ForgottenForm,
    PasswordForm,
    ProfileForm,
    ResetForm,
    SignInForm,
    SignUpForm,
)
from chatty.common.errors import ChatError
from chatty.common.limiter import client_address
from chatty.common.pages import SeeOther, refused, with_status

NEXT_MAX = 2_000  # characters of an address to go to afterwards

get_or_post = require_http_methods(["GET", "HEAD", "POST"])


@sensitive_post_parameters("password", "again")
@get_or_post
def sign_up(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        return SeeOther(_destination(request))
    try:
        actions.require_sign_up_open()
    except ChatError as error:
        page = render(request, "accounts/sign_up_closed.html", {"detail": error.detail})
        return with_status(page, error)
    form = SignUpForm(_posted(request))
    entered: list[User] = []

    def enter() -> None:
        data = form.cleaned_data
        user = actions.register(
            email=data["email"],
            password=data["password"],
            name=data["name"],
            time_zone=_known_zone(data["time_zone"]),
            address=client_address(request),
        )
        actions.sign_in_web(request, user)
        entered.append(user)

    response = _answered(request, "accounts/sign_up.html", form, enter, to=_destination(request))
    for user in entered:
        devices.remember(request, response, user)
    return response


@sensitive_post_parameters("password")
@get_or_post
def sign_in(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated and request.method != "POST":
        return SeeOther(_destination(request))
    form = SignInForm(_posted(request))
    entered: list[User] = []

    def enter() -> None:
        with failures.logged(request, "form"):
            user = actions.authenticate(
                **form.cleaned_data,
                address=client_address(request),
                device=devices.device_of(request),
            )
        actions.sign_in_web(request, user)
        entered.append(user)

    response = _answered(request, "accounts/sign_in.html", form, enter, to=_destination(request))
    for user in entered:
        devices.remember(request, response, user)
    return response


@get_or_post
def forgotten(request: HttpRequest) -> HttpResponse:
    form = ForgottenForm(_posted(request))

    def ask() -> None:
        # Never the Host header where the address is known: a link in a mail would lead where it says.
        site = settings.PUBLIC_URL or request.build_absolute_uri("/").rstrip("/")
        email = form.cleaned_data["email"]
        address, device = client_address(request), devices.device_of(request)
        actions.ask_for_reset(email=email, address=address, site=site, device=device)

    done = resolve_url("accounts:forgotten_sent")
    return _answered(request, "accounts/forgotten.html", form, ask, to=done)


@require_http_methods(["GET", "HEAD"])
def forgotten_sent(request: HttpRequest) -> HttpResponse:
    return render(request, "accounts/forgotten_sent.html")


@sensitive_post_parameters("new_password", "again")
@get_or_post
def reset(request: HttpRequest, uid: str, token: str) -> HttpResponse:
    try:
        email = actions.holder_of(uid, token).email
    except ChatError as error:
        page = render(request, "accounts/reset_over.html", {"detail": error.detail})
        return with_status(page, error)
    form = ResetForm(_posted(request))

    def change() -> None:
        actions.reset_by_link(uid, token, new=form.cleaned_data["new_password"])
        messages.success(request, _("Your new password is set. Sign in with it."))

    done = resolve_url("accounts:sign_in")
    return _answered(request, "accounts/reset.html", form, change, to=done, email=email)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    messages.success(request, _("You are signed out."))
    return SeeOther(resolve_url(settings.LOGOUT_REDIRECT_URL or settings.LOGIN_URL))


@login_required
@get_or_post
def profile(request: HttpRequest) -> HttpResponse:
    user = _own(request)
    form = ProfileForm(_posted(request), request.FILES or None, user=user)

    def change() -> None:
        given = {name: form.cleaned_data[name] for name in actions.CLEANED}
        picture, remove = form.picture_given(), "remove_picture" in request.POST
        actions.update_profile(user, picture=picture, remove_picture=remove, **given)
        messages.success(request, _("Your profile is saved."))

    return _answered(
        request, "accounts/profile.html", form, change, to=resolve_url("accounts:profile")
    )


@sensitive_post_parameters("old_password", "new_password", "again")
@login_required
@get_or_post
def password(request: HttpRequest) -> HttpResponse:
    form = PasswordForm(_posted(request))

    def change() -> None:
        actions.change_password_here(
            request,
            old=form.cleaned_data["old_password"],
            new=form.cleaned_data["new_password"],
            address=client_address(request),
        )
        messages.success(
            request, _("Your password is changed. Everywhere else you are signed out now.")
        )

    return _answered(
        request,
        "accounts/password.html",
        form,
        change,
        to=resolve_url("accounts:password"),
        email=_own(request).email,
    )


@login_required
@require_http_methods(["GET", "HEAD"])
def sign_ins(request: HttpRequest) -> HttpResponse:
    context = {
        "sign_ins": queries.live_sign_ins(_own(request)),
        "current_sid": request.session[SID_KEY],
    }
    return render(request, "accounts/sign_ins.html", context)


@login_required
@require_POST
def end_sign_in(request: HttpRequest, sid: str) -> HttpResponse:
    actions.end_own_sign_in(_own(request), sid)
    messages.success(request, _("That sign-in is ended."))
    return SeeOther(resolve_url("accounts:sign_ins"))


@login_required
@require_POST
def end_other_sign_ins(request: HttpRequest) -> HttpResponse:
    actions.end_sign_ins(_own(request), except_sid=request.session[SID_KEY])
    messages.success(request, _("Everywhere else you are signed out now."))
    return SeeOther(resolve_url("accounts:sign_ins"))


def _answered(
    request: HttpRequest,
    template: str,
    form: forms.Form,
    deed: Callable[[], None],
    *,
    to: str,
    **context: Any,
) -> HttpResponse:
    """Do `deed` with a valid form and go `to`; else show the form again with what was typed."""
    error: ChatError | None = None
    if request.method == "POST":
        if form.is_valid():
            try:
                deed()
            except ChatError as refusal:
                error = refusal
                refused(form, error)
            else:
                return SeeOther(to)
        else:
            error = ChatError("invalid")
    page = render(
        request,
        template,
        {"form": form, "next": _asked_for(request), "sign_up_open": _is_open(), **context},
    )
    return with_status(page, error) if error else page


def _posted(request: HttpRequest) -> QueryDict | None:
    return request.POST if request.method == "POST" else None


def _asked_for(request: HttpRequest) -> str:
    """Where to go afterwards, if the link said so and it is a page of ours; else ""."""
    url = request.POST.get(REDIRECT_FIELD_NAME) or request.GET.get(REDIRECT_FIELD_NAME) or ""
    if len(url) > NEXT_MAX:
        return ""
    safe = url_has_allowed_host_and_scheme(
        url, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return url if safe else ""


def _destination(request: HttpRequest) -> str:
    return _asked_for(request) or resolve_url(settings.LOGIN_REDIRECT_URL)


def _is_open() -> bool:
    return bool(settings.SIGN_UP == "open")


def _known_zone(name: str) -> str:
    """A browser may know zones we do not; nobody typed it, so nobody is bothered with it."""
    return name if name in actions.time_zones() else ""


def _own(request: HttpRequest) -> User:
    return cast(User, request.user)
