"""A broken connection in the pool is detected before it is used."""

from __future__ import annotations

import select
import time

import psycopg
import pytest
from django.db import connection
from psycopg.pq import TransactionStatus

from chatty.ops import metrics
from chatty.postgres import Statement, WatchedConnection, create_connection_class

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


def given():
    wanted = ("host", "port", "dbname", "user", "password")
    return {name: v for name, v in connection.get_connection_params().items() if name in wanted}


@pytest.fixture
def watched():
    with WatchedConnection.connect(**given(), autocommit=True) as opened:
        yield opened


def statements(watched: WatchedConnection) -> str:
    """Return the last query on this connection."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT query FROM pg_stat_activity WHERE pid = %s", [watched.info.backend_pid]
        )
        return cursor.fetchone()[0]


def test_living_connection_is_checked_without_a_query(watched):
    watched.execute("SELECT 7")
    watched.execute("")
    assert statements(watched) == "SELECT 7"


def test_terminated_connection_fails_the_check(watched):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [watched.info.backend_pid])
    with pytest.raises(psycopg.OperationalError):
        watched.execute("")
    with pytest.raises(psycopg.OperationalError):
        watched.execute("")


def test_connection_with_pending_data_is_queried(watched):
    watched.execute("LISTEN t")
    with connection.cursor() as cursor:
        cursor.execute("NOTIFY t")
    select.select([watched], [], [], 5)  # it takes a moment to arrive
    assert watched.execute("") is not None


def test_unanswered_connection_is_closed_after_the_timeout():
    silent = create_connection_class(0.3).connect(**given())
    began = time.monotonic()
    with pytest.raises(psycopg.OperationalError):
        silent.execute("SELECT pg_sleep(5)")
    assert silent.closed
    silent.rollback()  # nothing is left to roll back
    assert time.monotonic() - began < 2


def test_server_side_error_keeps_the_connection():
    with create_connection_class(5).connect(
        **given(), options="-c statement_timeout=100"
    ) as patient:
        with pytest.raises(psycopg.errors.QueryCanceled):
            patient.execute("SELECT pg_sleep(5)")
        patient.rollback()
        assert patient.execute("SELECT 7").fetchone() == (7,)


# --- run(): prepared statements in one round trip --------------------------------------------------

NUMBER = Statement("SELECT $1::int, now()")
DIVIDE = Statement("SELECT 1 / $1::int")


@pytest.fixture
def transacting():
    with WatchedConnection.connect(**given()) as opened:
        opened.execute("CREATE TEMPORARY TABLE t (n int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED)")
        opened.commit()
        yield opened


@pytest.fixture
def insert():
    """Not a constant: a statement is prepared when it is first used, and this one needs the table."""
    return Statement("INSERT INTO t VALUES ($1::int)")


def count(opened: WatchedConnection) -> int:
    return opened.execute("SELECT count(*) FROM t").fetchone()[0]


def prepared(opened: WatchedConnection) -> int:
    return opened.execute("SELECT count(*) FROM pg_prepared_statements").fetchone()[0]


@pytest.mark.parametrize("prepare", [True, False])
def test_run_returns_the_rows_of_each_statement(transacting, insert, prepare):
    for number in range(1, 6):
        value = b"%d" % number
        ((row,), none, (again,)) = transacting.run(
            (NUMBER, [value]), (insert, [value]), (NUMBER, [None]), prepare=prepare
        )
        assert (row[0], none, again[0]) == (number, [], None)
        assert row[1] == again[1]  # the same transaction
        transacting.commit()
    assert count(transacting) == 5
    assert prepared(transacting) == (2 if prepare else 0)


def test_run_begins_a_transaction_and_commits_it_only_if_asked(transacting, insert):
    transacting.run((insert, [b"1"]), prepare=True)
    transacting.rollback()
    assert count(transacting) == 0
    transacting.rollback()
    transacting.run((insert, [b"1"]), prepare=True, commit=True)
    assert transacting.info.transaction_status == TransactionStatus.IDLE
    transacting.rollback()
    assert count(transacting) == 1


def test_failed_statement_of_a_run_stops_the_rest_and_the_commit(transacting, insert):
    for number in (b"1", b"2"):
        with pytest.raises(psycopg.errors.DivisionByZero):
            transacting.run(
                (insert, [number]), (DIVIDE, [b"0"]), (NUMBER, [b"1"]), prepare=True, commit=True
            )
        assert transacting.info.transaction_status == TransactionStatus.INERROR
        transacting.rollback()
    assert count(transacting) == 0
    ((row,),) = transacting.run((NUMBER, [b"7"]), prepare=True)
    assert row[0] == 7


def test_constraint_that_fails_at_the_commit_is_raised(transacting, insert):
    with pytest.raises(psycopg.errors.UniqueViolation):
        transacting.run((insert, [b"1"]), (insert, [b"1"]), prepare=True, commit=True)
    assert transacting.info.transaction_status == TransactionStatus.IDLE
    assert count(transacting) == 0


def test_statement_that_cannot_be_prepared_is_prepared_later(transacting):
    late = Statement("SELECT n FROM late WHERE n = $1::int")
    with pytest.raises(psycopg.errors.UndefinedTable):
        transacting.run((late, [b"1"]), prepare=True)
    transacting.rollback()
    transacting.execute("CREATE TEMPORARY TABLE late (n int)")
    assert transacting.run((late, [b"1"]), prepare=True) == [[]]


def test_run_rejects_what_postgresql_would_cut_off(transacting):
    with pytest.raises(psycopg.DataError):
        transacting.run((Statement("SELECT $1::text"), [b"a\0b"]), prepare=True)
    assert transacting.run((NUMBER, [b"1"]), prepare=True)


def test_large_values_pass_in_both_directions(transacting):
    echo = Statement("SELECT $1::text")
    large = [b"%d" % number * 1_000_000 for number in range(1, 9)]
    rows = transacting.run(*[(echo, [each]) for each in large], prepare=True)
    assert [row[0].encode() for ((row),) in rows] == large


OUTDATING = pytest.mark.parametrize("sql", ["DEALLOCATE ALL", "ALTER TABLE t ALTER n TYPE bigint"])


@OUTDATING
@pytest.mark.parametrize("autocommit", [True, False])
def test_outdated_statement_is_prepared_again(transacting, insert, sql, autocommit):
    read = Statement("SELECT n FROM t")
    transacting.set_autocommit(autocommit)
    transacting.run((insert, [b"1"]), (read, []), prepare=True, commit=not autocommit)
    transacting.execute(sql)
    transacting.commit()
    found = transacting.run(
        (insert, [b"2"]), (read, []), (insert, [b"3"]), prepare=True, commit=not autocommit
    )
    assert found == [[], [(1,), (2,)], []]
    transacting.rollback()
    assert count(transacting) == 3


@OUTDATING
def test_outdated_statement_in_a_transaction_is_an_outage_of_this_connection(transacting, sql):
    read = Statement("SELECT n FROM t")
    transacting.run((read, []), prepare=True, commit=True)
    transacting.execute(sql)
    transacting.commit()
    transacting.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError):
        transacting.run((read, []), prepare=True)
    assert transacting.closed


def test_unsupported_statement_is_not_repeated_for_ever(transacting):
    unsupported = Statement("SELECT n, count(*) FROM t GROUP BY n FOR UPDATE")
    transacting.run((NUMBER, [b"1"]), prepare=True, commit=True)
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        transacting.run((unsupported, []), prepare=True)


def test_rollback_keeps_the_prepared_statements(transacting):
    transacting.run((NUMBER, [b"1"]), prepare=True)
    transacting.rollback()
    assert prepared(transacting) == 1


def test_connection_lost_during_a_run_is_an_operational_error(transacting):
    end = Statement("SELECT pg_terminate_backend(pg_backend_pid(), 0)")
    with pytest.raises(psycopg.OperationalError):
        transacting.run((NUMBER, [b"1"]), (end, []), (NUMBER, [b"2"]), prepare=True, commit=True)
    assert transacting.closed
    with pytest.raises(psycopg.OperationalError):
        transacting.run((NUMBER, [b"1"]), prepare=True)


def test_unanswered_run_closes_the_connection():
    silent = create_connection_class(0.3).connect(**given())
    with pytest.raises(psycopg.OperationalError):
        silent.run((Statement("SELECT pg_sleep(5)"), []), (NUMBER, [b"1"]), prepare=True)
    assert silent.closed


def test_plans_follow_a_growing_table(transacting):
    """A plan for an empty table reads all of it."""
    transacting.execute("CREATE TEMPORARY TABLE big (n int PRIMARY KEY, filler text)")
    transacting.execute("SET plan_cache_mode = force_generic_plan")
    transacting.execute("ANALYZE big")
    find = Statement("SELECT filler FROM big WHERE n = $1::int")
    transacting.run((find, [b"1"]), prepare=True)
    transacting.execute(
        "INSERT INTO big SELECT n, repeat('x', 500) FROM generate_series(1, 20000) n"
    )
    scans = "SELECT seq_scan FROM pg_stat_xact_user_tables WHERE relname = 'big'"
    for _ in range(2):
        transacting.run((find, [b"1"]), prepare=True)
    before = transacting.execute(scans).fetchone()
    for _ in range(20):
        transacting.run((find, [b"1"]), prepare=True)
    assert transacting.execute(scans).fetchone() == before


def test_begin_with_is_part_of_the_round_trip():
    strict = create_connection_class(5, b"SELECT set_config('statement_timeout', '100', true)")
    with strict.connect(**given()) as opened:
        ((row,),) = opened.run(
            (Statement("SELECT current_setting('statement_timeout')"), []), prepare=False
        )
        assert row == ("100ms",)
        opened.rollback()


def test_pool_metrics_are_collected():
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    metrics.collect_pool_metrics()
    size = metrics.POOL_CONNECTIONS._value.get()
    assert 1 <= size <= connection.pool.max_size
    assert metrics.POOL_IDLE._value.get() < size
