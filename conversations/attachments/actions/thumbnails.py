"""Thumbnails of pictures, made by a job after the upload. Until then, the picture itself is served."""

from __future__ import annotations

import logging

from chatty.common.errors import ChatError
from chatty.jobs import queue
from conversations.attachments import limits, storage
from conversations.attachments.media import pictures
from conversations.attachments.models import File

logger = logging.getLogger(__name__)

_MAKE = "make_thumbnails"


def make_later(file: File) -> None:
    """Enqueue the job, at the end of a transaction."""
    queue.enqueue(_MAKE, {"file_id": file.pk}, key=file.pk)


def _make(file_id: str) -> bool:
    """Store the thumbnails of a picture, outside of a transaction. Returns False if it has none."""
    # Nothing removes its bytes at the same time, or the thumbnails would be left.
    with storage.writing(file_id):
        file = File.objects.filter(pk=file_id, removed_at=None).first()
        if file is None:
            return False
        try:
            _store(file)
        except FileNotFoundError:
            logger.warning("A picture is missing: %s", file_id)
            return False
        except ChatError as error:
            if error.code != "bad_file":
                raise
            logger.warning("A picture can’t be decoded: %s", file_id)
            return False
        finally:
            storage.remove_part(file_id)
    return True


def _store(file: File) -> None:
    targets = {size: storage.part_path(f"{file.pk}.{size}") for size in limits.THUMBNAILS}
    original = storage.part_path(f"{file.pk}.original")
    with storage.local_copy(file.stored_name, original) as path:
        sides = {limits.THUMBNAILS[size]: target for size, target in targets.items()}
        pictures.make_thumbnails(path, file.type, sides)
    for size, target in targets.items():
        storage.remove(file.thumbnail_name(size))  # of an earlier attempt
        storage.keep(target, file.thumbnail_name(size))


def _note(made: bool, file_id: str) -> None:
    if made:
        File.objects.filter(pk=file_id).update(has_thumbnails=True)


def register() -> None:
    queue.register(_MAKE, _note, prepare=_make)
