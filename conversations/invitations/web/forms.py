"""Form fields. The rules are in actions, which raise errors per field."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, cast

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from chatty.common.pages import ShortField
from conversations.invitations import limits, rules
from conversations.invitations.queries import InvitedTo

# What people put between addresses, also when they paste them from a mail program.
_SEPARATORS = re.compile(r"[\s,;<>\"]+")
ADDRESSES_MAX = 10_000  # characters


def _days() -> list[tuple[int, str]]:
    """Return the choices in the language of the page."""
    return [(days, ngettext("%d day", "%d days", days) % days) for days in (1, 7, 30, 90)]


def _uses() -> list[tuple[str, Any]]:
    numbers = [
        (str(uses), ngettext("%d person", "%d people", uses) % uses) for uses in (1, 5, 25, 100)
    ]
    return [("", _("Any number")), *numbers]


class _TermsForm(forms.Form):
    """What the link and the email have in common."""

    key = forms.CharField(widget=forms.HiddenInput, max_length=64)
    conversations = forms.TypedMultipleChoiceField(
        label=_("Invite to"), coerce=int, required=False, widget=forms.CheckboxSelectMultiple
    )
    note = ShortField(
        label=_("Note"),
        required=False,
        max_length=limits.NOTE_MAX,
        help_text=_("Shown to the people you invite."),
    )
    days = forms.TypedChoiceField(
        label=_("Valid for"), coerce=int, choices=_days, initial=limits.DAYS
    )

    def __init__(
        self,
        data: QueryDict | None,
        *,
        conversations: Sequence[InvitedTo],
        chosen: Sequence[int],
        key: str,
        prefix: str,
    ) -> None:
        initial = {"conversations": chosen, "key": key}
        super().__init__(data, initial=initial, auto_id=f"{prefix}_%s")
        field = cast(forms.TypedMultipleChoiceField, self.fields["conversations"])
        field.choices = [(each.pk, each.name) for each in conversations]
        if not field.choices:
            del self.fields["conversations"]
        elif rules.can_sign_up():
            field.help_text = _("Without a conversation, it only lets people sign up.")

    def set_key(self, key: str) -> None:
        """Show the rejected form with another key."""
        data = cast(QueryDict, self.data).copy()
        data["key"] = key
        self.data = data

    def terms(self) -> dict[str, Any]:
        given = self.cleaned_data
        return {
            "key": given["key"],
            "conversation_ids": given.get("conversations", []),
            "note": given["note"],
            "days": given["days"],
        }


class LinkForm(_TermsForm):
    uses = forms.TypedChoiceField(
        label=_("Who can use it"), coerce=int, empty_value=None, required=False, choices=_uses
    )

    def terms(self) -> dict[str, Any]:
        return {**super().terms(), "uses": self.cleaned_data["uses"]}


class EmailsForm(_TermsForm):
    addresses = forms.CharField(
        label=_("Email addresses"),
        max_length=ADDRESSES_MAX,
        widget=forms.Textarea(
            attrs={
                "rows": 3,
                "autocomplete": "off",
                "spellcheck": "false",
                "autocapitalize": "none",
            }
        ),
        help_text=_("Separated by spaces, commas or lines."),
    )

    field_order = ("addresses", "conversations", "note", "days")

    def addresses_given(self) -> list[str]:
        return addresses_in(self.cleaned_data["addresses"])


def addresses_in(text: str) -> list[str]:
    """Return the addresses in a text. Of `Ada Moreau <ada@example.org>`, only the address is returned."""
    found: list[str] = []
    for line in re.split(r"[,;\n]", text):
        named = re.search(r"<([^<>]*)>", line)
        found += [named[1]] if named else _SEPARATORS.split(line)
    return [word for each in found if (word := each.strip())]


def can_create(conversations: Sequence[InvitedTo]) -> bool:
    """Return whether there is anything to invite to."""
    return bool(conversations) or rules.can_sign_up()
