"""Slow mode: each member can post one message per some seconds. Admins don't have to wait."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from django.db.models import Max
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from chatty.common import timestamps
from chatty.common.errors import ChatError
from conversations import access
from conversations.models import Conversation, Membership, Message


def slow_mode_refusal(membership: Membership) -> ChatError | None:
    """Return why the member can't post yet, None if they can. Makes no query.

    The conversation must be locked.
    """
    wait = _wait(membership)
    if wait <= 0:
        return None
    detail = format_lazy(
        _("Slow mode is on. You can post again in {seconds} s."), seconds=math.ceil(wait)
    )
    return ChatError("slow_mode", detail, retry_after=wait)


def seconds_to_wait(membership: Membership) -> int:
    """Return how long the member has to wait before they can post."""
    return math.ceil(_wait(membership))


def _wait(membership: Membership) -> float:
    pause = timedelta(seconds=membership.conversation.slow_mode)
    if not pause or membership.posted_at is None or access.allows("post-at-once", membership):
        return 0.0
    # If the clock was set back, no one waits longer than one pause.
    left = min(membership.posted_at + pause - timestamps.now(), pause)
    return max(left.total_seconds(), 0.0)


def note_post(membership: Membership, at: datetime) -> None:
    """Remember when they posted. Later messages of the same batch see it too."""
    membership.posted_at = at
    Membership.objects.filter(pk=membership.pk).update(posted_at=at)


def last_post(conversation: Conversation, user: User) -> datetime | None:
    """Return when someone who becomes a member posted there, if they must wait because of it: leaving and
    joining again must not end the wait."""
    if not conversation.slow_mode:
        return None
    since = timestamps.now() - timedelta(seconds=conversation.slow_mode)
    own = Message.objects.filter(
        conversation=conversation, author=user, kind=Message.Kind.TEXT, created_at__gt=since
    )
    last: datetime | None = own.aggregate(last=Max("created_at"))["last"]
    return last
