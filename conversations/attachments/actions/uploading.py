"""Uploads: announced with a name and a size, then sent in pieces, from where the last one ended.

How far an upload is, is the length of its file and nothing else. So whatever is killed in between, it
continues there, and a piece that is sent twice changes nothing.
"""

from __future__ import annotations

from typing import IO

from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError
from django.utils import timezone
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from chatty.common.errors import ChatError
from chatty.common.rows import columns_of, instance_from_row
from chatty.common.spending import spending
from chatty.common.text import counted
from chatty.statements import fetch_rows
from conversations import limits as conversation_limits
from conversations.actions.transactions import in_transaction
from conversations.attachments import limits, rules, storage, wire
from conversations.attachments.actions import removing, thumbnails
from conversations.attachments.actions.examining import examine
from conversations.attachments.models import File, is_id
from conversations.attachments.names import clean_name

_FORM_PIECE = 256 * 1024


class WrongOffsetError(ChatError):
    """`offset`: where the upload continues."""

    def __init__(self, offset: int) -> None:
        super().__init__("wrong_offset")
        self.offset = offset


def begin(user: User, *, key: str, name: str, size: int) -> tuple[File, bool]:
    """Announce an upload. Returns it, and False if it was announced before with this key.

    Raises ChatError: invalid, bad_text, empty, too_big, key_reused, slow_down, too_many, quota_reached,
    storage_full.
    """
    key = conversation_limits.valid_key(key)
    name = clean_name(name)
    require_size(size)
    known = _find_known(user, key, name, size)
    if known is not None:
        return known, False
    try:
        with spending("uploads", str(user.pk)):
            return _create(user, key, name, size)
    except IntegrityError:  # the same request at the same time
        known = _find_known(user, key, name, size)
        if known is None:
            raise
        return known, False


def require_size(size: int) -> None:
    """Raises ChatError("empty" | "too_big")."""
    if size <= 0:
        sentence = _("This file is empty.")
        raise ChatError("empty", sentence, fields={"size": [sentence]})
    if size > conversation_limits.file_max():
        detail = format_lazy(
            _("This file is too big (max {max} MB)."),
            max=counted(conversation_limits.file_max() // rules.MEGABYTE),
        )
        raise ChatError("too_big", detail, fields={"size": [detail]})


def _find_known(user: User, key: str, name: str, size: int) -> File | None:
    known = _read("f.owner_id = %s AND f.key = %s", user.pk, key)
    if known is not None and (known.name, known.size) != (name, size):
        raise ChatError("key_reused", _("This key was already used for something else."))
    return known


@in_transaction
def _create(user: User, key: str, name: str, size: int) -> tuple[File, bool]:
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    known = _find_known(user, key, name, size)
    if known is not None:
        return known, False
    rules.require_room(user, size)
    now = timezone.now()
    file = File.objects.create(
        owner=user,
        key=key,
        name=name,
        size=size,
        created_at=now,
        expires_at=now + limits.KEPT,
    )
    return file, True


def find(user: User, file_id: str) -> File:
    """Return an upload of this person. Raises ChatError("not_found")."""
    if not is_id(file_id):
        raise ChatError("not_found")
    file = _read("f.id = %s AND f.owner_id = %s", file_id, user.pk)
    if file is None:
        raise ChatError("not_found")
    return file


def _read(condition: str, *parameters: int | str) -> File | None:
    """Return the upload for a condition about the table "f". Every piece of every upload looks here, and the
    queries of the ORM took a third of a piece's CPU time."""
    rows = fetch_rows(
        f"SELECT {columns_of(File, 'f')} FROM {File._meta.db_table} f"  # noqa: S608 - only our own names
        f" WHERE {condition} AND f.removed_at IS NULL",
        parameters,
    )
    return instance_from_row(File, rows[0]) if rows else None


def offset_of(file: File) -> int:
    """Return how many bytes have arrived."""
    if file.is_complete:
        return file.size
    return storage.offset_of(file.pk) or (file.size if _is_kept(file) else 0)


def add_piece(user: User, file_id: str, offset: int, *piece: bytes) -> int:
    """Add chunks of bytes at an offset, and return how many have arrived. After the last one, the file is
    examined and stored; if that was interrupted, an empty piece at the end continues it.

    Raises WrongOffsetError, and ChatError: not_found, too_big, busy, unavailable; and storage_full, bad_file:
    then nothing is left of the upload.
    """
    file = find(user, file_id)
    with storage.writing(file_id):
        # Again: another request may just have completed it.
        file = find(user, file_id)
        arrived = offset_of(file)
        if offset != arrived:
            raise WrongOffsetError(arrived)
        size = sum(map(len, piece))
        if arrived + size > file.size:
            raise ChatError("too_big", _("These are more bytes than the size of the file."))
        if file.is_complete:
            return arrived
        try:
            if size:
                storage.append(file_id, piece)
            arrived += size
            if arrived == file.size:
                _complete(file)
        except ChatError as error:
            if error.code in ("storage_full", "bad_file"):
                _abandon(file)
            raise
    return arrived


def upload_whole(user: User, *, key: str, file: UploadedFile) -> File:
    """Store a file of a form, which has arrived completely. Raises ChatError as begin() and add_piece()."""
    row, _created = begin(user, key=key, name=file.name or "", size=file.size or 0)
    offset = offset_of(row)
    source: IO[bytes] = file.file  # type: ignore[assignment]
    source.seek(offset)
    while not row.is_complete:
        piece = source.read(min(_FORM_PIECE, row.size - offset))
        offset = add_piece(user, row.pk, offset, piece)
        if offset == row.size:
            row = find(user, row.pk)
        elif not piece:
            raise ChatError("invalid", _("The file didn’t arrive completely. Send it again."))
    return row


def give_up(user: User, file_id: str) -> None:
    """Remove an upload that no message has. Raises ChatError: not_found, not_allowed."""
    file = find(user, file_id)
    if file.message_id is not None:
        raise ChatError("not_allowed", _("This file belongs to a message."))
    _remove(file)


@in_transaction
def _remove(file: File) -> None:
    removing.mark(File.objects.filter(pk=file.pk, message=None, removed_at=None))


def _abandon(file: File) -> None:
    storage.remove_part(file.pk)
    _remove(file)


# --- the end of an upload -------------------------------------------------------------------------------


def _is_kept(file: File) -> bool:
    """Whether its bytes are stored, but the row doesn't say so: a process was killed in between."""
    return file.stored_size is not None and storage.exists(file.stored_name)


def _complete(file: File) -> None:
    """Find out what the file is, store it, and note that. Each step can be repeated after a crash."""
    if not _is_kept(file):
        path = storage.part_path(file.pk)
        found = examine(path, file.name)
        file.kind, file.type = found.kind, found.type
        file.width, file.height = found.width, found.height
        file.duration, file.animated = found.duration, found.animated
        file.stored_size = found.path.stat().st_size
        file.save(update_fields=[*_FOUND])
        storage.keep(found.path, file.stored_name)
    storage.remove_part(file.pk)
    _note_complete(file)


_FOUND = ("kind", "type", "width", "height", "duration", "animated", "stored_size")


@in_transaction
def _note_complete(file: File) -> None:
    now = timezone.now()
    # From now on, there is time to write the message.
    file.completed_at, file.expires_at = now, now + limits.KEPT
    file.save(update_fields=["completed_at", "expires_at"])
    if wire.needs_thumbnails(file):
        thumbnails.make_later(file)


def register() -> None:
    removing.register()
    thumbnails.register()
