"""Changing your own profile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import pictures
from accounts.actions.fields import (
    clean_contrast,
    clean_density,
    clean_hue,
    clean_language,
    clean_name,
    clean_quiet_hours,
    clean_status_emoji,
    clean_status_text,
    clean_theme,
    clean_time_format,
    clean_time_zone,
    clean_title,
    invalid_error,
    require_distinct_name,
)
from accounts.models import Picture, User
from accounts.signals import announce_profile, announce_quiet_hours
from accounts.wire import profile_tag
from chatty.common.entity_tags import Tags, require_match
from chatty.common.errors import ChatError
from chatty.common.limiter import limiter
from chatty.common.look_alikes import skeleton
from chatty.common.text import fold_loosely


def update_profile(
    user: User,
    *,
    picture: bytes | None = None,
    remove_picture: bool = False,
    if_match: Tags = None,
    **given: Any,
) -> User:
    """Change the given fields (see CLEANED), the picture (formats: see pictures.reencode), `status` and
    `quiet_hours`: the arguments of set_status() and set_quiet_hours(), or None to remove them.

    Raises ChatError with `fields`, or ("slow_down" | "busy" | "precondition_failed"). After an error nothing
    has changed.
    """
    changes: dict[str, Any] = {}
    for name, (clean, nothing) in _SEVERAL.items():
        if name in given:
            changes |= _cleaned_as(name, clean, given.pop(name) or nothing)
    changes |= {field: CLEANED[field](value) for field, value in given.items()}
    if changes.get("name", user.name) != user.name:
        require_distinct_name(changes["name"], user.pk)
    image = None
    if picture is not None:
        limiter.check(
            "pictures", str(user.pk)
        )  # each takes up to a second, one at a time per process
        image = pictures.reencode(picture)
        changes["picture"] = pictures.digest(image)
    elif remove_picture:
        changes["picture"] = ""
    if not changes:
        return user
    with transaction.atomic():
        if if_match is not None:
            require_match(if_match, profile_tag(User.objects.select_for_update().get(pk=user.pk)))
        if "name" in changes:
            changes["folded_name"] = fold_loosely(changes["name"])
            changes["skeleton"] = skeleton(changes["name"])
        User.objects.filter(pk=user.pk).update(**changes)
        if image is not None:
            Picture.objects.update_or_create(user_id=user.pk, defaults={"image": image})
        elif remove_picture:
            Picture.objects.filter(user_id=user.pk).delete()
        if changes.keys() & SHOWN_TO_OTHERS:
            announce_profile(user.pk)
        if changes.keys() & _QUIET:
            announce_quiet_hours(user.pk)
    for field, value in changes.items():
        setattr(user, field, value)
    return user


def set_status(user: User, *, emoji: str, text: str, until: datetime | None) -> None:
    """Set what a person is up to; without emoji and text, remove it. `until`: when it ends.

    Raises ChatError with `fields`.
    """
    changes = _clean_status(emoji=emoji, text=text, until=until)
    for field, value in changes.items():
        setattr(user, field, value)
    with transaction.atomic():
        user.save(update_fields=list(changes))
        announce_profile(user.pk)


def _clean_status(*, emoji: str, text: str, until: datetime | None = None) -> dict[str, Any]:
    """Return the values to store, by column. Raises ChatError with `fields`."""
    emoji, text = clean_status_emoji(emoji), clean_status_text(text)
    if until is not None and until <= timezone.now():
        raise invalid_error("until", _("Choose a later time."))
    ends = until if emoji or text else None
    return {"status_emoji": emoji, "status_text": text, "status_until": ends}


def set_quiet_hours(user: User, *, start: str, end: str) -> None:
    """Set the hours in which someone gets no notifications; twice "" for none.

    Raises ChatError with `fields`.
    """
    changes = _clean_quiet_hours(start=start, end=end)
    for field, value in changes.items():
        setattr(user, field, value)
    with transaction.atomic():
        user.save(update_fields=list(changes))
        announce_quiet_hours(user.pk)


def _clean_quiet_hours(*, start: str, end: str) -> dict[str, Any]:
    """Return the values to store, by column. Raises ChatError with `fields`."""
    start, end = clean_quiet_hours(start, end)
    return {"quiet_start": start, "quiet_end": end}


def _cleaned_as(
    name: str, clean: Callable[..., dict[str, Any]], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the values to store. Errors are listed under `name`, the field that was given."""
    try:
        return clean(**given)
    except ChatError as error:
        sentences = [sentence for each in error.fields.values() for sentence in each]
        raise ChatError(error.code, error.detail, fields={name: sentences}) from None


# What consists of several columns: how it is cleaned, and its values if there is none.
_SEVERAL: dict[str, tuple[Callable[..., dict[str, Any]], Mapping[str, str]]] = {
    "status": (_clean_status, {"emoji": "", "text": ""}),
    "quiet_hours": (_clean_quiet_hours, {"start": "", "end": ""}),
}
# The fields update_profile() accepts, with their validation.
CLEANED: dict[str, Callable[[Any], Any]] = {
    "name": clean_name,
    "title": clean_title,
    "time_zone": clean_time_zone,
    "language": clean_language,
    "theme": clean_theme,
    "contrast": clean_contrast,
    "density": clean_density,
    "time_format": clean_time_format,
    "chosen_hue": clean_hue,
}
_QUIET = {"quiet_start", "quiet_end", "time_zone"}
SHOWN_TO_OTHERS = {"name", "chosen_hue", "picture", "status_emoji", "status_text", "status_until"}
