"""Forms. Values are validated by actions and limits, which raise errors for each field."""

from __future__ import annotations

import unicodedata
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from chatty.common.pages import ShortField
from conversations import permissions
from conversations.models import Audience, Conversation, Membership

ACCESS = [
    (Conversation.Access.CLOSED, _("Private: members only")),
    (Conversation.Access.OPEN, _("Public: anyone here can join")),
]
LEVELS = [
    (Membership.Level.ALL, _("All messages")),
    (Membership.Level.MENTIONS, _("Mentions only")),
    (Membership.Level.NOTHING, _("Nothing")),
]


class Line(ShortField):
    """A line of text exactly as typed. Actions clean and validate it.

    Django's CharField would reject NUL characters itself, with another message and without keeping the text.
    """

    default_validators: list[Any] = []

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(strip=False, **kwargs)
        self.validators = []

    def clean(self, value: Any) -> str:
        text = self.to_python(value) or ""
        self.validate(text)
        return text


class ConversationForm(forms.Form):
    """Name, topic and access, for creating and editing."""

    name = Line(label=_("Name"), widget=forms.TextInput(attrs={"autocomplete": "off"}))
    topic = Line(
        label=_("Topic"),
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=_("What is this about?"),
    )
    access = forms.ChoiceField(
        label=_("Access"),
        choices=ACCESS,
        widget=forms.RadioSelect,
        initial=Conversation.Access.CLOSED,
    )


AUDIENCES = [
    (Audience.EVERYONE, _("Everyone")),
    (Audience.ADMINS, _("Admins only")),
]
# The labels of the settings in the permission table.
AUDIENCE_LABELS = {
    "posting": _("Who can post"),
    "adding": _("Who can add people"),
    "inviting": _("Who can invite people"),
    "renaming": _("Who can change the name and the topic"),
    "mentioning_all": _("Who can notify everyone with @all"),
    "pinning": _("Who can pin messages"),
}
SLOW_MODES = [
    (0, _("Off")),
    (5, _("5 seconds")),
    (10, _("10 seconds")),
    (30, _("30 seconds")),
    (60, _("1 minute")),
    (300, _("5 minutes")),
    (900, _("15 minutes")),
    (3600, _("1 hour")),
]


class PermissionsForm(forms.Form):
    """What everyone can do and what only admins can do, and slow mode.

    The page has the original values in hidden fields: `changed_data` compares with those, so that someone
    else's change in the meantime is not undone.
    """

    def __init__(self, data: Any = None, *, conversation: Conversation) -> None:
        initial = {name: getattr(conversation, name) for name in self.settings()}
        super().__init__(data, initial=initial)
        for name in self.settings()[:-1]:
            self.fields[name] = forms.ChoiceField(
                label=AUDIENCE_LABELS[name], choices=AUDIENCES, show_hidden_initial=True
            )
        slow_mode = conversation.slow_mode
        choices: list[tuple[int, Any]] = list(SLOW_MODES)
        if slow_mode not in dict(choices):  # another number, set through the API
            choices.append((slow_mode, _("%(count)s seconds") % {"count": slow_mode}))
        self.fields["slow_mode"] = forms.TypedChoiceField(
            label=_("Slow mode"),
            choices=sorted(choices),
            coerce=int,
            show_hidden_initial=True,
            help_text=_("How long members wait between two messages. Admins don’t have to wait."),
        )

    @staticmethod
    def settings() -> list[str]:
        """Return the names of the fields."""
        return [*permissions.settings(), "slow_mode"]


def levels(*, is_direct: bool) -> list[Any]:
    """Direct messages have no mentions, so this level is not offered for them, and shown as "all"."""
    return [each for each in LEVELS if not is_direct or each[0] != Membership.Level.MENTIONS]


class LevelForm(forms.Form):
    level = forms.ChoiceField(label=_("Notify me about"), choices=LEVELS, widget=forms.RadioSelect)

    def __init__(self, *, level: str, is_direct: bool) -> None:
        if is_direct and level == Membership.Level.MENTIONS:
            level = Membership.Level.ALL
        super().__init__(initial={"level": level})
        self.fields["level"].choices = levels(is_direct=is_direct)  # type: ignore[attr-defined]


class DeleteForm(forms.Form):
    """Requires the conversation's name, so that people don't delete the wrong one."""

    name = Line(label=_("Conversation name"), widget=forms.TextInput(attrs={"autocomplete": "off"}))

    def __init__(self, data: Any = None, *, expected: str) -> None:
        super().__init__(data)
        self.expected = expected

    def clean_name(self) -> str:
        typed: str = self.cleaned_data["name"]
        if " ".join(unicodedata.normalize("NFC", typed).split()) != self.expected:
            raise forms.ValidationError(_("The name doesn’t match. Nothing was deleted."))
        return typed
