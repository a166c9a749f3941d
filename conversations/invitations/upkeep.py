"""Removes invitations that no one accepted, a month after they ended. The others say who came by whom."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Q, QuerySet
from django.utils import timezone

from chatty.jobs import upkeep
from conversations.invitations.models import Invitation

FORGET_AFTER = timedelta(days=30)


def forgotten_invitations() -> QuerySet[Invitation]:
    before = timezone.now() - FORGET_AFTER
    ended = Q(expires_at__lt=before) | Q(revoked_at__lt=before)
    return Invitation.objects.filter(ended, uses=0)


def register() -> None:
    upkeep.register_rows("invitations", forgotten_invitations)
