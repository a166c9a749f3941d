"""Where Django keeps the larger files of a form until a view has read them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler

from chatty.common.disk import error_of_disk
from chatty.common.errors import ChatError


class ReceivedFile(UploadedFile):
    """`error`: why its bytes are not there."""

    error: ChatError | None = None


class DataDirUploadHandler(FileUploadHandler):
    """As Django's TemporaryFileUploadHandler, but in DATA_DIR: the directory of temporary files of a system
    can be in its memory.

    Errors are kept for the view. Raised here, in the middle of a form, they would be errors of the server. Of
    files that are more than a message can have, nothing is kept: the view only has to find out that there
    are too many.
    """

    number = 0

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self.number += 1
        self.file = self._named(BytesIO())
        if self.number <= settings.MESSAGE_FILES_MAX:
            with self._noting_errors():
                directory = Path(settings.DATA_DIR) / "uploads"
                directory.mkdir(parents=True, exist_ok=True, mode=0o700)
                self.file = self._named(tempfile.TemporaryFile(dir=directory))  # noqa: SIM115 - closed by Django

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        if self.number <= settings.MESSAGE_FILES_MAX and not self.file.error:
            with self._noting_errors():
                self.file.write(raw_data)

    def file_complete(self, file_size: int) -> UploadedFile:
        with self._noting_errors():
            self.file.seek(0)
        self.file.size = file_size
        return self.file

    def upload_interrupted(self) -> None:
        if hasattr(self, "file"):
            self.file.close()

    def _named(self, file: IO[bytes]) -> ReceivedFile:
        extra = self.content_type_extra
        return ReceivedFile(file, self.file_name, self.content_type, 0, self.charset, extra)

    @contextmanager
    def _noting_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.file.error = self.file.error or error_of_disk(error)
            with suppress(OSError):  # there is no use for a part of it, and others need the space
                self.file.truncate(0)


def require_received(file: UploadedFile) -> None:
    """Raise the ChatError because of which a file of a form couldn't be kept."""
    if isinstance(file, ReceivedFile) and file.error:
        raise file.error
