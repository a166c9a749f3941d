"""The settings pages: profile, email address, password and sign-ins."""

from __future__ import annotations

from django.conf import settings as conf
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render, resolve_url
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from accounts import actions, queries
from accounts.current_user import current_user
from accounts.sessions import SID_KEY
from accounts.web.forms import (
    STATUS_SUGGESTIONS,
    EmailChangeForm,
    PasswordChangeForm,
    ProfileForm,
    StatusForm,
)
from accounts.web.forms_answered import form_response, get_or_post, posted_data
from chatty.common.errors import ChatError
from chatty.common.limiter import client_address
from chatty.common.pages import SeeOther, site_of


@login_required
@get_or_post
def profile(request: HttpRequest) -> HttpResponse:
    user = current_user(request)
    form = ProfileForm(posted_data(request), request.FILES or None, user=user)

    def change() -> None:
        given = {name: form.cleaned_data[name] for name in actions.CLEANED}
        picture, remove = form.picture_given(), "remove_picture" in request.POST
        actions.update_profile(user, picture=picture, remove_picture=remove, **given)
        messages.success(request, _("Profile saved."))

    return form_response(
        request, "accounts/profile.html", form, change, to=resolve_url("accounts:profile")
    )


@login_required
@get_or_post
def status(request: HttpRequest) -> HttpResponse:
    """What the reader is up to, with an emoji and an end."""
    user = current_user(request)
    initial = {"emoji": user.status_emoji, "text": user.status_text} if user.has_status else {}
    form = StatusForm(posted_data(request), initial=initial)

    def change() -> None:
        if "remove" in request.POST:
            actions.set_status(user, emoji="", text="", until=None)
        else:
            emoji, text = form.cleaned_data["emoji"], form.cleaned_data["text"]
            actions.set_status(user, emoji=emoji, text=text, until=form.until())
        messages.success(request, _("Saved."))

    return form_response(
        request,
        "accounts/status.html",
        form,
        change,
        to=resolve_url("accounts:status"),
        suggestions=STATUS_SUGGESTIONS,
    )


@sensitive_post_parameters("password")
@login_required
@get_or_post
def email(request: HttpRequest) -> HttpResponse:
    form = EmailChangeForm(posted_data(request))
    user = current_user(request)

    def change() -> None:
        actions.change_email(
            user,
            **form.cleaned_data,
            address=client_address(request),
            site=site_of(request),
        )
        if user.new_email:
            _say_sent(request, user.new_email)
        else:
            messages.success(request, _("Email address changed."))

    return form_response(
        request,
        "accounts/email.html",
        form,
        change,
        to=resolve_url("accounts:email"),
        email=user.email,
        awaited=actions.waits_for_confirmation(user),
        mail=conf.MAIL_SET_UP,
    )


@login_required
@require_POST
def send_confirmation(request: HttpRequest) -> HttpResponse:
    user = current_user(request)
    try:
        actions.send_confirmation(user, address=client_address(request), site=site_of(request))
    except ChatError as error:
        messages.error(request, error.detail)
    else:
        _say_sent(request, actions.waits_for_confirmation(user))
    return SeeOther(resolve_url("accounts:email"))


def _say_sent(request: HttpRequest, email: str) -> None:
    sentence = _("We’ve sent a link to %(email)s. It works once, for a day.") % {"email": email}
    messages.success(request, sentence)


@login_required
@require_POST
def cancel_email_change(request: HttpRequest) -> HttpResponse:
    actions.cancel_email_change(current_user(request))
    messages.success(request, _("Your email address stays as it is."))
    return SeeOther(resolve_url("accounts:email"))


@sensitive_post_parameters("old_password", "new_password", "again")
@login_required
@get_or_post
def password_change(request: HttpRequest) -> HttpResponse:
    form = PasswordChangeForm(posted_data(request))

    def change() -> None:
        actions.change_password_in_session(
            request,
            old=form.cleaned_data["old_password"],
            new=form.cleaned_data["new_password"],
            address=client_address(request),
        )
        messages.success(
            request, _("Password changed. You’ve been signed out on all other devices.")
        )

    return form_response(
        request,
        "accounts/password_change.html",
        form,
        change,
        to=resolve_url("accounts:password_change"),
        email=current_user(request).email,
    )


@login_required
@require_http_methods(["GET", "HEAD"])
def sign_ins(request: HttpRequest) -> HttpResponse:
    context = {
        "sign_ins": queries.live_sign_ins(current_user(request)),
        "current_sid": request.session[SID_KEY],
    }
    return render(request, "accounts/sign_ins.html", context)


@login_required
@require_POST
def end_sign_in(request: HttpRequest, sid: str) -> HttpResponse:
    actions.end_own_sign_in(current_user(request), sid)
    messages.success(request, _("Session ended."))
    return SeeOther(resolve_url("accounts:sign_ins"))


@login_required
@require_POST
def end_other_sign_ins(request: HttpRequest) -> HttpResponse:
    actions.end_sign_ins(current_user(request), except_sid=request.session[SID_KEY])
    messages.success(request, _("You’ve been signed out on all other devices."))
    return SeeOther(resolve_url("accounts:sign_ins"))
