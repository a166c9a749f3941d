"""What the front page of the admin site shows."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
from django.conf import settings
from django.db.models import Count
from django.utils import timezone

from accounts.models import User
from chatty.jobs.models import Delivery, Destination, Job
from conversations.changefeed.models import SetAsideChange
from conversations.realtime import presence
from conversations.statistics import counting, plots, storage
from conversations.statistics.models import ActiveDay, DayStatistics, HourStatistics

DAYS = 30
HOURS = 24
_NEARLY_FULL = 0.1  # of a disk that is free


class Overview(msgspec.Struct, frozen=True):
    """Numbers of now and today, plots of the last days and hours, and what needs attention."""

    now: datetime
    people: int
    people_this_week: int
    active_today: int
    active_yesterday: int
    messages_today: int
    messages_yesterday: int
    online: int
    messages: plots.Plot
    active: plots.Plot
    connected: plots.Plot
    storage: storage.Storage
    disk_is_nearly_full: bool
    storage_shares: list[tuple[str, float, float]]
    mail_is_set_up: bool
    waiting_mails: int
    failed_mails: int
    failed_jobs: int


def look() -> Overview:
    now = timezone.now().astimezone(UTC)
    today, yesterday = now.date(), now.date() - timedelta(days=1)
    days = [today - timedelta(days=back) for back in reversed(range(DAYS))]
    messages, active = _numbers_since(days[0])
    people = User.objects.filter(is_active=True)
    space = storage.measure()
    set_aside = Job.objects.exclude(set_aside_at=None).count() + SetAsideChange.objects.count()
    return Overview(
        now=now,
        people=people.count(),
        people_this_week=people.filter(date_joined__gte=now - timedelta(days=7)).count(),
        active_today=active[today],
        active_yesterday=active[yesterday],
        messages_today=messages[today],
        messages_yesterday=messages[yesterday],
        online=presence.count_online(),
        messages=_by_day(days, messages),
        active=_by_day(days, active),
        connected=_by_hour(now),
        storage=space,
        disk_is_nearly_full=space.free < space.total * _NEARLY_FULL,
        storage_shares=_shares(space),
        mail_is_set_up=settings.MAIL_SET_UP,
        waiting_mails=Delivery.objects.filter(set_aside_at=None).count(),
        failed_mails=Delivery.objects.exclude(set_aside_at=None).count()
        + Destination.objects.count(),
        failed_jobs=set_aside,
    )


def _numbers_since(day: date) -> tuple[Counter[date], Counter[date]]:
    """Return messages and active people per day: those that are counted, and what was found since."""
    found = counting.find(settled=timedelta(0))
    rows = DayStatistics.objects.filter(day__gte=day)
    messages = Counter(dict(rows.values_list("day", "messages")))
    messages.update(found.messages)
    noted = ActiveDay.objects.filter(day__gte=day)
    counts = noted.values_list("day").annotate(people=Count("id"))
    active = Counter(dict(counts.values_list("day", "people")))
    for active_day in {each for each, _user in found.active}:
        users = {user for each, user in found.active if each == active_day}
        known = noted.filter(day=active_day, user__in=users).count()
        active[active_day] += len(users) - known
    return messages, active


def _by_day(days: list[date], numbers: dict[Any, int]) -> plots.Plot:
    """Mondays have a label."""
    values = []
    for day in days:
        label = ""
        if day.weekday() == 0:
            label = f"{day:%m-%d}"
        values.append(plots.Value(numbers.get(day, 0), day.isoformat(), label))
    return plots.draw(values)


def _by_hour(now: datetime) -> plots.Plot:
    last = now.replace(minute=0, second=0, microsecond=0)
    hours = [last - timedelta(hours=back) for back in reversed(range(HOURS))]
    samples = dict(HourStatistics.objects.filter(hour__gte=hours[0]).values_list("hour", "online"))
    return plots.draw(
        [
            plots.Value(
                samples.get(hour, 0),
                f"{hour:%Y-%m-%d %H:%M}",
                f"{hour:%H}" if hour.hour % 6 == 0 else "",
            )
            for hour in hours
        ]
    )


def _shares(space: storage.Storage) -> list[tuple[str, float, float]]:
    """Return bars of the used space: name, left end, width."""
    used = space.total - space.free
    known = [("database", space.database), ("files", space.files or 0)]
    other = max(0, used - sum(size for _name, size in known))
    bars = []
    left = 0.0
    for name, size in (*known, ("other", other)):
        width = round(plots.WIDTH * size / space.total, 1) if space.total else 0.0
        bars.append((name, round(left, 1), width))
        left += width
    return bars
