"""The connection of this process to the channel layer: subscriptions, received events, health.

If the layer fails or hangs, events are only delayed: lost ones are read from the database.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from conversations.events import ALL_PROCESSES, LAYER_TYPE, Event, from_layer

logger = logging.getLogger(__name__)

LAYER_SECONDS = 1.0  # timeout of one call to the layer
REBUILD_SECONDS = 10.0  # reconnect after receiving nothing for this long


class LayerConnection:
    """`handle`: called with events of other processes. `subscribed`: called with each group after
    subscribing to it."""

    def __init__(
        self,
        layer: Any,
        *,
        origin: str,
        tick: float,
        handle: Callable[[tuple[Event, ...]], None],
        subscribed: Callable[[str], None],
    ) -> None:
        self._layer = layer
        self._origin = origin
        self._tick_seconds = tick
        self._handle = handle
        self._on_subscribed = subscribed
        self._channel: str | None = None
        self._wanted: set[str] = {ALL_PROCESSES}  # groups to subscribe to
        self._subscribed: set[str] = set()
        # Groups to subscribe to or unsubscribe from. Comparing the two sets above each time would make
        # thousands of connecting sockets take quadratic time.
        self._unsettled: set[str] = set(self._wanted)
        self._subscriptions_moved = asyncio.Event()
        self._probe_received_at = time.monotonic()
        self._was_up = True

    # --- groups ----------------------------------------------------------------------------------

    def subscribe(self, group: str) -> None:
        self._wanted.add(group)
        self._unsettled.add(group)
        self._subscriptions_moved.set()

    def unsubscribe(self, group: str) -> None:
        self._wanted.discard(group)
        self._unsettled.add(group)
        self._subscriptions_moved.set()

    def retry_subscriptions(self) -> None:
        """Retry subscriptions that have failed."""
        self._unsettled |= self._wanted ^ self._subscribed
        if self._unsettled:
            self._subscriptions_moved.set()

    async def run_subscriptions(self) -> None:
        """Subscribe and unsubscribe as needed. The tick retries failures."""
        while True:
            await self._subscriptions_moved.wait()
            self._subscriptions_moved.clear()
            if self._channel is None:
                continue
            try:
                await self._settle_subscriptions(self._channel)
            except Exception as error:  # check_if_back() logs a warning, once per outage
                logger.debug("Channel layer: subscribing to groups failed (%r)", error)

    async def _settle_subscriptions(self, channel: str) -> None:
        # The receivers can get another channel in the meantime, and then need all groups again.
        while self._unsettled and channel == self._channel:
            group = self._unsettled.pop()
            if group in self._wanted and group not in self._subscribed:
                async with asyncio.timeout(LAYER_SECONDS):
                    await self._layer.group_add(group, channel)
                if channel != self._channel:
                    self._unsettled.add(group)
                    return
                self._subscribed.add(group)
                self._on_subscribed(group)
            elif group in self._subscribed and group not in self._wanted:
                self._subscribed.discard(group)
                async with asyncio.timeout(LAYER_SECONDS):
                    await self._layer.group_discard(group, channel)

    # --- receiving -------------------------------------------------------------------------------

    async def run_receivers(self) -> None:
        """Receive events from other processes. Each start uses new connections."""
        self._channel = None
        self._subscribed.clear()
        try:
            async with asyncio.timeout(LAYER_SECONDS * 2):
                self._channel = await self._layer.new_channel("relay.")
        except Exception as error:
            logger.debug("Channel layer: still unavailable (%r)", error)
            return  # the engine restarts this in a moment
        self._wanted.add(self._probe_group)
        self._unsettled.update(self._wanted)
        self._probe_received_at = time.monotonic()
        self._subscriptions_moved.set()
        while True:
            try:
                async with asyncio.timeout(REBUILD_SECONDS):
                    message = await self._layer.receive(self._channel)
            except TimeoutError:
                # Our own probe should arrive every few seconds, so the connection must be dead.
                async with asyncio.timeout(LAYER_SECONDS):
                    await self._layer.flush()
                raise
            self._handle_message(message)

    def _handle_message(self, message: dict[str, Any]) -> None:
        if message.get("type") == LAYER_TYPE and message.get("kind") == "probe":
            self._probe_received_at = time.monotonic()
        elif message.get("origin") != self._origin:
            self._handle(from_layer(message))

    # --- health ----------------------------------------------------------------------------------

    @property
    def is_up(self) -> bool:
        return time.monotonic() - self._probe_received_at < self._tick_seconds + 2 * LAYER_SECONDS

    def check_if_back(self) -> bool:
        """Log when the layer goes down or is back. Return whether it has just come back."""
        up, was_up = self.is_up, self._was_up
        self._was_up = up
        if up and not was_up:
            logger.warning("Channel layer: available again")
        elif was_up and not up:
            logger.warning("Channel layer: unavailable. Reading changes from the database instead")
        return up and not was_up

    @property
    def _probe_group(self) -> str:
        return f"relay.{self._origin}"

    async def probe(self) -> None:
        """Send a message to this process through the layer. The layer is up if it arrives."""
        try:
            async with asyncio.timeout(LAYER_SECONDS):
                message = {"type": LAYER_TYPE, "kind": "probe"}
                await self._layer.group_send(self._probe_group, message)
        except Exception as error:
            logger.debug("Channel layer: the probe was not sent (%r)", error)
