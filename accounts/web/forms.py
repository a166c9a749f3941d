"""Form fields. The rules are in accounts.actions, which raises errors per field."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any, cast

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.http import QueryDict
from django.utils import timezone
from django.utils.datastructures import MultiValueDict
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from accounts import pictures
from accounts.actions import time_zones
from accounts.models import (
    EMAIL_MAX,
    NAME_MAX,
    NOTE_MAX,
    PASSWORD_MAX,
    STATUS_MAX,
    Contrast,
    Density,
    Theme,
    TimeFormat,
    User,
)
from chatty.common.pages import ShortField
from chatty.common.upload_handler import require_received

_ADVICE = format_lazy(
    _("At least {least} characters. A few words are best."), least=settings.PASSWORD_MIN_LENGTH
)

_REGIONS = (
    "Africa",
    "America",
    "Antarctica",
    "Arctic",
    "Asia",
    "Atlantic",
    "Australia",
    "Europe",
    "Indian",
    "Pacific",
)
# By hue: the first is .avatar--h0.
HUE_NAMES = (
    *(_("Indigo"), _("Violet"), _("Magenta"), _("Pink"), _("Red"), _("Orange")),
    *(_("Amber"), _("Lime"), _("Green"), _("Teal"), _("Sky blue"), _("Blue")),
)


class SecretField(forms.CharField):
    """A password, exactly as typed: leading and trailing spaces count. Never rendered with a value.

    `reveals`: with a button that shows what is typed. `measured`: with how good it is (_strength.html).
    """

    def __init__(
        self, *, new: bool, reveals: bool = False, measured: bool = False, **kwargs: Any
    ) -> None:
        self.reveals = reveals
        self.least = settings.PASSWORD_MIN_LENGTH if measured else 0
        if measured:
            kwargs["help_text"] = _ADVICE
        complete = "new-password" if new else "current-password"
        widget = forms.PasswordInput(
            attrs={"autocomplete": complete, "autocapitalize": "none", "spellcheck": "false"}
        )
        super().__init__(strip=False, max_length=PASSWORD_MAX, widget=widget, **kwargs)


class EmailField(ShortField):
    def __init__(self, **kwargs: Any) -> None:
        widget = forms.EmailInput(attrs={"autocomplete": "username", "spellcheck": "false"})
        super().__init__(label=_("Email address"), max_length=EMAIL_MAX, widget=widget, **kwargs)


class NameField(ShortField):
    def __init__(self, **kwargs: Any) -> None:
        widget = forms.TextInput(attrs={"autocomplete": "name"})
        super().__init__(label=_("Your name"), max_length=NAME_MAX, widget=widget, **kwargs)


class NoteField(ShortField):
    """A few lines for the people who decide, optional."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.Textarea(attrs={"rows": 3, "maxlength": NOTE_MAX})
        super().__init__(
            required=False,
            widget=widget,
            help_text=_("An administrator reads it."),
            **kwargs,
        )


class _ConfirmedForm(forms.Form):
    """Asks for a new password twice: a typo locks people out, and not every server can send email."""

    confirmed_field: str

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        first, again = data.get(self.confirmed_field), data.get("again")
        if first and again and first != again:
            self.add_error("again", _("Passwords don’t match."))
        return data


class BrowserZoneField(ShortField):
    """The browser's time zone, which a script fills in, or "" if it is missing or unknown to this server.

    No one types it, so it is never an error.
    """

    def __init__(self) -> None:
        super().__init__(widget=forms.HiddenInput(attrs={"data-time-zone": "fill"}))

    def clean(self, value: Any) -> str:
        return value if value in time_zones() else ""


class SignUpForm(forms.Form):
    """Asks for the password once, and can show it."""

    name = NameField(help_text=_("Shown to other people."))
    email = EmailField()
    password = SecretField(new=True, reveals=True, measured=True, label=_("Password"))
    note = NoteField(label=_("Why would you like to join?"))
    time_zone = BrowserZoneField()

    def __init__(
        self,
        data: QueryDict | None,
        *,
        asks_approval: bool = False,
        initial: dict[str, str] | None = None,
    ) -> None:
        super().__init__(data, initial=initial)
        if not asks_approval:
            del self.fields["note"]


class SignInForm(forms.Form):
    email = EmailField()
    password = SecretField(new=False, label=_("Password"))
    time_zone = BrowserZoneField()


class PasswordChangeForm(_ConfirmedForm):
    confirmed_field = "new_password"

    old_password = SecretField(new=False, label=_("Current password"))
    new_password = SecretField(new=True, measured=True, label=_("New password"))
    again = SecretField(new=True, label=_("Confirm new password"))


class AddressForm(forms.Form):
    """Asks where to send a link."""

    email = EmailField()


class ConfirmForm(forms.Form):
    password = SecretField(new=False, label=_("Password"))

    def __init__(self, data: QueryDict | None, *, asks_password: bool) -> None:
        super().__init__(data)
        if not asks_password:
            del self.fields["password"]


class EmailChangeForm(forms.Form):
    email = EmailField()
    password = SecretField(new=False, label=_("Current password"))


class SetPasswordForm(_ConfirmedForm):
    confirmed_field = "new_password"

    new_password = SecretField(new=True, measured=True, label=_("New password"))
    again = SecretField(new=True, label=_("Confirm new password"))


class ProfileForm(forms.Form):
    """Profile and preferences. One form, so that saving one part does not lose edits in another."""

    name = NameField(help_text=_("Shown to other people."))
    title = ShortField(
        label=_("Title"), required=False, help_text=_("What you do, such as “Designer”.")
    )
    picture = forms.FileField(
        label=_("Picture"),
        required=False,
        allow_empty_file=True,  # actions.update_profile() reports it with all other invalid files
        widget=forms.FileInput(
            attrs={
                "accept": ",".join(pictures.MEDIA_TYPES),
                "data-max": pictures.BYTES_MAX,
                "data-view": "avatar_preview",
            }
        ),
        help_text=format_lazy(
            _("PNG, JPEG, WebP or GIF, up to {max} MB. Cropped to a square."),
            max=pictures.BYTES_MAX // 1024 // 1024,
        ),
    )
    chosen_hue = forms.TypedChoiceField(
        label=_("Colour"),
        required=False,
        coerce=int,
        empty_value=None,
        choices=[("", _("Automatic")), *enumerate(HUE_NAMES)],
        widget=forms.RadioSelect,
        help_text=_("Background for your initials if you have no picture."),
    )
    theme = forms.ChoiceField(label=_("Theme"), choices=Theme.choices)
    contrast = forms.ChoiceField(
        label=_("Contrast"),
        choices=Contrast.choices,
        help_text=_("High: stronger text and borders."),
    )
    density = forms.ChoiceField(
        label=_("Density"),
        choices=Density.choices,
        help_text=_("Compact: more messages in the window."),
    )
    language = forms.ChoiceField(label=_("Language"), required=False)
    time_format = forms.ChoiceField(label=_("Time format"), choices=TimeFormat.choices)
    time_zone = forms.ChoiceField(
        label=_("Time zone"),
        required=False,
        # A script adds a button that selects the browser's zone.
        widget=forms.Select(attrs={"data-time-zone": "offer", "data-view": "zone"}),
        help_text=_("Used for all times and dates."),
    )

    def __init__(
        self, data: QueryDict | None, files: MultiValueDict[str, UploadedFile] | None, *, user: User
    ) -> None:
        initial = {name: getattr(user, name) for name in self.base_fields if name != "picture"}
        super().__init__(data, files, initial=initial)
        languages = cast(forms.ChoiceField, self.fields["language"])
        languages.choices = [("", _("Browser default")), *settings.LANGUAGES]
        zones = cast(forms.ChoiceField, self.fields["time_zone"])
        zones.choices = [("", _("Automatic (this device)")), *_zones_by_region(user.time_zone)]

    def picture_given(self) -> bytes | None:
        """Return the file, or None if none was chosen. Raises ChatError if it is too big."""
        file: UploadedFile | None = self.cleaned_data["picture"]
        if file is None:
            return None
        if (file.size or 0) > pictures.BYTES_MAX:
            raise pictures.too_big_error()
        require_received(file)
        return bytes(file.read())


STATUS_ENDS = {
    "": _("When I remove it"),
    "30": _("In 30 minutes"),
    "60": _("In an hour"),
    "240": _("In 4 hours"),
    "today": _("Today"),
    "week": _("This week"),
}


# The fields of the form.
STATUS_SUGGESTIONS = (
    ("📅", _("In a meeting"), "60"),
    ("🍽️", _("At lunch"), "60"),
    ("🏡", _("Working from home"), "today"),
    ("🤒", _("Out sick"), "today"),
    ("🌴", _("On holiday"), "week"),
)


class EmojiField(ShortField):
    """A field for one emoji, with a button that opens the picker (_field.html)."""

    picks_emoji = True


class StatusForm(forms.Form):
    """What someone is up to. Its end is computed when it is saved."""

    emoji = EmojiField(
        label=_("Emoji"),
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": "💬", "size": 4}),
    )
    text = ShortField(
        label=_("What’s up?"),
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "maxlength": STATUS_MAX}),
    )
    ends = forms.ChoiceField(label=_("Ends"), required=False, choices=list(STATUS_ENDS.items()))

    def until(self) -> datetime | None:
        """Return the chosen end, in the active time zone."""
        choice, now = self.cleaned_data["ends"], timezone.localtime()
        if choice.isdigit():
            return now + timedelta(minutes=int(choice))
        days = {"today": 1, "week": 7 - now.weekday()}.get(choice)
        if days is None:
            return None
        day = (now + timedelta(days=days)).date()
        return datetime.combine(day, time(), tzinfo=now.tzinfo)


def _zones_by_region(chosen: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return choices grouped by region: [("Europe", [("Europe/Berlin", "Berlin"), ...]), ...].

    Names without a region, or with one that isn't geographical ("US", "Etc"), are aliases and left
    out. The zone the user has chosen is always included, even if this machine does not know it.
    """
    regions: dict[str, list[tuple[str, str]]] = {}
    for name in sorted(time_zones() | ({chosen} - {""})):
        region, _slash, place = name.partition("/")
        if region in _REGIONS and place:
            regions.setdefault(region, []).append((name, _spelt(place)))
        elif name in ("UTC", chosen):
            regions.setdefault("", []).append((name, _spelt(name)))
    others = regions.pop("", [])
    return [*regions.items(), *([(str(_("Other")), others)] if others else [])]


def _spelt(place: str) -> str:
    return place.replace("_", " ").replace("/", ", ")


def _clock_field(label: Any) -> forms.CharField:
    return forms.CharField(label=label, widget=forms.TextInput(attrs={"type": "time"}))


class QuietHoursForm(forms.Form):
    """The hours without notifications."""

    start = _clock_field(_("From"))
    end = _clock_field(_("Until"))
