"""Removing files. In the transaction, they are only marked, and no one can see them any more. A job then
removes the bytes, as often as it takes, and at last the row."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from django.db.models import QuerySet
from django.utils import timezone

from chatty.common.errors import ChatError
from chatty.jobs import queue, upkeep
from conversations.attachments import storage
from conversations.attachments.models import File

_REMOVE = "remove_files"


def release(message_ids: Collection[int]) -> None:
    """Remove the files of messages, which are deleted in this transaction."""
    mark(File.objects.filter(message_id__in=message_ids))


def mark(rows: QuerySet[File]) -> int:
    """Remove files. Their keys are free for other uploads."""
    number = rows.update(removed_at=timezone.now(), message=None, conversation=None, alt="")
    if number:
        queue.enqueue(_REMOVE, key="")
    return number


def _remove_bytes() -> tuple[list[str], bool]:
    """Remove the bytes of some files, outside of a transaction. Returns whose, and whether to go on soon.

    A file to which a request is adding, or whose thumbnails are being made, has its turn later: what those
    store would be left.
    """
    ids = File.objects.filter(removed_at__isnull=False).order_by("removed_at", "pk")
    gone = []
    marked = list(ids[: upkeep.BATCH])
    for file in marked:
        try:
            with storage.writing(file.pk):
                storage.remove_part(file.pk)
                storage.remove(*file.stored_names)
        except ChatError as error:
            if error.code != "busy":
                raise
        else:
            gone.append(file.pk)
    return gone, len(gone) < len(marked)


def _remove_rows(removed: tuple[list[str], bool]) -> queue.Again | None:
    gone, some_are_left = removed
    File.objects.filter(pk__in=gone).delete()
    if some_are_left:
        return queue.again(1.0)
    return queue.again() if len(gone) == upkeep.BATCH else None


def _expired() -> QuerySet[File]:
    return File.objects.filter(message=None, removed_at=None, expires_at__lt=timezone.now())


def _find_expired() -> list[str]:
    return list(_expired().values_list("pk", flat=True)[: upkeep.BATCH])


def _mark_expired(ids: list[str]) -> int:
    # With the condition again: a message may have been sent with one since.
    return mark(_expired().filter(pk__in=ids))


def _find_marked() -> list[str]:
    """For those whose job was lost or set aside."""
    marked = File.objects.filter(removed_at__lt=timezone.now() - timedelta(hours=1))
    return list(marked.values_list("pk", flat=True)[:1])


def _ensure_removal(ids: list[str]) -> int:
    queue.enqueue(_REMOVE, key="")
    return 0


def register() -> None:
    queue.register(_REMOVE, _remove_rows, prepare=_remove_bytes)
    upkeep.register("uploads", _find_expired, _mark_expired)
    upkeep.register("removed_files", _find_marked, _ensure_removal)
