"""Files of the cast."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.files.storage import storages

from accounts.models import User
from conversations.attachments.actions import uploading
from conversations.attachments.models import File
from conversations.attachments.storage import LocalStorage
from conversations.tests.conftest import api_of, group, open_group, pair, published, recorder
from conversations.tests.helpers import new_key

__all__ = ["api_of", "group", "open_group", "pair", "published", "recorder"]

Upload = Callable[..., File]


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, settings, monkeypatch) -> Path:
    """Files of a test are in a directory of its own."""
    settings.DATA_DIR = tmp_path
    monkeypatch.setitem(storages._storages, "files", LocalStorage(location=tmp_path / "files"))
    return tmp_path


@pytest.fixture
def upload() -> Upload:
    """upload(user, name, data) uploads a file completely."""

    def create(user: User, name: str = "notes.txt", data: bytes = b"Buy bread.\n") -> File:
        file, _created = uploading.begin(user, key=new_key(), name=name, size=len(data))
        uploading.add_piece(user, file.pk, 0, data)
        return uploading.find(user, file.pk)

    return create


def stored(data_dir: Path) -> list[str]:
    """Return the names of all that is stored, complete or not."""
    paths = [*(data_dir / "files").rglob("*"), *(data_dir / "uploads").rglob("*")]
    return sorted(path.name for path in paths if path.is_file())
