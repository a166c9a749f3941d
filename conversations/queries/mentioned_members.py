"""Finds the members that messages mention."""

from __future__ import annotations

from collections.abc import Sequence

from conversations import bulk, mentions

MENTION_LETTERS = 100  # with more different first letters, all names are read


def find_mentions(messages: Sequence[tuple[int, Sequence[str]]]) -> list[mentions.Mentioned | None]:
    """Return, for each (conversation id, calls of the message), the mentioned members, or None if there are
    none. One query, none without any calls. For calls, see content.Rendered."""
    calling = {conversation for conversation, calls in messages if calls}
    if not calling:
        return [None] * len(messages)
    # Only read names with a matching first letter, because groups can be large.
    first = {call[0] for _conversation, calls in messages for call in calls}
    narrowed = len(first) <= MENTION_LETTERS
    beginnings = set[str]().union(*map(mentions.first_letters, first)) if narrowed else None
    people: dict[int, list[tuple[int, str]]] = {conversation: [] for conversation in calling}
    for conversation, pk, name in bulk.names_of_members(calling, beginnings):
        people[conversation].append((pk, name))
    names = {
        conversation: mentions.MemberNames(members) for conversation, members in people.items()
    }
    return [names[conversation].find(calls) if calls else None for conversation, calls in messages]
