"""The entrances of requests to join, see tests/entrances.py."""

from __future__ import annotations

from typing import Any

from conversations.join_requests.models import JoinRequest
from tests.entrances import Entrance, Scene


def _carol(scene: Scene) -> dict[str, Any]:
    return {"user": scene.carol.pk}


def _carol_on_page(scene: Scene) -> dict[str, Any]:
    return {"user_id": scene.carol.pk}


def _asked(scene: Scene) -> dict[str, Any]:
    """Carol asks first."""
    JoinRequest.objects.create(conversation=scene.conversation, user=scene.carol)
    return {}


ENTRANCES = [
    Entrance("api:join_requests", "GET", "have-account"),
    Entrance("api:join_requests", "POST", "have-account"),
    Entrance("api:join_request", "DELETE", "have-account"),
    Entrance("api:join_link", "GET", "read"),
    Entrance("api:join_link", "POST", "accept-requests"),
    Entrance("api:join_link", "DELETE", "answer-requests"),
    Entrance("api:requests_to_join", "GET", "answer-requests"),
    Entrance("api:accept_request", "POST", "accept-requests", _asked, _carol),
    Entrance("api:decline_request", "POST", "answer-requests", _asked, _carol),
    Entrance("api:unblock_request", "POST", "answer-requests", _asked, _carol),
    Entrance("join_requests:own", "GET", "have-account"),
    Entrance("join_requests:withdraw", "POST", "have-account"),
    Entrance("join_requests:ask", "GET", "have-account"),
    Entrance("join_requests:ask", "POST", "have-account"),
    Entrance("join_requests:make_link", "POST", "accept-requests"),
    Entrance("join_requests:revoke_link", "POST", "answer-requests"),
    Entrance("join_requests:accept", "POST", "accept-requests", _asked, _carol_on_page),
    Entrance("join_requests:decline", "POST", "answer-requests", _asked, _carol_on_page),
    Entrance("join_requests:unblock", "POST", "answer-requests", _asked, _carol_on_page),
]
