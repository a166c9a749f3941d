"""Changing the settings of the installation, as an administrator."""

from __future__ import annotations

from django.conf import settings

from accounts.models import (
    INSTALLATION_NAME_MAX,
    WELCOME_MAX,
    EmojiPolicy,
    InstallationSettings,
    SignUpPolicy,
)
from chatty.common.errors import ChatError
from chatty.common.text import clean_line


def change_installation(
    *,
    sign_up: str | None = None,
    name: str | None = None,
    welcome: str | None = None,
    custom_emoji: str | None = None,
) -> InstallationSettings:
    """Change what is given, in all processes within a second.

    Raises ChatError("invalid" | "too_long" | "bad_text"), or ("not_allowed") if the environment determines
    who can sign up, or who can add custom emoji.
    """
    changes: dict[str, str] = {}
    if sign_up is not None:
        if settings.SIGN_UP:
            raise ChatError("not_allowed")
        if sign_up not in SignUpPolicy.values:
            raise ChatError("invalid")
        changes["sign_up"] = sign_up
    if custom_emoji is not None:
        if settings.CUSTOM_EMOJI:
            raise ChatError("not_allowed")
        if custom_emoji not in EmojiPolicy.values:
            raise ChatError("invalid")
        changes["custom_emoji"] = custom_emoji
    if name is not None:
        changes["name"] = clean_line(
            name, field="name", max_length=INSTALLATION_NAME_MAX, required=False
        )
    if welcome is not None:
        changes["welcome"] = clean_line(
            welcome, field="welcome", max_length=WELCOME_MAX, required=False
        )
    row, _created = InstallationSettings.objects.update_or_create(pk=1, defaults=changes)
    return row
