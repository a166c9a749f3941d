"""What people who joined lately see: a card that greets them, and whom they could talk to."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import actions as account_actions
from accounts import installation
from accounts.models import InstallationSettings, SignIn, User
from conversations import actions, limits, queries
from conversations.models import Conversation, Instance
from conversations.tests.helpers import say
from tests import cast
from tests.html import one, parse, values, words

pytestmark = [pytest.mark.django_db, pytest.mark.entrances]
HIDE = "/c/newcomer/hide/"


@pytest.fixture
def welcome(ann) -> Conversation:
    found = actions.create_conversation(ann, name="Welcome", access="open")
    actions.set_welcome(found.pk)
    queries.forget_welcome()
    return found


@pytest.fixture
def bobs(welcome, ann, mia, bob, client) -> Client:
    """The browser of Bob, who has joined after some messages and another person."""
    say(ann, welcome, "Lunch is at noon.")
    actions.join(mia, welcome.pk)
    actions.join(bob, welcome.pk)
    client.force_login(bob)
    return client


def places(client: Client, conversation: Conversation, query: str = "") -> list[str]:
    """Return the classes of what is in the list of messages, in order."""
    page = parse(client.get(f"/c/{conversation.pk}/{query}"))
    return [str(each["class"][0]) for each in page.select("#messages > [class]")]


def steps(client: Client, conversation: Conversation) -> list[bool]:
    page = parse(client.get(f"/c/{conversation.pk}/"))
    return [each.has_attr("data-done") for each in page.select(".newcomer .step")]


def test_card_is_above_the_notice_that_the_newcomer_joined(bobs, welcome):
    # "Mia and Bob joined" is one line.
    before = ["intro", "day", "notice", "message"]
    assert places(bobs, welcome) == [*before, "newcomer", "notice", "notice"]
    assert places(bobs, welcome, "?unfold") == [*before, "notice", "newcomer", "notice"]


def test_card_is_above_the_day_of_the_notice(bobs, welcome, bob):
    before = welcome.messages.exclude(author=bob)
    before.update(created_at=timezone.now() - timedelta(days=3))
    assert places(bobs, welcome)[-4:] == ["notice", "newcomer", "day", "notice"]


def test_card_replaces_the_introduction_of_people_who_were_there_first(welcome, ann, client):
    client.force_login(ann)
    assert places(client, welcome) == ["intro", "day", "notice"]
    page = parse(client.get(f"/c/{welcome.pk}/"))
    assert one(page, ".intro > .newcomer h2")
    assert not page.select(".intro__name")
    for n in range(limits.PAGE_SIZE):
        say(ann, welcome, f"{n}")
    page = parse(client.get(f"/c/{welcome.pk}/"))
    assert one(page, "#intro-template")
    assert not page.select("#messages .newcomer")


def test_card_is_on_the_latest_page_of_a_long_history(bobs, welcome, ann, bob, carol):
    for n in range(limits.PAGE_SIZE):
        say(ann, welcome, f"{n}")
    assert "newcomer" not in places(bobs, welcome)
    other = Client()
    other.force_login(carol)
    actions.join(carol, welcome.pk)
    assert places(other, welcome)[-2:] == ["newcomer", "notice"]


def test_card_is_for_a_week_in_the_welcome_conversation(bobs, welcome, pair, bob):
    for days, shown in ((6, True), (8, False)):
        User.objects.filter(pk=bob.pk).update(date_joined=timezone.now() - timedelta(days=days))
        assert ("newcomer" in places(bobs, welcome)) is shown
    User.objects.filter(pk=bob.pk).update(date_joined=timezone.now())
    assert "newcomer" not in places(bobs, pair)
    Instance.objects.update(welcome=None)
    queries.forget_welcome()
    assert "newcomer" not in places(bobs, welcome)


def test_steps_are_done_when_they_are_done(bobs, welcome, bob):
    assert steps(bobs, welcome) == [True, False, False]
    message = say(bob, welcome, "Hello")
    assert steps(bobs, welcome) == [True, True, False]
    actions.delete_message(bob, message.pk)
    assert steps(bobs, welcome) == [True, False, False]


def test_hidden_card_is_hidden_for_this_account_in_this_browser(bobs, welcome, mia):
    answer = bobs.post(HIDE)
    assert (answer.status_code, answer["Location"]) == (303, f"/c/{welcome.pk}/")
    cookie = answer.cookies["newcomer"]
    assert (cookie["httponly"], cookie["samesite"], cookie["max-age"]) == (True, "Lax", 604_800)
    assert "newcomer" not in places(bobs, welcome)
    bobs.force_login(mia)
    assert "newcomer" in places(bobs, welcome)


def test_card_has_the_words_of_the_administrator(bobs, welcome):
    assert "Say hello below" in str(bobs.get(f"/c/{welcome.pk}/").content)
    InstallationSettings.objects.create(welcome="Ask <Ann> anything.")
    installation.forget()
    page = parse(bobs.get(f"/c/{welcome.pk}/"))
    assert "Ask <Ann> anything." in one(page, ".newcomer").text


def test_card_needs_no_query(bobs, welcome, monkeypatch):
    monkeypatch.setattr("chatty.common.kept.KEEP_SECONDS", 3600)

    def number() -> int:
        bobs.get(f"/c/{welcome.pk}/")
        with CaptureQueriesContext(connection) as captured:
            bobs.get(f"/c/{welcome.pk}/")
        return len(captured)

    with_card = number()
    bobs.post(HIDE)
    assert number() == with_card


# --- whom they could talk to, below the list of conversations ------------------------------------


def to_talk_to(client: Client, address: str = "/?list") -> list[str]:
    """Return the name of each of these people on the page, with their title."""
    queries.forget_seen_last()
    buttons = parse(client.get(address)).select(".to-talk-to button")
    return [" ".join(map(words, each.select(".row__name, .row__last"))) for each in buttons]


def note_seen(user: User, hours: int, kind: str = SignIn.Kind.WEB) -> None:
    at, later = (timezone.now() + timedelta(hours=each) for each in (-hours, 1))
    SignIn.objects.create(user=user, kind=kind, last_seen_at=at, expires_at=later)


def test_people_to_talk_to_are_those_seen_last_by_name(
    client, alice, ann, bob, mia, carol, rita, clive
):
    User.objects.filter(pk=mia.pk).update(title="Baker <Berlin>")
    for hours, each in enumerate((ann, mia, carol)):
        note_seen(each, hours)
    note_seen(carol, 0)  # on another device, before Mia
    note_seen(rita, 0, SignIn.Kind.TOKEN)  # a program
    account_actions.close_account(ann)
    client.force_login(bob)
    # Who was seen when can't be told from the order.
    all_others = ["Alice", "Carol", "Clive", "Mia Baker <Berlin>", "Rita"]
    assert to_talk_to(client) == all_others
    cast.create_user("Zoe")
    assert to_talk_to(client) == all_others
    note_seen(cast.create_user("Émile"), 0)
    assert to_talk_to(client) == ["Alice", "Carol", "Clive", "Émile", "Mia Baker <Berlin>"]


def test_people_to_talk_to_are_there_until_the_first_direct_message(client, alice, bob, mia, pair):
    client.force_login(bob)
    actions.open_direct(bob, bob.pk)
    assert to_talk_to(client) == ["Alice", "Mia"]  # notes to oneself don't count
    answer = client.post("/c/direct/", {"user": alice.pk})
    assert answer.status_code == 303
    assert to_talk_to(client) == []
    client.force_login(alice)
    assert to_talk_to(client) == ["Bob", "Mia"]  # nothing was written yet
    say(bob, Conversation.objects.get(pk=answer["Location"].split("/")[2]))
    assert to_talk_to(client) == []
    client.force_login(mia)
    assert to_talk_to(client) == ["Alice", "Bob"]
    actions.open_with(mia, [alice.pk, bob.pk])
    assert to_talk_to(client) == []


def test_people_to_talk_to_are_for_newcomers_and_take_one_query(client, alice, bob, pair):
    def count() -> tuple[int, int]:
        with CaptureQueriesContext(connection) as captured:
            shown = len(to_talk_to(client, f"/c/{pair.pk}/"))
        return shown, len(captured)

    client.force_login(bob)
    count()
    shown, queries_of_newcomer = count()
    User.objects.filter(pk=bob.pk).update(date_joined=timezone.now() - timedelta(days=8))
    assert (shown, count()) == (1, (0, queries_of_newcomer - 1))


def test_people_to_talk_to_are_online_for_those_who_may_know(
    client, alice, bob, mia, pair, monkeypatch, settings
):
    monkeypatch.setattr("conversations.web.newcomers.online_users", set)  # everyone is
    client.force_login(bob)

    def online() -> list[str]:
        page = parse(client.get("/?list"))
        return values(page, ".to-talk-to .presence--online", "data-person")

    assert online() == [str(alice.pk)]
    settings.PRESENCE_MEMBERS = 1
    assert online() == []
