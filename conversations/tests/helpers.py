"""Helpers for tests of conversations."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from django.db import connection, transaction

from accounts.models import User
from accounts.wire import person_to_wire
from chatty.common import timestamps
from chatty.common.errors import ChatError
from conversations import actions
from conversations.actions import deletion
from conversations.content import Content
from conversations.events import ConversationChanged, Event
from conversations.models import Conversation, Membership, Message
from conversations.wire import message_to_wire

_numbers = itertools.count(1)


def new_key() -> str:
    return f"key-{next(_numbers)}"


def draft(user_id: int, conversation_id: int, key: str, body: str, **more: Any) -> actions.Draft:
    return actions.Draft(user_id, conversation_id, key, Content(body, **more))


def say(user: User, conversation: Conversation, body: str = "Hello", **more: Any) -> Message:
    key = more.pop("key", None) or new_key()
    return actions.send_message(user, conversation.pk, key=key, body=body, **more).message


def purge_deleted() -> None:
    """Remove the rows of deleted conversations, as the jobs do, without waiting for readers."""
    deleted = Conversation.objects.filter(deleted_at__isnull=False)
    deleted.update(deleted_at=timestamps.now() - timedelta(hours=2))
    for pk in deleted.values_list("pk", flat=True):
        going = True
        while going:
            with transaction.atomic():
                going = deletion.purge_conversation(pk) is not None


def message_json(message: Message) -> dict[str, Any]:
    """Return a message as clients get it. Makes no query if it was loaded as queries do."""
    encoded: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(message_to_wire(message)))
    return encoded


def person_json(user: User) -> dict[str, Any]:
    encoded: dict[str, Any] = msgspec.to_builtins(person_to_wire(user))
    return encoded


def raises_chat_error(code: str, *, field: str | None = None) -> Any:
    """Like pytest.raises: expect a ChatError with this code, naming this field."""
    return pytest.raises(
        ChatError, check=lambda e: e.code == code and (field is None or field in e.fields)
    )


def log_of(conversation: Conversation) -> list[Message]:
    return list(Message.objects.filter(conversation=conversation).order_by("seq"))


def notices_of(conversation: Conversation) -> list[tuple[str, int | None, dict[str, Any]]]:
    """Return (kind, author's id, data) of each system message, in order."""
    rows = log_of(conversation)
    return [(row.kind, row.author_id, row.data or {}) for row in rows if row.kind != "text"]


def version_of(conversation: Conversation) -> int:
    return Conversation.objects.values_list("version", flat=True).get(pk=conversation.pk)


def role_of(user: User, conversation: Conversation) -> str | None:
    rows = Membership.objects.filter(user=user, conversation=conversation)
    return rows.values_list("role", flat=True).first()


def published_versions(events: Iterable[Event], conversation: Conversation) -> list[int]:
    """Return the published versions of a conversation, in the order of publishing."""
    changes = [e for e in events if isinstance(e, ConversationChanged)]
    return [e.version for e in changes if e.conversation == conversation.pk]


def assert_consistent(conversation: Conversation) -> None:
    """Assert the invariants of every conversation."""
    conversation.refresh_from_db()
    rows = log_of(conversation)
    assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
    assert conversation.last_seq == len(rows)
    versions = [row.version for row in rows]
    assert len(set(versions)) == len(versions)
    assert max(versions, default=0) == conversation.version


class Recorder:
    """A subscriber that records events, from any thread."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.inside_transaction: list[bool] = []

    def offer(self, events: tuple[Event, ...]) -> None:
        self.inside_transaction.append(connection.in_atomic_block)
        self.events.extend(events)


def run_concurrently(functions: Iterable[Callable[[], Any]]) -> list[Any]:
    """Run these in threads that start together; return what each returned or raised."""
    todo = list(functions)
    results: list[Any] = [None] * len(todo)
    start = threading.Barrier(len(todo))

    def run(place: int) -> None:
        try:
            start.wait(timeout=30)
            results[place] = todo[place]()
        except Exception as error:
            results[place] = error
        finally:
            connection.close()

    threads = [
        threading.Thread(target=run, args=(place,), daemon=True) for place in range(len(todo))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not any(thread.is_alive() for thread in threads)
    return results
