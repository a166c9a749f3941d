"""Deleted conversations: readers learn of them before their rows are removed."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from chatty.jobs import upkeep
from conversations.changefeed.models import Cursor, ReaderState, SetAsideChange
from conversations.changefeed.readers import Reader, registered
from conversations.models import Membership


def active_readers() -> list[Reader]:
    """Return the registered readers that no administrator has stopped."""
    stopped = set(ReaderState.objects.filter(active=False).values_list("name", flat=True))
    return [reader for reader in registered() if reader.name not in stopped]


def all_readers_know(conversation_id: int) -> bool:
    """Whether all active readers know that this conversation was deleted, so that its rows can be removed.

    A cursor that was set aside counts as knowing.
    """
    return not _ignorant_readers(conversation_id)


def forget_conversation(conversation_id: int) -> None:
    """Remove the cursors of a conversation whose rows are removed in this transaction.

    Readers that don't know yet are called afterwards, with its id alone.
    """
    with transaction.atomic():
        cursors = _cursors(conversation_id)
        for reader in _ignorant_readers(conversation_id):
            Cursor.objects.update_or_create(
                reader=reader,
                source=Cursor.Source.CONVERSATION,
                subject_id=conversation_id,
                defaults={"orphaned": True},
            )
        cursors.filter(orphaned=False).delete()
        SetAsideChange.objects.filter(conversation_id=conversation_id).delete()


def _ignorant_readers(conversation_id: int) -> list[str]:
    known = _cursors(conversation_id)
    known = known.filter(ended=True) | known.filter(set_aside_at__isnull=False)
    names = set(known.values_list("reader", flat=True))
    return [reader.name for reader in active_readers() if reader.name not in names]


def cursors_of_ended_memberships() -> QuerySet[Cursor]:
    ended = ~Exists(Membership.objects.filter(pk=OuterRef("subject_id")))
    return Cursor.objects.filter(ended, source=Cursor.Source.MEMBERSHIP)


def _cursors(conversation_id: int) -> QuerySet[Cursor]:
    return Cursor.objects.filter(source=Cursor.Source.CONVERSATION, subject_id=conversation_id)


upkeep.register_rows("cursors", cursors_of_ended_memberships)
