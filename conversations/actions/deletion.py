"""Deleting groups with all their messages."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.db.models import Q

from accounts.actions import bump_clock
from accounts.models import User
from chatty.common import timestamps
from chatty.common.entity_tags import Tags, require_match
from chatty.jobs import queue, upkeep
from chatty.jobs.models import Job
from conversations import access, capabilities, limits, markdown, publisher
from conversations.actions.rules import memberships_of
from conversations.actions.transactions import in_transaction
from conversations.changefeed import deletions
from conversations.events import ConversationDeleted, MembershipChanged
from conversations.models import Conversation, Message, Reaction
from conversations.wire import conversation_tag

logger = logging.getLogger(__name__)

_PURGE = "purge_conversation"
_READERS_WAIT = timedelta(hours=1)


@in_transaction
def delete_conversation(user: User, conversation_id: int, *, if_match: Tags = None) -> None:
    """Permanently delete a group and its messages. Raises ChatError: not_found, not_allowed,
    direct_fixed, precondition_failed.

    This hides it from everyone and returns immediately. A job removes its rows afterwards in batches, so
    that a large group keeps neither the request nor other writers waiting.
    """
    membership = access.member_of(user, conversation_id, lock=True)
    conversation = access.require("delete", membership)
    require_match(if_match, conversation_tag(conversation))
    ids = set(memberships_of(conversation).values_list("user_id", flat=True))
    memberships_of(conversation).delete()
    conversation.deleted_at = timestamps.now()
    conversation.save(update_fields=["deleted_at"])
    bump_clock(ids)
    told = [MembershipChanged(user_id, conversation.pk, "deleted") for user_id in sorted(ids)]
    publisher.publish_after_commit(ConversationDeleted(conversation.pk), *told)
    queue.enqueue(_PURGE, {"conversation_id": conversation.pk}, key=str(conversation.pk))


# --- jobs -----------------------------------------------------------------------------------------------


def purge_conversation(conversation_id: int) -> queue.Again | None:
    """Remove a batch of messages of a deleted conversation, or the conversation if it has none left.

    Waits for the readers of the change feed, for _READERS_WAIT at most. They are called with its id alone
    then.
    """
    ended = Conversation.objects.filter(pk=conversation_id, deleted_at__isnull=False)
    conversation = ended.select_for_update().first()
    if conversation is None or conversation.deleted_at is None:
        return None
    all_know = deletions.all_readers_know(conversation_id)
    age = timestamps.now() - conversation.deleted_at
    if not all_know and age < _READERS_WAIT:
        # Soon at first, as they are quick unless something is wrong.
        return queue.again(min(max(age.total_seconds(), 0.5), 60.0))
    # Newest first, because replies refer to older messages.
    rows = Message.objects.filter(conversation=conversation).order_by("-seq")
    ids = list(rows.values_list("pk", flat=True)[: limits.PURGE_BATCH])
    if not ids:
        if not all_know:
            logger.warning("Conversation %s was removed before all readers knew", conversation_id)
        deletions.forget_conversation(conversation_id)
        conversation.delete()
        return None
    Reaction.objects.filter(message_id__in=ids).delete()
    capabilities.release_parts(ids)
    # A raw delete skips Django's search for related rows. That is safe here: the reactions are deleted
    # above, and replies to these messages were deleted before, being newer.
    Message.objects.filter(pk__in=ids)._raw_delete(using="default")
    return queue.again()


def find_deleted_conversations() -> list[int]:
    """Return deleted conversations that have no job: an earlier version, or an administrator, left them."""
    deleted = Conversation.objects.filter(deleted_at__isnull=False).order_by("pk")
    jobs = Job.objects.filter(name=_PURGE).values_list("arguments", flat=True)
    known = {arguments["conversation_id"] for arguments in jobs}
    return [pk for pk in deleted.values_list("pk", flat=True) if pk not in known][: upkeep.BATCH]


def _ensure_purges(ids: list[int]) -> int:
    for pk in ids:
        queue.ensure(_PURGE, {"conversation_id": pk}, key=str(pk))
    return len(ids)


def find_former_excerpts() -> list[int]:
    """Return messages with an excerpt that no longer belongs to them.

    Processes of earlier versions don't know this column. If they delete or edit a message while this version
    is being installed, an excerpt that this version has stored stays in the row. Nothing shows it, but it
    must not be kept.
    """
    return [message.pk for message in Message.objects.raw(_FORMER_EXCERPTS)]


# The condition of the index message_former_excerpt, as SQL without parameters: SQLite doesn't use a partial
# index for those.
_FORMER_EXCERPTS = f"""SELECT id FROM conversations_message
    WHERE excerpt > '' AND (renderer < 3 OR deleted_at IS NOT NULL) ORDER BY id LIMIT {upkeep.BATCH}"""  # noqa: S608


def empty_excerpts(ids: list[int]) -> int:
    # With the condition again: one may have been edited since, and has its own excerpt now.
    former = Q(renderer__lt=markdown.EXCERPTS_SINCE) | Q(deleted_at__isnull=False)
    return Message.objects.filter(former, pk__in=ids).update(excerpt=None)


queue.register(_PURGE, purge_conversation)
upkeep.register("deleted_conversations", find_deleted_conversations, _ensure_purges)
upkeep.register("excerpts", find_former_excerpts, empty_excerpts)
