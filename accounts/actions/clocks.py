"""The clock of a person, which rises with every change of what they may."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.db.models import F

from accounts.models import User


def bump_clock(user_ids: Iterable[int]) -> None:
    """Move these people's clocks on. Call it inside the transaction that changed something."""
    ids = sorted(set(user_ids))
    with transaction.atomic():
        people = User.objects.filter(pk__in=ids)
        if len(ids) > 1:
            # Two transactions that lock several people do so in the same order.
            list(people.select_for_update(no_key=True).order_by("pk").values_list("pk"))
        people.update(clock=F("clock") + 1)
