"""Finding the pinned messages of a conversation."""

from __future__ import annotations

from django.db.models import QuerySet

from conversations import queries
from conversations.models import Message


def pinned_in(conversation_id: int) -> list[Message]:
    """Return the pinned messages, the latest pin first, with all that message_to_wire() needs.

    Three queries, one if there are none. Call this inside access.reading().
    """
    ids = list(_pinned(conversation_id).values_list("pk", flat=True))
    found = queries.read_by_ids(ids) if ids else []
    # They may have changed after the first query.
    rows = [message for message in found if message.pinned and not message.is_deleted]
    return sorted(rows, key=lambda message: (message.pinned["at"], message.pk), reverse=True)


def number_pinned(conversation_id: int) -> int:
    return _pinned(conversation_id).count()


def _pinned(conversation_id: int) -> QuerySet[Message]:
    # A process of the previous version deletes a message without unpinning it.
    return Message.objects.filter(
        conversation=conversation_id, pinned__isnull=False, deleted_at=None
    )
