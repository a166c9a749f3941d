"""Jobs: things to do in the database, now or later, at least once.

An app registers functions, in `ready`, and calls enqueue() in a transaction. If that is committed, the
function is called, in some process, whatever crashes. Each call is a transaction together with the end of
the job, so what the function writes takes effect exactly once per call.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from chatty.jobs import claims, wakeups
from chatty.jobs.models import Job

logger = logging.getLogger(__name__)

TROUBLE_SECONDS = 1.0  # before the next attempt if the database was the reason
RECURRING_SECONDS_MAX = 3600.0  # between two rounds of a recurring job


class Again(msgspec.Struct, frozen=True):
    after: float  # seconds


def again(after: float = 0.0) -> Again:
    """Return this from a job that is not done: it is called again after this many seconds."""
    return Again(after)


class _Registered(msgspec.Struct, frozen=True):
    function: Callable[..., Again | None]
    prepare: Callable[..., Any] | None
    recurring: bool


_registered: dict[str, _Registered] = {}


def register(
    name: str,
    function: Callable[..., Again | None],
    *,
    prepare: Callable[..., Any] | None = None,
    recurring: bool = False,
) -> None:
    """Register a function for jobs, in the `ready` of an app. Raises ValueError if the name is taken.

    `function` is called in a transaction, with the job's arguments. It returns None when the job is done, or
    again(). It only works with the database, and briefly: SQLite has one writer, so a step should take 5 ms
    there. A job of several steps finds out by itself what is left. It may raise any exception: then nothing
    is written, and it is called again later.

    `prepare`: called before it, outside of the transaction, for what takes longer: searching, computing. It
    gets the arguments, too, and `function` gets its result first.

    `recurring`: there is always one such job, without arguments. The function always returns again(), with
    RECURRING_SECONDS_MAX at most.
    """
    if name in _registered:
        raise ValueError(f"There is a job {name!r} already.")
    _registered[name] = _Registered(function, prepare, recurring)


def registered() -> tuple[str, ...]:
    return tuple(_registered)


def enqueue(
    name: str,
    arguments: Mapping[str, Any] | None = None,
    *,
    key: str | None = None,
    run_after: datetime | None = None,
) -> None:
    """Call the function of this name after the commit of the current transaction, or after `run_after`.

    `arguments`: ids and numbers, as JSON. `key`: there is at most one job of this name and key. If it
    already exists, it keeps its arguments, is due at the earlier of both times, and if it is running it
    runs again afterwards. Then it sees what the current transaction has changed. One that was set aside is
    tried again.

    With a key, this may wait for another transaction that enqueues the same. So call it last.
    """
    _require_registered(name)
    due_at = run_after or timezone.now()
    if key is None:
        Job.objects.create(name=name, arguments=dict(arguments or {}), due_at=due_at)
    else:
        _insert(_ASK_AGAIN, name, arguments, key, due_at)
    wakeups.jobs.send_after_commit()


def ensure(name: str, arguments: Mapping[str, Any] | None = None, *, key: str = "") -> None:
    """As enqueue(), but do nothing if this job exists, even if it was set aside."""
    _require_registered(name)
    _insert("DO NOTHING", name, arguments, key, timezone.now())
    wakeups.jobs.send_after_commit()


def ensure_recurring() -> None:
    """Enqueue the recurring jobs that are missing."""
    for name, each in list(_registered.items()):
        if each.recurring:
            ensure(name)


def _require_registered(name: str) -> None:
    if name not in _registered:
        raise LookupError(f"There is no job {name!r}.")


def _insert(
    conflict: str,
    name: str,
    arguments: Mapping[str, Any] | None,
    key: str,
    due_at: datetime,
) -> None:
    """Insert a job in one statement: neither a race nor an error that would end the transaction."""
    adapt = connection.ops.adapt_datetimefield_value
    now = adapt(timezone.now())
    text = json.dumps(dict(arguments or {}), cls=DjangoJSONEncoder)
    least = "LEAST" if connection.vendor == "postgresql" else "MIN"
    sql = _INSERT + conflict.format(least=least)
    with connection.cursor() as cursor:
        cursor.execute(sql, [name, text, f"{name}:{key}", adapt(due_at), now])


_INSERT = """INSERT INTO jobs_job
    (name, arguments, key, due_at, created_at, claim, failures, error)
    VALUES (%s, %s, %s, %s, %s, '', 0, '')
    ON CONFLICT (key) """
# A claimed job runs again when it has ended. One that waits after a failure goes on waiting.
_ASK_AGAIN = """DO UPDATE SET
    again_at = CASE WHEN jobs_job.claim = '' THEN jobs_job.again_at
        ELSE {least}(COALESCE(jobs_job.again_at, excluded.due_at), excluded.due_at) END,
    due_at = CASE WHEN jobs_job.set_aside_at IS NOT NULL THEN excluded.due_at
        WHEN jobs_job.claim > '' OR jobs_job.failures > 0 THEN jobs_job.due_at
        ELSE {least}(jobs_job.due_at, excluded.due_at) END,
    failures = CASE WHEN jobs_job.set_aside_at IS NULL THEN jobs_job.failures ELSE 0 END,
    set_aside_at = NULL"""


def try_again(rows: Iterable[Job]) -> int:
    """Run jobs that were set aside or have failed. Returns how many."""
    number = claims.try_again(Job.objects.filter(pk__in=[row.pk for row in rows]))
    wakeups.jobs.send_after_commit()
    return number


def known() -> QuerySet[Job]:
    """Return the jobs that this version of Chatty can do. During an upgrade there may be others, which are
    left to processes of the other version."""
    return Job.objects.filter(name__in=_registered)


def claim(limit: int) -> list[Job]:
    """Claim jobs that are due: up to `limit`, and one that has failed."""
    # Those that wait for no time that was asked for: they have not run yet, or wait for their next round.
    recurring = [name for name, each in _registered.items() if each.recurring]
    later = timezone.now() + timedelta(seconds=2 * RECURRING_SECONDS_MAX)
    unplanned = Q(due_at__lte=F("created_at")) | Q(name__in=recurring, due_at__gt=later)
    sound = claims.claim(known().filter(failures=0), limit, unplanned=unplanned)
    # One that has failed at a time, and last: if it ends the process, no other counts that as a failure, and
    # those that have failed less are before it the next time.
    failed = known().filter(failures__gt=0)
    return sound + claims.claim(failed, 1, order=("failures", "due_at", "pk"))


def run(job: Job) -> None:
    """Run one step of a claimed job, and end its claim. Raises only errors of the database, and only if
    the claim could not be ended; it runs out then."""
    try:
        try:
            _run_step(job, _registered[job.name])
        except claims.ClaimLostError:
            raise
        except Exception as error:
            if claims.is_database_trouble(error):
                logger.warning("Job %s (%s) waits: %s", job.pk, job.name, type(error).__name__)
                later = timezone.now() + timedelta(seconds=TROUBLE_SECONDS)
                claims.give_back(job, due_at=later)
            else:
                logger.exception("Job %s (%s) failed", job.pk, job.name)
                claims.fail(job, error)
    except claims.ClaimLostError:
        logger.warning("Job %s (%s) took too long: another process does it", job.pk, job.name)


def _run_step(job: Job, found: _Registered) -> None:
    prepared = () if found.prepare is None else (found.prepare(**job.arguments),)
    with transaction.atomic():
        result = found.function(*prepared, **job.arguments)
        if result is None and _finish(job):
            return
        after = 0.0 if result is None else result.after
        _release(job, timezone.now() + timedelta(seconds=after), keeps_going=result is not None)


def _finish(job: Job) -> bool:
    """Remove a job that is done. Returns False if it was asked for again while it ran."""
    gone, _by_model = Job.objects.filter(pk=job.pk, claim=job.claim, again_at=None).delete()
    return bool(gone)


def _release(job: Job, due_at: datetime, *, keeps_going: bool) -> None:
    # Locked, or the time to start again could be set in between.
    asked = Job.objects.select_for_update().filter(pk=job.pk).values_list("again_at", flat=True)
    again_at = next(iter(asked), None)
    if again_at is not None:
        due_at = min(due_at, again_at) if keeps_going else again_at
    claims.release(job, due_at=due_at, again_at=None)
