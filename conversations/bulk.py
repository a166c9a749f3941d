"""SQL for many rows at once, where the ORM is too slow or can't express it.

With an OR of pairs, a CASE of values, or an INSERT with a placeholder for each value, Django and psycopg
needed more time to build the statement than PostgreSQL to run it. On PostgreSQL, rows are therefore
passed as one array per column or as one JSON document, and the statement is the same for any number of
rows: it is built once, and prepared once in each session (chatty/statements.py). SQLite has no arrays; it
gets VALUES with placeholders, which is fast enough there.

All SQL here is built from our own table and column names, numbers and placeholders. Values must only be
passed as parameters, never formatted into a statement.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec
from django.db import DEFAULT_DB_ALIAS, connection, models
from django.db.models import BooleanField, Model
from django.db.models.expressions import RawSQL
from psycopg.types.json import Jsonb

from accounts.models import User
from chatty.common.rows import attach, column_count, columns_of, instance_from_row, instance_maker
from chatty.postgres import Statement
from chatty.statements import array, run
from conversations.models import Conversation, Membership, Message


@dataclass(frozen=True, slots=True)
class SendContext:
    """The rows that decide whether drafts can be stored. `memberships`: by (conversation id, user id), with
    users. `known`: ids of existing messages with one of the keys. `ids`: for new messages (PostgreSQL)."""

    conversations: dict[int, Conversation]
    memberships: dict[tuple[int, int], Membership]
    known: list[int]
    ids: list[int]


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
    # All in one round trip. In READ COMMITTED each statement has its own snapshot, which PostgreSQL takes
    # when it gets to it: so all after the first see everything that was committed before the locks were
    # obtained.
    wait = None if lock_seconds is None else b"%d" % (lock_seconds * 1000)
    _settings, locked, members, known, ids = run(
        (_SET_UP, [wait]),
        (_LOCK_OR_SKIP if skip_locked else _LOCK, [array(conversations)]),
        (_READ_MEMBERS, _columns(memberships)),
        (_READ_KEYS, _columns(keys)),
        (_TAKE_IDS, [b"%d" % len(keys)]),
    )
    found = {}
    make_user = instance_maker(User, start=column_count(Membership))
    for row in members:
        membership = instance_from_row(Membership, row)
        attach(membership, "user", make_user(row))
        found[membership.conversation_id, membership.user_id] = membership
    return SendContext(
        {row[0]: instance_from_row(Conversation, row) for row in locked},
        found,
        [pk for (pk,) in known],
        [pk for (pk,) in ids],
    )


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
        [],
    )


def store(
    messages: Sequence[Message],
    conversations: Collection[Conversation],
    *,
    ids: Sequence[int] = (),
    with_ids: Callable[[], None] = lambda: None,
    commit: bool = False,
) -> None:
    """Insert messages, set their ids, and update the counters and `last_text_at` of their conversations,
    which must be locked. Raises database errors like the ORM.

    `ids`: unused ids from lock_send_context(). `with_ids` is called once the messages have their ids,
    before they are committed: if it fails, nothing is stored. `commit`: nothing is left to do in the
    transaction. Unless it is part of a larger one, PostgreSQL then commits it in the same round trip.
    """
    moment = messages[-1].created_at
    values = [(each.pk, each.last_seq, each.version) for each in conversations]
    if connection.vendor == "postgresql":
        _set_ids(messages, ids)
        with_ids()
        run(
            (_insert_statement(), [_as_json(messages)]),
            (_UPDATE_COUNTERS, [moment.isoformat().encode(), *_columns(values)]),
            commit=commit,
        )
        return
    Message.objects.bulk_create(messages)
    with_ids()
    rows, parameters = _rows(values, ("", "", ""))
    field = Conversation._meta.get_field("last_text_at")
    with connection.cursor() as cursor:
        cursor.execute(  # built from our own names and placeholders
            "UPDATE conversations_conversation AS c"  # noqa: S608
            " SET last_seq = new.column2, version = new.column3, last_text_at = %s"
            f" FROM ({rows}) AS new WHERE c.id = new.column1",
            [field.get_db_prep_save(moment, connection), *parameters],
        )


def insert_messages(messages: Sequence[Message]) -> None:
    """Insert messages and set their ids. Raises database errors like the ORM."""
    if connection.vendor == "postgresql":
        _set_ids(messages)
        run((_insert_statement(), [_as_json(messages)]))
    else:
        Message.objects.bulk_create(messages)


def _set_ids(messages: Sequence[Message], ids: Sequence[int] = ()) -> None:
    if not ids:
        (rows,) = run((_TAKE_IDS, [b"%d" % len(messages)]))
        ids = [pk for (pk,) in rows]
    for message, pk in zip(messages, ids, strict=False):  # rejected drafts leave some ids unused
        message.pk = pk
        message._state.adding, message._state.db = False, DEFAULT_DB_ALIAS


def _as_json(messages: Sequence[Message]) -> bytes:
    rows = [
        {
            column: _prepare_value(field, getattr(each, name)) if field else getattr(each, name)
            for column, name, field in _WRITTEN
        }
        for each in messages
    ]
    return msgspec.json.encode(rows)


# For this transaction: the timeout of locks in milliseconds, and one plan for all parameters. By PostgreSQL's
# own estimate that is worse than a new plan each time, because it has to assume that arrays have ten
# elements; but planning takes longer than all the rest.
_SET_UP = Statement(
    """SELECT set_config('lock_timeout', coalesce($1::text, current_setting('lock_timeout')), true),
    set_config('plan_cache_mode', 'force_generic_plan', true)"""
)
_LOCK = Statement(
    f"""SELECT {columns_of(Conversation, "c")} FROM conversations_conversation c
    WHERE c.id = ANY($1::bigint[]) AND c.deleted_at IS NULL
    ORDER BY c.id FOR NO KEY UPDATE"""  # noqa: S608 - built from our own names, as all below
)
_LOCK_OR_SKIP = Statement(f"{_LOCK.sql.decode()} SKIP LOCKED")
_READ_MEMBERS = Statement(
    f"""SELECT {columns_of(Membership, "m")}, {columns_of(User, "u")}
    FROM unnest($1::bigint[], $2::bigint[]) AS k(conversation, member)
    JOIN conversations_membership m ON m.conversation_id = k.conversation AND m.user_id = k.member
    JOIN accounts_user u ON u.id = m.user_id"""  # noqa: S608
)
_READ_KEYS = Statement(
    """SELECT x.id FROM unnest($1::bigint[], $2::text[]) AS k(author, key)
    JOIN conversations_message x ON x.author_id = k.author AND x.key = k.key"""
)
_READ_NAMES = Statement(
    """SELECT m.conversation_id, m.user_id, u.name
    FROM conversations_membership m JOIN accounts_user u ON u.id = m.user_id
    WHERE m.conversation_id = ANY($1::bigint[]) AND u.is_active
    AND ($2::text[] IS NULL OR substr(u.name, 1, 1) = ANY($2::text[]))
    ORDER BY m.user_id"""
)
# The ids are taken before the messages are inserted, so that all that is published can be made before the
# commit.
_TAKE_IDS = Statement(
    """SELECT nextval(s.name) FROM generate_series(1, $1::int), (SELECT
    pg_get_serial_sequence('conversations_message', 'id')::regclass AS name OFFSET 0) AS s"""
)
_UPDATE_COUNTERS = Statement(
    """UPDATE conversations_conversation c
    SET last_seq = new.last_seq, version = new.version, last_text_at = $1::timestamptz
    FROM unnest($2::bigint[], $3::bigint[], $4::bigint[]) AS new(id, last_seq, version)
    WHERE c.id = new.id"""
)


@cache
def _insert_statement() -> Statement:
    columns = ", ".join(str(field.column) for field in _FIELDS)
    typed = ", ".join(f"{field.column} {field.db_type(connection)!s}" for field in _FIELDS)
    return Statement(
        f"INSERT INTO conversations_message ({columns}) SELECT {columns}"  # noqa: S608
        f" FROM json_to_recordset($1::json) AS new({typed})"
    )


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
    if connection.vendor == "postgresql":
        letters = None if beginnings is None else array(beginnings)
        _settings, names = run((_SET_UP, [None]), (_READ_NAMES, [array(conversations), letters]))
        return names
    rows, parameters = _rows([(each,) for each in conversations], ("",))
    narrowed = ""
    if beginnings is not None:
        values, more = _rows([(each,) for each in beginnings], ("",))
        narrowed = f"AND substr(u.name, 1, 1) IN ({values})"
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


# No message is pinned before it is stored.
_FIELDS = [field for field in Message._meta.concrete_fields if field.name != "pinned"]
# Values of exactly these field classes are written to JSON unchanged. All other fields, including their
# subclasses, convert their values: see _prepare_value().
_JSON_FIELDS = {
    models.BigAutoField,
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
    return sql, [column.decode() for column in _columns(values)]


def _columns(rows: Collection[tuple[Any, ...]]) -> list[bytes]:
    """Return an array for each column of these rows."""
    return [array(column) for column in zip(*rows, strict=True)]
