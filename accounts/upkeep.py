"""What of sign-ins is removed once it has run out. The links in mails are signed, and no rows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.contrib.sessions.models import Session
from django.db.models import Q
from django.utils import timezone

from accounts.models import SignIn
from chatty.common import upkeep

# A sign-in that is over is still recognised for so long: see actions.hash_of_address.
FORGET_AFTER = timedelta(days=30)


def purge_sessions() -> Iterator[int]:
    return upkeep.delete_in_batches(Session.objects.filter(expire_date__lt=timezone.now()))


def purge_sign_ins() -> Iterator[int]:
    """Remove rows of sign-ins, and with them of refresh tokens, that were over long ago."""
    before = timezone.now() - FORGET_AFTER
    over = Q(expires_at__lt=before) | Q(ended_at__lt=before)
    return upkeep.delete_in_batches(SignIn.objects.filter(over))


upkeep.register("sessions", purge_sessions)
upkeep.register("sign-ins", purge_sign_ins)
