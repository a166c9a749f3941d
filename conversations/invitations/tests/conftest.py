"""Invitations of the cast."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from conversations.invitations import actions
from conversations.invitations.actions import Created
from conversations.models import Conversation
from conversations.tests.conftest import api_of, group, open_group, pair, published, recorder

__all__ = ["api_of", "group", "open_group", "pair", "published", "recorder"]

_numbers = itertools.count(1)

Invite = Callable[..., Created]


@pytest.fixture
def invite() -> Invite:
    """invite(user, conversation, ...) creates an invitation."""

    def create(user: User, *conversations: Conversation, **more: Any) -> Created:
        ids = [each.pk for each in conversations]
        return actions.create_invitation(
            user, key=f"key-{next(_numbers)}", conversation_ids=ids, **more
        )

    return create


@pytest.fixture
def accept() -> Callable[[User, Created], actions.Accepted]:
    """accept(user, created)"""

    def accept(user: User, created: Created) -> actions.Accepted:
        return actions.accept(user, created.token, address="192.0.2.1")

    return accept


@pytest.fixture
def browser() -> Callable[[User | None], Client]:
    def signed_in(user: User | None = None) -> Client:
        client = Client()
        if user is not None:
            client.force_login(user)
        return client

    return signed_in
