"""Counts the work that is waiting, for the metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import msgspec
from django.db.models import Count, Min, Q, QuerySet
from django.utils import timezone

from chatty.common.threads import DatabaseThreads
from chatty.jobs import deliveries, queue
from chatty.jobs.models import Delivery, Destination, Job
from chatty.ops import metrics

COUNT_SECONDS = 5.0
OTHER = "other"  # the label of work that this version of Chatty doesn't know


class Waiting(msgspec.Struct, frozen=True):
    """`name`: of jobs, or the kind of deliveries. `age`: for how long the first has been due, in seconds."""

    name: str
    waiting: int
    age: float
    set_aside: int


class Statistics:
    """Counts, even if the work is done by other processes."""

    def __init__(self, threads: DatabaseThreads) -> None:
        self._threads = threads

    async def run(self) -> None:
        while True:
            await self._threads.run_until_done(update_metrics)
            await asyncio.sleep(COUNT_SECONDS)


def update_metrics() -> None:
    # A job that was created long ago can have run many times since.
    jobs = _count(Job.objects.all(), "name", failed_since="due_at")
    for waiting in _by_label(jobs, queue.registered()):
        metrics.JOBS_WAITING.labels(waiting.name).set(waiting.waiting)
        metrics.JOBS_AGE.labels(waiting.name).set(waiting.age)
        metrics.JOBS_SET_ASIDE.labels(waiting.name).set(waiting.set_aside)
    outgoing = _count(Delivery.objects.all(), "kind", failed_since="created_at")
    for waiting in _by_label(outgoing, deliveries.registered()):
        metrics.DELIVERIES_WAITING.labels(waiting.name).set(waiting.waiting)
        metrics.DELIVERIES_AGE.labels(waiting.name).set(waiting.age)
        metrics.DELIVERIES_SET_ASIDE.labels(waiting.name).set(waiting.set_aside)
    metrics.DESTINATIONS_UNREACHABLE.set(Destination.objects.count())


def _by_label(found: Iterable[Waiting], known: Iterable[str]) -> list[Waiting]:
    """Return one for each name that is known, and one for all others."""
    labels = {name: Waiting(name, 0, 0.0, 0) for name in (*known, OTHER)}
    for each in found:
        name = each.name if each.name in labels else OTHER
        sum_ = labels[name]
        labels[name] = Waiting(
            name,
            sum_.waiting + each.waiting,
            max(sum_.age, each.age),
            sum_.set_aside + each.set_aside,
        )
    return list(labels.values())


def _count(rows: QuerySet[Any], column: str, *, failed_since: str) -> list[Waiting]:
    """Count by the values of a column. `failed_since`: the column that says since when a row that has failed
    is waiting. Its `due_at` is the next attempt."""
    now = timezone.now()
    due = Q(set_aside_at=None, due_at__lte=now)
    failed = Q(set_aside_at=None, failures__gt=0)
    counted = rows.order_by().values_list(column)
    return [
        Waiting(
            name=name,
            waiting=waiting,
            age=max((0.0, *((now - at).total_seconds() for at in (first_due, first_failed) if at))),
            set_aside=set_aside,
        )
        for name, waiting, first_due, first_failed, set_aside in counted.annotate(
            waiting=Count("id", filter=due | failed),
            first_due=Min("due_at", filter=due),
            first_failed=Min(failed_since, filter=failed),
            set_aside=Count("id", filter=Q(set_aside_at__isnull=False)),
        )
    ]
