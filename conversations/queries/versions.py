"""Versions, clocks and the epoch, which the realtime engine polls."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from accounts.models import User
from conversations import bulk
from conversations.models import Conversation, Instance


def epoch() -> str:
    """Return the epoch. Creates it with the first call."""
    instance, _made = Instance.objects.get_or_create(pk=1)
    return instance.epoch


def changed_versions(known: Mapping[int, int]) -> dict[int, int | None]:
    """Return id -> version of the conversations whose version is not the known one; None for deleted
    ones. One query; at most 4,000 ids."""
    return bulk.changed_values(Conversation, "version", known, alive="t.deleted_at IS NULL")


def changed_clocks(known: Mapping[int, int]) -> dict[int, int | None]:
    """Return id -> clock of the users whose clock is not the known one; None for deactivated accounts.
    One query; at most 4,000 ids."""
    return bulk.changed_values(User, "clock", known, alive="t.is_active")


def clocks(user_ids: Collection[int]) -> dict[int, int]:
    """Return id -> clock of active users. One query; at most 1,000 ids."""
    rows = User.objects.filter(pk__in=user_ids, is_active=True)
    return dict(rows.values_list("pk", "clock"))
