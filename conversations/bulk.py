"""Statements about many rows at once that the ORM says slowly or not at all.

As an OR of pairs, a CASE of values and an INSERT with a placeholder for each value, Django and psycopg
spent more time on building these than PostgreSQL on running them. There, many rows are one parameter
for each column (arrays), or one altogether (JSON), so the statement is the same however many there
are. SQLite knows neither, and builds its own quickly. Values go in as parameters only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from django.db import connection
from django.db.models import BooleanField, Model
from django.db.models.expressions import RawSQL

from conversations.models import Conversation, Membership, Message


def messages_with(authors_and_keys: Collection[tuple[int, str]]) -> RawSQL:
    """Return a condition on messages: exactly these (author id, key)."""
    return _pairs(Message, "author_id", "key", authors_and_keys, ("bigint", "text"))


def memberships_of(conversations_and_users: Collection[tuple[int, int]]) -> RawSQL:
    """Return a condition on memberships: exactly these (conversation id, user id)."""
    pairs = conversations_and_users
    return _pairs(Membership, "conversation_id", "user_id", pairs, ("bigint", "bigint"))


def save_counters(conversations: Iterable[Conversation], *, last_text_at: datetime) -> None:
    """Write last_seq and version of locked conversations, and the moment of their last words."""
    values = [(each.pk, each.last_seq, each.version) for each in conversations]
    table = Conversation._meta.db_table
    rows, parameters = _rows(values, ("bigint", "bigint", "bigint"))
    moment = connection.ops.adapt_datetimefield_value(last_text_at)
    with connection.cursor() as cursor:
        cursor.execute(  # of our own names and placeholders
            f"UPDATE {table} SET last_seq = new.column2, version = new.column3, last_text_at = %s"  # noqa: S608
            f" FROM ({rows}) AS new WHERE {table}.id = new.column1",
            [moment, *parameters],
        )


def insert_messages(messages: Sequence[Message]) -> None:
    """Store new messages and give each its id. Raises what the database raises, as the ORM does."""
    if connection.vendor != "postgresql":
        Message.objects.bulk_create(messages)
        return
    meta = Message._meta
    columns = ", ".join(str(field.column) for field in _FIELDS)
    typed = ", ".join(f"{field.column} {field.db_type(connection)!s}" for field in _FIELDS)
    rows = [{f.column: _plain(getattr(each, f.attname)) for f in _FIELDS} for each in messages]
    with connection.cursor() as cursor:
        cursor.execute(  # of our own names
            f"INSERT INTO {meta.db_table} ({columns}) SELECT {columns}"  # noqa: S608
            f" FROM json_to_recordset(%s::json) AS new({typed}) RETURNING conversation_id, seq, id",
            [msgspec.json.encode(rows).decode()],
        )
        ids = {(conversation, seq): pk for conversation, seq, pk in cursor.fetchall()}
    for message in messages:
        message.pk = ids[message.conversation_id, message.seq]
        message._state.adding = False
        message._state.db = connection.alias


def moved(
    model: type[Model], column: str, known: Mapping[int, int], *, alive: str
) -> dict[int, int | None]:
    """Return id -> the column's value of those rows where it is not the known one any more, None of
    those that are not `alive` (a condition on `t`). One query, which returns nothing while nothing
    happens, however many are asked for."""
    if not known:
        return {}
    rows, parameters = _rows(list(known.items()), ("bigint", "bigint"))
    with connection.cursor() as cursor:
        cursor.execute(  # of our own names and placeholders
            f"SELECT k.column1, t.{column} FROM ({rows}) AS k"  # noqa: S608
            f" LEFT JOIN {model._meta.db_table} t ON t.id = k.column1 AND {alive}"
            f" WHERE t.{column} IS NULL OR t.{column} <> k.column2",
            parameters,
        )
        return dict(cursor.fetchall())


_FIELDS = [field for field in Message._meta.concrete_fields if not field.primary_key]


def _plain(value: Any) -> Any:
    return f"\\x{value.hex()}" if isinstance(value, bytes) else value  # as bytea is written in text


def _pairs(
    model: Any,
    first: str,
    second: str,
    pairs: Collection[tuple[Any, Any]],
    types: tuple[str, str],
) -> RawSQL:
    table = model._meta.db_table
    rows, parameters = _rows(pairs, types)
    sql = f"({table}.{first}, {table}.{second}) IN ({rows})"
    return RawSQL(sql, parameters, output_field=BooleanField())  # noqa: S611 - placeholders only


def _rows(values: Collection[tuple[Any, ...]], types: tuple[str, ...]) -> tuple[str, list[Any]]:
    """Return a table of rows, its columns called column1, column2..., and its parameters.

    Arrays, not JSON, since PostgreSQL's planner sees how many rows they make, and looks few up in
    an index.
    """
    if connection.vendor != "postgresql":
        row = ", ".join(["%s"] * len(types))
        flat = [value for row in values for value in row]
        return "VALUES " + ", ".join([f"({row})"] * len(values)), flat
    names = ", ".join(f"column{number}" for number in range(1, len(types) + 1))
    arrays = ", ".join(f"%s::{kind}[]" for kind in types)
    sql = f"SELECT {names} FROM unnest({arrays}) AS new({names})"  # noqa: S608 - of our own names
    return sql, [_array(column) for column in zip(*values, strict=True)]


def _array(column: Iterable[Any]) -> str:
    """Return an array as PostgreSQL reads it; psycopg would look at every element by itself."""
    quoted = (str(value).replace("\\", "\\\\").replace('"', '\\"') for value in column)
    return '{"' + '","'.join(quoted) + '"}'
