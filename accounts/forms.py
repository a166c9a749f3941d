"""The shapes of the forms. Rules live in accounts.actions, which says what is wrong per field."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.conf import settings
from django.http import QueryDict
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from accounts.actions import time_zones
from accounts.models import EMAIL_MAX, NAME_MAX, PASSWORD_MAX, User

_ADVICE = format_lazy(
    _("At least {least} characters; longer is better."), least=settings.PASSWORD_MIN_LENGTH
)


class SecretField(forms.CharField):
    """A password, as it was typed: blanks at its ends belong to it. Never sent back to a page."""

    def __init__(self, *, new: bool, **kwargs: Any) -> None:
        complete = "new-password" if new else "current-password"
        widget = forms.PasswordInput(
            attrs={"autocomplete": complete, "autocapitalize": "none", "spellcheck": "false"}
        )
        super().__init__(strip=False, max_length=PASSWORD_MAX, widget=widget, **kwargs)


class EmailField(forms.CharField):
    def __init__(self, **kwargs: Any) -> None:
        widget = forms.EmailInput(attrs={"autocomplete": "username", "spellcheck": "false"})
        super().__init__(label=_("E-mail address"), max_length=EMAIL_MAX, widget=widget, **kwargs)


class NameField(forms.CharField):
    def __init__(self, **kwargs: Any) -> None:
        widget = forms.TextInput(attrs={"autocomplete": "name"})
        super().__init__(label=_("Your name"), max_length=NAME_MAX, widget=widget, **kwargs)


class _Twice(forms.Form):
    """Asks for a new password twice: without mail a slip would lock its owner out."""

    asked_twice: str

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        first, again = data.get(self.asked_twice), data.get("again")
        if first and again and first != again:
            self.add_error("again", _("The two passwords are not the same."))
        return data


class SignUpForm(_Twice):
    asked_twice = "password"

    name = NameField(help_text=_("What the others see."))
    email = EmailField()
    password = SecretField(new=True, label=_("Password"), help_text=_ADVICE)
    again = SecretField(new=True, label=_("Password once more"))
    # A script fills in the browser's zone; without one it stays empty until the profile says it.
    time_zone = forms.CharField(
        required=False, max_length=64, widget=forms.HiddenInput(attrs={"data-time-zone": "fill"})
    )


class SignInForm(forms.Form):
    email = EmailField()
    password = SecretField(new=False, label=_("Password"))


class PasswordForm(_Twice):
    asked_twice = "new_password"

    old_password = SecretField(new=False, label=_("Present password"))
    new_password = SecretField(new=True, label=_("New password"), help_text=_ADVICE)
    again = SecretField(new=True, label=_("New password once more"))


class ProfileForm(forms.Form):
    name = NameField(help_text=_("What the others see."))
    time_zone = forms.ChoiceField(
        label=_("Time zone"),
        required=False,
        # A script offers the browser's own zone beside this list.
        widget=forms.Select(attrs={"data-time-zone": "offer"}),
        help_text=_("Times are shown as they are there."),
    )

    def __init__(self, data: QueryDict | None, *, user: User) -> None:
        super().__init__(data, initial={"name": user.name, "time_zone": user.time_zone})
        field = cast(forms.ChoiceField, self.fields["time_zone"])
        # What was chosen stays choosable, even where this machine's list lacks it.
        names = sorted(time_zones() | ({user.time_zone} - {""}))
        field.choices = [
            ("", _("The server's")),
            *((name, name.replace("_", " ")) for name in names),
        ]
