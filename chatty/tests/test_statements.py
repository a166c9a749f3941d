"""Prepared statements are used only as configured, and survive migrations."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import connection, transaction
from django.db.utils import OperationalError
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from chatty.statements import fetch_rows, in_ids, list_ids

prepared = pytest.mark.postgres


@pytest.fixture
def table(transactional_db):
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE short_lived (name varchar(5), at timestamptz)")
        cursor.execute("INSERT INTO short_lived VALUES ('a', '2026-02-03T04:05:06+02')")
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE short_lived")


def prepared_statements() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements")
        return [statement for (statement,) in cursor.fetchall()]


@prepared
def test_statement_is_prepared_once_for_all_values(transactional_db):
    for number in (1, 2**20, 2**40):
        assert fetch_rows("SELECT %s::bigint + 1", [number]) == [(number + 1,)]
    assert [each for each in prepared_statements() if "bigint + 1" in each] == [
        "SELECT $1::bigint + 1"
    ]


@prepared
def test_prepared_statement_is_in_the_log_of_queries(transactional_db):
    fetch_rows("SELECT %s::bigint + 3", [1])
    with CaptureQueriesContext(connection) as made:
        fetch_rows("SELECT %s::bigint + 3", [1])
    assert [query["sql"] for query in made.captured_queries] == ["SELECT $1::bigint + 3 -- ['1']"]


@prepared
def test_nothing_is_prepared_with_prepare_off(transactional_db, settings):
    settings.DATABASE_PREPARE = False
    assert fetch_rows("SELECT %s::bigint + 54321", [1]) == [(54322,)]
    assert not [each for each in prepared_statements() if "+ 54321" in each]


@prepared
def test_other_statements_are_not_prepared(transactional_db):
    fetch_rows("SELECT 1", [])
    before = prepared_statements()
    for _ in range(10):
        assert not User.objects.filter(pk=7).exists()
    assert prepared_statements() == before


@prepared
def test_statement_is_prepared_again_after_a_column_has_changed(table):
    sql = "SELECT name FROM short_lived"
    assert fetch_rows(sql, []) == [("a",)]
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE short_lived ALTER name TYPE text")
    assert fetch_rows(sql, []) == [("a",)]
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE short_lived ALTER name TYPE varchar(7)")
    # A failed transaction can't be continued.
    with pytest.raises(OperationalError), transaction.atomic():
        assert not User.objects.exists()
        fetch_rows(sql, [])
    connection.close_if_unusable_or_obsolete()
    with transaction.atomic():
        assert fetch_rows(sql, []) == [("a",)]


@prepared
def test_moments_are_in_utc(table):
    assert fetch_rows("SELECT at FROM short_lived", []) == [
        (datetime(2026, 2, 3, 2, 5, 6, tzinfo=UTC),)
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("count", [0, 1, 3])
def test_list_of_ids_finds_the_rows(count):
    ids = [User.objects.create_user(f"{n}@example.org").pk for n in range(4)][:count]
    rows = fetch_rows(f"SELECT id FROM accounts_user WHERE id {in_ids()}", [list_ids(ids)])
    assert sorted(pk for (pk,) in rows) == ids
