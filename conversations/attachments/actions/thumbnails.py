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
    file = File.objects.filter(pk=file_id, removed_at=None).first()
    if file is None:
        return False
    scratch = storage.part_path(f"{file_id}.thumbnail")
    try:
        for size, side in limits.THUMBNAILS.items():
            with storage.open_stored(file.stored_name) as source, scratch.open("wb") as target:
                pictures.write_thumbnail(source, file.type, side, target)
            storage.remove(file.thumbnail_name(size))  # of an earlier attempt
            storage.keep(scratch, file.thumbnail_name(size))
    except ChatError as error:
        if error.code != "bad_file":
            raise
        logger.warning("A picture can't be decoded: %s", file_id)
        return False
    finally:
        scratch.unlink(missing_ok=True)
    return True


def _note(made: bool, file_id: str) -> None:
    if made:
        File.objects.filter(pk=file_id).update(has_thumbnails=True)


def register() -> None:
    queue.register(_MAKE, _note, prepare=_make)
