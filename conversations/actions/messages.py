"""Changing messages: edit, delete. For reactions, see reactions.py."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from accounts.models import User
from chatty.common import timestamps
from chatty.common.entity_tags import Tags, require_match
from chatty.common.errors import ChatError
from chatty.common.text import is_blank
from conversations import access, capabilities, publisher, queries
from conversations.actions.rendering import (
    RENDERED_COLUMNS,
    add_everyone,
    render_for,
    set_rendered,
)
from conversations.actions.transactions import in_transaction
from conversations.changes import Action, MessageChanged
from conversations.content import EMPTY_COLUMNS, Content, Rendered
from conversations.models import Membership, Message, Reaction
from conversations.wire import message_tag


class Unchecked(Enum):
    """Default of `base`: save the edit without checking for conflicts."""

    UNCHECKED = "unchecked"


Base = datetime | Unchecked | None

# The API and pages show timestamps in milliseconds.
_TICK = timedelta(milliseconds=1)


class EditConflictError(ChatError):
    """The text was changed after the edit began. `current`: the message as it is now, with details."""

    def __init__(self, current: Message) -> None:
        super().__init__("edit_conflict")
        self.current = current


def edit_message(
    user: User,
    message_id: int,
    body: str,
    *,
    base: Base = Unchecked.UNCHECKED,
    if_match: Tags = None,
) -> Message:
    """Replace the text of the user's own message. Saving the same text changes nothing.

    `base`: the `edited_at` of the message when the edit began (None: it had never been edited). If the
    text has changed since then, nothing is saved. Reactions don't count as changes.

    Raises ChatError: not_found, not_allowed, deleted, archived, empty, too_long, bad_text, too_many (see
    add_everyone()), precondition_failed; EditConflictError.
    """
    # A message with files needs no text. Whether it has any is known under the lock.
    is_empty = isinstance(body, str) and is_blank(body)
    content = Content("") if is_empty else Content(body).cleaned()
    return _edit(user, message_id, content.body, render_for(user.pk, content), base, if_match)


@in_transaction
def _edit(
    user: User, message_id: int, body: str, rendered: Rendered, base: Base, if_match: Tags
) -> Message:
    message, membership = access.message_for(user, message_id, lock=True)
    require("edit", membership, message)
    if not body and not message.files:
        Content(body).cleaned()  # raises the error
    if message.body == body:  # also a retry of an edit whose response was lost
        return queries.with_details(message)
    require_match(if_match, message_tag(message))
    if base is not Unchecked.UNCHECKED and _ticks(base) != _ticks(message.edited_at):
        raise EditConflictError(queries.with_details(message))
    edited_at = timestamps.now()
    if message.edited_at:
        # Conflicts are found by `edited_at`, so it must increase with each edit, even if the clock is
        # set back.
        edited_at = max(edited_at, message.edited_at + _TICK)
    (found,) = queries.find_mentions([(message.conversation_id, rendered.calls)])
    found = add_everyone(found, rendered.calls, membership, before=message.mentions)
    message.body, message.edited_at = body, edited_at
    set_rendered(message, rendered, found)
    return save_change(message, "edited", user, "body", *RENDERED_COLUMNS, "edited_at")


@in_transaction
def delete_message(user: User, message_id: int, *, if_match: Tags = None) -> Message:
    """Delete a message, as its author or as an owner or admin of the group. A tombstone remains.

    Deleting it again changes nothing. Raises ChatError: not_found, not_allowed, archived,
    precondition_failed.
    """
    message, membership = access.message_for(user, message_id, lock=True)
    if message.is_deleted:
        return queries.with_details(message)
    require("delete", membership, message)
    require_match(if_match, message_tag(message))
    return tombstone_message(message, user)


def tombstone_message(message: Message, user: User) -> Message:
    parts = dict.fromkeys(capabilities.claimed_parts())
    if any(getattr(message, name) for name in parts):
        capabilities.release_parts([message.pk])
    rendered = {"html": "", "excerpt": "", "fingerprint": None, "mentions": None}
    emptied = {**EMPTY_COLUMNS, **parts, **rendered, "pinned": None}
    for name, value in emptied.items():
        setattr(message, name, value)
    message.deleted_at = timestamps.now()
    Reaction.objects.filter(message=message).delete()
    return save_change(message, "deleted", user, *emptied, "deleted_at")


def _ticks(at: datetime | None) -> datetime | None:
    return at and at.replace(microsecond=at.microsecond // 1000 * 1000)


def require(action: str, membership: Membership, message: Message) -> None:
    if (error := access.message_refusal(action, membership, message)) is not None:
        raise error


def save_change(
    message: Message, action: Action, user: User, *changed: str, **about: Any
) -> Message:
    """Save a changed message with the next version, publish the change, and return the message.

    Its conversation must be locked.
    """
    conversation = message.conversation
    conversation.version += 1
    message.version = conversation.version
    message.save(update_fields=["version", *changed])
    conversation.save(update_fields=["version"])
    message = queries.with_details(message)
    publisher.publish_after_commit(MessageChanged(message, action, user.pk, **about))
    return message
