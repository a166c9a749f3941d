"""All changes to invitations. Pages, REST and the admin site use these functions."""

from conversations.invitations.actions.accepting import Accepted, accept, sign_up_and_accept
from conversations.invitations.actions.creating import (
    Created,
    create_invitation,
    create_setup_invitation,
    renew_link,
)
from conversations.invitations.actions.emailing import Answer, Outcome, invite_by_email
from conversations.invitations.actions.revoking import revoke, revoke_as_staff

__all__ = [
    "Accepted",
    "Answer",
    "Created",
    "Outcome",
    "accept",
    "create_invitation",
    "create_setup_invitation",
    "invite_by_email",
    "renew_link",
    "revoke",
    "revoke_as_staff",
    "sign_up_and_accept",
]
