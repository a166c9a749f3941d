"""Idempotency keys: a creation that is sent again creates nothing again."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from chatty.common.errors import ChatError
from chatty.idempotency.models import UsedKey
from conversations import actions
from conversations.models import Conversation, Message

PATH = "/api/conversations/"


def create(client: Any, **body: Any) -> Any:
    return client.post(PATH, body, content_type="application/json")


def test_conversation_that_is_created_again_with_its_key_is_returned(api_of, alice, bob):
    client = api_of(alice)
    given = {"key": "garden-1", "name": "Garden", "topic": "Apples", "members": [bob.pk]}
    first, again = create(client, **given), create(client, **given)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert "Location" in first.headers
    assert "Location" not in again.headers
    assert Conversation.objects.count() == 1
    assert Message.objects.count() == 2  # created, and one person added
    # As it is now, and to what it is normalised to.
    actions.update_conversation(alice, first.json()["id"], name="Orchard")
    again = create(client, **{**given, "name": " Garden "})
    assert (again.status_code, again.json()["name"]) == (200, "Orchard")


@pytest.mark.parametrize(
    "other", [{"name": "Other"}, {"topic": "Other"}, {"access": "open"}, {"members": []}]
)
def test_key_with_something_else_is_rejected(other, api_of, alice, bob):
    given = {"key": "k", "name": "Garden", "topic": "Apples", "members": [bob.pk]}
    create(api_of(alice), **given)
    answer = create(api_of(alice), **{**given, **other})
    assert (answer.status_code, answer.json()["code"]) == (409, "key_reused")
    assert Conversation.objects.count() == 1


def test_keys_of_different_people_and_without_a_key_are_independent(api_of, alice, bob):
    for client in (api_of(alice), api_of(bob)):
        assert create(client, key="k", name="Garden").status_code == 201
        for _ in range(2):
            assert create(client, name="Garden").status_code == 201
    assert Conversation.objects.count() == 6
    # A message has its own keys.
    room = Conversation.objects.filter(created_by=alice).first()
    assert actions.send_message(alice, room.pk, key="k", body="Hello").created


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 65, "ü", None, 5])
def test_invalid_key_is_rejected(key, api_of, alice):
    answer = create(api_of(alice), key=key, name="Garden")
    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["key"])
    assert not Conversation.objects.exists()


def test_rejected_creation_leaves_its_key_unused(api_of, alice):
    assert create(api_of(alice), key="k", name="Garden", members=[10**9]).status_code == 404
    assert not UsedKey.objects.exists()
    assert create(api_of(alice), key="k", name="Garden").status_code == 201


def test_key_of_a_deleted_conversation_creates_no_other(api_of, alice):
    given = {"key": "k", "name": "Garden"}
    pk = create(api_of(alice), **given).json()["id"]
    actions.delete_conversation(alice, pk)
    answer = create(api_of(alice), **given)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_repetition_adds_no_one_to_the_daily_limit(api_of, alice, bob, settings):
    settings.LIMITS = {**settings.LIMITS, "additions": "1/d"}
    given = {"key": "k", "name": "Garden", "members": [bob.pk]}
    assert [create(api_of(alice), **given).status_code for _ in range(3)] == [201, 200, 200]


def test_key_is_recognised_after_the_secret_key_was_changed(api_of, alice, settings):
    given = {"key": "k", "name": "Garden"}
    actions.create_conversation_once(alice, **given)
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "n" * 50
    assert not actions.create_conversation_once(alice, **given).is_new
    with pytest.raises(ChatError, match="key_reused"):
        actions.create_conversation_once(alice, key="k", name="Other")


@pytest.mark.django_db(transaction=True)
def test_simultaneous_creations_with_one_key_create_one(alice):
    start = threading.Barrier(4)

    def ask(_number: int) -> tuple[int, bool]:
        start.wait(timeout=30)
        try:
            made = actions.create_conversation_once(alice, key="k", name="Garden")
            return made.conversation.pk, made.is_new
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(ask, range(4)))
    assert len({pk for pk, _new in made}) == 1
    assert sorted(new for _pk, new in made) == [False, False, False, True]
    assert Conversation.objects.count() == 1
