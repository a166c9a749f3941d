"""Removes expired sessions and sign-ins. Reset links need no cleanup: they are signed, not stored."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.contrib.sessions.models import Session
from django.db.models import Q
from django.utils import timezone

from accounts.models import SignIn
from chatty.common import upkeep

# Ended sign-ins are kept this long to recognise their address: see actions.hash_of_address.
FORGET_AFTER = timedelta(days=30)


def purge_sessions() -> Iterator[int]:
    return upkeep.delete_in_batches(Session.objects.filter(expire_date__lt=timezone.now()))


def purge_sign_ins() -> Iterator[int]:
    """Delete sign-ins that ended or expired more than FORGET_AFTER ago."""
    before = timezone.now() - FORGET_AFTER
    over = Q(expires_at__lt=before) | Q(ended_at__lt=before)
    return upkeep.delete_in_batches(SignIn.objects.filter(over))


upkeep.register("sessions", purge_sessions)
upkeep.register("sign-ins", purge_sign_ins)
