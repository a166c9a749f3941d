"""Builds `synced` frames: the changes in a conversation after a version."""

from __future__ import annotations

from dataclasses import dataclass

from conversations import limits, notices, protocol, queries
from conversations.models import Message
from conversations.wire import MessageOut, message_to_wire


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
    wires: list[MessageOut] = []
    last, more = changes.version, changes.more
    size = 0
    for message in changes.messages:
        wire = message_to_wire(message)
        size += len(message.body) + len(message.html) + 500
        if size > limits.SYNC_BYTES and wires:
            last, more = wires[-1].version, True
            break
        wires.append(wire)
    frame = protocol.synced(
        conversation=conversation_id,
        start=version,
        version=last,
        messages=wires,
        more=more,
        reset=changes.reset,
    )
    taken = changes.messages[: len(wires)]
    return CatchUp(protocol.encode(frame), last, _gone(taken), more, changes.reset)


def _gone(messages: list[Message]) -> tuple[int, ...]:
    found: list[int] = []
    for message in messages:
        data = message.data or {}
        found += notices.people_gone(message.kind, author_id=message.author_id, data=data)
    return tuple(found)
