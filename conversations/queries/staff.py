"""Queries for the admin site."""

from __future__ import annotations

import time
from collections.abc import Collection
from datetime import timedelta

from django.db.models import BooleanField, Case, Exists, F, OuterRef, Q, QuerySet, When
from django.utils import timezone

from accounts.models import User
from conversations import limits
from conversations.models import Conversation, Membership, Message, Reveal

LOOK_STEP = 20_000  # ids searched in one statement
LOOK_SECONDS = 1.0  # a search stops after this time and can be continued


def titles_for_staff(conversations: Collection[Conversation]) -> dict[int, str]:
    """Return id -> name; for those without one, such as direct messages, the names of the people, cut off
    after REVEAL_TITLE_MAX. One query."""
    found = {conversation.pk: conversation.name for conversation in conversations}
    unnamed = [pk for pk, name in found.items() if not name]
    people: dict[int, list[str]] = {pk: [] for pk in unnamed}
    rows = Membership.objects.filter(conversation_id__in=unnamed).order_by("user_id")
    for pk, name in rows.values_list("conversation_id", "user__name"):
        people[pk].append(name)
    most = limits.REVEAL_TITLE_MAX
    return found | {pk: ", ".join(names)[:most] for pk, names in people.items()}


def title_for_staff(conversation: Conversation) -> str:
    return titles_for_staff([conversation])[conversation.pk]


def messages_for_staff(staff: User) -> QuerySet[Message]:
    """Return all messages, annotated with `readable` and with `words`: the text, None if not readable.

    The text of private conversations and direct messages is only read from the database if this
    administrator has recently recorded a reason. `body`, `html` and `excerpt` are deferred and must not be
    used, because accessing them would load the text without this check.
    """
    looked = _current_reveals(staff).filter(conversation_id=OuterRef("conversation_id"))
    is_open = Q(
        conversation__kind=Conversation.Kind.GROUP, conversation__access=Conversation.Access.OPEN
    )
    return (
        Message.objects.filter(conversation__deleted_at=None)
        .select_related("author", "conversation")
        .annotate(
            readable=Case(
                When(is_open, then=True), default=Exists(looked), output_field=BooleanField()
            )
        )
        .annotate(words=Case(When(readable=True, then=F("body")), default=None))
        .defer("body", "html", "excerpt", "fingerprint")
    )


def is_revealed(staff: User, conversation_id: int) -> bool:
    """Whether this administrator gave a reason for viewing the conversation that has not expired."""
    return _current_reveals(staff).filter(conversation_id=conversation_id).exists()


def _current_reveals(staff: User) -> QuerySet[Reveal]:
    lately = timezone.now() - timedelta(seconds=limits.REVEAL_SECONDS)
    return Reveal.objects.filter(staff_id=staff.pk, at__gt=lately)


def latest_matching(
    rows: QuerySet[Message], *, before: int | None, limit: int
) -> tuple[list[Message], int | None]:
    """Return at most `limit` of `rows` with ids below `before` (None: any), newest first, and the `before`
    of the next page (None: there are no more).

    Searches the ids in steps and stops after about LOOK_SECONDS, so that a search without matches
    doesn't read millions of messages. A page can therefore be short, or empty, although more follow.
    """
    newest = Message.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    top = newest + 1 if before is None else min(before, newest + 1)
    stop_at = time.monotonic() + LOOK_SECONDS
    found: list[Message] = []
    while top > 1:
        bottom = max(1, top - LOOK_STEP)
        step = rows.filter(pk__lt=top, pk__gte=bottom).order_by("-pk")
        found += step[: limit + 1 - len(found)]
        if len(found) > limit:
            return found[:limit], found[limit - 1].pk
        top = bottom
        if time.monotonic() > stop_at:
            break
    return found, top if top > 1 else None
