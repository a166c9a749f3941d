"""The end of a group, with every word in it."""

from __future__ import annotations

import logging

from accounts.actions import bump_clock
from accounts.models import User
from chatty.common import moments
from chatty.common.errors import ChatError
from conversations import access, limits
from conversations.actions.rules import memberships_of
from conversations.actions.transactions import in_transaction
from conversations.models import Conversation, Message, Reaction
from conversations.realtime import fanout
from conversations.realtime.events import Concerns, Ended

logger = logging.getLogger(__name__)


def delete_conversation(user: User, conversation_id: int) -> None:
    """Delete a group for good, with every word in it. Raises ChatError: not_found, not_allowed.

    One transaction ends it for everybody; the rows follow in batches, so that no lock is held for
    long. What a crash or a database that goes away leaves of them, purge_deleted() finds.
    """
    _end_conversation(user, conversation_id)
    try:
        purge_deleted(conversation_id)
    except ChatError as refusal:
        # It is gone for everybody, and that is what was asked for: "try again" would find nothing.
        logger.warning("rows of a deleted conversation are left for the next start: %s", refusal)


@in_transaction
def _end_conversation(user: User, conversation_id: int) -> None:
    membership = access.member_of(user, conversation_id, lock=True)
    if not access.can_delete_conversation(membership):
        raise ChatError("not_allowed")
    conversation = membership.conversation
    ids = set(memberships_of(conversation).values_list("user_id", flat=True))
    memberships_of(conversation).delete()
    conversation.deleted_at = moments.now()
    conversation.save(update_fields=["deleted_at"])
    bump_clock(ids)
    told = [Concerns(user_id, conversation.pk, "deleted") for user_id in sorted(ids)]
    fanout.tell_after_commit(Ended(conversation.pk), *told)


def purge_deleted(conversation_id: int | None = None) -> int:
    """Remove the rows of deleted conversations (or of one). Returns how many messages went."""
    ended = Conversation.objects.filter(deleted_at__isnull=False)
    if conversation_id is not None:
        ended = ended.filter(pk=conversation_id)
    gone = 0
    for conversation in ended:
        while batch := _purge_batch(conversation.pk):
            gone += batch
        in_transaction(conversation.delete)()
    return gone


@in_transaction
def _purge_batch(conversation_id: int) -> int:
    # Newest first: a message quoted by a later one goes after it.
    rows = Message.objects.filter(conversation_id=conversation_id).order_by("-seq")
    ids = list(rows.values_list("pk", flat=True)[: limits.BULK])
    Reaction.objects.filter(message_id__in=ids).delete()
    # The raw delete leaves out what Django would look up for each row; nothing refers to these now.
    Message.objects.filter(pk__in=ids)._raw_delete(using="default")
    return len(ids)
