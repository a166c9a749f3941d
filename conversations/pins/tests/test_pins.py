"""Pinned messages: who can pin, what a pin changes, how many there can be, and the pages and routes."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from msgspec import UNSET

from accounts import actions as account_actions
from chatty.common import timestamps
from conversations import actions, queries
from conversations.actions import sending
from conversations.events import ConversationChanged, Event
from conversations.models import Message
from conversations.pins import actions as pins
from conversations.pins import limits
from conversations.pins.queries import pinned_in
from conversations.tests.helpers import (
    assert_consistent,
    draft,
    message_json,
    new_key,
    notices_of,
    purge_deleted,
    raises_chat_error,
    run_concurrently,
    say,
    version_of,
)
from conversations.wire import message_to_wire

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(bob) -> Client:
    client = Client()
    client.force_login(bob)
    return client


def frames_of(events: list[Event]) -> list[dict[str, Any]]:
    return [json.loads(each.text) for each in events if isinstance(each, ConversationChanged)]


# --- pinning ------------------------------------------------------------------------------------------


def test_pin_is_a_new_version_of_the_message_and_a_notice(alice, bob, pair, hello, published):
    before = version_of(pair)
    with published() as events:
        pinned = pins.pin(alice, hello.pk)
    assert message_json(pinned)["pinned"]["user"] == {"id": alice.pk, "name": "Alice"}
    assert pinned.version == before + 1
    assert notices_of(pair)[-1] == ("pinned", alice.pk, {"message": hello.pk})
    changes = queries.changes_since(pair.pk, before).messages
    assert [each.kind for each in changes] == ["text", "pinned"]
    assert message_json(changes[0]) == message_json(pinned)
    change, notice = frames_of(events)
    assert change["message"] == message_json(pinned)
    assert change["change"] == {"action": "pinned", "user": alice.pk, "on": True}
    assert notice["change"] == {"action": "notice", "user": alice.pk}
    assert_consistent(pair)


def test_unpinning_writes_no_notice(alice, bob, pair, hello, published):
    pins.pin(alice, hello.pk)
    told = notices_of(pair)
    with published() as events:
        unpinned = pins.unpin(bob, hello.pk)
    assert message_to_wire(unpinned).pinned is UNSET
    assert notices_of(pair) == told
    (frame,) = frames_of(events)
    assert frame["change"] == {"action": "pinned", "user": bob.pk, "on": False}
    assert pinned_in(pair.pk) == []


def test_repeating_changes_nothing(alice, bob, pair, hello, published):
    pins.unpin(bob, hello.pk)
    pins.pin(alice, hello.pk)
    before = version_of(pair)
    with published() as events:
        assert message_json(pins.pin(bob, hello.pk))["pinned"]["user"]["name"] == "Alice"
    pins.unpin(bob, hello.pk)
    pins.unpin(bob, hello.pk)
    assert (events, version_of(pair)) == ([], before + 1)


def test_pin_shows_the_present_name(alice, pair, hello):
    pins.pin(alice, hello.pk)
    account_actions.update_profile(alice, name="Alicia")
    (found,) = pinned_in(pair.pk)
    assert message_json(found)["pinned"]["user"]["name"] == "Alicia"


def test_edited_message_stays_pinned_and_deleted_one_does_not(alice, bob, pair, hello):
    pins.pin(alice, hello.pk)
    edited = actions.edit_message(bob, hello.pk, "Hello, all")
    assert "pinned" in message_json(edited)
    deleted = actions.delete_message(bob, hello.pk)
    assert "pinned" not in message_json(deleted)
    assert Message.objects.get(pk=hello.pk).pinned is None
    for action in (pins.pin, pins.unpin):
        with raises_chat_error("deleted"):
            action(alice, hello.pk)


def test_message_that_a_process_of_the_previous_version_deleted_is_not_listed(alice, pair, hello):
    pins.pin(alice, hello.pk)
    Message.objects.filter(pk=hello.pk).update(
        body="", html="", fingerprint=None, deleted_at=hello.created_at
    )
    assert pinned_in(pair.pk) == []
    assert message_to_wire(queries.with_details(hello)).pinned is UNSET


def test_system_message_cannot_be_pinned(alice, pair):
    with raises_chat_error("not_allowed"):
        pins.pin(alice, Message.objects.get(conversation=pair, kind="created").pk)


def test_setting_keeps_pinning_to_admins(alice, bob, pair, hello):
    pins.pin(bob, hello.pk)
    actions.update_conversation(alice, pair.pk, pinning="admins")
    assert "pin" not in queries.sidebar_row(bob, pair.pk).can
    for action in (pins.pin, pins.unpin):
        with raises_chat_error("not_allowed") as caught:
            action(bob, hello.pk)
        assert caught.value.detail == "Only admins can pin messages here."
    pins.unpin(alice, hello.pk)


def test_last_pin_that_is_possible(alice, pair, hello, monkeypatch):
    monkeypatch.setattr(limits, "PINS_MAX", 2)
    more = [say(alice, pair) for _ in range(2)]
    for each in more:
        pins.pin(alice, each.pk)
    with raises_chat_error("too_many") as caught:
        pins.pin(alice, hello.pk)
    assert "up to 2 pinned messages" in str(caught.value.detail)
    pins.pin(alice, more[0].pk)  # it is there already
    actions.delete_message(alice, more[0].pk)
    pins.pin(alice, hello.pk)


def test_pins_of_one_person_are_limited_but_repetitions_do_not_count(
    alice, bob, pair, hello, settings
):
    settings.LIMITS = {**settings.LIMITS, "pins": "3/h"}
    for action in (pins.pin, pins.pin, pins.unpin, pins.unpin, pins.pin):
        action(bob, hello.pk)
    with raises_chat_error("slow_down"):
        pins.unpin(bob, hello.pk)
    assert Message.objects.get(pk=hello.pk).pinned
    pins.unpin(alice, hello.pk)


def test_deleted_conversation_takes_its_pins_with_it(alice, pair, hello):
    pins.pin(alice, hello.pk)
    actions.delete_conversation(alice, pair.pk)
    with raises_chat_error("not_found"):
        pins.unpin(alice, hello.pk)
    purge_deleted()
    assert not Message.objects.filter(conversation=pair.pk).exists()


@pytest.mark.django_db(transaction=True)
def test_one_of_several_who_pin_at_once_wins(alice, bob, pair, hello):
    results = run_concurrently([partial(pins.pin, who, hello.pk) for who in [alice, bob] * 3])
    assert len({message_json(each)["pinned"]["user"]["id"] for each in results}) == 1
    assert [kind for kind, _by, _data in notices_of(pair)].count("pinned") == 1
    assert_consistent(pair)


# --- reading ------------------------------------------------------------------------------------------


def test_latest_pin_is_the_first(alice, bob, pair):
    first, second, third = (say(bob, pair, word) for word in ("One", "Two", "Three"))
    now = timestamps.now()
    for seconds, each in enumerate((second, third, first)):
        with timestamps.use_clock(lambda: now + timedelta(seconds=seconds)):  # noqa: B023 - used at once
            pins.pin(alice, each.pk)
    assert [message.body for message in pinned_in(pair.pk)] == ["One", "Three", "Two"]


def test_pins_cost_sending_and_reading_no_query_per_message(
    alice, bob, pair, django_assert_num_queries
):
    def send() -> list[str]:
        with CaptureQueriesContext(connection) as made:
            sending.send_messages([draft(bob.pk, pair.pk, new_key(), "Hello")])
        return [each["sql"] for each in made.captured_queries]

    send()  # the first message opens the conversation
    before = send()
    for _ in range(3):
        pins.pin(alice, say(bob, pair).pk)
    assert len(send()) == len(before)
    # The rows, and the names of people who pinned.
    with django_assert_num_queries(2):
        history = queries.history(pair)
    with django_assert_num_queries(0):
        assert sum("pinned" in message_json(each) for each in history.messages) == 3
    with django_assert_num_queries(3):
        assert len(pinned_in(pair.pk)) == 3


# --- pages and routes ---------------------------------------------------------------------------------


def test_pins_by_rest(alice, api_of, pair, hello):
    client = api_of(alice)
    path = f"/api/messages/{hello.pk}/pin/"
    for _ in range(2):
        answer = client.put(path)
        assert answer.status_code == 200
        assert answer.json()["pinned"]["user"] == {"id": alice.pk, "name": "Alice"}
    listed = client.get(f"/api/conversations/{pair.pk}/pins/").json()
    assert listed == {"results": [answer.json()]}
    for _ in range(2):
        answer = client.delete(path)
        assert answer.status_code == 200
        assert "pinned" not in answer.json()
    assert client.get(f"/api/conversations/{pair.pk}/pins/").json() == {"results": []}


def test_message_is_pinned_and_unpinned_without_scripts(alice, browser, pair, hello):
    page, form = f"/m/{hello.pk}/?actions", f"/m/{hello.pk}/pin/"
    assert f'action="{form}"' in browser.get(page).text
    pinned = browser.post(form, {"on": "1"})
    assert (pinned.status_code, pinned["Location"]) == (303, f"/c/{pair.pk}/#m{hello.pk}")
    shown = browser.get(f"/c/{pair.pk}/").text
    assert "Pinned by you" in shown
    assert f'<a class="notice__link" href="/m/{hello.pk}/"> pinned a message.</a>' in shown
    listed = f"/c/{pair.pk}/pins/"
    assert "<p>Hello</p>" in browser.get(listed).text
    unpinned = browser.post(form, {"on": "0", "next": listed})
    assert (unpinned.status_code, unpinned["Location"]) == (303, listed)
    assert "No pinned messages" in browser.get(listed).text


def test_page_says_that_there_are_too_many(alice, browser, pair, hello, monkeypatch):
    monkeypatch.setattr(limits, "PINS_MAX", 0)
    answer = browser.post(f"/m/{hello.pk}/pin/", {"on": "1"})
    assert answer.status_code == 409
    assert "A conversation can have up to 0 pinned messages." in answer.text


def test_member_who_cannot_pin_is_offered_nothing(alice, browser, pair, hello):
    pins.pin(alice, hello.pk)
    actions.update_conversation(alice, pair.pk, pinning="admins")
    for page in (f"/m/{hello.pk}/?actions", f"/c/{pair.pk}/pins/"):
        assert f"/m/{hello.pk}/pin/" not in browser.get(page).text
    assert browser.post(f"/m/{hello.pk}/pin/", {"on": "0"}).status_code == 403
