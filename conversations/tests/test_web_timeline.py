"""What the page of a conversation shows of messages, days and notices, without scripts."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from django.test import Client
from django.urls import reverse

from accounts import actions as account_actions
from conversations import actions
from conversations.models import Message
from conversations.tests.helpers import say
from tests.cast import create_extra
from tests.html import one, parse, values

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(alice):
    browser = Client()
    browser.force_login(alice)
    return browser


@pytest.fixture
def page_of(browser):
    def page_of(conversation, query: str = "") -> str:
        url = reverse("conversations:conversation", args=[conversation.pk])
        return browser.get(url + query).content.decode()

    return page_of


def test_only_mentions_of_the_reader_are_marked(alice, bob, pair, page_of):
    message = say(bob, pair, 'All of @Alice, @Bob and <span class="mention" data-people="1">')
    row = one(parse(page_of(pair)), f"#m{message.pk}")
    assert [each.text for each in row.select(".mention")] == ["@Alice", "@Bob"]
    assert [each.text for each in row.select(".mention--me")] == ["@Alice"]
    assert '<span class="mention" data-people="1">' in row.text


def test_long_messages_have_a_checkbox_that_shows_the_rest(alice, pair, page_of):
    short, long = say(alice, pair, "x" * 1_500), say(alice, pair, "x" * 1_501)
    page = parse(page_of(pair))
    assert not page.select(f"#m{short.pk} .message__fold")
    assert one(page, f"#m{long.pk} .message__fold")["aria-label"] == "Show more"


def test_run_of_notices_is_one_line_unless_asked_for(alice, bob, pair, page_of):
    people = [create_extra(name) for name in ("Una", "Vic", "Wes")]
    actions.add_members(alice, pair.pk, [each.pk for each in people])
    page = parse(page_of(pair))
    summary = one(page, ".notice__summary")
    assert summary.text == "Alice added Bob, Una and 2 others."
    linked = [(each.text, each["href"]) for each in summary.select(".notice__person")]
    assert linked == [
        ("Alice", f"/people/{alice.pk}/"),
        ("Bob", f"/people/{bob.pk}/"),
        ("Una", f"/people/{people[0].pk}/"),
    ]
    assert len(page.select(".notice--folded")) == 3
    unfold = one(page, ".notice__unfold")
    again = parse(page_of(pair, str(unfold["href"]).partition("#")[0]))
    assert not again.select(".notice--folded, .notice__summary")


def test_dates_lead_to_the_first_message_of_a_day_in_the_readers_zone(alice, pair, browser):
    account_actions.update_profile(alice, time_zone="Asia/Tokyo")
    first, second, third = (say(alice, pair, "Hello") for _ in range(3))
    for message, at in (
        (first, datetime(2026, 11, 23, 14, 59, tzinfo=UTC)),  # still the 23rd
        (second, datetime(2026, 11, 23, 15, 0, tzinfo=UTC)),
        (third, datetime(2026, 11, 26, 12, 0, tzinfo=UTC)),
    ):
        Message.objects.filter(pk=message.pk).update(created_at=at)
    Message.objects.filter(conversation=pair, seq__lt=first.seq).update(
        created_at=datetime(2026, 11, 20, tzinfo=UTC)
    )
    url = reverse("conversations:dates", args=[pair.pk])
    page = reverse("conversations:conversation", args=[pair.pk])

    def led(day: str) -> str:
        response = browser.get(url, {"to": day})
        assert response.status_code == 303
        return str(response["Location"])

    assert led("2026-11-23") == f"{page}?around={first.seq}#m{first.pk}"
    assert led("2026-11-24") == f"{page}?around={second.seq}#m{second.pk}"
    assert led("2026-11-25") == f"{page}?around={third.seq}#m{third.pk}"
    shortcuts = values(browser.get(url), ".action-list a", "href")
    days = [date.fromisoformat(shortcut.removeprefix("?to=")) for shortcut in shortcuts]
    assert min(days) == days[-1] == date(2026, 11, 20)  # the first message
    assert led("2026-11-27") == page
    assert led("0001-01-01").startswith(f"{page}?around=1#")
    for wrong in ("x", "2026-13-01", "99999-01-01"):
        shown = parse(browser.get(url, {"to": wrong}))
        assert one(shown, "#to_error[role=alert]")
