"""Links and requests as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from accounts.wire import PersonOut, person_to_wire
from conversations.join_requests.models import JoinRequest

_State = Annotated[
    str, msgspec.Meta(extra_json_schema={"enum": ["waiting", "declined", "blocked"]})
]
_OwnState = Annotated[str, msgspec.Meta(extra_json_schema={"enum": ["waiting", "declined"]})]


class JoinLinkOut(msgspec.Struct, frozen=True):
    """`url`: null if there is no link, or if it was made with a secret key that is no longer known."""

    url: str | None


class JoinRequestOut(msgspec.Struct, frozen=True):
    """Someone who asks to join, for admins."""

    user: PersonOut
    note: str
    state: _State
    created_at: datetime


class JoinRequestsOut(msgspec.Struct, frozen=True):
    results: list[JoinRequestOut]


class OwnJoinRequestOut(msgspec.Struct, frozen=True):
    """A request of your own."""

    conversation: int
    name: str
    note: str
    state: _OwnState
    created_at: datetime


class OwnJoinRequestsOut(msgspec.Struct, frozen=True):
    results: list[OwnJoinRequestOut]


def request_to_wire(request: JoinRequest) -> JoinRequestOut:
    return JoinRequestOut(
        person_to_wire(request.user), request.note, str(request.state), request.created_at
    )


def own_request_to_wire(request: JoinRequest) -> OwnJoinRequestOut:
    """Whether asking was blocked is not said."""
    waiting = request.state == JoinRequest.State.WAITING
    return OwnJoinRequestOut(
        conversation=request.conversation_id,
        name=request.conversation.name,
        note=request.note,
        state="waiting" if waiting else "declined",
        created_at=request.created_at,
    )
