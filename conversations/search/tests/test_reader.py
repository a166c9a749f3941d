"""The index follows what happens, by the change feed."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection, transaction

from chatty.jobs import queue
from chatty.jobs.tests.helpers import run_jobs
from conversations import actions, changefeed
from conversations.changefeed import batches, sweeps
from conversations.changefeed.models import Cursor
from conversations.changefeed.readers import find
from conversations.models import Message
from conversations.search import jobs, queries
from conversations.search.grams import structural_gram
from conversations.search.index import CONVERSATION
from conversations.search.keys import current_key
from conversations.search.query_text import parse
from conversations.search.storage import Entry, storage
from conversations.tests.helpers import purge_deleted, say

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("empty_index")]


def run_all_jobs() -> None:
    queue.ensure_recurring()
    while run_jobs():
        pass


def catch_up() -> None:
    """Let the reader handle all that has happened."""
    reader = find("search")
    batches.start(reader)
    source = str(Cursor.Source.CONVERSATION)
    while ids := sweeps.find_behind(reader, source, 0).ids:
        outcome = batches.run_batch(reader, source, ids)
        assert outcome.changes, "The reader has failed."


def entries() -> dict[int, str]:
    """Return message id -> its hashes."""
    key = "message_id" if connection.vendor == "postgresql" else "rowid"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {key}, grams FROM search_entry")
        return {pk: str(grams) for pk, grams in cursor.fetchall()}


def found(user, text: str) -> list[str]:
    return [each.message.body for each in queries.search(user, parse(text)).results]


def test_grams_that_a_long_text_repeats_are_stored_once(alice, pair):
    for text in ("[" * 3_900, "tea time " * 300, "tea " * 200 + "x" * 1_000):
        message = say(alice, pair, text)
        catch_up()
        assert len(entries()[message.pk]) < 1_000
        assert text.strip() in found(alice, text[:8])


def test_new_edited_and_deleted_messages_are_followed(alice, pair):
    message = say(alice, pair, "First words")
    catch_up()
    assert found(alice, "first") == ["First words"]
    before = entries()
    actions.edit_message(alice, message.pk, body="Other words")
    catch_up()
    assert found(alice, "other") == ["Other words"]
    assert found(alice, "first") == []
    assert entries() != before
    assert list(entries()) == [message.pk]
    actions.delete_message(alice, message.pk)
    catch_up()
    assert entries() == {}


def test_messages_from_before_the_reader_are_indexed(alice, pair):
    say(alice, pair, "Long ago")
    Cursor.objects.all().delete()
    catch_up()
    assert found(alice, "long") == ["Long ago"]


def test_batch_that_is_repeated_changes_nothing(alice, pair):
    message = say(alice, pair, "First words")
    catch_up()
    before = entries()
    change = changefeed.MessageChange(pair.pk, message.pk, message.seq, message.version, True)
    for created in (True, False):
        batch = changefeed.Batch((type(change)(pair.pk, message.pk, 1, 1, created),))
        find("search").handle(batch)
    assert entries() == before


def test_reaction_does_not_write_the_entry_again(alice, pair):
    message = say(alice, pair, "First words")
    catch_up()
    before = stored()
    actions.react(alice, message.pk, "👍")
    catch_up()
    assert stored() == before
    actions.edit_message(alice, message.pk, body="Other words")
    catch_up()
    assert stored() != before


def stored() -> list[tuple[Any, ...]]:
    """Return what differs after each write, even if an entry is replaced by the same."""
    sql = {
        "postgresql": "SELECT message_id, xmin::text FROM search_entry ORDER BY 1",
        "sqlite": "SELECT id, block FROM search_entry_data ORDER BY 1",
    }[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def test_notices_and_reactions_have_no_entries(alice, pair):
    actions.update_conversation(alice, pair.pk, topic="Vegetables")
    catch_up()
    assert entries() == {}


def test_deleted_conversation_leaves_no_entries(alice, bob, pair):
    other = actions.create_conversation(bob, name="Other")
    say(bob, other, "Other")
    for number in range(jobs.BATCH + 1):
        say(alice, pair, f"Number {number}")
    catch_up()
    actions.delete_conversation(alice, pair.pk)
    catch_up()
    purge_deleted()
    assert len(entries()) > jobs.BATCH
    run_all_jobs()
    assert list(entries()) == [Message.objects.get(body="Other").pk]


def test_entry_with_the_same_hash_stays_when_a_conversation_is_deleted(alice, bob, pair):
    other = actions.create_conversation(bob, name="Other")
    kept = say(bob, other, "Other")
    gone = say(alice, pair, "Gone")
    catch_up()
    # As if a gram of the message had the hash of the conversation's.
    (gram,) = current_key().hash([structural_gram(CONVERSATION, pair.pk)])
    (same,) = current_key().hash([structural_gram(CONVERSATION, other.pk)])
    with transaction.atomic():
        storage().write([Entry(kept.pk, [gram, same])])
    actions.delete_conversation(alice, pair.pk)
    assert sorted(entries()) == sorted([kept.pk, gone.pk])
    catch_up()
    run_all_jobs()
    assert list(entries()) == [kept.pk]


def test_mentions_are_followed(alice, bob, pair):
    message = say(bob, pair, "Hello @Alice")
    catch_up()
    actions.edit_message(bob, message.pk, body="Hello Alice")
    catch_up()
    assert found(alice, "mentions:me") == []
    actions.edit_message(bob, message.pk, body="Hello @Alice")
    catch_up()
    assert found(alice, "mentions:me") == ["Hello @Alice"]
