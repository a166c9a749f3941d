"""A member's own state in a conversation: read mark, notification level, favourite."""

from __future__ import annotations

from django.db.models import F
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from chatty.common.errors import ChatError
from conversations import access, publisher
from conversations.actions.rules import has_room_to_join
from conversations.actions.transactions import in_transaction
from conversations.changes import ReadMarkChanged
from conversations.events import MembershipChanged
from conversations.models import Membership


@in_transaction
def mark_read(user: User, conversation_id: int, seq: int) -> Membership:
    """Mark everything up to `seq` as read. Never moves back; a larger `seq` than the last is accepted.

    Takes no lock on the conversation, so that readers never block writers.
    """
    membership = access.member_of(user, conversation_id)
    mark_opened(membership)
    seq = min(seq, membership.conversation.last_seq)
    moved = Membership.objects.filter(pk=membership.pk, last_read_seq__lt=seq).update(
        last_read_seq=seq, clock=F("clock") + 1
    )
    if moved:
        membership.last_read_seq = seq
        _publish_read_mark(membership)
    return membership


def mark_opened(membership: Membership) -> None:
    """Note that a person has opened a conversation they were added to, so that it counts as their own.

    If they have reached the limit of their own, it stays unopened, which does not restrict reading.
    Otherwise being added by others could keep people from joining what they want.
    """
    if membership.unopened and has_room_to_join(membership.user_id):
        Membership.objects.filter(pk=membership.pk).update(unopened=False)
        membership.unopened = False


@in_transaction
def mark_unread(user: User, conversation_id: int, seq: int) -> Membership:
    """Mark the message with this `seq` and all later ones as unread."""
    membership = access.member_of(user, conversation_id)
    seq = max(0, min(seq, membership.conversation.last_seq) - 1)
    Membership.objects.filter(pk=membership.pk).update(last_read_seq=seq, clock=F("clock") + 1)
    membership.last_read_seq = seq
    _publish_read_mark(membership)
    return membership


@in_transaction
def set_level(user: User, conversation_id: int, level: str) -> Membership:
    """Set the notification level: all, mentions, nothing; or UNMUTED.

    Raises ChatError: invalid, not_found.
    """
    if level not in (*Membership.Level.values, Membership.UNMUTED):
        raise ChatError("invalid", fields={"level": [_("Unknown notification level.")]})
    membership = access.member_of(user, conversation_id)
    is_muted = membership.level == Membership.Level.NOTHING
    if level == Membership.UNMUTED:
        level = membership.former_level if is_muted else membership.level
    if membership.level == level:
        return membership
    if not is_muted:
        membership.former_level = membership.level
    membership.level = level
    Membership.objects.filter(pk=membership.pk).update(
        level=level, former_level=membership.former_level, clock=F("clock") + 1
    )
    publisher.publish_after_commit(MembershipChanged(user.pk, conversation_id, "level"))
    return membership


@in_transaction
def set_favourite(user: User, conversation_id: int, favourite: bool) -> Membership:
    """List the conversation among the member's favourites, or no longer. Raises ChatError: not_found."""
    membership = access.member_of(user, conversation_id)
    if membership.favourite == favourite:
        return membership
    membership.favourite = favourite
    Membership.objects.filter(pk=membership.pk).update(favourite=favourite)
    publisher.publish_after_commit(MembershipChanged(user.pk, conversation_id, "favourite"))
    return membership


def _publish_read_mark(membership: Membership) -> None:
    publisher.publish_after_commit(
        ReadMarkChanged(membership.conversation_id, membership.user_id, membership.last_read_seq)
    )
