"""The entrances of invitations, see tests/entrances.py. What one allows is tested in test_actions.py."""

from __future__ import annotations

from typing import Any

from conversations.tests.helpers import new_key
from tests.entrances import Entrance, Scene, of_admin


def _here(scene: Scene) -> dict[str, Any]:
    return {"key": new_key(), "conversations": [scene.conversation.pk]}


def _emails(scene: Scene) -> dict[str, Any]:
    return {**_here(scene), "addresses": ["new@example.org"]}


def _missing(scene: Scene) -> dict[str, Any]:
    return {"invitation": 1}


def _missing_on_page(scene: Scene) -> dict[str, Any]:
    return {"invitation_id": 1}


ENTRANCES = [
    Entrance("api:invitations", "GET", "have-account"),
    Entrance("api:invitations", "POST", "invite", _here),
    Entrance("api:invitation_emails", "POST", "invite", _emails),
    Entrance("api:invitation", "GET", "have-account", arguments=_missing),
    Entrance("api:invitation", "DELETE", "have-account", arguments=_missing),
    Entrance("api:invitation_link", "POST", "have-account", arguments=_missing),
    Entrance("api:invitation_accept", "POST", "have-account"),
    Entrance("api:invitation_look_up", "POST", "visit"),
    Entrance("api:invitation_register", "POST", "visit"),
    Entrance("invitations:invite", "GET", "visit"),
    Entrance("invitations:invite", "POST", "visit"),
    Entrance("invitations:invitations", "GET", "have-account"),
    Entrance("invitations:invitations", "POST", "have-account"),
    Entrance("invitations:send_emails", "POST", "have-account"),
    Entrance("invitations:renew_link", "POST", "have-account", arguments=_missing_on_page),
    Entrance("invitations:revoke", "POST", "have-account", arguments=_missing_on_page),
    *of_admin("invitations_invitation"),
    Entrance("admin-action", "invitations_invitation.revoke", "administer"),
]
