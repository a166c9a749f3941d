"""People as everyone outside gets them: sockets, REST and pages."""

from __future__ import annotations

from typing import Annotated

import msgspec

from accounts.models import User
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


class PeopleOut(msgspec.Struct, frozen=True):
    """A page of people."""

    results: list[PersonOut]
    next: NextPage


def person_to_wire(user: User) -> PersonOut:
    """Return a person's public profile. No query."""
    return PersonOut(user.pk, user.name, user.hue, user.picture_url)
