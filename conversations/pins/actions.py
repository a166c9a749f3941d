"""Pinning and unpinning messages. Deleting a message unpins it: see tombstone_message() in
conversations/actions/messages.py."""

from __future__ import annotations

from collections.abc import Callable

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from chatty.common import timestamps
from chatty.common.errors import ChatError
from chatty.common.limiter import limiter
from chatty.common.spending import spending
from conversations import access
from conversations import queries as messages
from conversations.actions.log import write_notice
from conversations.actions.messages import require, save_change
from conversations.actions.transactions import in_transaction
from conversations.models import Message
from conversations.pins import limits, queries
from conversations.pins.rules import PIN
from conversations.wire import timestamp

_FULL = _("A conversation can have up to {max} pinned messages. Unpin one first.")


# The message, and whether it was changed.
_Result = tuple[Message, bool]


def pin(user: User, message_id: int) -> Message:
    """Pin a message, and write a notice. Pinning it again changes nothing, also if someone else pinned it.

    Raises ChatError: not_found, deleted, archived, not_allowed, too_many, slow_down.
    """
    return _counted(_pin, user, message_id)


def unpin(user: User, message_id: int) -> Message:
    """Unpin a message, also one that someone else pinned. If it is not pinned, nothing changes.

    Raises ChatError as pin() does, but not too_many.
    """
    return _counted(_unpin, user, message_id)


def _counted(action: Callable[[User, int], _Result], user: User, message_id: int) -> Message:
    """Return the message. If it was changed, that counts against the user's limit, because everyone in the
    conversation gets each change."""
    with spending("pins", str(user.pk)):
        message, is_changed = action(user, message_id)
    if not is_changed:
        limiter.put_back("pins", str(user.pk))
    return message


@in_transaction
def _pin(user: User, message_id: int) -> _Result:
    message, membership = access.message_for(user, message_id, lock=True)
    require(PIN.name, membership, message)
    if message.pinned:
        return messages.with_details(message), False
    if queries.number_pinned(message.conversation_id) >= limits.PINS_MAX:
        raise ChatError("too_many", format_lazy(_FULL, max=limits.PINS_MAX))
    message.pinned = {"by": user.pk, "at": timestamp(timestamps.now())}
    pinned = save_change(message, "pinned", user, "pinned", on=True)
    about = {"message": message.pk}
    write_notice(membership.conversation, membership.user, Message.Kind.PINNED, about)
    return pinned, True


@in_transaction
def _unpin(user: User, message_id: int) -> _Result:
    message, membership = access.message_for(user, message_id, lock=True)
    require(PIN.name, membership, message)
    if not message.pinned:
        return messages.with_details(message), False
    message.pinned = None
    return save_change(message, "pinned", user, "pinned", on=False), True
