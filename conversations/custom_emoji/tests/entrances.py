"""The entrances of custom emoji, see tests/entrances.py."""

from __future__ import annotations

from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from conversations.custom_emoji.tests.conftest import picture
from conversations.tests.helpers import new_key
from tests.entrances import Entrance, Scene, of_admin


def _new(scene: Scene) -> dict[str, Any]:
    file = SimpleUploadedFile("blobcat.png", picture(), "image/png")
    return {"key": new_key(), "name": "blobcat", "picture": file}


def _missing(scene: Scene) -> dict[str, Any]:
    return {"emoji_id": 1, "custom_emoji": 1}


ENTRANCES = [
    Entrance("api:emoji_list", "GET", "have-account"),
    Entrance("api:emoji_list", "POST", "add-emoji"),
    Entrance("api:emoji", "PATCH", "have-account", arguments=_missing),
    Entrance("api:emoji", "DELETE", "have-account", arguments=_missing),
    Entrance("custom_emoji:emoji", "GET", "have-account"),
    Entrance("custom_emoji:emoji", "POST", "add-emoji", _new),
    Entrance("custom_emoji:rename", "GET", "have-account", arguments=_missing),
    Entrance("custom_emoji:rename", "POST", "have-account", arguments=_missing),
    Entrance("custom_emoji:remove", "GET", "have-account", arguments=_missing),
    Entrance("custom_emoji:remove", "POST", "have-account", arguments=_missing),
    Entrance("custom_emoji:picture", "GET", "have-account"),
    Entrance("custom_emoji:still", "GET", "have-account"),
    *of_admin("custom_emoji_customemoji"),
    Entrance("admin-action", "custom_emoji_customemoji.remove", "administer"),
    Entrance("admin-action", "custom_emoji_customemoji.delete_pictures", "administer"),
]
