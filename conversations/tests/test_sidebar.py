"""The list of conversations: the last message of each, sections, order, favourites."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client, RequestFactory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import User
from chatty.common.errors import ChatError
from conversations import actions, queries
from conversations.models import Conversation, Membership, Message
from conversations.tests.helpers import say
from conversations.web.sidebar import FOLDS_COOKIE, Sidebar, read_folds, sidebar_items
from tests.html import parse, words


def last_of(user: User, conversation: Conversation) -> Any:
    row = queries.sidebar_row(user, conversation.pk)
    assert row is not None
    return row.last


def shown(user: User, **options: Any) -> Sidebar:
    rows = queries.sidebar(user)
    items = sidebar_items(rows, reader=user, current=options.pop("current", None), online=())
    return Sidebar(items, more=False, folds=options)


def sections(client: Client, address: str = "/?list", **headers: str) -> dict[str, list[str]]:
    """Section -> names of its rows, in the page."""
    page = parse(client.get(address, headers=headers))
    return {
        str(section["data-section"]): [words(name) for name in section.select(".row__name")]
        for section in page.select("#conversations .section")
    }


def test_groups_and_direct_messages_are_one_section_on_a_phone(client, alice, bob, pair):
    direct = actions.open_direct(alice, bob.pk)
    say(bob, direct, "Hello")
    client.force_login(alice)
    apart = {"conversations": ["Garden"], "direct": ["Bob"]}
    merged = {"conversations": ["Bob", "Garden"], "direct": []}
    others = {"favourites": [], "archive": []}
    assert sections(client) == apart | others
    assert sections(client, **{"Sec-CH-UA-Mobile": "?1"}) == merged | others
    client.cookies[FOLDS_COOKIE] = "archive.1-narrow.1"  # scripts know better
    assert sections(client) == merged | others
    client.cookies[FOLDS_COOKIE] = "narrow.0"
    assert sections(client, **{"Sec-CH-UA-Mobile": "?1"}) == apart | others


def test_filters_say_how_many_conversations_they_show(client, alice, bob, pair):
    say(bob, pair, "Hello @Alice")
    say(bob, actions.open_direct(alice, bob.pk), "Hello")
    client.force_login(alice)
    page = parse(client.get("/?list"))
    assert [words(each) for each in page.select(".filters a")] == [
        "All",
        "Unread 2",
        "Mentions 1",
        "Direct",
    ]

    Membership.objects.filter(user=alice).update(last_read_seq=99)
    page = parse(client.get("/?list"))
    assert [words(each) for each in page.select(".filters a")] == [
        "All",
        "Unread",
        "Mentions",
        "Direct",
    ]


def previews(user: User) -> dict[str, list[tuple[str, str, str]]]:
    """Section -> (name, who, text) of its rows."""
    return {
        section.name: [
            (row.conversation.name, row.preview.who, row.preview.text) for row in section.rows
        ]
        for section in shown(user).sections
    }


def test_last_message_follows_edits_deletion_and_notices(alice, bob, pair):
    first = say(bob, pair, "Hello **there**")
    assert last_of(alice, pair).excerpt == "Hello there"
    actions.edit_message(bob, first.pk, "Good morning")
    assert last_of(alice, pair).excerpt == "Good morning"
    actions.delete_message(alice, first.pk)
    assert (last_of(alice, pair).excerpt, bool(last_of(alice, pair).deleted_at)) == ("", True)
    actions.update_conversation(alice, pair.pk, topic="Tea")
    assert last_of(bob, pair).notice.text == "Alice set the topic: Tea"
    assert last_of(bob, pair).excerpt == ""


def test_last_message_of_an_earlier_version_has_its_excerpt(alice, bob, pair):
    message = say(bob, pair, "Hello *there*")
    Message.objects.filter(pk=message.pk).update(excerpt=None, renderer=None)
    assert last_of(alice, pair).excerpt == "Hello there"


def test_list_with_last_messages_takes_as_many_queries_as_one_row(
    alice, bob, pair, django_assert_num_queries
):
    for number in range(5):
        say(bob, actions.create_conversation(bob, name=f"G{number}", member_ids=[alice.pk]), "Hi")
    with django_assert_num_queries(1):
        assert len(queries.sidebar(alice)) == 6


def test_sender_is_named_unless_it_is_clear(alice, bob, pair):
    say(bob, pair, "From Bob")
    assert previews(alice)["conversations"] == [(pair.name, "Bob", "From Bob")]
    assert previews(bob)["conversations"] == [(pair.name, "You", "From Bob")]
    direct = actions.open_direct(alice, bob.pk)
    say(alice, direct, "Only you")
    assert previews(bob)["direct"] == [("Alice", "", "Only you")]
    assert previews(alice)["direct"] == [("Bob", "You", "Only you")]
    notes = actions.open_direct(alice, alice.pk)
    say(alice, notes, "Milk")
    assert ("Alice", "", "Milk") in previews(alice)["direct"]


def test_sections_and_their_order(alice, bob):
    made = {
        name: actions.create_conversation(alice, name=name) for name in ("A", "B", "C", "D", "E")
    }
    for conversation in made.values():
        say(alice, conversation)
    actions.set_level(alice, made["E"].pk, "nothing")
    actions.set_favourite(alice, made["C"].pk, True)
    actions.set_favourite(alice, made["A"].pk, True)
    actions.archive(alice, made["A"].pk)
    names = {
        section: [name for name, *_ in rows] for section, rows in previews(alice).items() if rows
    }
    # Muted ones are last, however new.
    assert names == {"favourites": ["C"], "conversations": ["D", "B", "E"], "archive": ["A"]}


def test_favourites_are_on_the_page_however_old(alice):
    oldest = actions.create_conversation(alice, name="Oldest")
    for number in range(3):
        say(alice, actions.create_conversation(alice, name=f"G{number}"))
    actions.set_favourite(alice, oldest.pk, True)
    rows, _closed = queries.sidebar_and_closed_accounts(alice, limit=2)
    assert [row.name for row in rows] == ["G2", "Oldest"]
    # Pages of the API stay in the order of their cursors.
    assert [row.name for row in queries.sidebar(alice, limit=2)] == ["G2", "G1"]


def test_favourite_is_ones_own(alice, bob, pair, carol):
    actions.set_favourite(alice, pair.pk, True)
    assert queries.sidebar_row(alice, pair.pk).favourite
    assert not queries.sidebar_row(bob, pair.pk).favourite
    with pytest.raises(ChatError, match="not_found"):
        actions.set_favourite(carol, pair.pk, True)


def test_archive_is_folded_unless_it_was_opened_or_has_the_page(alice):
    made = actions.create_conversation(alice, name="Old")
    actions.archive(alice, made.pk)

    def is_open(**options: Any) -> bool:
        (archive,) = (each for each in shown(alice, **options).sections if each.name == "archive")
        return archive.is_open

    assert (is_open(), is_open(archive=True), is_open(current=made.pk)) == (False, True, True)


@pytest.mark.parametrize(
    ("cookie", "folds"),
    [
        ("", {}),
        ("archive.1-direct.0", {"archive": True, "direct": False}),
        ("-..-x", {"x": False}),
    ],
)
def test_folds_are_read_from_the_cookie(cookie, folds):
    request = RequestFactory().get("/")
    request.COOKIES[FOLDS_COOKIE] = cookie
    assert {name: fold for name, fold in read_folds(request).items() if name} == folds


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["say", "edit", "delete", "topic", "mute", "favourite", "archive", "read"]),
        st.integers(0, 2),  # who
        st.integers(0, 3),  # where
    ),
    min_size=4,
    max_size=25,
)


@pytest.mark.slow
@settings(
    max_examples=20,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS)
def test_list_agrees_with_a_recount(steps, alice, bob, carol):
    people = [alice, bob, carol]
    with transaction.atomic():
        ids = [each.pk for each in people]
        places = [
            *(actions.create_conversation(alice, name=n, member_ids=ids) for n in ("A", "B", "C")),
            actions.open_direct(alice, bob.pk),
        ]
        say(alice, places[-1])
        for what, who, where in steps:
            with contextlib.suppress(ChatError):  # not allowed: nothing has changed
                do(what, people[who], places[where])
        for person in people:
            wanted = recounted(person, places)
            rows = queries.sidebar(person)
            assert {row.id for row in rows} == wanted.keys()
            for row in rows:
                assert row.last is not None
                assert (row.unread, row.last.seq, row.last.excerpt) == wanted[row.id][:3]
            order = [row.id for row in rows]
            assert order == sorted(order, key=lambda pk: wanted[pk][3], reverse=True)
        transaction.set_rollback(True)


def do(what: str, user: User, place: Conversation) -> None:
    latest = Message.objects.filter(conversation=place, kind="text").order_by("-seq").first()
    match what:
        case "say":
            say(user, place, f"By {user.name}")
        case "edit" if latest:
            actions.edit_message(user, latest.pk, f"Edited by {user.name}")
        case "delete" if latest:
            actions.delete_message(user, latest.pk)
        case "topic":
            actions.update_conversation(user, place.pk, topic=f"Of {user.name} {latest}")
        case "mute":
            actions.set_level(user, place.pk, "nothing")
        case "favourite":
            actions.set_favourite(user, place.pk, True)
        case "archive":
            actions.archive(user, place.pk)
        case "read":
            actions.mark_read(user, place.pk, 10**6)


def recounted(user: User, places: list[Conversation]) -> dict[int, tuple[int, int, str, Any]]:
    """Conversation -> (unread, seq and text of the last entry, place in the order), counted by hand."""
    found = {}
    for place in places:
        membership = Membership.objects.filter(conversation=place, user=user).first()
        entries = list(Message.objects.filter(conversation=place).order_by("seq"))
        if membership is None or not entries:
            continue
        last, texts = entries[-1], [each for each in entries if each.is_text]
        unread = [
            each
            for each in texts
            if each.author_id != user.pk
            and not each.is_deleted
            and each.seq > membership.last_read_seq
        ]
        place.refresh_from_db()
        spoken = max((each.created_at for each in texts), default=place.created_at)
        assert abs(place.last_text_at - spoken) < timedelta(seconds=1)
        found[place.pk] = (len(unread), last.seq, last.body, (place.last_text_at, place.pk))
    return found
