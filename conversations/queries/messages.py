"""Pages of messages, and the changes since a version."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from accounts.models import User
from chatty.common.numbers import NUMBER_MAX
from chatty.common.rows import attach, column_count, columns_of, instance_maker
from chatty.statements import fetch_rows, in_ids, list_ids
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


# One statement, so that each message is consistent with its version: a second one could see later
# reactions. Those are aggregated to one JSON array per message, because a page can have thousands.
#
# A page of fifty took the ORM 2 ms, half of it to build the statement. Of people, only the columns that
# are shown are read, because they are repeated in every row.
#
# On PostgreSQL, the condition is in a subquery with a constant limit, and the parameter is outside. With
# LIMIT %s alone, the plan of the prepared statement would be for a tenth of the conversation, and join
# people by reading all of them. SQLite plans each statement on its own, and would sort the subquery.
_READ = {
    "postgresql": """SELECT {columns}, (
        SELECT json_agg(json_build_array(r.emoji, r.user_id) ORDER BY r.id)::text
        FROM conversations_reaction r WHERE r.message_id = m.id)
    FROM (
        SELECT * FROM conversations_message m WHERE {condition} ORDER BY {order} LIMIT {most}
    ) AS m {joins}
    ORDER BY {order} LIMIT %s""",
    "sqlite": """SELECT {columns}, (
        SELECT json_group_array(json_array(r.emoji, r.user_id))
        FROM (SELECT emoji, user_id FROM conversations_reaction
              WHERE message_id = m.id ORDER BY id) AS r)
    FROM conversations_message m {joins}
    WHERE {condition} ORDER BY {order} LIMIT %s""",
}
_JOINS = """LEFT JOIN accounts_user a ON a.id = m.author_id
    LEFT JOIN conversations_message q ON q.id = m.reply_to_id
    LEFT JOIN accounts_user b ON b.id = q.author_id"""
_HEAD = "SELECT version FROM conversations_conversation WHERE id = %s AND deleted_at IS NULL"
_PERSON = ("id", "name", "chosen_hue", "picture")
_AUTHOR_AT = column_count(Message)
_QUOTED_AT = _AUTHOR_AT + len(_PERSON)
_QUOTED_AUTHOR_AT = _QUOTED_AT + column_count(Message)


@dataclass(frozen=True, slots=True)
class _Selection:
    """Which messages to read: SQL about the table `m`. `most`: the highest limit, or "ALL"."""

    condition: str
    order: str
    most: int | str


_ONE = _Selection("m.id = %s", "m.id", 1)
_BEFORE = _Selection("m.conversation_id = %s AND m.seq < %s", "m.seq DESC", limits.PAGE_MAX)
_AFTER = _Selection("m.conversation_id = %s AND m.seq > %s", "m.seq", limits.PAGE_MAX)
_CHANGED = _Selection(
    "m.conversation_id = %s AND m.version > %s",
    "m.version",
    max(limits.PAGE_MAX, limits.SYNC_PAGE) + 1,
)


@cache
def _statement(selection: _Selection, vendor: str) -> str:
    columns = (
        columns_of(Message, "m"),
        columns_of(User, "a", *_PERSON),
        columns_of(Message, "q"),
        columns_of(User, "b", *_PERSON),
    )
    return _READ[vendor].format(
        columns=", ".join(columns),
        joins=_JOINS,
        condition=selection.condition,
        order=selection.order,
        most=selection.most,
    )


def read(selection: _Selection, *parameters: Any, limit: int) -> list[Message]:
    """Return messages with all that message_to_wire() needs: author, reactions, quoted message and its
    author. Two queries: the messages, each consistent with its version, and the names of people who
    reacted or pinned (none without reactions and pins)."""
    assert selection.most == "ALL" or limit <= int(selection.most)
    statement = _statement(selection, connection.vendor)
    make_message = instance_maker(Message)
    make_author = instance_maker(User, *_PERSON, start=_AUTHOR_AT)
    make_quoted = instance_maker(Message, start=_QUOTED_AT)
    make_quoted_author = instance_maker(User, *_PERSON, start=_QUOTED_AUTHOR_AT)
    people: dict[int | None, User | None] = {None: None}  # each is made once
    messages: list[Message] = []
    for row in fetch_rows(statement, [*parameters, limit]):
        message = make_message(row)
        if (author := row[_AUTHOR_AT]) not in people:
            people[author] = make_author(row)
        attach(message, "author", people[author])
        quoted = None
        if row[_QUOTED_AT] is not None:
            quoted = make_quoted(row)
            if (author := row[_QUOTED_AUTHOR_AT]) not in people:
                people[author] = make_quoted_author(row)
            attach(quoted, "author", people[author])
        attach(message, "reply_to", quoted)
        found = row[-1]
        message.reacted = (
            [(emoji, user) for emoji, user in json.loads(found)] if found and found != "[]" else []
        )
        messages.append(message)
    names = _names_shown(messages)
    for each in messages:
        each.reactors = names
        if each.pinned:
            each.pinned_by = names[each.pinned["by"]]
    return messages


def _names_shown(messages: Iterable[Message]) -> dict[int, str]:
    """Return user id -> name of the people whose names are shown. One query, none without reactions and pins.

    Names have no version, so they don't need to be read in the same statement.
    """
    wanted: set[int] = set()
    for message in messages:
        if message.pinned:
            wanted.add(message.pinned["by"])
        shown: dict[str, int] = {}
        for emoji, user_id in message.reacted:
            shown[emoji] = shown.get(emoji, 0) + 1
            if shown[emoji] <= limits.REACTION_NAMES_SHOWN:
                wanted.add(user_id)
    if not wanted:
        return {}
    rows = fetch_rows(
        f"SELECT id, name FROM accounts_user WHERE id {in_ids()}",  # noqa: S608 - a constant
        [list_ids(wanted)],
    )
    return dict(rows)


def read_by_ids(ids: Collection[int]) -> list[Message]:
    """Return these messages as read() does, sorted by id."""
    selection = _Selection(f"m.id {in_ids()}", "m.id", "ALL")
    return read(selection, list_ids(ids), limit=len(ids))


def with_details(message: Message) -> Message:
    """Reload a message with all that message_to_wire() needs."""
    (found,) = read(_ONE, message.pk, limit=1)
    return found


def history(
    conversation: Conversation,
    *,
    before: int | None = None,
    after: int | None = None,
    around: int | None = None,
    limit: int = limits.PAGE_SIZE,
) -> History:
    """Return the latest page, or the page before, after or around a seq. One query, two with reactions.

    `conversation` must have just been read (access.member_of()), because its counters are used.
    """
    # The counters were read before the rows. A change in between is then in the rows and is sent again,
    # which does no harm. In the reverse order it could be missed: not in the rows, but below the position.
    version, last_seq = conversation.version, conversation.last_seq
    limit = max(1, min(limit, limits.PAGE_MAX))
    if around is not None:
        after = max(0, around - limit // 2 - 1)
    if after is not None:
        messages = read(_AFTER, conversation.pk, after, limit=limit)
    else:
        bound = NUMBER_MAX if before is None else before
        messages = read(_BEFORE, conversation.pk, bound, limit=limit)[::-1]
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
    heads = fetch_rows(_HEAD, [conversation_id])
    if not heads:
        return None
    ((head,),) = heads
    if version > head or head - version > limits.SYNC_REACH:
        return Changes(messages=[], version=head, more=False, reset=True)
    if version == head:
        return Changes(messages=[], version=head, more=False, reset=False)
    messages = read(_CHANGED, conversation_id, version, limit=limit + 1)
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


def first_since(conversation: Conversation, moment: datetime) -> Message | None:
    """Return the first message (or notice) since a moment, None if all are older.

    Times increase with `seq`, which is indexed, so this searches by halves: about as many queries as the
    logarithm of the conversation's length. An index of times would slow down each send for a rare action.
    """
    rows = Message.objects.filter(conversation=conversation).only("seq", "created_at")
    low, high = 1, conversation.last_seq + 1
    found = None
    while low < high:
        middle = (low + high) // 2
        row = rows.filter(seq__gte=middle, seq__lt=high).order_by("seq").first()
        if row is None:
            high = middle
        elif row.created_at >= moment:
            found, high = row, middle
        else:
            low = row.seq + 1
    return found
