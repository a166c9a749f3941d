"""Pinned messages as JSON."""

from __future__ import annotations

from typing import Annotated

import msgspec

from conversations.wire import MessageOut


class PinnedMessagesOut(msgspec.Struct, frozen=True):
    """The pinned messages of a conversation."""

    results: Annotated[list[MessageOut], msgspec.Meta(description="The latest pin first.")]
