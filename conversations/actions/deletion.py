"""Deleting groups with all their messages."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Q

from accounts.actions import bump_clock
from accounts.models import User
from chatty.common import timestamps, upkeep
from chatty.common.errors import ChatError
from conversations import access, limits, markdown, publisher
from conversations.actions.rules import memberships_of
from conversations.actions.transactions import in_transaction
from conversations.events import ConversationDeleted, MembershipChanged
from conversations.models import Conversation, Message, Reaction


@in_transaction
def delete_conversation(user: User, conversation_id: int) -> None:
    """Permanently delete a group and its messages. Raises ChatError: not_found, not_allowed.

    This hides it from everyone and returns immediately. realtime/purge.py removes its rows afterwards in
    batches, so that a large group keeps neither the request nor other writers waiting.
    """
    membership = access.member_of(user, conversation_id, lock=True)
    if not access.can_delete_conversation(membership):
        raise ChatError("not_allowed")
    conversation = membership.conversation
    ids = set(memberships_of(conversation).values_list("user_id", flat=True))
    memberships_of(conversation).delete()
    conversation.deleted_at = timestamps.now()
    conversation.save(update_fields=["deleted_at"])
    bump_clock(ids)
    told = [MembershipChanged(user_id, conversation.pk, "deleted") for user_id in sorted(ids)]
    publisher.publish_after_commit(ConversationDeleted(conversation.pk), *told)


def purge_deleted() -> int:
    """Remove all rows of deleted conversations. Returns how many messages were removed."""
    gone = 0
    while (batch := purge_batch()) is not None:
        gone += batch
    return gone


@in_transaction
def purge_batch() -> int | None:
    """Remove a batch of messages of a deleted conversation, or the conversation if it has none left.

    Returns how many messages were removed, None if there is nothing to do. Processes that do this at the
    same time work on different conversations (SKIP LOCKED).
    """
    ended = Conversation.objects.filter(deleted_at__isnull=False).order_by("pk")
    conversation = ended.select_for_update(skip_locked=True).first()
    if conversation is None:
        return None
    # Newest first, because replies refer to older messages.
    rows = Message.objects.filter(conversation=conversation).order_by("-seq")
    ids = list(rows.values_list("pk", flat=True)[: limits.PURGE_BATCH])
    if not ids:
        conversation.delete()
        return 0
    Reaction.objects.filter(message_id__in=ids).delete()
    # A raw delete skips Django's search for related rows. That is safe here: the reactions are deleted
    # above, and replies to these messages were deleted before, being newer.
    Message.objects.filter(pk__in=ids)._raw_delete(using="default")
    return len(ids)


def purge_excerpts() -> Iterator[int]:
    """Empty excerpts that no longer belong to their message.

    Processes of earlier versions don't know this column. If they delete or edit a message while this version
    is being installed, an excerpt that this version has stored stays in the row. Nothing shows it, but it
    must not be kept.
    """
    found = Message.objects.raw(_FORMER_EXCERPTS)
    left = [message.pk for message in found]
    for start in range(0, len(left), upkeep.BATCH):
        yield _empty_excerpts(left[start : start + upkeep.BATCH])


# The condition of the index message_former_excerpt, as SQL without parameters: SQLite doesn't use a partial
# index for those.
_FORMER_EXCERPTS = """SELECT id FROM conversations_message
    WHERE excerpt > '' AND (renderer < 3 OR deleted_at IS NOT NULL) ORDER BY id LIMIT 10000"""


@in_transaction
def _empty_excerpts(ids: list[int]) -> int:
    # With the condition again: one may have been edited since, and has its own excerpt now.
    former = Q(renderer__lt=markdown.EXCERPTS_SINCE) | Q(deleted_at__isnull=False)
    return Message.objects.filter(former, pk__in=ids).update(excerpt=None)


upkeep.register("excerpts", purge_excerpts)
