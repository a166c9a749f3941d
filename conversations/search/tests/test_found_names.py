"""People, conversations and files found by their names, above the messages."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import actions as account_actions
from conversations import actions
from conversations.attachments.tests.conftest import data_dir, upload
from conversations.content import FileReference
from conversations.models import Message
from conversations.search import queries
from conversations.search.found_names import SHOWN, find_names
from conversations.search.mine import Mine
from conversations.search.query_text import parse as parse_query
from conversations.search.tests.conftest import index_all
from conversations.search.tests.test_web import page_of
from conversations.tests.helpers import say
from tests.cast import create_extra
from tests.html import one, parse, values, words

__all__ = ["data_dir", "upload"]
pytestmark = pytest.mark.django_db


def names(user, text: str) -> list[str]:
    found = find_names(Mine(user), parse_query(text))
    return [each.person.name for each in found.people] + [
        each.title for each in found.conversations
    ]


@pytest.fixture
def send_file(upload):
    def send(user, conversation, name: str, text: str = "") -> Message:
        reference = FileReference(upload(user, name, b"%PDF-1.7").pk)
        return say(user, conversation, text, files=(reference,))

    return send


def test_people_i_write_with_come_first(alice, pair):
    people = [create_extra(f"Tom {number}") for number in range(SHOWN + 2)]
    friend = people[-1]
    say(alice, actions.open_direct(alice, friend.pk), "Hello")
    assert names(alice, "tom") == ["Tom 4", "Tom 0", "Tom 1"]
    assert names(alice, "TÖM 4") == ["Tom 4"]
    account_actions.close_account(friend)
    assert names(alice, "tom") == ["Tom 0", "Tom 1", "Tom 2"]


def test_conversations_of_others_are_found_only_if_one_can_join(alice, bob, carol, pair):
    hidden = actions.create_conversation(bob, name="Tea secrets")
    public = actions.create_conversation(bob, name="Tea for all", access="open")
    left = actions.create_conversation(bob, name="Tea without Alice", access="open")
    actions.add_members(bob, left.pk, [alice.pk])
    actions.remove_member(bob, left.pk, alice.pk)
    mine = actions.create_conversation(alice, name="Green tea", member_ids=[bob.pk])
    assert names(alice, "tea") == ["Green tea", "Tea for all"]
    assert names(bob, "tea secrets") == [hidden.name]
    assert names(carol, "green") == []
    found = find_names(Mine(alice), parse_query("tea")).conversations
    assert [(each.is_mine, each.conversation.members_count) for each in found] == [
        (True, 2),
        (False, 1),
    ]
    actions.archive(bob, public.pk)
    assert names(alice, "tea for") == []
    actions.delete_conversation(alice, mine.pk)
    assert names(alice, "green") == []


def test_groups_without_a_name_are_found_by_their_people(alice, bob, carol):
    actions.open_with(alice, [bob.pk, carol.pk])
    assert names(alice, "bob") == ["Bob", "Bob, Carol"]
    assert names(alice, "carol bob") == ["Bob, Carol"]


def test_filters_are_about_messages(alice, pair):
    for text in ("garden from:me", "in:garden", "garden has:file", "garden mentions:me"):
        assert names(alice, text) == []
    assert names(alice, "x" * 200) == []


def test_files_are_found_by_name_where_one_is_a_member(alice, bob, carol, pair, send_file):
    found = send_file(bob, pair, "Bébé-plan.pdf", "Here you are")
    send_file(bob, pair, "other.pdf", "The plan")
    say(bob, pair, "Another plan")
    index_all()

    def files(user, text: str) -> list[str]:
        return [
            each.file["name"] for each in queries.search(user, parse_query(text), files=3).files
        ]

    assert files(alice, "plan") == ["Bébé-plan.pdf"]
    assert files(alice, "bebe plan from:bob has:text") == []
    assert files(alice, "bebe plan from:bob in:garden") == ["Bébé-plan.pdf"]
    assert files(alice, "plan from:me") == []
    assert files(carol, "plan") == []
    assert queries.search(alice, parse_query("plan")).files == []
    actions.delete_message(bob, found.pk)
    assert files(alice, "plan") == []


def test_page_has_rows_of_people_conversations_and_files(alice, bob, pair, send_file):
    bob.title = "Gardener of beans"
    bob.save()
    beans = actions.create_conversation(bob, name="Bob's beans", access="open")
    sent = send_file(bob, pair, "bob.pdf", "Look")
    index_all()
    page = page_of(alice, q="bob")
    rows = parse(page).select("ul.results > .result")
    assert [words(each) for each in parse(page).select(".results__title")] == [
        "People, conversations and files",
        "Messages Latest first",
    ]
    assert [words(one(row, "mark")) for row in rows] == ["Bob", "Bob", "bob"]
    assert [words(one(row, ".result__more")) for row in rows] == [
        "Gardener of beans",
        "Not joined · open to everyone",
        "Bob · Garden · 8 B",
    ]
    links = [link for row in rows for link in values(row, ".result__link", "href")]
    assert links == [f"/people/{bob.pk}/", f"/c/{beans.pk}/", f"/m/{sent.pk}/"]
    later = page_of(alice, q="bob", before=sent.pk + 1)
    assert not parse(later).select("ul.results")


def test_page_without_messages_still_has_the_names(alice, pair):
    page = page_of(alice, q="garden")
    assert words(one(page, "ul.results strong")) == "Garden"
    assert not parse(page).select(".empty")
    assert "No messages" in words(one(page, "main"))


def test_first_page_needs_the_same_number_of_queries_for_many_as_for_one(alice, pair, send_file):
    client = Client()
    client.force_login(alice)
    pages, numbers = [], []
    for names in (range(1), range(1, 6)):
        for number in names:
            say(alice, actions.open_direct(alice, create_extra(f"Tea {number}").pk), "Tea")
            actions.create_conversation(alice, name=f"Tea room {number}")
            send_file(alice, pair, f"tea {number}.pdf")
        index_all()
        with CaptureQueriesContext(connection) as queries:
            pages.append(client.get("/search/", {"q": "tea"}))
        numbers.append(len(queries))
    # The more messages there have been, the more windows are searched.
    assert numbers[1] <= numbers[0] + 1
    assert [len(parse(page).select("ul.results > .result")) for page in pages] == [3, 3 * SHOWN]
