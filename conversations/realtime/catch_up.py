"""Builds `synced` frames: the changes in a conversation after a version."""

from __future__ import annotations

from dataclasses import dataclass

from conversations import limits, notices, protocol, queries
from conversations.frames import SyncedFrame
from conversations.models import Message
from conversations.wire import changes_to_wire


@dataclass(frozen=True, slots=True)
class CatchUp:
    """One page. `text`: the encoded frame; `version`: the position after it; `gone`: ids of users whose
    membership ended according to its notices; `more`: there is another page after `version`."""

    text: str
    version: int
    gone: tuple[int, ...]
    more: bool
    reset: bool


def catch_up(conversation_id: int, version: int) -> CatchUp | None:
    """Return the changes after `version`, at most SYNC_PAGE messages and about SYNC_BYTES. None if the
    conversation doesn't exist.

    Does not check access: callers must.
    """
    changes = queries.changes_since(conversation_id, version)
    if changes is None:
        return None
    page = changes_to_wire(changes, size=limits.SYNC_BYTES)
    frame = SyncedFrame(
        conversation_id, version, page.version, page.messages, page.more, page.reset
    )
    gone = _gone(changes.messages[: len(page.messages)])
    return CatchUp(protocol.encode(frame), page.version, gone, page.more, page.reset)


def _gone(messages: list[Message]) -> tuple[int, ...]:
    found: list[int] = []
    for message in messages:
        data = message.data or {}
        found += notices.people_gone(message.kind, author_id=message.author_id, data=data)
    return tuple(found)
