"""Raw SQL stores and reads the same as the ORM, for every field of every model."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, models, transaction
from django.db.models import signals

from chatty.common.rows import columns_of, instance_from_row
from chatty.postgres import Statement
from conversations import bulk
from conversations.models import Conversation, Message

pytestmark = pytest.mark.django_db

MODELS = [
    model for model in apps.get_models() if model._meta.app_label in ("accounts", "conversations")
]
# Values that constraints require.
VALUES: dict[tuple[str, str], Any] = {
    ("AddressConfirmation", "request"): None,
    ("AddressConfirmation", "request_id"): None,
    ("Instance", "id"): 1,
    ("User", "chosen_hue"): 5,
    ("Conversation", "version"): 2**40,
    ("Conversation", "direct_key"): None,
    ("Message", "version"): 2**40,
    ("Message", "deleted_at"): None,
}
_numbers = count(3)


def filled(model: type[models.Model]) -> models.Model:
    """Return an unsaved object with a value in every field."""
    found: dict[str, Any] = {}
    for field in model._meta.concrete_fields:
        known = (model.__name__, field.name)
        if known in VALUES:
            found[field.name] = VALUES[known]
        elif not isinstance(field, models.AutoField):
            found[field.name] = value_of(field)
    return model(**found)


def value_of(field: models.Field[Any, Any]) -> Any:
    number = next(_numbers)
    match field:
        case models.ForeignKey():
            related = field.related_model
            if related is field.model:
                return stored(message())
            return stored(filled(related))
        case models.BooleanField():
            return True
        case models.DateTimeField():
            return datetime(2026, 2, 3, 4, 5, 6, 789012, UTC) + timedelta(days=number)
        case models.JSONField():
            return {"name": 'é"\\', "list": [number, None, 1.5, True], "none": None}
        case models.BinaryField():
            return bytes([0, 255, 92, 34, number % 256])
        case models.IntegerField():
            return number
        case models.CharField() if field.choices:
            return next(value for value, _label in field.flatchoices)
        case models.CharField() | models.TextField():
            return f'{number} é"\\'[: field.max_length]
    raise AssertionError(f"value_of() cannot fill {field!r} yet")


def message() -> Message:
    """Return a message that is not a reply, to end the recursion."""
    VALUES["Message", "reply_to"] = None
    try:
        made_up = filled(Message)
    finally:
        del VALUES["Message", "reply_to"]
    assert isinstance(made_up, Message)
    return made_up


def stored(row: models.Model) -> models.Model:
    row.save(force_insert=True)
    return row


def held(row: models.Model) -> dict[str, Any]:
    """Return the values of a row's fields, with their types."""
    values = {f.attname: getattr(row, f.attname) for f in row._meta.concrete_fields}
    plain = {k: bytes(v) if isinstance(v, memoryview) else v for k, v in values.items()}
    return {name: (type(value), value) for name, value in plain.items()}


def read(model: type[models.Model], pk: Any) -> models.Model:
    """Read an instance with a cursor, and on PostgreSQL with a prepared statement too."""
    sql = f"SELECT {columns_of(model, 't')} FROM {model._meta.db_table} t"
    key = model._meta.pk.column
    with connection.cursor() as cursor:
        cursor.execute(f"{sql} WHERE t.{key} = %s", [pk])
        found = instance_from_row(model, cursor.fetchone())
    if connection.vendor == "postgresql":
        statement = Statement(f"{sql} WHERE t.{key}::text = $1")
        ((row,),) = connection.connection.run((statement, [str(pk).encode()]), prepare=True)
        assert held(instance_from_row(model, row)) == held(found)
    return found


def state(row: models.Model) -> dict[str, Any]:
    """Return everything in an instance but the values of its fields."""
    fields = {field.attname for field in row._meta.concrete_fields}
    rest = {name: value for name, value in vars(row).items() if name not in fields}
    rest["_state"].fields_cache  # noqa: B018 - creates it, as the first access to a relation does
    return rest | {"_state": vars(rest["_state"])}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_instance_from_row_equals_the_orm(model):
    if model.__name__ == "Instance":
        model.objects.all().delete()
    row = stored(filled(model))
    expected = model.objects.get(pk=row.pk)
    empty = [name for name, (_type, value) in held(expected).items() if value in (None, "")]
    assert [name for name in empty if (model.__name__, name) not in VALUES] == []
    found = read(model, row.pk)
    assert held(found) == held(expected)
    assert state(found) == state(expected)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_instance_from_row_reads_empty_fields_like_the_orm(model):
    if model.__name__ == "Instance":
        model.objects.all().delete()
    row = filled(model)
    for field in model._meta.concrete_fields:
        if field.null and field.name not in ("author", "key"):
            setattr(row, field.name, None)
    stored(row)
    assert held(read(model, row.pk)) == held(model.objects.get(pk=row.pk))


def test_insert_messages_stores_the_same_as_the_orm():
    """With every field filled, then with every optional field empty."""
    full = filled(Message)
    bare = filled(Message)
    deleted = message()
    assert isinstance(full, Message)
    assert isinstance(bare, Message)
    for field in Message._meta.concrete_fields:
        if field.null and field.name not in ("author", "key"):
            setattr(bare, field.name, None)
    deleted.body = deleted.html = ""
    deleted.fingerprint, deleted.deleted_at = None, datetime(2026, 3, 4, tzinfo=UTC)
    rows = [full, bare, deleted]
    meant = [held(row) for row in rows]
    bulk.insert_messages(rows)
    for row, values in zip(rows, meant, strict=True):
        values["id"] = (int, row.pk)
        assert held(Message.objects.get(pk=row.pk)) == values


def test_store_updates_counters_and_last_text_at():
    conversation = stored(filled(Conversation))
    assert isinstance(conversation, Conversation)
    words = message()
    words.conversation = conversation
    conversation.last_seq, conversation.version = 2**41, 2**42
    other = stored(filled(Conversation))
    bulk.store([words], [conversation])
    again = Conversation.objects.get(pk=conversation.pk)
    assert (again.last_seq, again.version) == (2**41, 2**42)
    assert again.last_text_at == words.created_at
    assert held(Conversation.objects.get(pk=other.pk)) == held(other)


def test_message_that_cannot_be_published_is_not_stored():
    words = message()

    def fail() -> None:
        assert words.pk
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), transaction.atomic():
        bulk.store([words], [words.conversation], with_ids=fail)
    assert not Message.objects.filter(key=words.key).exists()


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_models_need_nothing_that_instance_from_row_omits(model):
    assert not signals.pre_init.has_listeners(model)
    assert not signals.post_init.has_listeners(model)
    assert model.from_db.__func__ is models.Model.from_db.__func__
    assert model.__init__ is models.Model.__init__
