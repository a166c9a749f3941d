"""What capabilities (search, for example) add to the core, which never imports them.

A capability is a Django app with a folder of its own in conversations/. It registers what it adds in `ready`
of its AppConfig:

- a part of the content of messages: register_part(), or register_claimed_part() if it refers to rows
- an action with its row of the permission table: register_action()
- something on pages: register_slot()
- the names of custom emoji: register_custom_emoji()
- a reader of the change feed: see changefeed/readers.py
- jobs and kinds of deliveries: see chatty/jobs/
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from conversations import permissions
from conversations.permissions import Action

# The places on pages: `{% slot "name" %}` in a template.
SLOTS = (
    "beginning",
    "composer-fields",
    "composer-tools",
    "conversation-tools",
    "installation",
    "message-actions",
    "new-message",
    "newcomer",
    "people-first",
    "people-last",
    "people-tool",
    "settings-first",
    "sidebar-last",
    "sidebar-tools",
)


class PartRendered(msgspec.Struct, frozen=True):
    """`html`: safe, without language and viewer. `text`: what it says, for excerpts and search."""

    html: str
    text: str


RenderPart = Callable[[Any], PartRendered]


class Claims(Protocol):
    """The rows that the drafts of one sending transaction refer to, read and locked."""

    def claim(self, user_id: int, value: Any) -> Any:
        """Return what the column of the part stores for a value, and take its rows. Raises ChatError."""

    def attach(self, stored: Sequence[tuple[Any, Any]]) -> None:
        """Store to which messages the taken rows belong: (message with its id, what claim() returned)."""


class ClaimedPart(Protocol):
    """A part whose value names rows of the capability, such as uploads. They must belong to the sender, and
    to no other message.

    That can only be decided under the lock of the sending transaction. So unlike other parts, it isn't
    rendered from its value. The column of Message with the name of its field, NULL without a value, stores
    what claim() returns: all that clients get of it.

    `action`: the row of the permission table that sending it needs, besides "send".
    """

    action: str

    def lock(self, values: Sequence[tuple[int, Any]]) -> Claims:
        """Lock what (user id, value) of some drafts refer to. The conversations are locked already."""

    def release(self, message_ids: Collection[int]) -> None:
        """Give up the rows of messages that are deleted in this transaction."""

    def from_form(self, user: Any, key: str, files: Sequence[Any]) -> tuple[Any, ...]:
        """Store files of a form without scripts, and return values that refer to them. `key`: of the message;
        the same one returns the same. Raises ChatError."""

    def text(self, stored: Any) -> str:
        """Return what a stored value says, for excerpts and search."""


class CustomEmoji(Protocol):
    """The custom emoji of this installation. Kept in this process, so that looking them up is not a query for
    each message. Not from an event loop, because the first use after a change reads them.
    """

    def names(self) -> Mapping[str, str]:
        """Return the address of the picture for each name in texts."""

    def present_names(self) -> Mapping[str, str]:
        """Return the name for each address of a picture that can be used."""


class _NoEmoji:
    def names(self) -> Mapping[str, str]:
        return {}

    def present_names(self) -> Mapping[str, str]:
        return {}


_emoji: CustomEmoji = _NoEmoji()
_parts: dict[str, RenderPart] = {}
_claimed: dict[str, ClaimedPart] = {}
_slots: dict[str, list[str]] = {name: [] for name in SLOTS}


def register_part(field: str, render: RenderPart) -> None:
    """Register how a field of Content is rendered, when it differs from its default. It follows the body.

    `render` is pure, so it depends on the value alone.
    """
    _parts[field] = render


def register_claimed_part(field: str, part: ClaimedPart) -> None:
    """Register what a field of Content refers to. The field and the column have the same name."""
    _claimed[field] = part


def register_custom_emoji(emoji: CustomEmoji) -> None:
    """Register where names of custom emoji are looked up."""
    global _emoji
    _emoji = emoji


def register_action(action: Action) -> None:
    """Register a row of the permission table. Raises ValueError if there is one with this name."""
    permissions.register(action)


def register_slot(slot: str, template: str) -> None:
    """Register a template for a place on pages. It gets the context of the page."""
    _slots[slot].append(template)


def custom_emoji() -> CustomEmoji:
    return _emoji


def parts() -> Mapping[str, RenderPart]:
    return _parts


def claimed_parts() -> Mapping[str, ClaimedPart]:
    return _claimed


def text_of_parts(stored: Callable[[str], Any]) -> str:
    """Return what the claimed parts of a message say. `stored`: returns the value of a column."""
    found = [(part, value) for name, part in _claimed.items() if (value := stored(name))]
    return "\n".join(part.text(value) for part, value in found)


def release_parts(message_ids: Collection[int]) -> None:
    """Give up what messages refer to. For every transaction that deletes messages or empties them."""
    for part in _claimed.values():
        part.release(message_ids)


def templates_in(slot: str) -> list[str]:
    return _slots[slot]
