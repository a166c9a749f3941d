"""Reactions: adding and removing them. Those with custom emoji are described in conversations/emoji.py."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.translation import gettext_lazy as _

from accounts.models import User
from chatty.common import timestamps
from chatty.common.errors import ChatError
from conversations import access, capabilities, limits, queries
from conversations.actions.messages import require, save_change
from conversations.actions.transactions import in_transaction
from conversations.emoji import custom_reaction, name_in, reaction_code, valid_emoji
from conversations.models import Message, Reaction

_UNKNOWN = _("There is no custom emoji with this name.")
_REMOVED = _("This emoji was removed.")


@in_transaction
def react(user: User, message_id: int, emoji: str) -> Message:
    """Add the user's reaction to a message. Adding it again changes nothing.

    Raises ChatError: invalid, not_found, deleted, archived, not_allowed, too_many.
    """
    emoji = _valid_reaction(emoji)
    message, membership = access.message_for(user, message_id, lock=True)
    require("react", membership, message)
    there = set(message.reactions.values_list("emoji", flat=True).distinct())
    emoji = _stored_as(emoji, there)
    if (custom := custom_reaction(emoji)) is not None:
        _require_usable(custom.address)
    if emoji not in there and len(there) >= limits.REACTIONS_MAX:
        raise ChatError("too_many", _("This message has too many different reactions."))
    _reaction, made = Reaction.objects.get_or_create(
        message=message, user_id=user.pk, emoji=emoji, defaults={"created_at": timestamps.now()}
    )
    if not made:
        return queries.with_details(message)
    return save_change(message, "reacted", user, emoji=emoji, on=True)


@in_transaction
def unreact(user: User, message_id: int, emoji: str) -> Message:
    """Remove the user's reaction from a message. If there is none, nothing changes.

    Also one with a custom emoji that was removed since.
    """
    emoji = _valid_reaction(emoji)
    message, membership = access.message_for(user, message_id, lock=True)
    require("react", membership, message)
    own = message.reactions.filter(user_id=user.pk)
    if custom_reaction(emoji) is not None:
        emoji = _stored_as(emoji, own.values_list("emoji", flat=True))
    gone, _rows = own.filter(emoji=emoji).delete()
    if not gone:
        return queries.with_details(message)
    return save_change(message, "reacted", user, emoji=emoji, on=False)


def _valid_reaction(emoji: object) -> str:
    """Return the reaction as it is stored: an emoji, or a custom one, which can be given by its name.

    Raises ChatError("invalid").
    """
    if not isinstance(emoji, str) or not emoji.startswith(":"):
        return valid_emoji(emoji)
    known = capabilities.custom_emoji()
    custom = custom_reaction(emoji)
    address = custom.address if custom else known.names().get(name_in(emoji))
    if address is None:
        raise ChatError("invalid", _UNKNOWN, fields={"emoji": [_UNKNOWN]})
    name = known.present_names().get(address)
    return reaction_code(name, address) if name else emoji


def _stored_as(emoji: str, there: Iterable[str]) -> str:
    """Return the reaction that is there already with the same picture, perhaps by an earlier name."""
    if (custom := custom_reaction(emoji)) is not None:
        for each in there:
            other = custom_reaction(each)
            if other is not None and other.address == custom.address:
                return each
    return emoji


def _require_usable(address: str) -> None:
    if address not in capabilities.custom_emoji().present_names():
        raise ChatError("invalid", _REMOVED, fields={"emoji": [_REMOVED]})
