"""Who can invite, and what an invitation still allows.

Both are decided when an invitation is used, not only when it is created: the links of people who have left,
were removed or were deactivated don't work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.installation import sign_up_policy
from accounts.models import SignUpPolicy, User
from chatty.common.errors import ChatError
from conversations import access, permissions
from conversations import limits as conversation_limits
from conversations.invitations.models import Invitation
from conversations.models import Conversation, Departure, Membership, Removal
from conversations.permissions import Action, Grant

INVITE = Action(
    "invite",
    "Invite people with a link or by email",
    (Grant(permissions.MEMBERS, permissions.GROUPS),),
    setting="inviting",
)


def refusal(membership: Membership) -> ChatError | None:
    """Return why the member can't invite people to the conversation now, None if they can."""
    return access.refusal(INVITE.name, membership)


def can_bring_back(membership: Membership) -> bool:
    """Whether the member can invite someone who was removed: if they could add that person again."""
    return access.allows("allow-to-join", membership)


def can_sign_up() -> bool:
    """Return whether people can sign up with an invitation. If not, one has to be for a conversation."""
    return sign_up_policy() != SignUpPolicy.CLOSED


@dataclass(frozen=True, slots=True)
class Offer:
    """An invitation, as someone who opens its link gets it.

    `conversations`: those that can be joined, or that the person is a member of. `joined`: the ids of those.
    """

    invitation: Invitation
    conversations: list[Conversation]
    joined: frozenset[int] = frozenset()

    @property
    def inviter(self) -> User:
        return self.invitation.created_by

    @property
    def is_accepted(self) -> bool:
        """Whether accepting it would change nothing for someone who has an account."""
        return all(each.pk in self.joined for each in self.conversations)


def check_live(invitation: Invitation) -> None:
    """Raise ChatError("invitation_ended" | "invitation_expired" | "invitation_used") unless it is valid."""
    if invitation.revoked_at is not None or not invitation.created_by.is_active:
        raise ChatError("invitation_ended")
    if invitation.expires_at <= timezone.now():
        raise ChatError("invitation_expired")
    if invitation.uses_max is not None and invitation.uses >= invitation.uses_max:
        raise ChatError("invitation_used")


def inviting_memberships(invitation: Invitation) -> dict[int, Membership]:
    """Return the inviter's memberships in the invitation's conversations, by the ids of those. One query."""
    rows = Membership.objects.select_related("conversation").filter(
        user_id=invitation.created_by_id,
        conversation__in=invitation.targets.values("conversation"),
        conversation__deleted_at=None,
    )
    return {row.conversation_id: row for row in rows}


def check_joinable(
    invitation: Invitation,
    inviting: Membership | None,
    removal: Removal | None,
    departure: Departure | None,
) -> Membership:
    """Return the inviter's membership if its conversation can be joined with the invitation.

    `removal`, `departure`: of the person who wants to join. The conversation may be full nevertheless.
    Raises ChatError("invitation_ended" | "archived" | "removed").
    """
    if inviting is None:
        raise ChatError("invitation_ended")
    if (refused := refusal(inviting)) is not None:
        if refused.code == "archived":
            raise ChatError("archived", _("This conversation is archived, so no one can join it."))
        raise ChatError("invitation_ended")
    # A link from before the removal must not bring the person back.
    is_older = removal is not None and invitation.link_made_at <= removal.removed_at
    if is_older or (removal is not None and not can_bring_back(inviting)):
        raise ChatError("removed")
    # Everyone can join a public conversation without a link, too.
    is_private = inviting.conversation.access != Conversation.Access.OPEN
    if departure is not None and is_private and invitation.link_made_at <= departure.left_at:
        raise ChatError(
            "invitation_ended",
            _("You’ve left this conversation since this link was made. Ask for a new one."),
        )
    return inviting


def check_room(conversation: Conversation, members: int) -> None:
    """Raise ChatError("too_many") if a conversation with this many members is full."""
    if members >= conversation_limits.MEMBERS_MAX:
        raise ChatError("too_many", _("This conversation is full."))


def most_telling(errors: Sequence[ChatError]) -> ChatError:
    """Return the error to show if none of the conversations can be joined; with none, they were deleted."""
    for code in ("removed", "too_many", "archived"):
        for error in errors:
            if error.code == code:
                return error
    if errors:
        return errors[0]
    return ChatError("invitation_ended", _("The conversation it was for was deleted."))
