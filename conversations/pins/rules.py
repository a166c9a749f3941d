"""The row of the permission table for pinned messages."""

from __future__ import annotations

from conversations import permissions
from conversations.permissions import Action, Grant

PIN = Action(
    "pin",
    "Pin and unpin messages",
    (Grant(permissions.MEMBERS),),
    setting="pinning",
)
