"""Deliveries: what is sent to other servers, at least once, after a commit.

deliver() stores a row in the caller's transaction, and a process sends it afterwards (delivery_worker.py).
The row says what to send, not in which words: `prepare` asks the rules again just before it is sent.

If the destination can't be reached, all its deliveries wait, longer after each failure, and then one is
tried. If only this delivery is refused, it waits alone. What can't be sent in time is set aside.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from chatty.jobs import claims, upkeep, wakeups
from chatty.jobs.models import Delivery, Destination
from chatty.jobs.work import ERROR_MAX
from chatty.ops import logs
from chatty.statements import fetch_rows

logger = logging.getLogger(__name__)

EXPIRES_AFTER = timedelta(days=1)
FORGET_AFTER = timedelta(days=30)  # since it was set aside: `data` can contain addresses
LEASE_SECONDS = 60.0  # extended while it is being sent
EXPIRED = "It could not be sent in time."
EXPIRED_BATCH = 100  # set aside in one statement


class DestinationError(RuntimeError):
    """The destination can't be reached or accepts nothing now. The message is shown to administrators, so
    it must not contain what is being sent, or to whom."""


class RefusedError(RuntimeError):
    """The destination will never accept this delivery. The message: as above."""


class PostponedError(RuntimeError):
    """The destination does not accept this delivery now, but others. The message: as above."""


class ExpiredError(RuntimeError):
    """It is too late to send this delivery."""


class Kind(msgspec.Struct, frozen=True):
    name: str
    prepare: Callable[[Delivery], Any]
    send: Callable[[Any], None] | Callable[[Any], Awaitable[None]]
    templates: Collection[str] | None = None


_kinds: dict[str, Kind] = {}


def register(
    kind: str,
    prepare: Callable[[Delivery], Any],
    send: Callable[[Any], None] | Callable[[Any], Awaitable[None]],
    *,
    templates: Collection[str] | None = None,
) -> None:
    """Register a kind of deliveries, in the `ready` of an app. Raises ValueError if the name is taken.

    `prepare`: reads the database, in a thread. Returns what `send` gets, or None if there is nothing to
    send any more; then the delivery is removed.

    `send`: a coroutine function, or a function that is called in a thread of its own and must end by
    itself. It may raise DestinationError, RefusedError or PostponedError. After any other error, this
    delivery is tried again, and the error is logged as a fault. A delivery is repeated if the process ends,
    or loses the database, just after it was sent: its `reference` lets the recipient recognise that.

    `templates`: those that this version of Chatty knows (None: any), which may still be added to.
    Deliveries with others are left to processes of the other version.
    """
    if kind in _kinds:
        raise ValueError(f"There is a kind {kind!r} already.")
    _kinds[kind] = Kind(kind, prepare, send, templates)


def kind_of(delivery: Delivery) -> Kind:
    return _kinds[delivery.kind]


def registered() -> tuple[str, ...]:
    return tuple(_kinds)


def deliver(
    kind: str,
    destination: str,
    template: str,
    data: Mapping[str, Any],
    *,
    ordering: str = "",
    expires_after: timedelta = EXPIRES_AFTER,
) -> Delivery:
    """Send something after the commit of the current transaction.

    `destination`: the server, by which failures are counted. `data`: as JSON, only ids and settings.
    `ordering`: deliveries of a destination with the same value are sent one after the other, in order of
    their ids; one that was set aside is left out. "": in any order.
    """
    if kind not in _kinds:
        raise LookupError(f"There is no kind of deliveries {kind!r}.")
    templates = _kinds[kind].templates
    if templates is not None and template not in templates:
        raise LookupError(f"There is no template {template!r}.")
    delivery = Delivery.objects.create(
        kind=kind,
        destination=destination,
        ordering=ordering,
        template=template,
        data=dict(data),
        expires_at=timezone.now() + expires_after,
    )
    wakeups.deliveries.send_after_commit()
    return delivery


# --- claiming -------------------------------------------------------------------------------------------


class Claimed(msgspec.Struct, frozen=True):
    """`is_probe`: the destination could not be reached before."""

    delivery: Delivery
    is_probe: bool


def known() -> QuerySet[Delivery]:
    """Return the deliveries that this version of Chatty can send."""
    sendable = Q(pk__in=[])  # none
    for kind in _kinds.values():
        of_kind = Q(kind=kind.name)
        if kind.templates is not None:
            of_kind &= Q(template__in=list(kind.templates))
        sendable |= of_kind
    return Delivery.objects.filter(sendable)


def sweep_delay() -> float:
    """Return how long a worker should wait before it looks again, in seconds."""
    waiting = known().filter(set_aside_at=None).exists()
    return claims.SWEEP_SECONDS if waiting else claims.IDLE_SWEEP_SECONDS


def claim(
    places: int, running: Mapping[str, int], each: int, busy: Collection[int], after: str
) -> list[Claimed]:
    """Claim deliveries that are due.

    `places`: at most so many; `each`: for each destination, including those in `running`. `busy`: ids that
    this process is working on, even if the claim has run out. `after`: start with the destination that
    follows this one, so that each gets its turn.
    """
    now = timezone.now()
    names: list[str] = [name for (name,) in fetch_rows(_DESTINATIONS, [])]
    names = [name for name in names if name > after] + [name for name in names if name <= after]
    unreachable = {row.name: row for row in Destination.objects.filter(name__in=names)}
    found: list[Claimed] = []
    for name in names:
        room = min(each - running.get(name, 0), places - len(found))
        rows = known().filter(destination=name).exclude(pk__in=busy)
        failing = unreachable.get(name)
        if failing is not None:
            if running.get(name, 0) or not _take_probe(failing, now):
                continue
            room = min(room, 1)
        if room > 0:
            claimed = claims.claim(
                _first_of_order(rows), room, lease=LEASE_SECONDS, unplanned=claims.ALL
            )
            found += [Claimed(row, failing is not None) for row in claimed]
            if failing is not None and not claimed:
                _leave_probe(failing)
        if len(found) >= places:
            break
    return found


def _first_of_order(rows: QuerySet[Delivery]) -> QuerySet[Delivery]:
    earlier = Delivery.objects.filter(
        destination=OuterRef("destination"),
        ordering=OuterRef("ordering"),
        pk__lt=OuterRef("pk"),
        set_aside_at=None,
    ).exclude(ordering="")
    return rows.filter(Q(ordering="") | ~Exists(earlier))


def _take_probe(failing: Destination, now: datetime) -> bool:
    """Return whether this process may try the destination. If so, no other does for a while."""
    longest = now + timedelta(seconds=2 * claims.RETRY_SECONDS_MAX)
    if now < failing.retry_at < longest:  # later: the clock was set back
        return False
    own = Destination.objects.filter(pk=failing.pk, retry_at=failing.retry_at)
    return bool(own.update(retry_at=now + timedelta(seconds=LEASE_SECONDS)))


def _leave_probe(failing: Destination) -> None:
    """Nothing is due, so the next delivery may try."""
    Destination.objects.filter(pk=failing.pk).update(retry_at=failing.retry_at)


# A distinct value with one look at the index for each.
_DESTINATIONS = """WITH RECURSIVE found(name) AS (
    SELECT min(destination) FROM jobs_delivery WHERE set_aside_at IS NULL
    UNION ALL
    SELECT (SELECT min(destination) FROM jobs_delivery
        WHERE set_aside_at IS NULL AND destination > found.name)
    FROM found WHERE found.name IS NOT NULL)
    SELECT name FROM found WHERE name IS NOT NULL"""


# --- the end --------------------------------------------------------------------------------------------


def finish(claimed: Claimed, *, sent: bool) -> None:
    """Remove a delivery that was sent, or had nothing to send. Raises ClaimLostError."""
    with transaction.atomic():
        claims.finish(claimed.delivery)
        _end_probe(claimed, answered=sent)


def give_back(claimed: Claimed) -> None:
    """End the claim because the database could not be read. Raises ClaimLostError."""
    with transaction.atomic():
        later = timezone.now() + timedelta(seconds=claims.RETRY_SECONDS)
        claims.give_back(claimed.delivery, due_at=later)
        _end_probe(claimed, answered=False)


def fail(claimed: Claimed, error: Exception, started_at: datetime) -> None:
    """Try it again later, or set it aside. `started_at`: of the attempt. Raises ClaimLostError."""
    delivery = claimed.delivery
    refused = isinstance(error, RefusedError)
    over = is_expired(delivery) or delivery.failures >= delivery.FAILURES_MAX
    with transaction.atomic():
        claims.fail(delivery, error, set_aside=refused or over)
        if isinstance(error, DestinationError):
            _fail_destination(delivery.destination, error, started_at)
        else:
            _end_probe(claimed, answered=refused or isinstance(error, PostponedError))


def _end_probe(claimed: Claimed, *, answered: bool) -> None:
    """`answered`: whether the destination can be reached. If not, it wasn't tried: another delivery may."""
    if not claimed.is_probe:
        return
    row = Destination.objects.filter(pk=claimed.delivery.destination)
    if answered:
        row.delete()
    else:
        row.update(retry_at=timezone.now())


def _fail_destination(name: str, error: DestinationError, started_at: datetime) -> None:
    now = timezone.now()
    row = Destination.objects.select_for_update().filter(pk=name).first()
    if row is None:
        row = Destination(name=name, failures=0, failed_at=now)
    elif row.failed_at > started_at:
        return  # several failed at once, which counts as one
    row.failures += 1
    row.failed_at = now
    row.retry_at = now + claims.retry_delay(row.failures)
    row.error = logs.describe_error(error)[:ERROR_MAX]
    Destination.objects.bulk_create(
        [row],
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=["failures", "failed_at", "retry_at", "error"],
    )
    logger.warning("%s can't be reached: %s", logs.one_line(name, 100), row.error)


def is_expired(delivery: Delivery) -> bool:
    return timezone.now() >= delivery.expires_at


def set_expired_aside() -> None:
    """Set aside deliveries that could not be sent in time, EXPIRED_BATCH per transaction."""
    now = timezone.now()
    free = Q(claim="") | Q(claimed_until__lte=now)
    late = Delivery.objects.filter(free, set_aside_at=None, expires_at__lte=now)
    while ids := list(late.values_list("pk", flat=True)[:EXPIRED_BATCH]):
        number = late.filter(pk__in=ids).update(set_aside_at=now, error=EXPIRED, claim="")
        logger.error("%s deliveries were set aside: %s", number, EXPIRED)


# --- administrators -------------------------------------------------------------------------------------


def try_again(rows: Iterable[Delivery]) -> int:
    """Send deliveries that were set aside or have failed, even if their destination could not be reached.
    Returns how many."""
    ids = [row.pk for row in rows]
    now = timezone.now()
    with transaction.atomic():
        found = Delivery.objects.filter(pk__in=ids)
        found.update(expires_at=now + EXPIRES_AFTER)
        number = claims.try_again(found)
        Destination.objects.filter(pk__in=found.values("destination")).update(retry_at=now)
    wakeups.deliveries.send_after_commit()
    return number


def try_destinations_again(rows: Iterable[Destination]) -> int:
    """Try destinations now, and not at their next attempt. Returns how many."""
    names = [row.name for row in rows]
    now = timezone.now()
    with transaction.atomic():
        failed = Delivery.objects.filter(set_aside_at=None, claim="", failures__gt=0)
        failed.filter(destination__in=names).update(due_at=now)
        number = Destination.objects.filter(pk__in=names).update(retry_at=now)
    wakeups.deliveries.send_after_commit()
    return number


def forgotten_deliveries() -> QuerySet[Delivery]:
    """Return the deliveries that were set aside, and that no administrator has tried again for long."""
    return Delivery.objects.filter(set_aside_at__lt=timezone.now() - FORGET_AFTER)


def unneeded_destinations() -> QuerySet[Destination]:
    """Return the unreachable destinations for which nothing is waiting any more."""
    waiting = Delivery.objects.filter(destination=OuterRef("name"), set_aside_at=None)
    return Destination.objects.filter(~Exists(waiting))


upkeep.register_rows("deliveries", forgotten_deliveries)
upkeep.register_rows("destinations", unneeded_destinations)
