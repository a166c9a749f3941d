"""Pages of messages, and the changes since a version."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import QuerySet, TextField
from django.db.models.expressions import RawSQL

from accounts.models import User
from conversations import limits
from conversations.models import Conversation, Membership, Message


@dataclass(frozen=True, slots=True)
class History:
    """A page of messages, oldest first.

    `position`: the version that these rows reflect. Every later change to them and every newer message
    has a higher version.
    """

    messages: list[Message]
    position: int
    has_older: bool
    has_newer: bool


@dataclass(frozen=True, slots=True)
class Changes:
    """The messages that changed after a version: each once, as it is now, sorted by version.

    `version`: the client's position after applying them. `more`: there are more changes after it.
    `reset`: the client is too far behind, or ahead of the database. It has to load the latest page;
    `messages` is empty.
    """

    messages: list[Message]
    version: int
    more: bool
    reset: bool


# Reactions are read in the same statement as their message, so that both are of the same version: a second
# statement could see later reactions. Aggregated to one JSON array per message, because a page can have
# thousands of reactions.
_REACTED = {
    "postgresql": """(SELECT json_agg(json_build_array(r.emoji, r.user_id) ORDER BY r.id)::text
        FROM conversations_reaction r WHERE r.message_id = conversations_message.id)""",
    "sqlite": """(SELECT json_group_array(json_array(r.emoji, r.user_id))
        FROM (SELECT emoji, user_id FROM conversations_reaction
              WHERE message_id = conversations_message.id ORDER BY id) AS r)""",
}


_NAMES_LOOKED_UP = 500  # people in one reading; others are only counted ("3 more")


def read(rows: QuerySet[Message]) -> list[Message]:
    """Return messages with all that message_to_wire() needs: author, reactions, quoted message and its
    author. A single query, so that each message is consistent with its version, and one for the names of
    people who reacted."""
    statement = _REACTED[connection.vendor]  # a constant, without parameters
    reactions = RawSQL(statement, [], output_field=TextField())  # noqa: S611
    messages: list[Message] = []
    whole = rows.select_related("author", "reply_to__author").annotate(reactions_read=reactions)
    for message in whole:
        found = message.reactions_read
        message.reacted = [(emoji, user) for emoji, user in json.loads(found)] if found else []
        messages.append(message)
    names = _names_of_reactors(messages)
    for each in messages:
        each.reactors = names
    return messages


def _names_of_reactors(messages: Iterable[Message]) -> dict[int, str]:
    """Return user id -> name of the people whose names are shown. One query, none without reactions.

    Names have no version, so they don't need to be read in the same statement.
    """
    wanted: set[int] = set()
    for message in messages:
        shown: dict[str, int] = {}
        for emoji, user_id in message.reacted:
            shown[emoji] = shown.get(emoji, 0) + 1
            if shown[emoji] <= limits.REACTION_NAMES_SHOWN:
                wanted.add(user_id)
        if len(wanted) >= _NAMES_LOOKED_UP:
            break
    if not wanted:
        return {}
    return dict(User.objects.filter(pk__in=wanted).values_list("pk", "name"))


def with_details(message: Message) -> Message:
    """Reload a message with all that message_to_wire() needs."""
    (found,) = read(Message.objects.filter(pk=message.pk))
    return found


def history(
    conversation: Conversation,
    *,
    before: int | None = None,
    after: int | None = None,
    around: int | None = None,
    limit: int = limits.PAGE_SIZE,
) -> History:
    """Return the latest page, or the page before, after or around a seq. One query.

    `conversation` must have just been read (access.member_of()), because its counters are used.
    """
    # The counters were read before the rows. A change in between is then in the rows and is sent again,
    # which does no harm. In the reverse order it could be missed: not in the rows, but below the position.
    version, last_seq = conversation.version, conversation.last_seq
    limit = max(1, min(limit, limits.PAGE_MAX))
    if around is not None:
        after = max(0, around - limit // 2 - 1)
    rows = Message.objects.filter(conversation=conversation)
    if after is not None:
        messages = read(rows.filter(seq__gt=after).order_by("seq")[:limit])
    else:
        if before is not None:
            rows = rows.filter(seq__lt=before)
        messages = read(rows.order_by("-seq")[:limit])[::-1]
    # An empty page is before the first message or after the last one.
    place = last_seq + 1 if before is None else min(before, last_seq + 1)
    first = messages[0].seq if messages else place
    last = messages[-1].seq if messages else place - 1
    return History(
        messages=messages, position=version, has_older=first > 1, has_newer=last < last_seq
    )


def changes_since(
    conversation_id: int, version: int, *, limit: int = limits.SYNC_PAGE
) -> Changes | None:
    """Return the changes after `version`, None if the conversation doesn't exist."""
    head = (
        Conversation.objects.filter(pk=conversation_id, deleted_at=None)
        .values_list("version", flat=True)
        .first()
    )
    if head is None:
        return None
    if version > head or head - version > limits.SYNC_REACH:
        return Changes(messages=[], version=head, more=False, reset=True)
    if version == head:
        return Changes(messages=[], version=head, more=False, reset=False)
    rows = Message.objects.filter(conversation_id=conversation_id, version__gt=version)
    messages = read(rows.order_by("version")[: limit + 1])
    if len(messages) > limit:
        messages = messages[:limit]
        return Changes(messages=messages, version=messages[-1].version, more=True, reset=False)
    # Rows may have changed after the head was read: return the higher of both versions.
    last = messages[-1].version if messages else head
    return Changes(messages=messages, version=max(head, last), more=False, reset=False)


def first_unread_seq(membership: Membership) -> int | None:
    """Return the seq of the oldest undeleted message from others that the member has not read."""
    unread = _unread(membership.conversation_id, membership.last_read_seq, membership.user_id)
    return unread.order_by("seq").values_list("seq", flat=True).first()


def _unread(conversation_id: Any, last_read_seq: Any, user_id: int) -> QuerySet[Message]:
    """Return undeleted messages from others among the first UNREAD_WINDOW entries after the read mark.
    The first two arguments can be expressions."""
    return Message.objects.filter(
        conversation_id=conversation_id,
        seq__gt=last_read_seq,
        seq__lte=last_read_seq + limits.UNREAD_WINDOW,
        kind=Message.Kind.TEXT,
        deleted_at=None,
    ).exclude(author_id=user_id)
