"""Request formats of the API of custom emoji. Actions validate the values."""

from __future__ import annotations

from rest_framework import serializers

from chatty.api.fields import StrictSerializer, StrictText
from conversations.api.serializers import Key
from conversations.custom_emoji import limits

_NAME = f"{limits.NAME_MIN} to {limits.NAME_MAX} of `a` to `z`, `0` to `9`, `-`, `+`, and `_` in between."


class NewEmoji(StrictSerializer):
    key = Key(
        required=True,
        help_text="A unique key that you generate for each emoji, so that retries are safe.",
    )
    name = serializers.CharField(trim_whitespace=False, help_text=_NAME)
    picture = serializers.FileField(
        allow_empty_file=True, help_text=f"A PNG, JPEG, WebP or GIF of up to {limits.KB_MAX} KB."
    )


class EmojiName(StrictSerializer):
    name = StrictText(help_text=_NAME)
