"""Finds people and conversations whose names have the words of a search. No messages are read for that."""

from __future__ import annotations

from dataclasses import dataclass

from accounts.models import NAME_MAX, User
from chatty.common.folded_names import holds_all
from chatty.common.text import fold_loosely
from conversations import queries
from conversations.models import Conversation
from conversations.search.matching import ExcerptPart, Matcher
from conversations.search.mine import Mine
from conversations.search.query_text import ParsedQuery

SHOWN = 3  # of each


@dataclass(frozen=True, slots=True)
class FoundPerson:
    person: User
    name: list[ExcerptPart]


@dataclass(frozen=True, slots=True)
class FoundConversation:
    """`conversation`: with `members_count`. `is_mine`: otherwise the user can join it."""

    conversation: Conversation
    title: str
    name: list[ExcerptPart]
    is_mine: bool


@dataclass(frozen=True, slots=True)
class FoundNames:
    people: list[FoundPerson]
    conversations: list[FoundConversation]


def find_names(mine: Mine, query: ParsedQuery) -> FoundNames:
    """Return people, and conversations that the user is in or can join: each those first that the user has to
    do with. Nothing if the query has filters, which are about messages. At most seven queries.
    """
    text = " ".join(query.terms)
    if not text or query != ParsedQuery(query.terms):
        return FoundNames([], [])
    matcher = Matcher(query.terms, anywhere=True)
    people = [FoundPerson(person, matcher.excerpt(person.name)) for person in _people(mine, text)]
    conversations = [
        FoundConversation(each, title, matcher.excerpt(title), each.pk in mine.rows)
        for each, title in _conversations(mine, text)
    ]
    return FoundNames(people, conversations)


def _people(mine: Mine, text: str) -> list[User]:
    return queries.people(mine.user, text=text, limit=SHOWN) if len(text) <= NAME_MAX else []


def _conversations(mine: Mine, text: str) -> list[tuple[Conversation, str]]:
    """Return conversations and their titles. Direct messages are found as people."""
    ids = []
    for pk in mine.by_use:
        row = mine.rows[pk]
        if row.direct_key is None:
            folded = row.folded_name or fold_loosely(mine.titles[pk])
            if holds_all(folded, text):
                ids.append(pk)
        if len(ids) == SHOWN:
            break
    if len(ids) < SHOWN:
        ids += queries.public_called(mine.user, text, limit=SHOWN - len(ids))
    if not ids:
        return []
    read = {each.pk: each for each in queries.counted(ids)}
    found = [read[pk] for pk in ids if pk in read]
    return [(each, each.name or mine.titles.get(each.pk, "")) for each in found]
