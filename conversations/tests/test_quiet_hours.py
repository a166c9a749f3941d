"""Quiet hours: setting them, and what follows from them. tests/golden/quiet_hours.json: when they are."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from asgiref.sync import sync_to_async as do
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import actions
from accounts.models import User
from accounts.wire import me_to_wire, profile_tag
from conversations.tests.helpers import raises_chat_error
from conversations.tests.test_presence import take_frames, two_processes
from tests.html import one, parse, values, words

pytestmark = pytest.mark.django_db
ADDRESS = "/settings/notifications/"


@pytest.fixture
def alices(client, alice):
    client.force_login(alice)
    return client


def change(api, hours):
    given = {"quiet_hours": hours}
    return api.patch("/api/me/", given, content_type="application/json")


def at_night(monkeypatch) -> None:
    """It is 23:00 in Cairo."""
    monkeypatch.setattr(timezone, "now", lambda: datetime(2026, 1, 15, 21, 0, tzinfo=UTC))


def test_page_sets_and_removes_them(alices, alice):
    User.objects.update(time_zone="Africa/Cairo")
    assert "Africa/Cairo" in words(one(alices.get(ADDRESS), "#quiet"))
    answer = alices.post(ADDRESS, {"start": "22:00", "end": "08:00"})
    assert (answer.status_code, answer["Location"]) == (303, ADDRESS)
    page = one(alices.get(ADDRESS), "#quiet")
    assert values(page, "input[type=time]", "value") == ["22:00", "08:00"]
    hours = User.objects.get().quiet_hours
    assert (hours.start, hours.end, hours.zone) == ("22:00", "08:00", "Africa/Cairo")
    alices.post(ADDRESS, {"start": "", "end": "08:00", "remove": "1"})
    assert User.objects.get().quiet_hours is None
    assert not one(alices.get(ADDRESS), "#quiet").select("[name=remove]")


@pytest.mark.parametrize(
    ("start", "end", "field"),
    [
        ("22:00", "22:00", "end"),
        ("22:00", "", "end"),
        ("", "08:00", "start"),
        ("24:00", "08:00", "start"),
        ("22:00", "8:00", "end"),
        ("22:00", "08:60", "end"),
        ("22:00", "٠٨:٠٠", "end"),
        ("22:00:00", "08:00", "start"),
        ("22:00\n", "08:00", "start"),
    ],
)
def test_wrong_times_are_refused(alice, api_of, alices, start, end, field):
    with raises_chat_error("invalid", field=field):
        actions.set_quiet_hours(alice, start=start, end=end)
    answer = change(api_of(alice), {"start": start, "end": end})
    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["quiet_hours"])
    if start.strip() == start:
        page = alices.post(ADDRESS, {"start": start, "end": end})
        assert page.status_code == 400
        assert parse(page).select(f"#quiet [name={field}][aria-invalid=true]")
    assert User.objects.get().quiet_hours is None


def test_api_reads_and_changes_them(alice, api_of):
    api = api_of(alice)
    tag = profile_tag(alice)
    hours = {"start": "22:00", "end": "08:00"}
    assert change(api, hours).json()["quiet_hours"] == hours
    assert api.get("/api/me/").json()["quiet_hours"] == hours
    assert profile_tag(User.objects.get()) != tag
    for wrong in ({"start": "22:00"}, {**hours, "zone": "UTC"}, "22:00", {"start": 22, "end": 8}):
        assert change(api, wrong).status_code == 400
    assert change(api, None).json()["quiet_hours"] is None


def test_unknown_time_zone_means_that_of_the_server(alice, settings):
    alice.quiet_start, alice.quiet_end, alice.time_zone = "22:00", "08:00", "Mars/Olympus"
    assert alice.quiet_hours.zone == settings.TIME_ZONE
    assert me_to_wire(alice).quiet_hours.start == "22:00"


@pytest.mark.parametrize(("start", "end"), [("22:00", ""), ("", "08:00"), ("08:00", "08:00")])
def test_database_refuses_half_of_them(alice, start, end):
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.update(quiet_start=start, quiet_end=end)


def test_pages_say_until_when_it_is_quiet(alices, alice, monkeypatch):
    User.objects.update(
        quiet_start="22:00", quiet_end="08:00", time_zone="Africa/Cairo", time_format="12"
    )
    places = parse(alices.get(ADDRESS)).select("[data-slot=quiet]")
    assert len(places) == 2  # in the settings, and in the sidebar
    assert {each["data-text"] for each in places} == {"Quiet until {time}"}
    at_night(monkeypatch)
    places = parse(alices.get(ADDRESS)).select("[data-slot=quiet]")
    assert [words(each) for each in places] == ["Quiet until 8:00 am"] * 2
    assert not any(each.has_attr("hidden") for each in places)
    monkeypatch.setattr(timezone, "now", lambda: datetime(2026, 1, 15, 6, 0, tzinfo=UTC))
    places = parse(alices.get(ADDRESS)).select("[data-slot=quiet]")
    assert all(each.has_attr("hidden") for each in places)


@pytest.mark.django_db(transaction=True)
async def test_changes_are_sent_to_ones_own_windows_only(alice, bob, pair):
    hours = {"start": "22:00", "end": "08:00", "zone": "Africa/Cairo"}
    async with two_processes() as both:
        here = await both.here.connect(alice, pair)
        there = await both.there.connect(alice, pair)
        his = await both.there.connect(bob, pair)
        await do(actions.update_profile)(alice, time_zone="Africa/Cairo")
        await do(actions.set_quiet_hours)(alice, start="22:00", end="08:00")
        await do(actions.update_profile)(alice, quiet_hours=None)
        await both.advance(1)
        expected = [{"type": "quiet_hours", "quiet_hours": each} for each in (None, hours, None)]
        assert take_frames(here, "quiet_hours") == expected
        assert take_frames(there, "quiet_hours") == expected
        assert take_frames(his, "quiet_hours") == take_frames(his, "person") == []
