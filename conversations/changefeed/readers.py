"""The registry of readers, and what they are called with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec


class MessageChange(msgspec.Struct, frozen=True):
    """A message or notice that is new or has changed: read its row for its present state.

    States between two calls are skipped. `created`: this reader has never been called with it; it may have
    been edited or deleted by now. `version`: its version when the batch was read.
    """

    conversation_id: int
    message_id: int
    seq: int
    version: int
    created: bool


class MembershipChange(msgspec.Struct, frozen=True):
    """A membership that is new, or whose read mark, level or role has changed: read its row for its present
    state. Of one that ends, a notice tells (MessageChange)."""

    membership_id: int
    conversation_id: int
    user_id: int


class Batch(msgspec.Struct, frozen=True):
    """What a reader is called with. Nothing is there twice.

    `messages`: of one or more conversations; those of each conversation are in order.
    `deleted_conversations`: their members are gone, and their messages are removed when all readers know. In
    rare cases they are removed already.
    """

    messages: tuple[MessageChange, ...] = ()
    memberships: tuple[MembershipChange, ...] = ()
    deleted_conversations: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.messages) + len(self.memberships) + len(self.deleted_conversations)


class Reader(msgspec.Struct, frozen=True):
    """`handle` is called in a transaction, together with the change of the cursors: what it writes takes
    effect exactly once. So it only works with the database. It may raise any exception: then nothing is
    written, and the batch is repeated later, one change at a time. It is called in a thread.

    `name`: permanent, since the cursors are stored under it. `starts`: with all that was ever written, or
    with what changes after the reader was first seen. `memberships`: whether it wants those, too.
    """

    name: str
    starts: Literal["beginning", "now"]
    handle: Callable[[Batch], None]
    memberships: bool = False


_readers: dict[str, Reader] = {}


def register(reader: Reader) -> None:
    """Register a reader, in the `ready` of an app. Raises ValueError if the name is taken."""
    if reader.name in _readers:
        raise ValueError(f"There is a reader {reader.name!r} already.")
    _readers[reader.name] = reader


def unregister(name: str) -> None:
    """For tests."""
    _readers.pop(name, None)


def find(name: str) -> Reader:
    """Return the reader with this name. Raises LookupError."""
    return _readers[name]


def registered() -> tuple[Reader, ...]:
    return tuple(_readers.values())
