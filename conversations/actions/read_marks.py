"""One's own view of a conversation: how far it was read, what to be notified of."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from accounts.models import User
from chatty.common.errors import ChatError
from conversations import access, protocol, publisher
from conversations.actions.rules import has_room_to_join
from conversations.actions.transactions import in_transaction
from conversations.events import MembershipChanged, ReadMarkMoved, UserFrame
from conversations.models import Membership


@in_transaction
def mark_read(user: User, conversation_id: int, seq: int) -> Membership:
    """Note that everything up to `seq` was seen. Never goes back; a seq beyond the last is the last.

    Takes no lock on the conversation: readers must not stand in the writers' way.
    """
    membership = access.member_of(user, conversation_id)
    mark_opened(membership)
    seq = min(seq, membership.conversation.last_seq)
    moved = Membership.objects.filter(pk=membership.pk, last_read_seq__lt=seq).update(
        last_read_seq=seq
    )
    if moved:
        membership.last_read_seq = seq
        _publish_read_mark(membership)
    return membership


def mark_opened(membership: Membership) -> None:
    """Note that a person has looked at a conversation others put them in: it is now their own.

    Where their own are at the limit it stays among those not opened, and can be read all the same:
    so looking at what others added never takes room from what a person wants to join.
    """
    if membership.unopened and has_room_to_join(membership.user_id):
        Membership.objects.filter(pk=membership.pk).update(unopened=False)
        membership.unopened = False


@in_transaction
def mark_unread(user: User, conversation_id: int, seq: int) -> Membership:
    """Make the message at `seq`, and all after it, unread again."""
    membership = access.member_of(user, conversation_id)
    seq = max(0, min(seq, membership.conversation.last_seq) - 1)
    Membership.objects.filter(pk=membership.pk).update(last_read_seq=seq)
    membership.last_read_seq = seq
    _publish_read_mark(membership)
    return membership


@in_transaction
def set_level(user: User, conversation_id: int, level: str) -> Membership:
    """Choose what to be notified of: all, mentions, nothing. Raises ChatError: invalid, not_found."""
    if level not in Membership.Level.values:
        raise ChatError("invalid", fields={"level": [_("Unknown notification level.")]})
    membership = access.member_of(user, conversation_id)
    if membership.level == level:
        return membership
    membership.level = level
    membership.save(update_fields=["level"])
    publisher.publish_after_commit(MembershipChanged(user.pk, conversation_id, "level"))
    return membership


def _publish_read_mark(membership: Membership) -> None:
    """The reader's own sockets at once, whose tabs and devices are to agree; the others soon."""
    frame = protocol.read(
        conversation=membership.conversation_id,
        user=membership.user_id,
        seq=membership.last_read_seq,
    )
    publisher.publish_after_commit(
        UserFrame(membership.user_id, protocol.encode(frame)),
        ReadMarkMoved(membership.conversation_id, membership.user_id),
    )
