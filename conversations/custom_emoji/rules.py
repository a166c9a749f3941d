"""Who can add, rename and remove custom emoji, and which names they can have."""

from __future__ import annotations

import re

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from accounts.installation import emoji_policy
from accounts.models import EmojiPolicy, User
from chatty.common.errors import ChatError, Sentence
from conversations import permissions
from conversations.custom_emoji import limits
from conversations.custom_emoji.built_in import built_in_names
from conversations.custom_emoji.models import CustomEmoji
from conversations.emoji import EMOJI_NAME
from conversations.permissions import Action, Grant

ADD_EMOJI = Action(
    "add-emoji",
    "Add custom emoji (administrators can keep this to themselves)",
    (Grant(permissions.SIGNED_IN),),
    is_word=False,
    about_conversation=False,
)

_NAME = re.compile(f"(?=.*[a-z0-9]){EMOJI_NAME}")
_FROM_FILE = re.compile(r"[^a-z0-9+-]+")


def is_administrator(user: User) -> bool:
    return user.is_staff and user.has_perm("custom_emoji.change_customemoji")


def may_add(user: User) -> bool:
    return emoji_policy() == EmojiPolicy.EVERYONE or is_administrator(user)


def may_change(user: User, emoji: CustomEmoji) -> bool:
    """Whether the user can rename or remove it."""
    return emoji.added_by_id == user.pk or is_administrator(user)


def require_may_add(user: User) -> None:
    """Raises ChatError("not_allowed")."""
    if not may_add(user):
        raise ChatError("not_allowed", _("Only administrators can add custom emoji here."))


def require_may_change(user: User, emoji: CustomEmoji) -> None:
    """Raises ChatError("not_allowed")."""
    if not may_change(user, emoji):
        sentence = _("Only administrators and the person who added it can change this emoji.")
        raise ChatError("not_allowed", sentence)


def clean_name(name: str) -> str:
    """Return the name of an emoji, given with or without colons. Raises ChatError with `fields`."""
    cleaned = name.strip().strip(":").lower()
    if len(cleaned) > limits.NAME_MAX:
        sentence = _("A name can have up to {max} characters.")
        raise name_error("too_long", format_lazy(sentence, max=limits.NAME_MAX))
    if not cleaned:
        raise name_error("empty", _("Enter a name."))
    if not _NAME.fullmatch(cleaned):
        sentence = _(
            "Use {min} or more of the letters a to z, digits, “-” and “+”, and “_” only between them."
        )
        raise name_error("invalid", format_lazy(sentence, min=limits.NAME_MIN))
    if cleaned in built_in_names():
        raise name_error("invalid", _("There is a built-in emoji with this name."))
    return cleaned


def name_of_file(name: str) -> str:
    """Return a name for the picture in this file, "" if there is none in its name."""
    stem = name.replace("\\", "/").rpartition("/")[2].partition(".")[0].lower()
    return _FROM_FILE.sub("_", stem).strip("_")[: limits.NAME_MAX].strip("_")


def name_error(code: str, sentence: Sentence) -> ChatError:
    return ChatError(code, sentence, fields={"name": [sentence]})
