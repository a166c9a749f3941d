"""Closing an account and opening it again."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from accounts.actions.clocks import bump_clock
from accounts.actions.sign_ins import end_sign_ins
from accounts.models import User
from accounts.signals import ACCOUNT_CLOSED


def close_account(user: User) -> None:
    """Shut somebody out, at once and everywhere. What they wrote stays, with their name."""
    with transaction.atomic():
        User.objects.filter(pk=user.pk).update(is_active=False, closed_at=timezone.now())
        end_sign_ins(user, code=ACCOUNT_CLOSED)
    user.refresh_from_db(fields=["is_active", "closed_at", "clock"])


def reopen_account(user: User) -> None:
    """Let them in again. Their old sign-ins stay ended: they sign in anew."""
    with transaction.atomic():
        User.objects.filter(pk=user.pk).update(is_active=True, closed_at=None)
        bump_clock([user.pk])
    user.refresh_from_db(fields=["is_active", "closed_at", "clock"])
