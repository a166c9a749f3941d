from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from accounts.models import SignIn, User
from chatty.jobs.models import Job
from conversations import actions
from conversations.statistics import overview, plots, storage
from conversations.statistics.models import ActiveDay, DayStatistics, HourStatistics
from conversations.statistics.templatetags import administration
from conversations.tests.conftest import open_group
from conversations.tests.helpers import say
from tests.html import parse, words

__all__ = ["open_group"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(db) -> User:
    return User.objects.create_superuser("root@example.org", "long enough secret", name="Root")


def page(user, path="/admin/", **headers):
    client = Client()
    client.force_login(user)
    response = client.get(path, **headers)
    assert response.status_code == 200
    return parse(response)


def test_front_page_shows_numbers_and_plots(root, alice, bob):
    today = timezone.now().date()
    DayStatistics.objects.create(day=today, messages=1212)
    DayStatistics.objects.create(day=today - timedelta(days=1), messages=7)
    ActiveDay.objects.create(day=today, user=alice)
    ActiveDay.objects.create(day=today - timedelta(days=1), user=alice)
    ActiveDay.objects.create(day=today - timedelta(days=1), user=bob)
    HourStatistics.objects.create(
        hour=timezone.now().replace(minute=0, second=0, microsecond=0), online=5
    )
    front = page(root)
    assert front.select("link[rel=preload][as=font]")  # or it is shown in another one
    numbers = [words(each) for each in front.select(".numbers > div")]
    assert numbers == [
        "People 3 3 new this week",
        "Active today 2 2 yesterday",  # with the administrator who looks
        "Messages today 1,212 7 yesterday",
        "Connected now 0",
    ]
    sent, active, connected = (
        [" ".join(words(cell) for cell in row.find_all(True)) for row in table.select("tr")]
        for table in front.select(".plot table")
    )
    assert sent[-2:] == [f"{today - timedelta(days=1)} 7", f"{today} 1,212"]
    assert active[-2:] == [f"{today - timedelta(days=1)} 2", f"{today} 2"]
    assert connected[-1].endswith(":00 5")
    assert (len(sent), len(active), len(connected)) == (30, 30, 24)


def test_numbers_include_what_was_not_counted_yet(root, alice, bob, open_group):
    today = timezone.now().date()
    SignIn.objects.all().delete()
    DayStatistics.objects.create(day=today, messages=3)
    ActiveDay.objects.create(day=today, user=alice)
    say(alice, open_group, "Tea")
    say(alice, open_group, "Cake")
    looked = overview.look()
    assert (looked.messages_today, looked.active_today) == (5, 1)
    actions.join(bob, open_group.pk)
    say(bob, open_group, "Both")
    looked = overview.look()
    assert (looked.messages_today, looked.active_today) == (6, 2)
    assert looked.messages.marks[-1].value.number == 6
    assert looked.active.marks[-1].value.number == 2


def test_front_page_says_what_needs_attention(root, settings):
    settings.MAIL_SET_UP = True
    assert not page(root).select(".checks__warning")
    Job.objects.create(name="broken", arguments={}, set_aside_at=timezone.now())
    settings.MAIL_SET_UP = False
    checks = [words(each) for each in page(root).select(".checks li")]
    assert checks[0].startswith("Email Not set up")
    assert checks[1] == "Background work 1 failed and waits for you"


def test_lists_are_those_that_one_may_look_at(root):
    links = [words(link) for link in page(root).select(".admin__links a")]
    assert links[:2] == ["Overview", "People"]
    assert {"Conversations", "Messages", "Jobs"} <= set(links)
    staff = User.objects.create_user("staff@example.org", "long enough secret", is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename="view_message"))
    links = [words(link) for link in page(staff).select(".admin__links a")]
    assert links == ["Overview", "Messages"]


def test_every_list_is_under_its_heading(root):
    assert set(administration._KNOWN) == {model.__name__ for model in admin.site._registry}
    names = [words(each) for each in page(root).select(".admin__links li")]
    assert names.index("Conversations") < names.index("Files") < names.index("Operation")
    staff = User.objects.create_user("staff@example.org", "long enough secret", is_staff=True)
    able = Permission.objects.filter(codename__in=["view_user", "view_message"])
    staff.user_permissions.set(able)
    names = [words(each) for each in page(staff).select(".admin__links li")]
    assert names == ["Overview", "People", "People", "Conversations", "Messages"]


def test_dates_are_in_iso_8601_in_every_language(root):
    joined = f"{root.date_joined:%Y-%m-%d %H:%M}"
    for language in ("en", "de"):
        rows = page(root, "/admin/accounts/user/", HTTP_ACCEPT_LANGUAGE=language)
        assert joined in words(rows.select(".field-date_joined")[0])


def test_theme_of_the_person_is_used(root):
    root.theme = "dark"
    root.save()
    assert page(root).html["data-theme"] == "dark"


@pytest.mark.parametrize(
    ("numbers", "most"), [([], 2), ([0, 0], 2), ([1], 2), ([3], 4), ([10], 10), ([61, 3], 80)]
)
def test_plots_end_at_a_round_number(numbers, most):
    drawn = plots.draw([plots.Value(number, str(number)) for number in numbers])
    assert drawn.lines[-1].number == most
    assert [mark.value.number for mark in drawn.marks] == numbers
    for mark in drawn.marks:
        assert mark.y == pytest.approx(126 - 114 * mark.value.number / most, abs=0.06)
        assert mark.y + mark.height == pytest.approx(126)


def test_space_is_measured(settings, tmp_path, monkeypatch):
    settings.DATA_DIR = tmp_path
    (tmp_path / "picture").write_bytes(b"x" * 1000)
    measured = storage.measure()
    assert measured.files == 1000
    assert measured.total >= measured.free > 0
    assert measured.database >= 0
    monkeypatch.setattr(storage, "_FILES_MAX", 0)
    assert storage.measure().files is None
