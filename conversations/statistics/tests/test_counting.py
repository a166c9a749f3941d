from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from accounts.models import SignIn
from chatty.jobs import queue
from conversations import actions
from conversations.models import Message
from conversations.realtime import presence
from conversations.statistics import counting
from conversations.statistics.models import ActiveDay, DayStatistics, HourStatistics
from conversations.tests.conftest import pair
from conversations.tests.helpers import say

__all__ = ["pair"]

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _noon(monkeypatch):
    monkeypatch.setattr(timezone, "now", lambda: NOON)


def sent(person, conversation, days_ago: float) -> Message:
    message = say(person, conversation, "Tea")
    Message.objects.filter(pk=message.pk).update(created_at=NOON - timedelta(days=days_ago))
    return message


def count() -> None:
    """Run the job until it has counted all."""
    while counting.add(counting.find()) == queue.again():
        pass


def messages() -> dict[int, int]:
    return {
        (NOON.date() - day).days: number
        for day, number in DayStatistics.objects.values_list("day", "messages")
    }


def active() -> set[tuple[int, int]]:
    return {
        ((NOON.date() - day).days, user)
        for day, user in ActiveDay.objects.values_list("day", "user_id")
    }


def test_messages_and_authors_are_counted_once_per_day(alice, bob, pair, monkeypatch):
    monkeypatch.setattr(counting, "_BATCH", 2)
    SignIn.objects.update(last_seen_at=NOON - timedelta(days=9))
    Message.objects.update(created_at=NOON - timedelta(days=2))
    for person, days in ((alice, 2), (alice, 2), (bob, 2), (alice, 1)):
        sent(person, pair, days)
    count()
    count()
    assert messages() == {2: 3, 1: 1}
    assert active() == {(2, alice.pk), (2, bob.pk), (1, alice.pk)}
    sent(bob, pair, 1)
    count()
    assert messages() == {2: 3, 1: 2}
    assert active() == {(2, alice.pk), (2, bob.pk), (1, alice.pk), (1, bob.pk)}


def test_notices_and_what_is_not_settled_are_not_counted(alice, pair):
    Message.objects.update(created_at=NOON - timedelta(days=1))
    sent(alice, pair, 0)
    count()
    assert messages() == {}
    Message.objects.update(created_at=NOON - timedelta(minutes=1))
    count()
    assert messages() == {0: 1}


def test_deleted_messages_were_sent_all_the_same(alice, pair):
    message = sent(alice, pair, 1)
    actions.delete_message(alice, message.pk)
    count()
    assert messages() == {1: 1}


def test_readers_are_active_too(alice, bob, pair):
    SignIn.objects.all().delete()
    browser = SignIn.Kind.WEB
    SignIn.objects.create(
        user=bob, kind=browser, last_seen_at=NOON - timedelta(hours=1), expires_at=NOON
    )
    SignIn.objects.create(
        user=alice, kind=browser, last_seen_at=NOON - timedelta(days=1), expires_at=NOON
    )
    Message.objects.update(created_at=NOON - timedelta(days=50))
    count()
    assert active() == {(0, bob.pk)}
    assert counting.find().active == set()


def test_the_most_people_online_of_an_hour_are_kept(db, monkeypatch):
    for online in (3, 7, 5):
        monkeypatch.setattr(presence, "count_online", lambda online=online: online)
        count()
    assert list(HourStatistics.objects.values_list("hour", "online")) == [(NOON, 7)]


def test_old_counts_are_forgotten(alice):
    old = NOON - timedelta(days=41)
    DayStatistics.objects.create(day=old.date(), messages=1)
    ActiveDay.objects.create(day=old.date(), user=alice)
    HourStatistics.objects.create(hour=old, online=1)
    kept = NOON - timedelta(days=39)
    DayStatistics.objects.create(day=kept.date(), messages=1)
    for name in ("day_statistics", "active_days", "hour_statistics"):
        job = queue._registered[f"purge_{name}"]
        job.function(job.prepare())
    assert messages() == {39: 1}
    assert active() == set()
    assert not HourStatistics.objects.exists()
