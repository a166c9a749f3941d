"""People as everyone outside gets them: sockets, REST and pages."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from accounts.models import Contrast, Density, SignIn, Theme, TimeFormat, User
from chatty.common.entity_tags import entity_tag
from chatty.common.structs import Choices, NextPage, one_of

_Instant = Annotated[datetime, msgspec.Meta(tz=True)]


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


class QuietHoursOut(msgspec.Struct, frozen=True):
    """The hours of each day without notifications, in your time zone."""

    start: Annotated[str, msgspec.Meta(description="Such as `22:00`.")]
    end: Annotated[str, msgspec.Meta(description="Such as `08:00`.")]


class MeOut(msgspec.Struct, frozen=True):
    """Your account."""

    id: int
    email: str
    email_confirmed: Annotated[
        bool, msgspec.Meta(description="Whether a link in an email to this address was opened.")
    ]
    new_email: Annotated[
        str,
        msgspec.Meta(description="The address that replaces `email` once confirmed. Empty: none."),
    ]
    name: str
    title: Annotated[str, msgspec.Meta(description="What you do, such as “Designer”.")]
    status: Annotated[
        StatusOut | None, msgspec.Meta(description="Null if you have none, or it has ended.")
    ]
    hue: Annotated[int, msgspec.Meta(description="Avatar colour, 0 to 11.")]
    picture: Annotated[
        str | None,
        msgspec.Meta(
            description="URL of the picture, which changes with it. Null: show initials on the avatar "
            "colour."
        ),
    ]
    time_zone: Annotated[str, msgspec.Meta(description="Empty: the server’s.")]
    language: Annotated[
        str, msgspec.Meta(description="For pages and emails. Empty: the browser’s.")
    ]
    theme: Annotated[str, one_of(Theme)]
    contrast: Annotated[str, one_of(Contrast)]
    density: Annotated[str, one_of(Density, "Of messages on the pages.")]
    time_format: Annotated[
        str, one_of(TimeFormat, "On the pages. `language`: as usual in the language.")
    ]
    quiet_hours: Annotated[
        QuietHoursOut | None,
        msgspec.Meta(
            description="When Chatty shows no notifications and plays no sound. Null: never."
        ),
    ]


class SessionOut(msgspec.Struct, frozen=True):
    """A browser or program that you are signed in with."""

    sid: Annotated[str, msgspec.Meta(description="Its id.")]
    kind: Annotated[
        str, one_of(Choices("SessionKind", {"web": "A browser.", "token": "A program."}))
    ]
    client: Annotated[str, msgspec.Meta(description="What it called itself when it signed in.")]
    created_at: _Instant
    last_seen_at: _Instant
    expires_at: Annotated[
        datetime, msgspec.Meta(tz=True, description="When it ends, unless it is used before.")
    ]
    current: Annotated[bool, msgspec.Meta(description="It sent this request.")]


class SessionsOut(msgspec.Struct, frozen=True):
    results: list[SessionOut]


class PendingSignUpOut(msgspec.Struct, frozen=True):
    """There is no account yet."""

    state: Annotated[
        str,
        one_of(
            Choices(
                "PendingSignUpState",
                {
                    "waiting": "An administrator has to approve it.",
                    "unconfirmed": "The link in an email has to be opened.",
                },
            )
        ),
    ]


class PeopleOut(msgspec.Struct, frozen=True):
    """A page of people."""

    results: list[PersonOut]
    next: NextPage


def person_to_wire(user: User) -> PersonOut:
    """Return a person's public profile. No query."""
    return PersonOut(user.pk, user.name, user.hue, user.picture_url)


def me_to_wire(user: User) -> MeOut:
    """Return someone's own account, for themselves only. No query."""
    hours = user.quiet_hours
    return MeOut(
        id=user.pk,
        email=user.email,
        email_confirmed=user.email_confirmed,
        new_email=user.new_email,
        name=user.name,
        title=user.title,
        status=status_to_wire(user),
        hue=user.hue,
        picture=user.picture_url,
        time_zone=user.time_zone,
        language=user.language,
        theme=user.theme,
        contrast=user.contrast,
        density=user.density,
        time_format=user.time_format,
        quiet_hours=QuietHoursOut(hours.start, hours.end) if hours else None,
    )


def status_to_wire(user: User) -> StatusOut | None:
    """Return a person's status, None if they have none or it has ended. No query."""
    if not user.has_status:
        return None
    return StatusOut(user.status_emoji, user.status_text, user.status_until)


def session_to_wire(sign_in: SignIn, *, current: bool) -> SessionOut:
    return SessionOut(
        sid=sign_in.sid,
        kind=sign_in.kind,
        client=sign_in.client,
        created_at=sign_in.created_at,
        last_seen_at=sign_in.last_seen_at,
        expires_at=sign_in.expires_at,
        current=current,
    )


def profile_tag(user: User) -> str:
    """Return the entity tag of someone's own account. It changes with what they can change."""
    shown = (user.name, user.title, user.chosen_hue, user.picture, user.time_zone, user.language)
    look = (user.theme, user.contrast, user.density, user.time_format)
    # As stored, so that the tag stays the same when a status ends: no one has edited anything.
    until = user.status_until.isoformat() if user.status_until else None
    status = (user.status_emoji, user.status_text, until)
    quiet = (user.quiet_start, user.quiet_end)
    return entity_tag(user.pk, user.email, *shown, *look, *status, *quiet)
