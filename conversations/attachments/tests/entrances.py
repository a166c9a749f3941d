"""The entrances of files, see tests/entrances.py."""

from __future__ import annotations

from typing import Any

from conversations.attachments import storage
from conversations.attachments.models import File
from conversations.tests.helpers import new_key
from tests.entrances import Entrance, Scene, of_admin


def _announced(scene: Scene) -> dict[str, Any]:
    return {"key": new_key(), "name": "a.txt", "size": 5}


def _missing(scene: Scene) -> dict[str, Any]:
    return {"upload": "0" * 32}


def _upload(scene: Scene) -> str:
    """Return a complete upload of the one who tries. Its bytes don't matter here."""
    if scene.user is None:
        return "0" * 32
    now = scene.conversation.created_at
    file = File.objects.create(
        owner=scene.user,
        key=new_key(),
        name="a.txt",
        size=5,
        stored_size=5,
        created_at=now,
        expires_at=now,
        completed_at=now,
    )
    return str(file.pk)


def _with_file(scene: Scene) -> dict[str, Any]:
    return {"key": new_key(), "body": "", "files": [{"upload": _upload(scene)}]}


def _frame_with_file(scene: Scene) -> dict[str, Any]:
    return {"conversation": scene.conversation.pk, **_with_file(scene)}


def _file_there(scene: Scene) -> dict[str, Any]:
    """A file of a message in the conversation."""
    now = scene.conversation.created_at
    file = File.objects.create(
        owner=scene.mia,
        key=new_key(),
        name="a.png",
        size=5,
        stored_size=5,
        kind="image",
        type="image/png",
        created_at=now,
        expires_at=now,
        completed_at=now,
        message=scene.of_other,
        conversation=scene.conversation,
    )
    path = storage.part_path(file.pk)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"12345")
    storage.keep(path, file.stored_name)
    return {"file_id": file.pk, "name": file.name, "size": "small"}


ENTRANCES = [
    Entrance("api:uploads", "POST", "have-account", _announced),
    Entrance("api:upload", "GET", "have-account", arguments=_missing),
    Entrance("api:upload", "PATCH", "have-account", arguments=_missing),
    Entrance("api:upload", "DELETE", "have-account", arguments=_missing),
    Entrance("api:messages", "POST", "send-files", _with_file),
    Entrance("frame", "send", "send-files", _frame_with_file),
    Entrance("attachments:file", "GET", "read", arguments=_file_there),
    Entrance("attachments:thumbnail", "GET", "read", arguments=_file_there),
    Entrance("attachments:files", "GET", "read"),
    Entrance("attachments:storage", "GET", "have-account"),
    *of_admin("attachments_file"),
]
