"""The clock of a user: a counter of changes to what the account can access."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.db.models import F

from accounts.models import User


def bump_clock(user_ids: Iterable[int]) -> None:
    """Increment the clocks of these users, in the transaction that changes their access."""
    ids = sorted(set(user_ids))
    with transaction.atomic():
        people = User.objects.filter(pk__in=ids)
        if len(ids) > 1:
            # Lock in a fixed order: two transactions with the same users would deadlock.
            list(people.select_for_update(no_key=True).order_by("pk").values_list("pk"))
        people.update(clock=F("clock") + 1)
