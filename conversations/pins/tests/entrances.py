"""The entrances of pinned messages, see tests/entrances.py."""

from __future__ import annotations

from typing import Any

from tests.entrances import Entrance, Scene


def _of_other(scene: Scene) -> dict[str, Any]:
    return {"message": scene.of_other.pk, "message_id": scene.of_other.pk}


ENTRANCES = [
    Entrance("api:pins", "GET", "read"),
    Entrance("api:pin", "PUT", "pin"),
    Entrance("api:pin", "DELETE", "pin"),
    Entrance("api:pin", "PUT", "pin", arguments=_of_other),
    Entrance("pins:pins", "GET", "read"),
    Entrance("pins:pin", "POST", "pin", lambda s: {"on": "1"}),
    Entrance("pins:pin", "POST", "pin", lambda s: {"on": "0"}),
]
