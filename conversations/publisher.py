"""Publishes events to this process's relay and, through the channel layer, to other processes.

All events go through here: search for `publisher.` to find every place that publishes. Events are
published after the commit. Publishing never blocks and never raises. Events may be lost; the relay of
each process finds missing changes in the database with its next tick.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from functools import partial
from typing import Any, Protocol

from django.db import transaction

from chatty.ops import metrics
from conversations import protocol
from conversations.changes import (
    JoinRequestChanged,
    JoinRequestsChanged,
    MessageChanged,
    ReadMarkChanged,
    Reported,
)
from conversations.events import (
    ConversationChanged,
    Event,
    ReadMarkMoved,
    UserFrame,
    to_layer,
)
from conversations.frames import Change, MessageFrame
from conversations.wire import message_to_wire

logger = logging.getLogger(__name__)

QUEUE_MAX = 10_000  # events waiting for the layer; beyond that the oldest are dropped
GATHERED_MAX = 200  # events grouped at a time; each `text` can have 30 KB
PUBLISH_SECONDS = 1.0  # timeout of one call to the layer


class Subscriber(Protocol):
    def offer(self, events: tuple[Event, ...]) -> None:
        """Receive events, from any thread. Must not block."""


# Replaced, never modified: publish() may be iterating over it in another thread.
_subscribers: tuple[Subscriber, ...] = ()


def connect(subscriber: Subscriber) -> None:
    global _subscribers
    _subscribers = (*_subscribers, subscriber)


def disconnect(subscriber: Subscriber) -> None:
    global _subscribers
    _subscribers = tuple(each for each in _subscribers if each is not subscriber)


def publish(*events: Event) -> None:
    """Pass events to the subscribers: this process's relay, and the Publisher for other processes."""
    for subscriber in _subscribers:
        try:
            subscriber.offer(events)
        except Exception:
            # The change is committed, and relays find it with their next tick: don't fail the request.
            logger.exception("A subscriber failed to publish events")


def publish_after_commit(*events: Event | Reported) -> None:
    """Publish events once the transaction has committed.

    Frames are made now: if that fails, nothing may be committed.
    """
    ready = [event for each in events for event in _to_events(each)]
    transaction.on_commit(partial(publish, *ready), robust=True)


def _to_events(reported: Event | Reported) -> tuple[Event, ...]:
    match reported:
        case Event():
            return (reported,)
        case MessageChanged():
            return (_of_message(reported),)
        case ReadMarkChanged(conversation_id, user_id, seq):
            # The reader's other tabs and devices get it immediately, other members in the next round of
            # realtime/read_marks.py.
            text = protocol.encode(protocol.ReadFrame(conversation_id, user_id, seq))
            return UserFrame(user_id, text), ReadMarkMoved(conversation_id, user_id)
        case JoinRequestChanged(conversation_id, user_id, state):
            text = protocol.encode(protocol.JoinRequestFrame(conversation_id, state))
            return (UserFrame(user_id, text),)
        case JoinRequestsChanged(conversation_id, waiting, managers):
            text = protocol.encode(protocol.JoinRequestsFrame(conversation_id, waiting))
            return tuple(UserFrame(each, text) for each in managers)


def _of_message(changed: MessageChanged) -> ConversationChanged:
    change = Change(changed.action, changed.user_id, changed.emoji, changed.on)
    frame = MessageFrame.of(message_to_wire(changed.message), change)
    return ConversationChanged(
        conversation=frame.conversation,
        version=frame.version,
        text=protocol.encode(frame),
        gone=changed.gone,
    )


class Publisher:
    """Sends events to the channel layer from one task, in order within each group.

    Belongs to one event loop. `origin` identifies this process, so that its relay ignores the events it
    has already handled. If the layer hangs or fails, events are dropped and senders don't wait.
    """

    def __init__(self, layer: Any, *, origin: str) -> None:
        self._layer = layer
        self._origin = origin
        self._loop = asyncio.get_running_loop()
        self._queue: deque[Event] = deque(maxlen=QUEUE_MAX)
        self._filled = asyncio.Event()
        self._failed = 0

    def offer(self, events: tuple[Event, ...]) -> None:
        self._loop.call_soon_threadsafe(self._take, events)

    def _take(self, events: tuple[Event, ...]) -> None:
        overflow = len(self._queue) + len(events) - QUEUE_MAX
        if overflow > 0:
            metrics.PUBLISHER_DROPS.inc(overflow)
        self._queue.extend(events)
        self._filled.set()

    @property
    def waiting(self) -> int:
        return len(self._queue)

    async def run(self) -> None:
        while True:
            await self._filled.wait()
            while self._queue:
                for group, events in self._take_by_group().items():
                    await self._publish(group, events)
            self._filled.clear()

    def _take_by_group(self) -> dict[str, list[Event]]:
        """Take events from the queue, by group. A round trip to Redis costs the same for ten events as for
        one, and so does receiving them, so events that queue up are sent in one message."""
        groups: dict[str, list[Event]] = {}
        for _ in range(min(len(self._queue), GATHERED_MAX)):
            event = self._queue.popleft()
            groups.setdefault(event.group, []).append(event)
        return groups

    async def _publish(self, group: str, events: list[Event]) -> None:
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                await self._layer.group_send(group, to_layer(events, self._origin))
        except Exception as error:
            before, self._failed = self._failed, self._failed + len(events)
            metrics.PUBLISHER_FAILURES.inc(len(events))
            # Log failures 1, 2, 4, 8 and so on, to keep the log short during an outage.
            if before.bit_length() != self._failed.bit_length():
                logger.warning("Channel layer: %s event(s) not published (%r)", self._failed, error)
