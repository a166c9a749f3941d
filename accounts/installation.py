"""What holds for the whole installation, and is needed by many pages.

Every process reads it again within a second (chatty/common/kept.py), so a change in the admin site reaches
all of them without a restart, and pages need no query for it.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from accounts.models import InstallationSettings, SignUpPolicy, SignUpRequest
from chatty.common.kept import Kept
from chatty.conf.domains import mail_domain

DEFAULT_NAME = "Chatty"

_settings = Kept(lambda: InstallationSettings.objects.first() or InstallationSettings())
_waiting = Kept(lambda: SignUpRequest.objects.filter(state=SignUpRequest.State.WAITING).count())


def installation_settings() -> InstallationSettings:
    """Return the row, or one with the defaults. Don't change it."""
    return _settings.get()


def sign_up_policy() -> str:
    """Return who can sign up: a value of SignUpPolicy. The environment overrides the admin site."""
    return settings.SIGN_UP or installation_settings().sign_up


def emoji_policy() -> str:
    """Return who can add custom emoji: a value of EmojiPolicy. The environment overrides the page."""
    return settings.CUSTOM_EMOJI or installation_settings().custom_emoji


def is_set_up() -> bool:
    """Return whether an administrator has saved the settings. Until then, they find that page first."""
    return not installation_settings()._state.adding


def installation_name() -> str:
    """Return what people call this installation. The software is called Chatty everywhere."""
    return installation_settings().name or DEFAULT_NAME


def last_installation_name() -> str:
    """The same as it was last read, for pages about failures: the database may be what failed."""
    kept = _settings.last()
    return (kept and kept.name) or DEFAULT_NAME


def is_sign_up_offered() -> bool:
    """Return whether people without an invitation can sign up, or ask to."""
    by_domain = bool(settings.SIGN_UP_DOMAINS)
    return by_domain or sign_up_policy() in (SignUpPolicy.OPEN, SignUpPolicy.APPROVED)


def may_sign_up_by_domain(email: str) -> bool:
    """Return whether this address is of a domain whose people may sign up by themselves. Subdomains are
    other domains."""
    return mail_domain(email.rpartition("@")[2]) in settings.SIGN_UP_DOMAINS


def waiting_sign_ups() -> int:
    """Return how many people wait for approval. Administrators see it on every page."""
    return _waiting.get()


def forget() -> None:
    """Read everything again at the next use."""
    _settings.forget()
    _waiting.forget()


@receiver([post_save, post_delete], sender=InstallationSettings, dispatch_uid="accounts.settings")
@receiver([post_save, post_delete], sender=SignUpRequest, dispatch_uid="accounts.waiting")
def _forget_after_commit(**kwargs: Any) -> None:
    transaction.on_commit(forget)
