"""The conversations of the person who searches, read once for each search."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

from accounts.models import User
from chatty.statements import fetch_rows, in_ids, list_ids
from conversations import queries


class MyConversation(NamedTuple):
    name: str
    folded_name: str
    direct_key: str | None
    last_seq: int
    favourite: bool
    last_text_at: datetime


class Mine:
    """Without direct messages that are not yet in the sidebar: someone has opened them, but not written."""

    def __init__(self, user: User) -> None:
        self.user = user
        rows = fetch_rows(_CONVERSATIONS, [user.pk, user.pk])
        self.rows = {pk: MyConversation(*row) for pk, *row in rows}

    @cached_property
    def by_use(self) -> list[int]:
        """The ids: favourites first, then those with the latest message."""

        def use(pk: int) -> tuple[bool, datetime, int]:
            row = self.rows[pk]
            return bool(row.favourite), row.last_text_at, pk

        return sorted(self.rows, key=use, reverse=True)

    @cached_property
    def partners(self) -> dict[int, int]:
        """The other people in direct messages, by use: id -> conversation. Without the user."""
        keys = ((pk, self.rows[pk].direct_key) for pk in self.by_use)
        others = {queries.other_of(key, self.user.pk): pk for pk, key in keys if key}
        others.pop(self.user.pk, None)
        return others

    @cached_property
    def titles(self) -> dict[int, str]:
        """id -> title, as this member sees it. At most two queries."""
        return self.titles_of(self.rows)

    def titles_of(self, ids: Collection[int]) -> dict[int, str]:
        """Return the titles of some of them. At most two queries."""
        rows = {pk: self.rows[pk] for pk in ids if pk in self.rows}
        keys = {pk: row.direct_key for pk, row in rows.items() if row.direct_key}
        other = {pk: queries.other_of(key, self.user.pk) for pk, key in keys.items()}
        found = {pk: row.name for pk, row in rows.items()}
        if other:
            people = f"SELECT id, name FROM accounts_user WHERE id {in_ids()}"  # noqa: S608
            names: dict[int, str] = dict(fetch_rows(people, [list_ids(set(other.values()))]))
            found |= {pk: names.get(person, "") for pk, person in other.items()}
        unnamed = [pk for pk, title in found.items() if not title and pk not in other]
        if unnamed:
            found |= queries.titles_of_unnamed(unnamed, self.user)
        return found


_CONVERSATIONS = f"""SELECT c.id, c.name, c.folded_name, c.direct_key, c.last_seq, m.favourite,
    c.last_text_at FROM conversations_membership m
    JOIN conversations_conversation c ON c.id = m.conversation_id
    WHERE m.user_id = %s AND c.deleted_at IS NULL
    AND {queries.SPOKEN_IN}"""  # noqa: S608 - our own condition
