"""People as everyone outside gets them: sockets, REST and pages."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from accounts.models import User
from chatty.common.entity_tags import entity_tag
from chatty.common.structs import NextPage


class PersonOut(msgspec.Struct, frozen=True):
    """A person. Never includes their email address."""

    id: int
    name: str
    hue: Annotated[int, msgspec.Meta(description="Avatar colour, 0 to 11.")]
    picture: Annotated[
        str | None,
        msgspec.Meta(
            description="URL of the picture, which changes with it. Null: show initials on the avatar "
            "colour."
        ),
    ]


class StatusOut(msgspec.Struct, frozen=True):
    """What a person is up to."""

    emoji: str
    text: str
    until: Annotated[
        Annotated[datetime, msgspec.Meta(tz=True)] | None,
        msgspec.Meta(description="When it ends. Null: when they remove it."),
    ]


class PeopleOut(msgspec.Struct, frozen=True):
    """A page of people."""

    results: list[PersonOut]
    next: NextPage


def person_to_wire(user: User) -> PersonOut:
    """Return a person's public profile. No query."""
    return PersonOut(user.pk, user.name, user.hue, user.picture_url)


def status_to_wire(user: User) -> StatusOut | None:
    """Return a person's status, None if they have none or it has ended. No query."""
    if not user.has_status:
        return None
    return StatusOut(user.status_emoji, user.status_text, user.status_until)


def profile_tag(user: User) -> str:
    """Return the entity tag of someone's own account. It changes with what they can change."""
    shown = (user.name, user.title, user.chosen_hue, user.picture, user.time_zone, user.language)
    look = (user.theme, user.contrast, user.density, user.time_format)
    return entity_tag(user.pk, user.email, *shown, *look)
