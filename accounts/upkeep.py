"""Removes expired sessions and sign-ins. Reset links need no cleanup: they are signed, not stored."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.sessions.models import Session
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.models import SignIn
from chatty.jobs import upkeep

# Ended sign-ins are kept this long to recognise their address: see actions.hash_of_address.
FORGET_AFTER = timedelta(days=30)


def expired_sessions() -> QuerySet[Session]:
    return Session.objects.filter(expire_date__lt=timezone.now())


def expired_sign_ins() -> QuerySet[SignIn]:
    """Return the sign-ins that ended or expired more than FORGET_AFTER ago."""
    before = timezone.now() - FORGET_AFTER
    return SignIn.objects.filter(Q(expires_at__lt=before) | Q(ended_at__lt=before))


upkeep.register_rows("sessions", expired_sessions)
upkeep.register_rows("sign_ins", expired_sign_ins)
