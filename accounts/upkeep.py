"""Removes expired sessions and sign-ins, and sign-ups that came to nothing.

Reset links need no cleanup: they are signed, not stored.
"""

from __future__ import annotations

from datetime import timedelta

from django.contrib.sessions.models import Session
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.models import AddressConfirmation, SignIn, SignUpRequest
from chatty.jobs import upkeep

# Ended sign-ins are kept this long to recognise their address: see actions.hash_of_address.
FORGET_AFTER = timedelta(days=30)

# What is known of people whose sign-up was rejected. The email to them says so.
FORGET_REJECTED_AFTER = timedelta(days=7)

FORGET_UNCONFIRMED_AFTER = timedelta(days=7)


def expired_sessions() -> QuerySet[Session]:
    return Session.objects.filter(expire_date__lt=timezone.now())


def expired_sign_ins() -> QuerySet[SignIn]:
    """Return the sign-ins that ended or expired more than FORGET_AFTER ago."""
    before = timezone.now() - FORGET_AFTER
    return SignIn.objects.filter(Q(expires_at__lt=before) | Q(ended_at__lt=before))


def forgotten_sign_ups() -> QuerySet[SignUpRequest]:
    """Return those that were rejected, or whose address no one has confirmed."""
    state = SignUpRequest.State
    rejected = timezone.now() - FORGET_REJECTED_AFTER
    unconfirmed = timezone.now() - FORGET_UNCONFIRMED_AFTER
    return SignUpRequest.objects.filter(
        Q(state=state.REJECTED, decided_at__lt=rejected)
        | Q(state=state.UNCONFIRMED, created_at__lt=unconfirmed)
    )


def expired_confirmations() -> QuerySet[AddressConfirmation]:
    return AddressConfirmation.objects.filter(expires_at__lt=timezone.now())


upkeep.register_rows("sessions", expired_sessions)
upkeep.register_rows("sign_ins", expired_sign_ins)
upkeep.register_rows("sign_up_requests", forgotten_sign_ups)
upkeep.register_rows("confirmations", expired_confirmations)
