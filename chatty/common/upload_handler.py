"""Where Django keeps the larger files of a form until a view has read them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler

from chatty.common.disk import error_of_disk
from chatty.common.errors import ChatError


class DataDirUploadHandler(FileUploadHandler):
    """As Django's TemporaryFileUploadHandler, but in DATA_DIR: the directory of temporary files of a system
    can be in its memory."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self.file: ReceivedFile | None = None
        self.error: ChatError | None = None
        with self._noting_errors():
            directory = Path(settings.DATA_DIR) / "uploads"
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            temporary = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115 - closed by Django
            self.file = ReceivedFile(
                temporary,
                self.file_name,
                self.content_type,
                0,
                self.charset,
                self.content_type_extra,
            )

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        with self._noting_errors():
            if self.file and not self.error:
                self.file.write(raw_data)

    def file_complete(self, file_size: int) -> UploadedFile:
        with self._noting_errors():
            if self.file and not self.error:
                self.file.seek(0)
        made = self.file or ReceivedFile(BytesIO(), self.file_name, self.content_type)
        made.size, made.error = file_size, self.error
        return made

    def upload_interrupted(self) -> None:
        if self.file:
            self.file.close()

    @contextmanager
    def _noting_errors(self) -> Iterator[None]:
        """Keep an error for the view. Raised here, in the middle of a form, it would be one of the server."""
        try:
            yield
        except OSError as error:
            self.error = error_of_disk(error)
            if self.file:  # there is no use for a part of it, and others need the space
                with suppress(OSError):
                    self.file.truncate(0)


class ReceivedFile(UploadedFile):
    """`error`: why its bytes are not there."""

    error: ChatError | None = None


def require_received(file: UploadedFile) -> None:
    """Raise the ChatError because of which a file of a form couldn't be kept."""
    if isinstance(file, ReceivedFile) and file.error:
        raise file.error
