"""Expired sessions and sign-ins are removed, in short transactions."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import queries, tokens
from accounts.models import SignIn
from accounts.tests.helpers import raises_chat_error
from accounts.upkeep import purge_sessions, purge_sign_ins
from chatty.common import upkeep

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def session(days):
    Session.objects.create(
        session_key=f"key{days}",
        session_data="",
        expire_date=timezone.now() + days * DAY,
    )


def sign_in(user, sid, **fields):
    SignIn.objects.create(
        user=user, kind="web", sid=sid, **{"expires_at": timezone.now() + DAY, **fields}
    )


def test_expired_sessions_are_removed():
    for days in (-400, -1, 1):
        session(days)
    assert sum(purge_sessions()) == 2
    assert Session.objects.get().expire_date > timezone.now()


def test_old_sign_ins_are_removed(alice):
    now = timezone.now()
    sign_in(alice, "good")
    sign_in(alice, "ran out lately", expires_at=now - 29 * DAY)
    sign_in(alice, "ended lately", ended_at=now - 29 * DAY)
    sign_in(alice, "ran out", expires_at=now - 31 * DAY)
    sign_in(alice, "ended", ended_at=now - 31 * DAY)
    assert sum(purge_sign_ins()) == 2
    assert set(SignIn.objects.values_list("sid", flat=True)) == {
        "good",
        "ran out lately",
        "ended lately",
    }
    assert queries.valid_sids(["good"]) == {"good"}


def test_expired_refresh_tokens_are_removed_with_their_sign_in(pair):
    assert sum(purge_sign_ins()) == 0
    SignIn.objects.update(expires_at=timezone.now() - 31 * DAY)
    assert sum(purge_sign_ins()) == 1
    with raises_chat_error("token_invalid"):
        tokens.rotate(pair.refresh)


def test_each_step_is_one_short_transaction(monkeypatch):
    monkeypatch.setattr(upkeep, "BATCH", 3)
    monkeypatch.setattr(upkeep, "FOUND_MAX", 5)
    for days in range(1, 12):
        session(-days)
    steps = purge_sessions()
    with CaptureQueriesContext(connection) as asked:
        assert next(steps) == 3
    deletes = [each["sql"] for each in asked if each["sql"].startswith("DELETE")]
    assert len(deletes) == 1
    assert list(steps) == [2, 3, 2, 1]
    assert not Session.objects.exists()


def test_renewed_session_is_not_removed(monkeypatch):
    monkeypatch.setattr(upkeep, "BATCH", 1)
    session(-1)
    session(-2)
    steps = purge_sessions()
    next(steps)
    Session.objects.update(expire_date=timezone.now() + DAY)
    assert sum(steps) == 0
    assert Session.objects.count() == 1


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_only_one_process_purges_at_a_time():
    session(-1)
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [upkeep._LOCK])
            assert list(purge_sessions()) == []
            cursor.execute("COMMIT")
    finally:
        other.close()
    assert list(purge_sessions()) == [1]
