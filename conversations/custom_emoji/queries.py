"""Reading custom emoji. What messages and reactions need of all of them is kept in this process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from chatty.common.errors import ChatError
from chatty.common.kept import Kept
from conversations.custom_emoji import limits
from conversations.custom_emoji.models import CustomEmoji, EmojiPicture


@dataclass(frozen=True, slots=True)
class _Known:
    """See capabilities.CustomEmoji."""

    names: Mapping[str, str]
    present_names: Mapping[str, str]


def _read() -> _Known:
    rows = usable().order_by("pk").values_list("name", "former_names", "picture_id")
    listed = list(rows[: limits.EMOJI_MAX])
    names: dict[str, str] = {}
    for _name, former_names, address in listed:
        names.update(dict.fromkeys(former_names, address))
    names.update({name: address for name, _former, address in listed})
    return _Known(names, {address: name for name, _former, address in listed})


_known = Kept(_read)


class Source:
    """Where the core looks up names: see capabilities.register_custom_emoji()."""

    def names(self) -> Mapping[str, str]:
        return _known.get().names

    def present_names(self) -> Mapping[str, str]:
        return _known.get().present_names


def forget() -> None:
    """Read them again at the next use."""
    _known.forget()


@receiver([post_save, post_delete], sender=CustomEmoji, dispatch_uid="custom_emoji.known")
def _forget_after_commit(**kwargs: Any) -> None:
    transaction.on_commit(forget)


def usable() -> QuerySet[CustomEmoji]:
    return CustomEmoji.objects.filter(removed_at=None)


def listed() -> list[CustomEmoji]:
    """Return all that can be used, by name, with who added them."""
    return list(usable().select_related("added_by").order_by("name")[: limits.EMOJI_MAX])


def page(after: str) -> tuple[list[CustomEmoji], bool]:
    """Return a page of the list, from this name on, and whether there are more."""
    rows = usable().select_related("added_by").filter(name__gt=after).order_by("name")
    found = list(rows[: limits.PAGE + 1])
    return found[: limits.PAGE], len(found) > limits.PAGE


def get(emoji_id: int) -> CustomEmoji:
    """Raises ChatError("not_found")."""
    found = usable().select_related("added_by").filter(pk=emoji_id).first()
    if found is None:
        raise ChatError("not_found")
    return found


def image(address: str, *, still: bool) -> bytes:
    """Return a picture. Raises ChatError("not_found"), also if it was deleted."""
    row = EmojiPicture.objects.filter(pk=address).values_list("image", "still").first()
    moving, first = (bytes(each) for each in row or (b"", b""))
    found = first if still and first else moving
    if not found:
        raise ChatError("not_found")
    return found
