"""Sends changed names and avatars to the pages that show them, and changed quiet hours to one's own pages.

`accounts` signals which user has changed. The current profile is read and sent at most once a second, so
repeated changes cost one frame a second, and the order in which events arrive doesn't matter. Events may
be lost: pages rendered later show the current profile.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from django.dispatch import receiver

from accounts.models import User
from accounts.signals import profile_changed, quiet_hours_changed
from accounts.wire import person_to_wire, status_to_wire
from chatty.common.errors import DATABASE_ERRORS
from conversations import protocol, publisher, queries
from conversations.events import ProfileChanged, UserFrame
from conversations.frames import PersonFrame, QuietHoursFrame

if TYPE_CHECKING:
    from chatty.common.threads import DatabaseThreads
    from conversations.realtime.relay import Relay

logger = logging.getLogger(__name__)

ROUND_SECONDS = 1.0


@receiver(profile_changed, dispatch_uid="conversations.profiles")
def publish_profile(*, user_id: int, **_: Any) -> None:
    publisher.publish(ProfileChanged(user_id))


@receiver(quiet_hours_changed, dispatch_uid="conversations.quiet_hours")
def publish_quiet_hours(*, user_id: int, **_: Any) -> None:
    """Send the present ones to all windows of the user. `hello` has them, too."""
    hours = User.objects.get(pk=user_id).quiet_hours
    publisher.publish(UserFrame(user_id, protocol.encode(QuietHoursFrame(hours))))


class Profiles:
    def __init__(self, relay: Relay, threads: DatabaseThreads) -> None:
        self._relay = relay
        self._threads = threads
        self._changed: set[int] = set()
        relay.listen(ProfileChanged, self._note)

    def _note(self, event: ProfileChanged) -> None:
        self._changed.add(event.user)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(ROUND_SECONDS)
            await self.round()

    async def round(self) -> None:
        changed, self._changed = self._changed, set()
        if not changed:
            return
        try:
            people, shared = await self._threads.run(_read, changed)
        except DATABASE_ERRORS as error:
            logger.warning("Changed profiles could not be sent: %s", type(error).__name__)
            self._changed |= changed  # the next round retries
            return
        for person in people:
            sockets = set(self._relay.sockets_of(person.pk))
            for socket in sockets:
                socket.name = person.name
            # A set, so that a socket that shares several conversations with the person gets one frame.
            for conversation_id in shared[person.pk]:
                sockets.update(self._relay.sockets_in(conversation_id))
            text = protocol.encode(PersonFrame(person_to_wire(person), status_to_wire(person)))
            self._relay.write(sockets, text)


def _read(user_ids: Collection[int]) -> tuple[list[User], dict[int, list[int]]]:
    shared: dict[int, list[int]] = defaultdict(list)
    for user_id, conversation_id, _version in queries.memberships_of(user_ids):
        shared[user_id].append(conversation_id)
    return list(User.objects.filter(pk__in=user_ids)), shared
