"""Jobs and deliveries in tests without a worker."""

from __future__ import annotations

from django.utils import timezone

from chatty.jobs import deliveries, queue


def run_jobs() -> int:
    """Run a step of each job that is due, and return how many."""
    jobs = queue.claim(100)
    for job in jobs:
        queue.run(job)
    return len(jobs)


def purge(name: str) -> None:
    """Remove everything of this name that has expired (chatty/jobs/upkeep.py)."""
    queue.ensure(f"purge_{name}")
    while run_jobs():
        pass


def send_waiting() -> int:
    """Send the deliveries that are due, in this thread, and return how many there were."""
    found = deliveries.claim(100, {}, 100, [], "")
    started_at = timezone.now()
    for claimed in found:
        kind = deliveries.kind_of(claimed.delivery)
        try:
            prepared = kind.prepare(claimed.delivery)
            if prepared is not None:
                kind.send(prepared)
        except Exception as error:
            deliveries.fail(claimed, error, started_at)
        else:
            deliveries.finish(claimed, sent=prepared is not None)
    return len(found)
