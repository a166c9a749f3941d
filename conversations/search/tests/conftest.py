"""The conversations of the other tests, and searching them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection, transaction

from conversations.models import Message
from conversations.search import queries
from conversations.search.index import index_messages
from conversations.search.query_text import parse
from conversations.tests.conftest import api_of, group, hello, open_group, pair

__all__ = ["api_of", "group", "hello", "open_group", "pair"]

Search = Callable[..., list[str]]


@pytest.fixture
def empty_index(db: None) -> None:
    """Transactional tests leave entries, because Django only empties the tables of models."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM search_entry")
        if connection.vendor == "sqlite":
            # FTS5 keeps deleted entries in its segments, so merging them would take as long as before.
            cursor.execute("INSERT INTO search_entry (search_entry) VALUES ('rebuild')")


@pytest.fixture(autouse=True)
def _use_grams(monkeypatch):
    """As in long conversations."""
    monkeypatch.setattr(queries, "_READ_ALL_MAX", 0)


def index_all() -> None:
    with transaction.atomic():
        index_messages(list(Message.objects.values_list("pk", flat=True)))


@pytest.fixture
def search(settings) -> Search:
    """search(user, text): the bodies of the messages found, latest first, with the index up to date."""
    settings.LIMITS = {**settings.LIMITS, "search": "100000/m"}

    def find(user, text, **more):
        index_all()
        found = queries.search(user, parse(text), **more)
        return [result.message.body for result in found.results]

    return find
