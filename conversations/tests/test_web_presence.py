"""Presence and read receipts on pages without scripts."""

from __future__ import annotations

import json

import pytest
from django.test import Client
from django.urls import reverse

from accounts import actions as account_actions
from conversations import actions
from conversations.models import Conversation
from conversations.tests.helpers import say
from tests.cast import create_extra
from tests.html import one, parse, values, visible, words

PRESENT: set[int] = set()


@pytest.fixture(autouse=True)
def present(monkeypatch):
    """Everyone in this set is online."""
    PRESENT.clear()
    for view in ("presence", "members", "layout"):
        name = f"conversations.web.{view}.online_users"
        monkeypatch.setattr(name, lambda ids: PRESENT & set(ids))
    return PRESENT


@pytest.fixture
def page_of(alice):
    """page_of(conversation): this page, or the one called `name`, as Alice sees it."""
    client = Client()
    client.force_login(alice)

    def page(conversation: Conversation, name: str = "conversation", query: str = "") -> str:
        address = reverse(f"conversations:{name}", args=[conversation.pk])
        answer = client.get(address + query)
        assert answer.status_code == 200
        return answer.content.decode()

    return page


def seen(page: str) -> str | None:
    """Return the text below the last own message, or None if there is no place for it."""
    found = parse(visible(page)).select("article p.message__seen > .visually-hidden")
    assert len(found) <= 1
    return words(found[0]) if found else None


def here(page: str) -> str | None:
    """Return how many are online according to the header, or None if it is hidden."""
    place = one(page, "span#online")
    if place.has_attr("hidden"):
        return None
    link = one(place, "a")
    assert words(place) == words(link)
    return f"{words(link)}: {link['title']}"


def faces(page: str) -> set[int]:
    """Return the ids of the people with a presence dot."""
    return {int(pk) for pk in values(page, ".presence.presence--online", "data-person")}


def test_header_counts_and_names_people_online(alice, bob, mia, group, page_of, present):
    assert here(page_of(group)) is None
    present |= {alice.pk, bob.pk, mia.pk}
    assert here(page_of(group)) == "3 online: Online: Bob, Mia, You"


def test_direct_message_shows_presence_as_text_and_dot(alice, bob, page_of, present):
    direct = actions.open_direct(alice, bob.pk)
    page = page_of(direct)
    assert faces(page) == set()
    assert words(one(page, "#online-direct")) == "Direct message"
    present.add(bob.pk)
    page = page_of(direct)
    assert faces(page) == {bob.pk}
    assert words(one(page, "#online-direct")) == "Online"


def test_notes_to_yourself_show_only_the_dot(alice, page_of):
    notes = actions.open_direct(alice, alice.pk)
    say(alice, notes)
    page = page_of(notes)
    assert values(page, ".presence.presence--online", "data-person") == [str(alice.pk)] * 2
    assert words(one(page, "#online-direct")) == "Direct message"
    assert seen(page) is None


def test_member_list_shows_presence_dots(alice, bob, clive, group, page_of, present, settings):
    present |= {bob.pk, clive.pk}
    # The reader's, too: their socket may open after this page.
    assert faces(page_of(group, "members")) == {alice.pk, bob.pk}
    settings.PRESENCE_MEMBERS = 3
    assert faces(page_of(group, "members")) == set()


def test_deactivated_account_has_no_presence_or_read_receipt(alice, bob, page_of, present):
    direct = actions.open_direct(alice, bob.pk)
    say(alice, direct)
    actions.mark_read(bob, direct.pk, 1)
    present.add(bob.pk)
    account_actions.close_account(bob)
    page = page_of(direct)
    assert faces(page) == set()
    assert seen(page) is None


def test_seen_is_shown_below_the_last_own_message(alice, bob, page_of):
    direct = actions.open_direct(alice, bob.pk)
    assert seen(page_of(direct)) is None
    first = say(alice, direct)
    actions.mark_read(bob, direct.pk, first.seq)
    assert seen(page_of(direct)) == "Seen"
    last = say(alice, direct)
    say(bob, direct, "Bob's own words do not count")
    page = page_of(direct)
    assert seen(page) == ""  # its place is reserved
    assert one(visible(page), "#seen").find_parent("article")["id"] == f"m{last.pk}"


def test_seen_names_some_members_in_groups(alice, page_of):
    people = [create_extra(name) for name in ("Bob", "Carol", "Dan", "Eve", "Finn")]
    room = actions.create_conversation(
        alice, name="Kitchen", member_ids=[each.pk for each in people]
    )
    message = say(alice, room)
    sentences = []
    for each in people:
        actions.mark_read(each, room.pk, message.seq)
        sentences.append(seen(page_of(room)))
    assert sentences == [
        "Seen by Bob",
        "Seen by Bob and Carol",
        "Seen by Bob, Carol and Dan",
        "Seen by Bob, Carol and 2 more",
        "Seen by everyone",
    ]


def test_later_members_do_not_count_as_having_seen_earlier_messages(
    alice, bob, carol, pair, page_of
):
    say(alice, pair)
    actions.add_members(alice, pair.pk, [carol.pk])
    assert seen(page_of(pair)) == ""
    say(alice, pair)
    actions.mark_read(carol, pair.pk, 10**6)
    assert seen(page_of(pair)) == "Seen by Carol"


def test_seen_is_not_shown_on_older_pages(alice, bob, pair, page_of):
    for number in range(60):
        say(alice, pair, str(number))
    assert seen(page_of(pair, query="?before=10")) is None


def test_large_conversations_show_no_presence_or_read_receipts(
    alice, bob, group, page_of, present, settings
):
    message = say(alice, group)
    actions.mark_read(bob, group.pk, message.seq)
    present.add(bob.pk)
    settings.PRESENCE_MEMBERS = 2
    page = page_of(group)
    assert (seen(page), here(page)) == (None, None)
    assert data_of(page)["conversation"]["members"] is None
    assert words(one(page, "a#people")) == "5 people"


def test_page_data_describes_the_members(alice, bob, carol, pair, page_of, present):
    present.add(bob.pk)
    message = say(alice, pair)
    actions.add_members(alice, pair.pk, [carol.pk])
    members = {each["id"]: each for each in data_of(page_of(pair))["conversation"]["members"]}
    assert set(members) == {bob.pk, carol.pk}
    assert (members[bob.pk]["online"], members[bob.pk]["since"]) == (True, 0)
    assert (members[carol.pk]["online"], members[carol.pk]["since"]) == (False, message.seq)


def data_of(page: str) -> dict:
    data = one(page, 'script#app-data[type="application/json"]').string
    assert data
    return json.loads(data)


def test_names_are_escaped(alice, page_of, present):
    mean = create_extra('"><b>Eve')
    room = actions.create_conversation(alice, name="Kitchen", member_ids=[mean.pk])
    message = say(alice, room)
    actions.mark_read(mean, room.pk, message.seq)
    present.add(mean.pk)
    page = page_of(room)
    assert not [bold for bold in parse(page).select("b") if "Eve" in bold.get_text()]
    assert one(page, "#online a")["title"] == 'Online: "><b>Eve, You'
