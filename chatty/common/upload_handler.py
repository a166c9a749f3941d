"""Where Django keeps the larger files of a form until a view has read them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler


class DataDirUploadHandler(FileUploadHandler):
    """As Django's TemporaryFileUploadHandler, but in DATA_DIR: the directory of temporary files of a system
    can be in its memory."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        directory = Path(settings.DATA_DIR) / "uploads"
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115 - closed by Django
        self.file: UploadedFile = UploadedFile(
            temporary, self.file_name, self.content_type, 0, self.charset, self.content_type_extra
        )

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self.file.write(raw_data)

    def file_complete(self, file_size: int) -> UploadedFile:
        self.file.seek(0)
        self.file.size = file_size
        return self.file

    def upload_interrupted(self) -> None:
        if hasattr(self, "file"):
            self.file.close()
