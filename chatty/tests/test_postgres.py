"""A broken connection in the pool is detected before it is used."""

from __future__ import annotations

import select
import time

import psycopg
import pytest
from django.db import connection

from chatty.ops import metrics
from chatty.postgres import WatchedConnection, giving_up_after

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
    silent = giving_up_after(0.3).connect(**given())
    began = time.monotonic()
    with pytest.raises(psycopg.OperationalError):
        silent.execute("SELECT pg_sleep(5)")
    assert silent.closed
    silent.rollback()  # nothing is left to roll back
    assert time.monotonic() - began < 2


def test_server_side_error_keeps_the_connection():
    with giving_up_after(5).connect(**given(), options="-c statement_timeout=100") as patient:
        with pytest.raises(psycopg.errors.QueryCanceled):
            patient.execute("SELECT pg_sleep(5)")
        patient.rollback()
        assert patient.execute("SELECT 7").fetchone() == (7,)


def test_pool_metrics_are_collected():
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    metrics.collect_pool_metrics()
    size = metrics.POOL_CONNECTIONS._value.get()
    assert 1 <= size <= connection.pool.max_size
    assert metrics.POOL_IDLE._value.get() < size
