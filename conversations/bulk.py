"""SQL for many rows at once, where the ORM is too slow or can't express it.

With an OR of pairs, a CASE of values, or an INSERT with a placeholder for each value, Django and psycopg
needed more time to build the statement than PostgreSQL to run it. On PostgreSQL, rows are therefore
passed as one array per column or as one JSON document, and the statement is the same for any number of
rows. SQLite has no arrays; it gets VALUES with placeholders, which is fast enough there.

All SQL here is built from our own table and column names, numbers and placeholders. Values must only be
passed as parameters, never formatted into a statement.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from django.db import connection, models
from django.db.models import BooleanField, Model
from django.db.models.expressions import RawSQL
from psycopg.types.json import Jsonb

from accounts.models import User
from chatty.common.rows import column_count, columns_of, instance_from_row
from conversations.models import Conversation, Membership, Message


@dataclass(frozen=True, slots=True)
class SendContext:
    """The rows that decide whether drafts can be stored. `memberships`: by (conversation id, user id), with
    users. `known`: ids of existing messages with one of the keys."""

    conversations: dict[int, Conversation]
    memberships: dict[tuple[int, int], Membership]
    known: list[int]


def lock_send_context(
    *,
    conversations: Collection[int],
    memberships: Collection[tuple[int, int]],
    keys: Collection[tuple[int, str]],
    lock_seconds: float | None,
    skip_locked: bool,
) -> SendContext:
    """Lock conversations, then read the memberships (conversation id, user id) and the existing messages
    of (author id, key).

    Locks are taken in order of id, so that two batches with common conversations can't deadlock. The rest
    is read after the locks: a retry that waited for the first attempt must see its row.

    `lock_seconds`: how long to wait for locks (PostgreSQL only; None: the timeout of the connection).
    `skip_locked`: leave out conversations that other transactions have locked.
    """
    if connection.vendor != "postgresql":
        return _read_send_context(conversations, memberships, keys)
    # Three statements in one round trip. In READ COMMITTED each has its own snapshot, so the second and
    # the third see everything that was committed before the locks were obtained.
    pairs, members = _rows(memberships, ("bigint", "bigint"))
    owned, taken = _rows(keys, ("bigint", "text"))
    wait = "" if lock_seconds is None else f"SET LOCAL lock_timeout = {lock_seconds * 1000:.0f};"
    with connection.cursor() as cursor:
        cursor.execute(  # built from our own names, numbers and placeholders
            f"""{wait}
            SELECT {columns_of(Conversation, "c")} FROM conversations_conversation c
            WHERE c.id = ANY(%s::bigint[]) AND c.deleted_at IS NULL
            ORDER BY c.id FOR NO KEY UPDATE {"SKIP LOCKED" if skip_locked else ""};
            SELECT {columns_of(Membership, "m")}, {columns_of(User, "u")}
            FROM conversations_membership m JOIN accounts_user u ON u.id = m.user_id
            WHERE (m.conversation_id, m.user_id) IN ({pairs});
            SELECT x.id FROM conversations_message x WHERE (x.author_id, x.key) IN ({owned})""",  # noqa: S608
            [_array(conversations), *members, *taken],
        )
        if wait:
            cursor.nextset()
        locked = {row[0]: instance_from_row(Conversation, row) for row in cursor.fetchall()}
        cursor.nextset()
        found = {}
        for row in cursor.fetchall():
            membership = instance_from_row(Membership, row)
            membership.user = instance_from_row(User, row[column_count(Membership) :])
            found[membership.conversation_id, membership.user_id] = membership
        cursor.nextset()
        return SendContext(locked, found, [pk for (pk,) in cursor.fetchall()])


def _read_send_context(
    conversations: Collection[int],
    memberships: Collection[tuple[int, int]],
    keys: Collection[tuple[int, str]],
) -> SendContext:
    """For SQLite, which has no row locks: writing transactions are exclusive."""
    rows = Conversation.objects.filter(pk__in=conversations, deleted_at=None)
    members = Membership.objects.filter(
        _pairs(Membership, "conversation_id", "user_id", memberships)
    )
    taken = Message.objects.filter(_pairs(Message, "author_id", "key", keys))
    return SendContext(
        {each.pk: each for each in rows},
        {(m.conversation_id, m.user_id): m for m in members.select_related("user")},
        list(taken.values_list("pk", flat=True)),
    )


def store(messages: Sequence[Message], conversations: Iterable[Conversation]) -> None:
    """Insert messages, set their ids, and update the counters and `last_text_at` of their conversations,
    which must be locked. Raises database errors like the ORM."""
    update, counters = _counters(conversations, last_text_at=messages[-1].created_at)
    if connection.vendor == "postgresql":
        _insert(messages, f"; {update}", counters)
        return
    Message.objects.bulk_create(messages)
    with connection.cursor() as cursor:
        cursor.execute(update, counters)


def _counters(
    conversations: Iterable[Conversation], *, last_text_at: datetime
) -> tuple[str, list[Any]]:
    values = [(each.pk, each.last_seq, each.version) for each in conversations]
    table = Conversation._meta.db_table
    rows, parameters = _rows(values, ("bigint", "bigint", "bigint"))
    field = Conversation._meta.get_field("last_text_at")
    moment = field.get_db_prep_save(last_text_at, connection)
    sql = (  # built from our own names and placeholders
        f"UPDATE {table} SET last_seq = new.column2, version = new.column3, last_text_at = %s"  # noqa: S608
        f" FROM ({rows}) AS new WHERE {table}.id = new.column1"
    )
    return sql, [moment, *parameters]


def insert_messages(messages: Sequence[Message]) -> None:
    """Insert messages and set their ids. Raises database errors like the ORM."""
    if connection.vendor == "postgresql":
        _insert(messages)
    else:
        Message.objects.bulk_create(messages)


def _insert(messages: Sequence[Message], then: str = "", parameters: Sequence[Any] = ()) -> None:
    """Insert messages on PostgreSQL. `then`: more SQL for the same round trip."""
    meta = Message._meta
    columns = ", ".join(str(field.column) for field in _FIELDS)
    typed = ", ".join(f"{field.column} {field.db_type(connection)!s}" for field in _FIELDS)
    rows = [
        {
            column: _prepare_value(field, getattr(each, name)) if field else getattr(each, name)
            for column, name, field in _WRITTEN
        }
        for each in messages
    ]
    with connection.cursor() as cursor:
        cursor.execute(  # built from our own names
            f"INSERT INTO {meta.db_table} ({columns}) SELECT {columns}"  # noqa: S608
            f" FROM json_to_recordset(%s::json) AS new({typed})"
            f" RETURNING conversation_id, seq, id{then}",
            [msgspec.json.encode(rows).decode(), *parameters],
        )
        ids = {(conversation, seq): pk for conversation, seq, pk in cursor.fetchall()}
    for message in messages:
        message.pk = ids[message.conversation_id, message.seq]
        message._state.adding = False
        message._state.db = connection.alias


def changed_values(
    model: type[Model], column: str, known: Mapping[int, int], *, alive: str
) -> dict[int, int | None]:
    """Return id -> current value of a column, for rows where it differs from the known value; None for
    rows that are missing or not `alive`. One query, which returns no rows if nothing has changed.

    `column` and `alive` (a condition on the table `t`) are inserted verbatim into the statement, so they
    must be literals in our code.
    """
    if not known:
        return {}
    rows, parameters = _rows(list(known.items()), ("bigint", "bigint"))
    with connection.cursor() as cursor:
        cursor.execute(  # built from our own names and placeholders
            f"SELECT k.column1, t.{column} FROM ({rows}) AS k"  # noqa: S608
            f" LEFT JOIN {model._meta.db_table} t ON t.id = k.column1 AND {alive}"
            f" WHERE t.{column} IS NULL OR t.{column} <> k.column2",
            parameters,
        )
        return dict(cursor.fetchall())


def names_of_members(
    conversations: Collection[int], beginnings: Collection[str] | None
) -> list[tuple[int, int, str]]:
    """Return (conversation id, user id, name) of active members, sorted by user id. One query.

    `beginnings`: only return names that begin with one of these characters (None: all).
    """
    rows, parameters = _rows([(each,) for each in conversations], ("bigint",))
    narrowed = ""
    if beginnings is not None:
        letters, more = _rows([(each,) for each in beginnings], ("text",))
        narrowed = f"AND substr(u.name, 1, 1) IN ({letters})"
        parameters += more
    with connection.cursor() as cursor:
        cursor.execute(  # built from our own names and placeholders
            f"""SELECT m.conversation_id, m.user_id, u.name
            FROM {Membership._meta.db_table} m JOIN {User._meta.db_table} u ON u.id = m.user_id
            WHERE m.conversation_id IN ({rows}) AND u.is_active {narrowed}
            ORDER BY m.user_id""",  # noqa: S608
            parameters,
        )
        found: list[tuple[int, int, str]] = cursor.fetchall()
        return found


_FIELDS = [field for field in Message._meta.concrete_fields if not field.primary_key]
# Values of exactly these field classes are written to JSON unchanged. All other fields, including their
# subclasses, convert their values: see _prepare_value().
_JSON_FIELDS = {
    models.BigIntegerField,
    models.BooleanField,
    models.CharField,
    models.DateTimeField,
    models.IntegerField,
    models.PositiveBigIntegerField,
    models.PositiveIntegerField,
    models.PositiveSmallIntegerField,
    models.SmallIntegerField,
    models.TextField,
}
# (column, attribute, the field if its values must be converted, else None).
_WRITTEN = [
    (
        str(field.column),
        field.attname,
        None if field.is_relation or type(field) in _JSON_FIELDS else field,
    )
    for field in _FIELDS
]


def _prepare_value(field: models.Field[Any, Any], value: Any) -> Any:
    """Return the value to store, in a form that PostgreSQL can read from JSON."""
    if value is None:  # NULL for every field; most messages have neither data nor mentions
        return None
    # A shortcut for two common fields: get_db_prep_save() would only wrap the value for psycopg.
    if type(field) is models.BinaryField:
        return f"\\x{value.hex()}"  # the text format of bytea
    if type(field) is models.JSONField:
        return msgspec.Raw(json.dumps(value, cls=field.encoder).encode())
    value = field.get_db_prep_save(value, connection)
    if isinstance(value, Jsonb):
        text = (value.dumps or json.dumps)(value.obj)
        return msgspec.Raw(text if isinstance(text, bytes) else text.encode())
    if hasattr(value, "obj"):  # psycopg.Binary
        value = value.obj
    if isinstance(value, bytes | bytearray | memoryview):
        return f"\\x{value.hex()}"
    return value


def _pairs(
    model: type[Model], first: str, second: str, pairs: Collection[tuple[Any, Any]]
) -> RawSQL:
    """Return a condition for SQLite that matches rows with one of these pairs of values."""
    table = model._meta.db_table
    rows, parameters = _rows(pairs, ("", ""))
    sql = f"({table}.{first}, {table}.{second}) IN ({rows})"
    return RawSQL(sql, parameters, output_field=BooleanField())  # noqa: S611 - placeholders only


def _rows(values: Collection[tuple[Any, ...]], types: tuple[str, ...]) -> tuple[str, list[Any]]:
    """Return (sql, parameters) of a table with these rows. Its columns are column1, column2 and so on.

    Uses arrays rather than JSON, because PostgreSQL's planner knows their length and then uses an index
    for a few rows.
    """
    if connection.vendor != "postgresql":
        row = ", ".join(["%s"] * len(types))
        flat = [value for row in values for value in row]
        return "VALUES " + ", ".join([f"({row})"] * len(values)), flat
    names = ", ".join(f"column{number}" for number in range(1, len(types) + 1))
    arrays = ", ".join(f"%s::{kind}[]" for kind in types)
    sql = f"SELECT {names} FROM unnest({arrays}) AS new({names})"  # noqa: S608 - our own names
    return sql, [_array(column) for column in zip(*values, strict=True)]


def _array(column: Iterable[Any]) -> str:
    """Return an array as PostgreSQL's text literal, because psycopg adapts each element separately.

    Must stay a parameter. Every element is quoted, and quotes and backslashes are escaped. NULL is not
    supported.
    """
    quoted = (str(value).replace("\\", "\\\\").replace('"', '\\"') for value in column)
    return '{"' + '","'.join(quoted) + '"}'
