"""Deactivating and reactivating accounts."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from accounts.actions.clocks import bump_clock
from accounts.actions.sign_ins import end_sign_ins
from accounts.models import User
from accounts.signals import ACCOUNT_CLOSED, account_closing, account_reopened


def close_account(user: User) -> None:
    """Deactivate an account and end all its sign-ins. Its messages stay, with the author's name."""
    with transaction.atomic():
        User.objects.filter(pk=user.pk).update(is_active=False, closed_at=timezone.now())
        account_closing.send(sender=User, user_id=user.pk)
        end_sign_ins(user, code=ACCOUNT_CLOSED)
    user.refresh_from_db(fields=["is_active", "closed_at", "clock"])


def reopen_account(user: User) -> None:
    """Reactivate an account. Its earlier sign-ins stay ended: the user has to sign in again."""
    with transaction.atomic():
        User.objects.filter(pk=user.pk).update(is_active=True, closed_at=None)
        bump_clock([user.pk])
        account_reopened.send(sender=User, user_id=user.pk)
    user.refresh_from_db(fields=["is_active", "closed_at", "clock"])
