"""Files as a part of the content of messages: capabilities.ClaimedPart."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from chatty.common.errors import ChatError, Sentence
from chatty.common.upload_handler import require_received
from conversations import capabilities, limits
from conversations.attachments import wire
from conversations.attachments.actions import removing, uploading
from conversations.attachments.models import File, is_id
from conversations.attachments.rules import SEND_FILES
from conversations.content import FileReference, too_many_files
from conversations.models import Message


class FileClaims:
    def __init__(self, files: Mapping[str, File]) -> None:
        self._files = files
        self._taken: set[str] = set()

    def claim(self, user_id: int, value: Sequence[FileReference]) -> list[dict[str, Any]]:
        found = [self._get(user_id, each.upload) for each in value]
        self._taken.update(file.pk for file in found)
        return [wire.stored_value(file, each.alt) for file, each in zip(found, value, strict=True)]

    def _get(self, user_id: int, upload: str) -> File:
        file = self._files.get(upload)
        if file is None or file.owner_id != user_id or file.message_id or upload in self._taken:
            raise _error("upload_gone")
        if not file.is_complete:
            raise _error("invalid", _("A file of this message has not arrived completely yet."))
        return file

    def attach(self, stored: Sequence[tuple[Message, Sequence[Mapping[str, Any]]]]) -> None:
        changed = []
        for message, values in stored:
            for position, value in enumerate(values):
                file = self._files[value["id"]]
                file.message_id, file.conversation_id = message.pk, message.conversation_id
                file.position, file.alt = position, value["alt"]
                changed.append(file)
        File.objects.bulk_update(changed, ["message", "conversation", "position", "alt"])


class FilesPart:
    action = SEND_FILES.name

    def lock(self, values: Sequence[tuple[int, Sequence[FileReference]]]) -> FileClaims:
        ids = {each.upload for _user_id, references in values for each in references}
        known = list(filter(is_id, ids))
        rows: Any = File.objects.select_for_update(no_key=True).filter(
            pk__in=known, removed_at=None
        )
        return FileClaims({file.pk: file for file in rows.order_by("pk")})

    def release(self, message_ids: Collection[int]) -> None:
        removing.release(message_ids)

    def text(self, stored: Sequence[Mapping[str, Any]]) -> str:
        # The sign sets names apart from the words before them, in any language.
        return f"📎 {', '.join(each['name'] for each in stored)}"

    def from_form(
        self, user: User, key: str, files: Sequence[UploadedFile]
    ) -> tuple[FileReference, ...]:
        # Before any of them is stored.
        if len(files) > limits.FILES_MAX:
            raise too_many_files()
        for file in files:
            require_received(file)
            uploading.require_size(file.size or 0)
        key = limits.valid_key(key)
        # A form that is sent twice uploads its files once.
        keys = [_digest(f"{key} {number}") for number in range(len(files))]
        return tuple(
            FileReference(uploading.upload_whole(user, key=key_of_file, file=file).pk)
            for key_of_file, file in zip(keys, files, strict=True)
        )


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _error(code: str, detail: Sentence | None = None) -> ChatError:
    error = ChatError(code, detail)
    return ChatError(code, detail, fields={"files": [error.detail]})


def register() -> None:
    capabilities.register_claimed_part("files", FilesPart())
