"""The page on which administrators set up the installation: its name, who can sign up, what new people see.

Address and mail are in the environment. The page shows their values, without secrets, and what to write into
.env; it never writes it.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import actions as account_actions
from accounts import mails
from accounts.current_user import current_user
from accounts.installation import emoji_policy, installation_settings, is_set_up, sign_up_policy
from accounts.models import INSTALLATION_NAME_MAX, WELCOME_MAX, EmojiPolicy, SignUpPolicy
from chatty.common.errors import ChatError
from chatty.common.limiter import limiter
from chatty.common.pages import SeeOther, ShortField, site_of, validated, with_status
from chatty.jobs.deliveries import DestinationError, PostponedError, RefusedError
from conversations import actions, queries
from conversations.web.signed_in import member_view, parse_id

PERMISSION = "accounts.change_installationsettings"


class InstallationForm(forms.Form):
    """It sends what each field was when the page was loaded, so that only what someone has changed is saved:
    the other fields may have been changed by another administrator since."""

    name = ShortField(
        label=gettext_lazy("Name"),
        max_length=INSTALLATION_NAME_MAX,
        required=False,
        help_text=gettext_lazy("For example the name of your team. Shown in place of “Chatty”."),
    )
    welcome = ShortField(
        label=gettext_lazy("Welcome text"),
        max_length=WELCOME_MAX,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "maxlength": WELCOME_MAX}),
        help_text=gettext_lazy("What new people read first: one or two sentences."),
    )
    sign_up = forms.ChoiceField(
        label=gettext_lazy("Who can sign up"),
        choices=SignUpPolicy.choices,
        widget=forms.RadioSelect,
    )
    custom_emoji = forms.ChoiceField(
        label=gettext_lazy("Who can add custom emoji"),
        choices=EmojiPolicy.choices,
        widget=forms.RadioSelect,
    )
    conversation = forms.ChoiceField(
        label=gettext_lazy("New people join"),
        required=False,
        help_text=gettext_lazy("The public conversation in which they start."),
    )

    def __init__(self, data: Any, *, initial: dict[str, Any]) -> None:
        super().__init__(data, initial=initial)
        listed = [(str(each.pk), each.name) for each in queries.welcome_choices()]
        self.fields["conversation"].choices = [("", _("None")), *listed]  # type: ignore[attr-defined]
        for field in self.fields.values():
            field.show_hidden_initial = True
        if settings.SIGN_UP:
            del self.fields["sign_up"]
        if settings.CUSTOM_EMOJI:
            del self.fields["custom_emoji"]


@member_view("GET", "POST")
def installation(request: HttpRequest) -> HttpResponse:
    _require_administrator(request)
    row = installation_settings()
    welcome_id = queries.welcome()
    if not is_set_up():  # the first time, also after an upgrade
        welcome_id = welcome_id or queries.suggested_welcome()
    initial = {
        "name": row.name,
        "welcome": row.welcome,
        "sign_up": sign_up_policy(),
        "custom_emoji": emoji_policy(),
        "conversation": str(welcome_id or ""),
    }
    form = InstallationForm(request.POST if request.method == "POST" else None, initial=initial)
    is_first = not is_set_up()
    error: ChatError | None = None
    if request.method == "POST":
        try:
            with validated(form):
                _save(form)
        except ChatError as chat_error:
            error = chat_error
        else:
            messages.success(request, _("Saved."))
            address = reverse("conversations:installation")
            return SeeOther(f"{address}?ready" if is_first else address)
    context = {"form": form, **_facts(request), **_next_steps(request, welcome_id)}
    page = render(request, "conversations/installation.html", context)
    return with_status(page, error) if error else page


def _save(form: InstallationForm) -> None:
    given = {name: form.cleaned_data[name] for name in form.changed_data}
    # The first time, what is chosen may be what was only suggested.
    if "conversation" in given or not is_set_up():
        given.pop("conversation", None)
        actions.set_welcome(parse_id(form.cleaned_data["conversation"], least=1))
    account_actions.change_installation(**given)


@member_view("POST")
def send_test_mail(request: HttpRequest) -> HttpResponse:
    """Send an email to the administrator, at once, and say how that went."""
    _require_administrator(request)
    user = current_user(request)
    limiter.check("confirm", f"test {user.pk}")
    context = mails.context_of(site_of(request))
    mail = mails.email(
        _("Test mail from %(installation)s at %(host)s") % context,
        _("This is a test. If you can read it, Chatty can send emails."),
        to=user.email,
    )
    try:
        mails.send_now(mail)
    except (DestinationError, RefusedError, PostponedError) as error:
        messages.error(request, _("Not sent. %(reason)s") % {"reason": error})
    else:
        messages.success(request, _("Sent to %(email)s.") % {"email": user.email})
    return SeeOther(reverse("conversations:installation"))


def _require_administrator(request: HttpRequest) -> None:
    user = current_user(request)
    if not (user.is_staff and user.has_perm(PERMISSION)):
        raise ChatError("not_allowed")


def _next_steps(request: HttpRequest, welcome_id: int | None) -> dict[str, Any]:
    """Return what the page offers after it was saved for the first time."""
    is_ready = "ready" in request.GET
    choices = queries.welcome_choices() if is_ready else []
    welcome = next((each for each in choices if each.pk == welcome_id), None)
    return {"is_ready": is_ready, "welcome": welcome}


def _facts(request: HttpRequest) -> dict[str, Any]:
    """Return what the environment determines, without secrets."""
    scheme = (
        "smtp+tls" if settings.EMAIL_USE_TLS else "smtp+ssl" if settings.EMAIL_USE_SSL else "smtp"
    )
    return {
        "fixed_sign_up": SignUpPolicy(sign_up_policy()).label if settings.SIGN_UP else "",
        "fixed_emoji": EmojiPolicy(emoji_policy()).label if settings.CUSTOM_EMOJI else "",
        "public_url": settings.PUBLIC_URL,
        "site": site_of(request),
        "mail": settings.MAIL_SET_UP,
        "mail_server": f"{scheme}://{settings.EMAIL_HOST}:{settings.EMAIL_PORT}",
        "mail_user": settings.EMAIL_HOST_USER,
        "mail_from": settings.DEFAULT_FROM_EMAIL,
    }
