"""Invitations as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from accounts.wire import PersonOut, person_to_wire
from chatty.common.structs import Choices, NextPage, one_of
from conversations.invitations.actions import Accepted, Answer
from conversations.invitations.queries import Listed
from conversations.invitations.rules import Offer

_Instant = Annotated[datetime, msgspec.Meta(tz=True)]
_State = Annotated[
    str,
    one_of(
        Choices(
            "InvitationState",
            {
                "live": "The link works.",
                "expired": "Its time is over.",
                "used": "As many people as possible have used it.",
                "revoked": "You have revoked it.",
                "archived": "All of its conversations are archived.",
                "ended": "You can’t invite to any of its conversations.",
            },
        ),
    ),
]


class InvitedToOut(msgspec.Struct, frozen=True):
    """A conversation that an invitation is for."""

    id: int
    name: str


class InvitationOut(msgspec.Struct, frozen=True):
    """One of your invitations. Its link is only in the response that creates it."""

    id: int
    conversations: list[InvitedToOut]
    note: str
    email: Annotated[str, msgspec.Meta(description="The address it was sent to. Empty for a link.")]
    created_at: _Instant
    expires_at: _Instant
    uses: Annotated[int, msgspec.Meta(description="How many people have used it.")]
    uses_max: Annotated[
        int | None, msgspec.Meta(description="How many people can use it. Null: any number.")
    ]
    state: _State
    people: Annotated[
        list[PersonOut],
        msgspec.Meta(description="The latest 20 people who have used it, latest first."),
    ]


class InvitationsOut(msgspec.Struct, frozen=True):
    """A page of your invitations, latest first."""

    results: list[InvitationOut]
    next: NextPage


class CreatedInvitationOut(msgspec.Struct, frozen=True):
    """An invitation with its link."""

    invitation: InvitationOut
    token: Annotated[str, msgspec.Meta(description="The last part of the link. It is a secret.")]
    link: str


class EmailAnswerOut(msgspec.Struct, frozen=True):
    """What happened with an address."""

    address: str
    outcome: Annotated[
        str,
        one_of(
            Choices(
                "EmailOutcome",
                {
                    "invited": "The email is on its way.",
                    "member": "Has an account, and is a member of all the conversations.",
                    "invalid": "Not an email address.",
                    "too_many": "It got too many invitations today.",
                },
            )
        ),
    ]


class EmailAnswersOut(msgspec.Struct, frozen=True):
    results: list[EmailAnswerOut]


class OfferOut(msgspec.Struct, frozen=True):
    """A valid invitation, as someone with its link gets it."""

    inviter: PersonOut
    note: str
    conversations: list[InvitedToOut]
    expires_at: _Instant
    can_register: Annotated[bool, msgspec.Meta(description="You can create an account with it.")]
    look_alike: Annotated[
        bool,
        msgspec.Meta(
            description="Someone else here has a name that looks like the inviter's, so the name alone "
            "doesn't say who they are."
        ),
    ]


class AcceptedOut(msgspec.Struct, frozen=True):
    """What accepting an invitation did."""

    user: PersonOut
    inviter: PersonOut
    conversations: Annotated[
        list[int],
        msgspec.Meta(description="IDs of its conversations that you are a member of now."),
    ]


def invitation_to_wire(found: Listed) -> InvitationOut:
    invitation = found.invitation
    return InvitationOut(
        id=invitation.pk,
        conversations=[InvitedToOut(each.pk, each.name) for each in found.conversations],
        note=invitation.note,
        email=invitation.email,
        created_at=invitation.created_at,
        expires_at=invitation.expires_at,
        uses=invitation.uses,
        uses_max=invitation.uses_max,
        state=found.state,
        people=[person_to_wire(each) for each in found.people],
    )


def answer_to_wire(answer: Answer) -> EmailAnswerOut:
    return EmailAnswerOut(answer.address, answer.outcome.value)


def offer_to_wire(offer: Offer, *, can_register: bool, look_alike: bool) -> OfferOut:
    return OfferOut(
        inviter=person_to_wire(offer.inviter),
        note=offer.invitation.note,
        conversations=[
            InvitedToOut(each.pk, each.name_for_outsiders) for each in offer.conversations
        ],
        expires_at=offer.invitation.expires_at,
        can_register=can_register,
        look_alike=look_alike,
    )


def accepted_to_wire(accepted: Accepted) -> AcceptedOut:
    return AcceptedOut(
        person_to_wire(accepted.user), person_to_wire(accepted.inviter), accepted.conversations
    )
