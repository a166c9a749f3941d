"""Finds the members that messages mention."""

from __future__ import annotations

from collections.abc import Sequence

from conversations import bulk, mentions

MENTION_LETTERS = 100  # with more different first letters, all names are read


def find_mentions(messages: Sequence[tuple[int, str]]) -> list[list[int] | None]:
    """Return, for each (conversation id, HTML), the ids of the mentioned members, or None if there are
    none. One query, none without any "@"."""
    calls = [mentions.find_calls(rendered) for _conversation, rendered in messages]
    calling = {
        conversation for (conversation, _), each in zip(messages, calls, strict=True) if each
    }
    if not calling:
        return [None] * len(messages)
    # Only read names with a matching first letter, because groups can be large.
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
