"""Adding, renaming and removing custom emoji.

Other processes know of a change within a second, and pages when the emoji picker is opened or a ":" is typed.
While it is open, the picker asks every five seconds.
"""

from __future__ import annotations

import hashlib

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from chatty.common import timestamps
from chatty.common.errors import ChatError
from chatty.common.spending import spending
from chatty.idempotency import keys
from conversations.actions.rules import require_open_account
from conversations.actions.transactions import in_transaction
from conversations.custom_emoji import limits, pictures, queries, rules
from conversations.custom_emoji.models import CustomEmoji, EmojiPicture
from conversations.limits import valid_key

_KIND = "custom emoji"  # of idempotency keys
_LIMIT = "custom_emoji"
_TAKEN = _("There is already an emoji with this name.")
_DELETED = _("An administrator has deleted this picture.")


def add(user: User, *, key: str, name: str, picture: bytes) -> tuple[CustomEmoji, bool]:
    """Add an emoji. Returns it, and whether it is new: the same `key` returns the same one again.

    Raises ChatError with `fields`, or: not_allowed, too_many, key_reused, slow_down, busy.
    """
    key = valid_key(key)
    rules.require_may_add(user)
    name = rules.clean_name(name)
    sent = [name, hashlib.sha256(picture).hexdigest()]
    if (known := _find(user, key, sent)) is not None:
        return known, False
    with spending(_LIMIT, str(user.pk)):
        return _add(user, key, name, sent, pictures.make(picture))


@in_transaction
def _add(
    user: User, key: str, name: str, sent: list[str], made: pictures.Encoded
) -> tuple[CustomEmoji, bool]:
    user = require_open_account(user)
    if (known := _find(user, key, sent)) is not None:
        return known, False
    if queries.usable().count() >= limits.EMOJI_MAX:
        sentence = _("There can be up to {max} custom emoji. Remove some first.")
        raise ChatError("too_many", format_lazy(sentence, max=limits.EMOJI_MAX))
    _require_free(name)
    row, _made = EmojiPicture.objects.get_or_create(
        address=made.address, defaults={"image": made.image, "still": made.still}
    )
    if not row.image:
        raise ChatError("not_allowed", _DELETED, fields={"picture": [_DELETED]})
    emoji = CustomEmoji.objects.create(
        name=name, picture=row, added_by=user, created_at=timestamps.now()
    )
    keys.remember(user.pk, _KIND, key, sent, emoji.pk)
    return emoji, True


def _find(user: User, key: str, sent: list[str]) -> CustomEmoji | None:
    """Return the emoji that an earlier request with this key has added. Raises ChatError("key_reused")."""
    pk = keys.find(user.pk, _KIND, key, sent)
    return None if pk is None else CustomEmoji.objects.select_related("added_by").get(pk=pk)


def rename(user: User, emoji_id: int, name: str) -> CustomEmoji:
    """Rename an emoji. Its former name still means it, until another emoji gets that name.

    Raises ChatError: not_found, not_allowed, slow_down, and with `fields` if the name can't be used.
    """
    name = rules.clean_name(name)
    with spending(_LIMIT, str(user.pk)):
        return _rename(user, emoji_id, name)


@in_transaction
def _rename(user: User, emoji_id: int, name: str) -> CustomEmoji:
    emoji = _locked(emoji_id)
    rules.require_may_change(user, emoji)
    if emoji.name == name:
        return emoji
    _require_free(name)
    former = [each for each in (*emoji.former_names, emoji.name) if each != name]
    emoji.former_names = former[-limits.FORMER_MAX :]
    emoji.name = name
    emoji.save(update_fields=["name", "former_names"])
    return emoji


@in_transaction
def remove(user: User, emoji_id: int) -> None:
    """Remove an emoji: it can't be used any more. Messages and reactions that have it still show it.

    Raises ChatError: not_found, not_allowed.
    """
    emoji = _locked(emoji_id)
    rules.require_may_change(user, emoji)
    _note_removed(user, emoji)


@in_transaction
def delete_picture(user: User, emoji_id: int) -> None:
    """Remove an emoji, and every other one with its picture, and delete the picture. Where it was used, its
    name is shown. For administrators."""
    emoji = CustomEmoji.objects.select_related("picture").get(pk=emoji_id)
    for each in queries.usable().select_for_update().filter(picture=emoji.picture):
        _note_removed(user, each)
    emoji.picture.image = emoji.picture.still = b""
    emoji.picture.save(update_fields=["image", "still"])


def _note_removed(user: User, emoji: CustomEmoji) -> None:
    emoji.removed_at, emoji.removed_by = timestamps.now(), user
    emoji.save(update_fields=["removed_at", "removed_by"])


def _locked(emoji_id: int) -> CustomEmoji:
    rows = queries.usable().select_for_update(of=("self",)).select_related("added_by")
    found = rows.filter(pk=emoji_id).first()
    if found is None:
        raise ChatError("not_found")
    return found


def _require_free(name: str) -> None:
    """A race violates the constraint: then the transaction runs again, and finds the other one."""
    if queries.usable().filter(name=name).exists():
        raise rules.name_error("invalid", _TAKEN)
