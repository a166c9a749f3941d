"""Two statements about many rows at once that the ORM says slowly or not at all.

As an OR of pairs and a CASE of values, Django spent more time on building these than both databases
on running them. Plain SQL that SQLite and PostgreSQL read alike; values go in as parameters only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import BooleanField
from django.db.models.expressions import RawSQL

from conversations.models import Conversation, Membership, Message


def messages_with(authors_and_keys: Collection[tuple[int, str]]) -> RawSQL:
    """Return a condition on messages: exactly these (author id, key)."""
    return _pairs(Message, "author_id", "key", authors_and_keys)


def memberships_of(conversations_and_users: Collection[tuple[int, int]]) -> RawSQL:
    """Return a condition on memberships: exactly these (conversation id, user id)."""
    return _pairs(Membership, "conversation_id", "user_id", conversations_and_users)


def save_counters(conversations: Iterable[Conversation], *, last_text_at: datetime) -> None:
    """Write last_seq and version of locked conversations, and the moment of their last words."""
    values = [(each.pk, each.last_seq, each.version) for each in conversations]
    table = Conversation._meta.db_table
    rows = ", ".join(["(%s, %s, %s)"] * len(values))
    moment = connection.ops.adapt_datetimefield_value(last_text_at)
    with connection.cursor() as cursor:
        cursor.execute(  # of our own names and placeholders
            f"UPDATE {table} SET last_seq = new.column2, version = new.column3, last_text_at = %s"  # noqa: S608
            f" FROM (VALUES {rows}) AS new WHERE {table}.id = new.column1",
            [moment, *(value for row in values for value in row)],
        )


def _pairs(model: Any, first: str, second: str, pairs: Collection[tuple[Any, Any]]) -> RawSQL:
    table = model._meta.db_table
    rows = ", ".join(["(%s, %s)"] * len(pairs))
    sql = f"({table}.{first}, {table}.{second}) IN (VALUES {rows})"
    values = [value for pair in pairs for value in pair]
    return RawSQL(sql, values, output_field=BooleanField())  # noqa: S611 - placeholders only
