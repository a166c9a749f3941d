"""Accepting an invitation: joining its conversations, and signing up, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import F
from django.views.decorators.debug import sensitive_variables

from accounts import actions as account_actions
from accounts.models import User
from chatty.common import timestamps
from chatty.common.errors import ChatError
from chatty.common.link_tokens import hash_token
from conversations import access
from conversations import actions as conversation_actions
from conversations.actions.rules import require_open_account
from conversations.actions.transactions import in_transaction
from conversations.invitations import queries, rules
from conversations.invitations.models import Acceptance, Invitation
from conversations.models import Conversation, Departure, Membership, Removal


@dataclass(frozen=True, slots=True)
class Accepted:
    """`conversations`: the ids of those of the invitation that the person is a member of now. `joined`:
    whether it made a difference."""

    user: User
    inviter: User
    conversations: list[int]
    joined: bool


def accept(user: User, token: str, *, address: str) -> Accepted:
    """Join the conversations of an invitation. Those that can't be joined are left out.

    Someone who is a member of all of them doesn't use the invitation up. `address`: the client's, for the
    limit on guesses. Raises ChatError: not_found, account_closed, invitation_ended, invitation_expired,
    invitation_used, archived, too_many, removed, slow_down.
    """
    queries.find_invitation(token, address=address)
    return _accept(user, token)


@in_transaction
def _accept(user: User, token: str) -> Accepted:
    return _join_all(require_open_account(user), token, signed_up=False)


@sensitive_variables("password")
def sign_up_and_accept(
    token: str,
    *,
    email: str,
    password: str,
    name: str,
    time_zone: str = "",
    address: str,
    site: str = "",
) -> Accepted:
    """Create an account and join the conversations of an invitation, both or neither.

    Raises ChatError as accept() and accounts.actions.register() do.
    """
    rules.check_live(queries.find_invitation(token, address=address))
    account = account_actions.prepare_account(
        email=email,
        password=password,
        name=name,
        time_zone=time_zone,
        address=address,
        invited=True,
        site=site,
    )
    return _sign_up_and_accept(account, token)


@in_transaction
def _sign_up_and_accept(account: account_actions.NewAccount, token: str) -> Accepted:
    return _join_all(account_actions.store_account(account), token, signed_up=True)


def _join_all(user: User, token: str, *, signed_up: bool) -> Accepted:
    invitation = _invitation_of(token)
    ids = invitation.targets.order_by("conversation_id").values_list("conversation_id", flat=True)
    # Conversations are locked before the invitation, as everywhere, and in the order of their ids.
    locked = [found for pk in ids if (found := _lock(pk)) is not None]
    own = Membership.objects.filter(user=user, conversation__in=locked)
    present = set(own.values_list("conversation_id", flat=True))
    joined: list[int] = []
    errors: list[ChatError] = []
    if len(present) < len(locked) or not invitation.has_conversations:
        rules.check_live(invitation)
        inviting = rules.inviting_memberships(invitation)
        for conversation in locked:
            if conversation.pk not in present:
                try:
                    _join(user, conversation, invitation, inviting.get(conversation.pk))
                    joined.append(conversation.pk)
                except ChatError as error:
                    errors.append(error)
    if invitation.has_conversations and not present and not joined:
        raise rules.most_telling(errors)
    if joined or signed_up:
        _use(invitation)
        Acceptance.objects.get_or_create(
            invitation=invitation,
            user=user,
            defaults={"signed_up": signed_up, "accepted_at": timestamps.now()},
        )
    members = [found.pk for found in locked if found.pk in present or found.pk in joined]
    return Accepted(user, invitation.created_by, members, bool(joined or signed_up))


def _invitation_of(token: str) -> Invitation:
    rows = Invitation.objects.select_related("created_by")
    found = rows.filter(token_hash=hash_token(token)).first()
    if found is None:  # it has a new link since it was looked up
        raise ChatError("not_found")
    return found


def _lock(conversation_id: int) -> Conversation | None:
    try:
        return access.lock_conversation(conversation_id)
    except ChatError:  # deleted
        return None


def _join(
    user: User, conversation: Conversation, invitation: Invitation, inviting: Membership | None
) -> None:
    removal = Removal.objects.filter(conversation=conversation, user=user).first()
    departure = Departure.objects.filter(conversation=conversation, user=user).first()
    rules.check_joinable(invitation, inviting, removal, departure)
    conversation_actions.add_invited(user, conversation, invited_by=invitation.created_by)


def _use(invitation: Invitation) -> None:
    """Count a use. The conditions are part of the UPDATE, so of several people at once, no more than allowed
    succeed. Raises ChatError("invitation_ended" | "invitation_expired" | "invitation_used")."""
    # Only columns of this table: those of others would be in a subquery, whose result PostgreSQL keeps while
    # it waits for another transaction that uses the invitation up.
    known = Invitation.objects.live().filter(pk=invitation.pk, token_hash=invitation.token_hash)
    if not known.update(uses=F("uses") + 1):
        invitation.refresh_from_db()
        rules.check_live(invitation)
        raise ChatError("invitation_ended")  # it has a new link
