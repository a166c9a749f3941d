"""The change feed: what follows from a message or a membership, whatever crashes.

A capability registers a reader. Readers are called with what has changed since they were last called, in
order within each conversation, at least once. A cursor per reader and conversation says how far it has
come: see models.py and batches.py. runner.py calls the readers, in the background.
"""

from conversations.changefeed.readers import (
    Batch,
    MembershipChange,
    MessageChange,
    Reader,
    register,
    registered,
    unregister,
)

__all__ = [
    "Batch",
    "MembershipChange",
    "MessageChange",
    "Reader",
    "register",
    "registered",
    "unregister",
]
