"""Extends claims while their work is being done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from chatty.common.errors import DATABASE_ERRORS
from chatty.common.threads import DatabaseThreads
from chatty.jobs import claims
from chatty.jobs.work import Work


async def extend_claims(
    threads: DatabaseThreads, rows: Callable[[], Iterable[Work]], *, every: float, lease: float
) -> None:
    """Extend the claims of these rows again and again, until this is cancelled. Times in seconds."""
    while True:
        await asyncio.sleep(every)
        for row in list(rows()):
            try:
                await threads.run(claims.extend, row, lease=lease)
            except (claims.ClaimLostError, *DATABASE_ERRORS):
                continue  # it is noticed when the work ends
