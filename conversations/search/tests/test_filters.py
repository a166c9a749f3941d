"""from: in: before: after: mentions:me"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from chatty.common import timestamps
from conversations import actions
from conversations.search.filters import resolve
from conversations.search.query_text import ParsedQuery, parse
from conversations.tests.helpers import raises_chat_error, say
from tests.cast import create_extra

pytestmark = pytest.mark.django_db


def say_at(moment: str, *args):
    at = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    with timestamps.use_clock(lambda: at):
        return say(*args)


def test_from_finds_messages_of_people_by_name(alice, bob, pair, search):
    zoe = create_extra("Zoë Émile")
    actions.add_members(alice, pair.pk, [zoe.pk])
    say(alice, pair, "Tea of Alice")
    say(bob, pair, "Tea of Bob")
    say(zoe, pair, "Tea of Zoe")
    assert search(alice, "tea from:bob") == ["Tea of Bob"]
    assert search(alice, "tea from:@Bob") == ["Tea of Bob"]
    assert search(alice, "tea from:me") == ["Tea of Alice"]
    for name in ("zoe", "ZOË", '"zoe emile"', '"Zoë Émile"', '@"Zoë Émile"'):
        assert search(alice, f"from:{name}") == ["Tea of Zoe"]
    assert search(alice, "from:me from:bob") == ["Tea of Bob", "Tea of Alice"]
    with raises_chat_error("invalid", field="q"):
        search(alice, "from:emile")


def test_from_finds_everyone_with_the_name(alice, pair, search):
    for _ in range(2):
        sam = create_extra("Sam")
        actions.add_members(alice, pair.pk, [sam.pk])
        say(sam, pair, "Tea")
    assert search(alice, "from:sam") == ["Tea", "Tea"]


@pytest.mark.parametrize("name", ["Ａｄａ", "𝓐da", "İbrahim"])
def test_from_finds_a_name_as_it_is_written(name, alice, pair, search):
    person = create_extra(name)
    actions.add_members(alice, pair.pk, [person.pk])
    say(person, pair, "Tea")
    assert search(alice, f"from:{name}") == ["Tea"]


def test_names_are_looked_up_together(alice, bob, pair, django_assert_num_queries):
    for text in ("from:alice", "from:alice from:bob from:me in:garden in:GARDEN"):
        with django_assert_num_queries(2):
            resolve(alice, parse(text))


def test_direct_message_of_someone_who_has_not_written_is_unknown(alice, bob, pair, search):
    direct = actions.open_direct(bob, alice.pk)
    assert search(bob, "in:alice") == []
    with raises_chat_error("invalid", field="q"):
        search(alice, "in:bob")
    say(bob, direct, "Tea for two")
    assert search(alice, "in:bob") == ["Tea for two"]


def test_in_finds_messages_of_conversations_by_name(alice, bob, carol, pair, search):
    lunch = actions.create_conversation(alice, name="Team Lunch")
    direct = actions.open_direct(alice, bob.pk)
    say(alice, pair, "Tea in the garden")
    say(alice, lunch, "Tea for lunch")
    say(alice, direct, "Tea for two")
    assert search(alice, "in:garden") == ["Tea in the garden"]
    assert search(alice, 'tea in:"team lunch"') == ["Tea for lunch"]
    assert search(alice, 'tea in:#"team lunch"') == ["Tea for lunch"]
    assert search(alice, f"in:{lunch.pk}") == ["Tea for lunch"]
    assert search(alice, f"in:#{lunch.pk}") == ["Tea for lunch"]
    assert search(alice, "in:bob") == ["Tea for two"]
    assert search(alice, "in:garden in:bob tea") == ["Tea for two", "Tea in the garden"]
    for text in (f"in:{lunch.pk}", "in:garden"):
        with raises_chat_error("invalid", field="q"):
            search(carol, text)


def test_before_and_after_leave_out_the_day_in_the_persons_time_zone(alice, pair, search):
    say_at("2026-03-01T21:59:00", alice, pair, "Late on the first")
    say_at("2026-03-01T22:00:00", alice, pair, "Early on the second")
    say_at("2026-03-02T21:59:00", alice, pair, "Late on the second")
    say_at("2026-03-02T22:00:00", alice, pair, "Early on the third")
    alice.time_zone = "Africa/Cairo"  # two hours ahead of UTC
    first, second_a, second_b, third = reversed(search(alice, "on"))
    assert search(alice, "before:2026-03-02") == [first]
    assert search(alice, "after:2026-03-02") == [third]
    assert search(alice, "after:2026-03-01 before:2026-03-03") == [second_b, second_a]
    assert search(alice, "after:2026-03-02 before:2026-03-02") == []
    assert search(alice, "before:1999-01-01") == []


def test_message_of_a_clock_that_was_ahead_is_found_after_a_day(alice, pair, search):
    ahead = timezone.now() + timedelta(days=3)
    say_at(f"{ahead:%Y-%m-%dT%H:%M:%S}", alice, pair, "Tea")
    assert search(alice, f"after:{timezone.now() - timedelta(days=2):%Y-%m-%d}") == ["Tea"]


@pytest.mark.parametrize("year", [2001, 2013, 2025])
def test_months_of_long_ago_are_found(year, alice, pair, search):
    for month in (1, 2, 12):
        say_at(f"{year}-{month:02}-15", alice, pair, f"In {month}")
    assert search(alice, f"before:{year}-02-01") == ["In 1"]
    assert search(alice, f"after:{year}-01-31") == ["In 12", "In 2"]
    assert search(alice, f"after:{year - 1}-06-01 before:{year + 1}-06-01") == [
        "In 12",
        "In 2",
        "In 1",
    ]


def test_mentions_me_finds_messages_that_mention_the_person(alice, bob, pair, search):
    say(bob, pair, "Tea, @Alice?")
    say(bob, pair, "Tea, @Bob!")
    assert search(alice, "mentions:me") == ["Tea, @Alice?"]
    assert search(alice, "mentions:me tea from:bob") == ["Tea, @Alice?"]
    assert search(bob, "MENTIONS:ME") == ["Tea, @Bob!"]


def test_mentions_me_finds_messages_of_others_that_mention_everyone(alice, bob, pair, search):
    say(bob, pair, "Tea, @all")
    say(bob, pair, "Coffee, @all and @Bob")
    assert search(alice, "mentions:me tea") == ["Tea, @all"]
    assert search(bob, "mentions:me") == ["Coffee, @all and @Bob"]


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("https://example.org/in:x", ("https://example.org/in:x",)),
        ("12:30 foo:bar", ("12:30", "foo:bar")),
        ('"from:me"', ("from:me",)),
        ("„ein Satz“ “two words” rest", ("ein satz", "two words", "rest")),
        ('"not closed yet', ("not closed yet",)),
        ('a"b c"d', ('a"b', 'c"d')),
        ('print(“hello world")', ('print("hello', 'world")')),
        ('"a phrase"and a word', ("a phrase", "and", "a", "word")),
        ("same Same SAME", ("same",)),
        ('"come in: please" from', ("come in: please", "from")),
        ("into:x within: y", ("into:x", "within:", "y")),
        ("tab\tand\nline", ("tab", "and", "line")),
    ],
)
def test_only_known_filters_are_special(text, terms):
    assert parse(text) == ParsedQuery(terms=terms)
