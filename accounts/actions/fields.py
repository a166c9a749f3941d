"""Validation of account fields. Each function returns the value to store or raises a ChatError."""

from __future__ import annotations

import zoneinfo
from functools import lru_cache

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from accounts.models import EMAIL_MAX, HUES, NAME_MAX, Contrast, Theme, normal_email
from chatty.common.errors import ChatError
from chatty.common.text import clean_line

CLIENT_MAX = 200


def clean_email(email: str) -> str:
    """Return the normalised address. Raises ChatError("invalid") with fields={"email": ...}."""
    email = normal_email(clean_line(email, field="email", max_length=EMAIL_MAX))
    try:
        validate_email(email)
    except ValidationError:
        raise invalid_error("email", _("Enter a valid email address.")) from None
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
    return clean_line(name, field="name", max_length=NAME_MAX)


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
