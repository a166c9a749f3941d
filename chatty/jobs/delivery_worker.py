"""Sends deliveries in the background of a process, several at a time, outside of any transaction."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from django.utils import timezone

from chatty.common.errors import DATABASE_ERRORS
from chatty.common.threads import DatabaseThreads
from chatty.jobs import claims, deliveries, wakeups
from chatty.jobs.deliveries import Claimed, DestinationError
from chatty.jobs.extending import extend_claims
from chatty.ops import logs

logger = logging.getLogger(__name__)

TOTAL_MAX = 16  # sent at the same time
DESTINATION_MAX = 4  # to one destination, so that one that hangs leaves room for others
SEND_SECONDS = 30.0
EXTEND_SECONDS = deliveries.LEASE_SECONDS / 3
EXPIRE_SECONDS = 60.0  # between two searches for those that are too late
RETRY_SECONDS = 0.25  # before the result is stored again
STOP_SECONDS = 5.0  # for deliveries that are being sent
LEFT_SECONDS = 10.0  # the claim of one that is still being sent when the process ends

_EXPECTED = (
    DestinationError,
    deliveries.RefusedError,
    deliveries.PostponedError,
    deliveries.ExpiredError,
)


class Deliveries:
    """The background task of all deliveries: `run` is restarted if it fails."""

    def __init__(
        self,
        threads: DatabaseThreads,
        *,
        total: int = TOTAL_MAX,
        each: int = DESTINATION_MAX,
        send_seconds: float = SEND_SECONDS,
    ) -> None:
        self._threads = threads
        self._total = total
        self._each = each
        self._send_seconds = send_seconds
        self._wakeup = wakeups.ThreadsafeEvent()
        self._running: dict[int, asyncio.Task[None]] = {}  # by id of the delivery
        self._destinations: Counter[str] = Counter()  # of those
        self._last = ""  # the destination claimed last
        self._expired_at = -EXPIRE_SECONDS
        self._stopping = False
        self._ended = asyncio.Event()
        self._ended.set()
        wakeups.deliveries.add(self._wakeup)

    async def run(self) -> None:
        self._ended.clear()
        try:
            while not self._stopping:
                await self._start_due()
                await self._wakeup.wait(await self._threads.run_until_done(deliveries.sweep_delay))
        finally:
            self._ended.set()
        await asyncio.Event().wait()  # or it would be restarted

    async def _start_due(self) -> None:
        if time.monotonic() - self._expired_at > EXPIRE_SECONDS:
            await self._threads.run_until_done(deliveries.set_expired_aside)
            self._expired_at = time.monotonic()
        while not self._stopping and len(self._running) < self._total:
            found = await self._threads.run_until_done(
                deliveries.claim,
                self._total - len(self._running),
                dict(self._destinations),
                self._each,
                list(self._running),
                self._last,
            )
            if not found:
                return
            await self._start_all(found)

    async def _start_all(self, found: list[Claimed]) -> None:
        if self._stopping:  # since they were claimed
            await self._threads.run(claims.give_all_back, [each.delivery for each in found])
            return
        for each in found:
            self._start(each)

    def _start(self, claimed: Claimed) -> None:
        delivery = claimed.delivery
        self._last = delivery.destination
        self._destinations[delivery.destination] += 1
        task = asyncio.create_task(self._handle(claimed))
        self._running[delivery.pk] = task
        task.add_done_callback(partial(self._end, claimed))

    def _end(self, claimed: Claimed, task: asyncio.Task[None]) -> None:
        delivery = claimed.delivery
        del self._running[delivery.pk]
        self._destinations[delivery.destination] -= 1
        if not self._destinations[delivery.destination]:
            del self._destinations[delivery.destination]
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("Delivery %s could not be handled", delivery.pk, exc_info=error)
        self._wakeup.set()  # there is room for another

    async def _handle(self, claimed: Claimed) -> None:
        extend = asyncio.create_task(
            extend_claims(
                self._threads,
                lambda: [claimed.delivery],
                every=EXTEND_SECONDS,
                lease=deliveries.LEASE_SECONDS,
            )
        )
        started_at = timezone.now()
        try:
            try:
                sent = await self._send(claimed)
                end: Callable[[], None] = partial(deliveries.finish, claimed, sent=sent)
            except Exception as error:
                if claims.is_database_trouble(error):
                    end = partial(deliveries.give_back, claimed)
                else:
                    self._log(claimed, error)
                    end = partial(deliveries.fail, claimed, error, started_at)
            await self._store(claimed, end)
        except asyncio.CancelledError:
            # Let the next process send what hangs, as soon as this one has certainly ended.
            with contextlib.suppress(claims.ClaimLostError, *DATABASE_ERRORS):
                await self._threads.run(claims.extend, claimed.delivery, lease=LEFT_SECONDS)
            raise
        finally:
            extend.cancel()

    async def _send(self, claimed: Claimed) -> bool:
        """Return whether there was anything to send."""
        delivery = claimed.delivery
        if deliveries.is_expired(delivery):
            raise deliveries.ExpiredError(deliveries.EXPIRED)
        kind = deliveries.kind_of(delivery)
        prepared = await self._threads.run(kind.prepare, delivery)
        if prepared is None:
            return False
        if inspect.iscoroutinefunction(kind.send):
            try:
                async with asyncio.timeout(self._send_seconds):
                    await kind.send(prepared)
            except TimeoutError:
                raise DestinationError("It took too long.") from None
        else:
            # Not cancelled after a time: it would go on, and be sent again beside itself.
            await _call_in_thread(partial(kind.send, prepared))
        return True

    @staticmethod
    def _log(claimed: Claimed, error: Exception) -> None:
        delivery = claimed.delivery
        expected = isinstance(error, _EXPECTED)
        logger.log(
            logging.WARNING if expected else logging.ERROR,
            "Delivery %s (%s) could not be sent: %s",
            delivery.pk,
            delivery.kind,
            logs.describe_error(error),
            exc_info=None if expected else error,
        )

    async def _store(self, claimed: Claimed, end: Callable[[], None]) -> None:
        """Store the result, however long the database is away: without it, the delivery would be repeated."""
        while True:
            try:
                await self._threads.run(end)
                return
            except claims.ClaimLostError:
                logger.warning("The claim of delivery %s ran out", claimed.delivery.pk)
                return
            except DATABASE_ERRORS:
                await asyncio.sleep(RETRY_SECONDS)

    async def stop(self) -> None:
        """Finish what is being sent, for STOP_SECONDS at most."""
        self._stopping = True
        wakeups.deliveries.remove(self._wakeup)
        self._wakeup.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await self._ended.wait()
                running = map(asyncio.shield, self._running.values())
                await asyncio.gather(*running, return_exceptions=True)  # _end() logs errors
        unfinished = list(self._running.values())
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)


async def _call_in_thread(function: Callable[[], Any]) -> Any:
    """Call a function in a thread of its own, which the end of the process doesn't wait for."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[Any] = loop.create_future()

    def set_result(method: Callable[[Any], None], value: Any) -> None:
        if not result.done():
            method(value)

    def work() -> None:
        try:
            method, value = result.set_result, function()
        except BaseException as error:
            method, value = result.set_exception, error
        with contextlib.suppress(RuntimeError):  # the loop is closed: no one waits any more
            loop.call_soon_threadsafe(set_result, method, value)

    threading.Thread(target=work, name="chatty-delivery", daemon=True).start()
    return await result
