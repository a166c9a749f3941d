"""A name or a face that `accounts` changed, for the pages that show it."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from accounts.models import User
from accounts.signals import profile_changed
from conversations import queries
from conversations.realtime import fanout, protocol
from conversations.realtime.events import Profiled
from conversations.wire import person_to_wire


@receiver(profile_changed, dispatch_uid="conversations.profiles")
def tell_of_profile(*, user_id: int, **_: Any) -> None:
    # After the commit, so of two changes at the same time the later one tells what holds.
    person = person_to_wire(User.objects.get(pk=user_id))
    shared = tuple(
        conversation for _user, conversation, _version in queries.memberships_of([user_id])
    )
    text = protocol.encode(protocol.person(user=person))
    fanout.tell(Profiled(user_id, shared, text))
