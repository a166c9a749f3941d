"""Validation of account fields. Each function returns the value to store or raises a ChatError."""

from __future__ import annotations

import zoneinfo
from functools import lru_cache

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from accounts.models import (
    EMAIL_MAX,
    HUES,
    NAME_MAX,
    STATUS_EMOJI_MAX,
    STATUS_MAX,
    TITLE_MAX,
    Contrast,
    Density,
    Theme,
    TimeFormat,
    User,
    normal_email,
)
from accounts.quiet_hours import is_clock
from chatty.common.errors import ChatError
from chatty.common.look_alikes import mixes_scripts, skeleton
from chatty.common.text import NAME_OF_EVERYONE, clean_line, fold_loosely, without_invisible
from chatty.conf.domains import mail_domain

CLIENT_MAX = 200


def clean_email(email: str) -> str:
    """Return the normalised address. Raises ChatError("invalid") with fields={"email": ...}.

    A mailbox must not have several spellings: each would have limits and an account of its own.
    """
    email = normal_email(clean_line(email, field="email", max_length=EMAIL_MAX))
    domain = email.rpartition("@")[2]
    try:
        validate_email(email)
    except ValidationError:
        domain = ""
    if not domain or not (domain.isascii() or mail_domain(domain)):
        raise invalid_error("email", _("Enter a valid email address."))
    return email


def clean_time_zone(name: str) -> str:
    """Accepts the zones this server knows, and "" for the server's own."""
    if name and name not in time_zones():
        raise invalid_error("time_zone", _("Unknown time zone."))
    return name


@lru_cache(maxsize=1)
def time_zones() -> frozenset[str]:
    """The names this machine knows. Cached: the lookup walks through hundreds of files."""
    return frozenset(zoneinfo.available_timezones())


def clean_name(name: str) -> str:
    """Return a name that no one can mistake for another because of characters that can't be seen or look the
    same, or for everyone. require_distinct_name() compares it with those of others."""
    name = clean_line(without_invisible(name), field="name", max_length=NAME_MAX)
    if mixes_scripts(name):
        raise invalid_error("name", _("A word can’t mix letters of different alphabets."))
    if name.casefold() == NAME_OF_EVERYONE:
        raise invalid_error(
            "name", _("@all notifies everyone, so it can’t be a name. Add another word.")
        )
    return name


def require_distinct_name(name: str, user_id: int | None = None) -> None:
    """Raise ChatError if a name only looks like that of another active account. Two people can have the same
    name; their title and picture show who is who."""
    alike = User.objects.filter(skeleton=skeleton(name), is_active=True).exclude(pk=user_id or 0)
    for other in alike.values_list("name", flat=True)[:100]:
        is_same = fold_loosely(other) == fold_loosely(name)
        if not is_same and not (other.isascii() and name.isascii()):
            raise invalid_error("name", _("This name looks like someone else’s here. Change it."))


def clean_title(title: str) -> str:
    return clean_line(title, field="title", max_length=TITLE_MAX, required=False)


def clean_status_text(text: str) -> str:
    return clean_line(text, field="text", max_length=STATUS_MAX, required=False)


def clean_status_emoji(emoji: str) -> str:
    """Accepts "" and one emoji, also of several characters, such as a flag."""
    emoji = clean_line(emoji, field="emoji", max_length=STATUS_EMOJI_MAX, required=False)
    # "ℹ" is the only emoji that is a letter.
    if any(each.isalpha() or each.isspace() for each in emoji.replace("ℹ", "")) or (
        emoji.isascii() and emoji
    ):
        raise invalid_error("emoji", _("Choose one emoji."))
    return emoji


def clean_language(code: str) -> str:
    """Accepts the codes in settings.LANGUAGES, and "" for the browser's language."""
    if code and code not in dict(settings.LANGUAGES):
        raise invalid_error("language", _("Unsupported language."))
    return code


def clean_theme(theme: str) -> str:
    if theme not in Theme.values:
        raise invalid_error("theme", _("Unknown theme."))
    return theme


def clean_contrast(contrast: str) -> str:
    if contrast not in Contrast.values:
        raise invalid_error("contrast", _("Unknown contrast."))
    return contrast


def clean_density(density: str) -> str:
    if density not in Density.values:
        raise invalid_error("density", _("Unknown density."))
    return density


def clean_time_format(time_format: str) -> str:
    if time_format not in TimeFormat.values:
        raise invalid_error("time_format", _("Unknown time format."))
    return time_format


def clean_quiet_hours(start: str, end: str) -> tuple[str, str]:
    """Accepts two different times of the day, such as "22:00", and twice "" for no quiet hours."""
    if start or end:
        for field, text in (("start", start), ("end", end)):
            if not is_clock(text):
                raise invalid_error(field, _("Write a time such as 22:00."))
        if start == end:
            raise invalid_error("end", _("Choose two different times."))
    return start, end


def clean_hue(hue: int | None) -> int | None:
    """Accepts 0 to HUES - 1, and None for the default colour of the account."""
    if hue is not None and not 0 <= hue < HUES:
        raise invalid_error("hue", _("Unknown colour."))
    return hue


def clean_client(text: str) -> str:
    """Sanitise a client's user agent: one line of printable characters, cut to CLIENT_MAX."""
    return "".join(c if c.isprintable() else " " for c in text)[:CLIENT_MAX].strip()


def invalid_error(field: str, *sentences: str) -> ChatError:
    return ChatError("invalid", sentences[0], fields={field: list(sentences)})


def taken_error() -> ChatError:
    return invalid_error("email", _("There’s already an account with this email address."))
