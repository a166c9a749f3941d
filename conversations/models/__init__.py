"""Conversations, memberships and messages, with the invariants that the database enforces.

Two numbers order everything. `seq` numbers the messages of a conversation: 1, 2, 3, without gaps, never
reused. `version` counts the changes in a conversation: every change (a new message, an edit, a
deletion, a reaction, a notice) takes the next number and stores it on the message it changed. Both
counters are columns of the conversation row, which every writing transaction locks first. Numbers are
therefore allocated in the order of the commits, and "what changed after version V" never misses a row.

Models publish no events: only `actions` writes and publishes.
"""

from __future__ import annotations

from conversations.models.conversations import (
    AUDIENCES,
    Audience,
    Conversation,
    Instance,
    new_epoch,
)
from conversations.models.memberships import Departure, Membership, Removal
from conversations.models.messages import Message, Reaction, Reveal

__all__ = [
    "AUDIENCES",
    "Audience",
    "Conversation",
    "Departure",
    "Instance",
    "Membership",
    "Message",
    "Reaction",
    "Removal",
    "Reveal",
    "new_epoch",
]
