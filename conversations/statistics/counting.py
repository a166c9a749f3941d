"""Counts messages and active people, a few at a time, in a recurring job."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from datetime import UTC, date, datetime, time, timedelta

import msgspec
from django.db.models import F
from django.utils import timezone

from accounts.models import SignIn
from chatty.jobs import queue, upkeep
from conversations.models import Message
from conversations.realtime import presence
from conversations.statistics.models import ActiveDay, Counted, DayStatistics, HourStatistics

EVERY_SECONDS = 300.0
KEEP = timedelta(days=40)
_BATCH = 2_000  # ids looked at in one step
# A transaction that has drawn an id may commit after one with a higher id.
_SETTLED = timedelta(seconds=30)


class Found(msgspec.Struct, frozen=True):
    """What a step adds. `up_to`: the id of the last message that is counted in it, None if none is left."""

    up_to: int | None
    messages: dict[date, int]
    active: set[tuple[date, int]]
    online: int


def find(settled: timedelta = _SETTLED) -> Found:
    """Return what is not counted yet. `settled`: how long ago a message must have been sent."""
    now = timezone.now()
    messages: Counter[date] = Counter()
    active: set[tuple[date, int]] = set()
    counted = Counted.objects.first()
    start = counted.message_id if counted else 0
    rows = list(
        Message.objects.filter(pk__gt=start)
        .order_by("pk")
        .values_list("pk", "kind", "author_id", "created_at")[:_BATCH]
    )
    while rows and rows[-1][3] > now - settled:
        rows.pop()
    since = (now - KEEP).date()
    for _pk, kind, author, created_at in rows:
        day = created_at.astimezone(UTC).date()
        if kind == Message.Kind.TEXT and day >= since:
            messages[day] += 1
            active.add((day, author))
    if len(rows) < _BATCH:
        active |= _seen_on(now.astimezone(UTC).date())
    return Found(rows[-1][0] if rows else None, dict(messages), active, presence.count_online())


def _seen_on(today: date) -> set[tuple[date, int]]:
    """Who used Chatty today, and is not noted yet."""
    midnight = datetime.combine(today, time(), UTC)
    seen = SignIn.objects.filter(last_seen_at__gte=midnight).values_list("user_id", flat=True)
    noted = ActiveDay.objects.filter(day=today).values_list("user_id", flat=True)
    return {(today, user) for user in set(seen) - set(noted)}


def add(found: Found) -> queue.Again:
    for day, number in found.messages.items():
        DayStatistics.objects.get_or_create(day=day)
        DayStatistics.objects.filter(day=day).update(messages=F("messages") + number)
    _note_active(found.active)
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    sample, _created = HourStatistics.objects.get_or_create(hour=hour)
    if found.online > sample.online:
        HourStatistics.objects.filter(hour=hour).update(online=found.online)
    if found.up_to is None:
        return queue.again(EVERY_SECONDS)
    Counted.objects.update_or_create(pk=1, defaults={"message_id": found.up_to})
    return queue.again()


def _note_active(active: Collection[tuple[date, int]]) -> None:
    ActiveDay.objects.bulk_create(
        [ActiveDay(day=day, user_id=user) for day, user in sorted(active)], ignore_conflicts=True
    )


def register() -> None:
    queue.register("count_statistics", add, prepare=find, recurring=True)
    upkeep.register_rows(
        "day_statistics",
        lambda: DayStatistics.objects.filter(day__lt=(timezone.now() - KEEP).date()),
    )
    upkeep.register_rows(
        "active_days", lambda: ActiveDay.objects.filter(day__lt=(timezone.now() - KEEP).date())
    )
    upkeep.register_rows(
        "hour_statistics", lambda: HourStatistics.objects.filter(hour__lt=timezone.now() - KEEP)
    )
