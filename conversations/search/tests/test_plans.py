"""What searches cost: plans, windows and time limits."""

from __future__ import annotations

import time

import msgspec
import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from conversations.models import Message
from conversations.search import queries, time_limit
from conversations.search.filters import resolve
from conversations.search.grams import structural_gram
from conversations.search.index import CONVERSATION
from conversations.search.keys import current_key
from conversations.search.postgres_storage import _where
from conversations.search.query_text import parse
from conversations.search.storage import Condition, Window, storage
from conversations.search.tests.conftest import index_all
from conversations.tests.helpers import raises_chat_error, say

pytestmark = pytest.mark.django_db


def conditions(user, text: str, window: Window):
    query = parse(text)
    return queries._Search(user, query, resolve(user, query))._conditions(window)


@pytest.mark.postgres
@pytest.mark.parametrize("text", ["about", "xyz", "ok", "茶", "from:me", "before:2030-01-01"])
def test_postgres_uses_the_gin_index(text, alice, pair):
    """Even of a table for which reading all rows would be cheap."""
    say(alice, pair, "All about tea, ok?")
    index_all()
    sql, parameters = _where(conditions(alice, text, Window(0, 4096, 12)))
    with time_limit.time_limit(), connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN SELECT message_id FROM search_entry WHERE {sql}", parameters)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "Bitmap Index Scan on search_entry_grams" in plan


@pytest.mark.postgres
def test_postgres_finds_entries_to_remove_by_the_gin_index(alice, pair):
    say(alice, pair, "All about tea, ok?")
    index_all()
    key = current_key()
    condition = Condition(key.hash([structural_gram(CONVERSATION, pair.pk)]), [])
    with transaction.atomic(), CaptureQueriesContext(connection) as asked:
        assert len(storage().find_removable([condition], pair.pk, 50)) == 1
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {asked[-1]['sql']}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "Bitmap Index Scan on search_entry_grams" in plan


@pytest.mark.sqlite
def test_sqlite_returns_matches_in_order_without_sorting(alice, pair):
    say(alice, pair, "All about tea")
    index_all()
    with connection.cursor() as cursor:
        cursor.execute(
            "EXPLAIN QUERY PLAN SELECT rowid FROM search_entry WHERE search_entry MATCH 'abc AND def'"
            " AND rowid >= 1 AND rowid < 9 ORDER BY rowid DESC LIMIT 5"
        )
        plan = " ".join(str(row) for row in cursor.fetchall())
    assert "VIRTUAL TABLE INDEX" in plan
    assert "TEMP B-TREE" not in plan


@pytest.mark.parametrize("sizes", [(12, 12, 14, 14, 16, 16, 18), (16, 18)])
@pytest.mark.parametrize("end", [1, 2, 4096, 4097, 1_000_001, 5_000_000])
def test_windows_cover_all_ids_once_and_stay_in_their_blocks(sizes, end):
    windows = list(queries._windows_of(sizes, 1, end))
    assert [window.end for window in windows] == [end, *[w.start for w in windows[:-1]]][
        : len(windows)
    ]
    assert (windows[-1].start if windows else end) == 1
    assert all(w.start >> w.size == (w.end - 1) >> w.size for w in windows)
    assert len(windows) <= len(sizes) + (end >> sizes[-1]) + 1


def test_windows_near_a_date_cover_all_ids_once(alice, pair):
    for number in range(5):
        say(alice, pair, f"Tea {number}")
    middle = Message.objects.filter(body="Tea 2").get()
    query = parse("tea before:2030-01-01")
    scope = resolve(alice, query)
    scope = msgspec.structs.replace(scope, until=middle.created_at)
    windows = list(queries._Search(alice, query, scope)._windows(None))
    assert middle.pk in {window.end for window in windows}
    assert sum(window.end - window.start for window in windows) == windows[0].end - 1


def test_search_before_a_message_that_does_not_exist_begins_at_the_last(alice, pair):
    say(alice, pair, "Tea")
    query = parse("tea")
    found = queries._Search(alice, query, resolve(alice, query))
    assert next(found._windows(10**15)) == next(found._windows(None))


def test_search_ends_when_there_are_enough_results(alice, pair, monkeypatch):
    for number in range(200):
        say(alice, pair, f"Tea {number}")
    index_all()
    compared = []
    real = queries.text_of
    monkeypatch.setattr(queries, "text_of", lambda *text: compared.append(text) or real(*text))
    assert len(queries.search(alice, parse("tea"), limit=10).results) == 10
    assert len(compared) <= 30


@pytest.mark.django_db(transaction=True)
def test_statement_that_takes_too_long_is_ended(monkeypatch):
    monkeypatch.setattr(time_limit, "STATEMENT_SECONDS", 0.2)
    slow = {
        "postgresql": "SELECT pg_sleep(20)",
        "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1e9)"
        " SELECT max(i) FROM n",
    }[connection.vendor]
    began = time.monotonic()
    with raises_chat_error("busy"), time_limit.time_limit(), connection.cursor() as cursor:
        cursor.execute(slow)
    assert time.monotonic() - began < 5
    with connection.cursor() as cursor:  # the limit has ended
        cursor.execute("SELECT 1")
        if connection.vendor == "postgresql":
            cursor.execute("SHOW enable_seqscan")
            assert cursor.fetchone() == ("on",)


def test_storage_finds_the_latest_of_a_window(alice, pair):
    for number in range(5):
        say(alice, pair, f"Tea {number}")
    index_all()
    ids = sorted(Message.objects.filter(kind="text").values_list("pk", flat=True))
    with transaction.atomic():
        # On PostgreSQL with the gram of a block that contains all of these ids.
        matching = conditions(alice, "tea", Window(ids[0], ids[0] + 1, 18))
        assert storage().find(matching, Window(ids[1], ids[4], 18), 2) == [ids[3], ids[2]]
