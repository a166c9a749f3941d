"""Revoking invitations."""

from __future__ import annotations

from accounts.models import User
from chatty.common import timestamps
from chatty.common.errors import ChatError
from conversations.actions.transactions import in_transaction
from conversations.invitations.models import Invitation


@in_transaction
def revoke(user: User, invitation_id: int) -> None:
    """Revoke one's own invitation. Repeating it changes nothing. Raises ChatError("not_found")."""
    if not Invitation.objects.filter(pk=invitation_id, created_by=user).exists():
        raise ChatError("not_found")
    _revoke(invitation_id, user)


@in_transaction
def revoke_as_staff(staff: User, invitation_id: int) -> None:
    """Revoke anyone's invitation. The caller checks the permission."""
    _revoke(invitation_id, staff)


def _revoke(invitation_id: int, by: User) -> None:
    rows = Invitation.objects.filter(pk=invitation_id, revoked_at=None)
    rows.update(revoked_at=timestamps.now(), revoked_by=by)
