"""@all: who may use it, whom it mentions, and what follows."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from conversations import actions, queries
from conversations.mentions import EVERYONE
from conversations.models import Conversation
from conversations.tests.helpers import message_json, new_key, raises_chat_error, say

CHIP = '<span class="mention" data-people="0">@all</span>'


def called(user: User, conversation: Conversation) -> list[int]:
    """Return the seqs of unread messages that mention the member."""
    row = queries.sidebar_row(user, conversation.pk)
    assert row is not None
    return row.mentions


def test_everyone_but_the_author_is_mentioned_until_they_read_it(alice, bob, ann, mia, group):
    message = say(bob, group, "Lunch, @all!")
    assert message.html == f"<p>Lunch, {CHIP}!</p>"
    assert message_json(message)["mentions_all"]
    assert message_json(message)["mentions"] == []
    assert [called(each, group) for each in (alice, ann, mia, bob)] == [[message.seq]] * 3 + [[]]
    actions.mark_read(mia, group.pk, message.seq)
    assert called(mia, group) == []
    actions.delete_message(bob, message.pk)
    assert called(alice, group) == []


def test_names_are_mentioned_beside_everyone(alice, bob, pair):
    message = say(alice, pair, "@Bob and @all")
    assert message.mentions == [EVERYONE, bob.pk]
    assert message_json(message)["mentions"] == [bob.pk]
    assert called(bob, pair) == [message.seq]


def test_someone_who_joins_later_has_no_unread_mention(alice, carol, open_group):
    say(alice, open_group, "@all")
    actions.join(carol, open_group.pk)
    assert called(carol, open_group) == []


@pytest.mark.parametrize("body", ["@all", "Hello @all, @Bob"])
def test_without_the_right_it_is_plain_text(alice, bob, pair, body):
    actions.update_conversation(alice, pair.pk, mentioning_all="admins")
    message = say(bob, pair, body)
    assert message.body == body
    assert "mentions_all" not in message_json(message)
    assert CHIP not in message.html
    assert called(alice, pair) == []
    assert message_json(say(alice, pair, body))["mentions_all"]


def test_in_a_direct_message_it_is_plain_text(alice, bob):
    direct = actions.open_direct(alice, bob.pk)
    message = say(alice, direct, "@all")
    assert (message.html, message.mentions) == ("<p>@all</p>", None)
    assert called(bob, direct) == []


def test_edit_adds_and_removes_it(alice, bob, pair):
    message = say(alice, pair, "Hello")
    actions.edit_message(alice, message.pk, "Hello @all")
    assert called(bob, pair) == [message.seq]
    actions.edit_message(alice, message.pk, "Hello @alle")
    assert called(bob, pair) == []


def test_someone_who_lost_the_right_can_correct_their_message_but_add_none(alice, bob, pair):
    first, second = say(bob, pair, "Lnuch @all"), say(bob, pair, "Hello")
    actions.update_conversation(alice, pair.pk, mentioning_all="admins")
    assert actions.edit_message(bob, first.pk, "Lunch @all").mentions == [EVERYONE]
    assert actions.edit_message(bob, second.pk, "Hello @all").mentions is None
    assert actions.edit_message(bob, first.pk, "Lunch").mentions is None
    assert actions.edit_message(bob, first.pk, "Lunch @all").mentions is None


def test_limit_rejects_new_ones_and_nothing_else(alice, bob, pair, settings):
    settings.LIMITS = {**settings.LIMITS, "mentions_all": "2/h"}
    key = new_key()
    first = say(bob, pair, "@all one", key=key)
    assert say(bob, pair, "@all one", key=key) == first
    say(bob, pair, "@all two")
    with raises_chat_error("too_many") as caught:
        say(bob, pair, "@all three")
    assert "try again in 30 min" in caught.value.detail
    assert not caught.value.retry
    plain = say(bob, pair, "three")
    assert plain.seq == first.seq + 2
    with raises_chat_error("too_many"):
        actions.edit_message(bob, plain.pk, "@all three")
    assert actions.edit_message(bob, first.pk, "@all 1").mentions == [EVERYONE]
    assert say(alice, pair, "@all").mentions == [EVERYONE]


def test_text_that_mentions_no_one_does_not_count(alice, bob, pair, settings):
    settings.LIMITS = {**settings.LIMITS, "mentions_all": "1/h"}
    direct = actions.open_direct(alice, bob.pk)
    actions.update_conversation(alice, pair.pk, mentioning_all="admins")
    for where in (direct, pair, direct, pair):
        assert say(bob, where, "@all").mentions is None


def test_it_costs_no_query(alice, bob, pair, django_assert_num_queries):
    with CaptureQueriesContext(connection) as with_name:
        say(alice, pair, "Hello @Bob")
    with django_assert_num_queries(len(with_name)):
        say(alice, pair, "Hello @all")
