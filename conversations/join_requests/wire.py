"""Links and requests as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from accounts.wire import PersonOut, person_to_wire
from chatty.common.structs import Choices, one_of
from conversations.join_requests.models import JoinRequest

_State = Annotated[str, one_of(JoinRequest.State)]
_OwnState = Annotated[
    str,
    one_of(Choices("OwnJoinRequestState", {"waiting": "waiting", "declined": "declined"})),
]


class JoinLinkOut(msgspec.Struct, frozen=True):
    """The link with which people can ask to join."""

    url: Annotated[
        str | None,
        msgspec.Meta(
            description="Null if there is none, or it can no longer be shown: make a new one."
        ),
    ]


class JoinRequestOut(msgspec.Struct, frozen=True):
    """Someone who asks to join, for admins."""

    user: PersonOut
    note: str
    state: _State
    created_at: Annotated[datetime, msgspec.Meta(tz=True)]


class JoinRequestsOut(msgspec.Struct, frozen=True):
    results: list[JoinRequestOut]


class OwnJoinRequestOut(msgspec.Struct, frozen=True):
    """A request of your own to join a conversation."""

    conversation: int
    name: str
    note: str
    state: _OwnState
    created_at: Annotated[datetime, msgspec.Meta(tz=True)]


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
        name=request.conversation_name,
        note=request.note,
        state="waiting" if waiting else "declined",
        created_at=request.created_at,
    )
