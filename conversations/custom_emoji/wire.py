"""Custom emoji in the API."""

from __future__ import annotations

from typing import Annotated

import msgspec

from accounts.wire import PersonOut, person_to_wire
from conversations.custom_emoji.models import CustomEmoji
from conversations.emoji import reaction_code
from conversations.wire import timestamp


class CustomEmojiOut(msgspec.Struct, frozen=True):
    id: int
    name: Annotated[str, msgspec.Meta(description="Without colons. In messages, it is `:name:`.")]
    url: Annotated[str, msgspec.Meta(description="The picture, a square WebP.")]
    still: Annotated[
        str | None,
        msgspec.Meta(description="The first frame of an animation. Null for other pictures."),
    ]
    reaction: Annotated[
        str, msgspec.Meta(description="The `emoji` of reactions with it: its name and picture.")
    ]
    added_by: PersonOut
    created_at: str


class CustomEmojiListOut(msgspec.Struct, frozen=True):
    results: Annotated[list[CustomEmojiOut], msgspec.Meta(description="Sorted by name.")]
    can_add: Annotated[bool, msgspec.Meta(description="Whether you can add emoji.")]


def emoji_to_wire(emoji: CustomEmoji) -> CustomEmojiOut:
    address = emoji.picture_id
    url = f"/emoji/{address}/"
    return CustomEmojiOut(
        id=emoji.pk,
        name=emoji.name,
        url=url,
        still=f"{url}still/" if address.startswith("a") else None,
        reaction=reaction_code(emoji.name, address),
        added_by=person_to_wire(emoji.added_by),
        created_at=timestamp(emoji.created_at) or "",
    )
