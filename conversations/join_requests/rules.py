"""The rows of the permission table for requests to join."""

from __future__ import annotations

from conversations import permissions
from conversations.permissions import Action, Grant

ACCEPT = Action(
    "accept-requests",
    "Make a link to ask to join, and accept requests",
    (Grant(permissions.ADMINS, permissions.GROUPS),),
)
ANSWER = Action(
    "answer-requests",
    "See requests to join, decline them, and end the link",
    (Grant(permissions.ADMINS, permissions.GROUPS, permissions.LIVING),),
)
