"""Changing your own profile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import transaction

from accounts import pictures
from accounts.actions.fields import (
    clean_contrast,
    clean_hue,
    clean_language,
    clean_name,
    clean_theme,
    clean_time_zone,
)
from accounts.models import Picture, User
from accounts.signals import announce_profile
from chatty.common.limiter import limiter


def update_profile(
    user: User, *, picture: bytes | None = None, remove_picture: bool = False, **given: Any
) -> User:
    """Change the given fields (see CLEANED) and the picture (formats: see pictures.reencode).

    Raises ChatError with `fields`, or ("slow_down" | "busy"). After an error nothing has changed.
    """
    changes = {field: CLEANED[field](value) for field, value in given.items()}
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
        User.objects.filter(pk=user.pk).update(**changes)
        if image is not None:
            Picture.objects.update_or_create(user_id=user.pk, defaults={"image": image})
        elif remove_picture:
            Picture.objects.filter(user_id=user.pk).delete()
        if changes.keys() & SHOWN_TO_OTHERS:
            announce_profile(user.pk)
    for field, value in changes.items():
        setattr(user, field, value)
    return user


# The fields update_profile() accepts, with their validation.
CLEANED: dict[str, Callable[[Any], Any]] = {
    "name": clean_name,
    "time_zone": clean_time_zone,
    "language": clean_language,
    "theme": clean_theme,
    "contrast": clean_contrast,
    "chosen_hue": clean_hue,
}
SHOWN_TO_OTHERS = {"name", "chosen_hue", "picture"}
