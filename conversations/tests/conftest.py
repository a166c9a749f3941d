"""Conversations of the cast, and the events they publish. See tests/cast.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from django.test import Client

from accounts import actions as account_actions
from accounts import tokens
from accounts.models import User
from conversations import actions, publisher
from conversations.events import Event
from conversations.models import Conversation, Message
from conversations.tests.helpers import Recorder, say

Published = Callable[[], AbstractContextManager[list[Event]]]


@pytest.fixture
def pair(alice, bob) -> Conversation:
    """A private group of Alice and Bob."""
    return actions.create_conversation(alice, name="Garden", member_ids=[bob.pk])


@pytest.fixture
def group(alice, ann, bob, mia, rita, clive, carol) -> Conversation:
    """A private group of the whole cast."""
    inside = [ann.pk, bob.pk, mia.pk, rita.pk, clive.pk]
    conversation = actions.create_conversation(alice, name="Garden", member_ids=inside)
    actions.change_role(alice, conversation.pk, ann.pk, "admin")
    actions.remove_member(alice, conversation.pk, rita.pk)
    account_actions.close_account(clive)
    conversation.refresh_from_db()
    return conversation


@pytest.fixture
def open_group(alice) -> Conversation:
    """A public group with Alice as its only member."""
    return actions.create_conversation(alice, name="Market", access="open")


@pytest.fixture
def hello(bob, pair) -> Message:
    """A message of Bob in the group of Alice and Bob."""
    return say(bob, pair, "Hello")


@pytest.fixture
def published(django_capture_on_commit_callbacks: Any) -> Published:
    """`with published() as events:` collects what is published once the block has committed."""

    @contextmanager
    def listen() -> Iterator[list[Event]]:
        recorder = Recorder()
        publisher.connect(recorder)
        try:
            with django_capture_on_commit_callbacks(execute=True):
                yield recorder.events
        finally:
            publisher.disconnect(recorder)

    return listen


@pytest.fixture
def recorder(transactional_db: Any) -> Iterator[Recorder]:
    """Collects what is published after real commits."""
    recorder = Recorder()
    publisher.connect(recorder)
    yield recorder
    publisher.disconnect(recorder)


@pytest.fixture
def api_of() -> Callable[[User], Client]:
    """api_of(user): an API client of this user, with a Bearer token."""

    def client_of(user: User) -> Client:
        pair = tokens.begin(user, client="a program")
        return Client(
            enforce_csrf_checks=True,
            headers={"Authorization": f"Bearer {pair.access}"},
            raise_request_exception=False,
        )

    return client_of
