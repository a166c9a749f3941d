"""Whom messages call by name."""

from __future__ import annotations

from collections.abc import Sequence

from conversations import bulk, mentions

MENTION_LETTERS = 100  # different first letters one statement looks for


def find_mentions(messages: Sequence[tuple[int, str]]) -> list[list[int] | None]:
    """Return, for each (conversation id, HTML), the ids of members whom it calls by name, or None.
    One query, none where there is no "@"."""
    calls = [mentions.find_calls(rendered) for _conversation, rendered in messages]
    calling = {
        conversation for (conversation, _), each in zip(messages, calls, strict=True) if each
    }
    if not calling:
        return [None] * len(messages)
    # Of a large group only those whose names begin alike.
    first = {call[0] for each in calls for call in each}
    narrowed = len(first) <= MENTION_LETTERS
    beginnings = set[str]().union(*map(mentions.first_letters, first)) if narrowed else None
    people: dict[int, list[tuple[int, str]]] = {conversation: [] for conversation in calling}
    for conversation, pk, name in bulk.names_of_members(calling, beginnings):
        people[conversation].append((pk, name))
    names = {
        conversation: mentions.MemberNames(members) for conversation, members in people.items()
    }
    return [
        (names[conversation].find(each) if each else None) or None
        for (conversation, _rendered), each in zip(messages, calls, strict=True)
    ]
