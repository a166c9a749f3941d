"""Writing the index again, changed keys, and what is left of deleted entries."""

from __future__ import annotations

import random
import re
import threading
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from chatty.sqlite import erasing
from conversations import actions
from conversations.models import Message
from conversations.search import jobs, keys, rebuild, sqlite_storage
from conversations.search.grams import fold, text_grams
from conversations.search.index import index_messages
from conversations.search.models import IndexKey, IndexState
from conversations.search.storage import storage
from conversations.search.tests.conftest import index_all
from conversations.search.tests.test_reader import catch_up, entries, found, run_all_jobs
from conversations.tests.helpers import say

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("empty_index")]

OLD, NEW = (
    "an-old-secret-key-0123456789-abcdefghijklmnop",
    "a-new-secret-key-0123456789-abcdefghijklmnop",
)


@pytest.fixture
def one_by_one(monkeypatch):
    monkeypatch.setattr(rebuild, "STEP", 1)


def remove_entries(message_id: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM search_entry WHERE rowid = %s", [message_id])


def test_rebuild_writes_missing_entries_and_removes_others(alice, pair, one_by_one):
    kept, changed, deleted = (
        say(alice, pair, f"{each} tea") for each in ("kept", "changed", "deleted")
    )
    index_all()
    actions.edit_message(alice, changed.pk, body="other tea")
    actions.delete_message(alice, deleted.pk)
    missing = say(alice, pair, "missing tea")
    assert sum(rebuild.steps()) == Message.objects.count()
    assert found(alice, "tea") == ["missing tea", "other tea", "kept tea"]
    assert sorted(entries()) == [kept.pk, changed.pk, missing.pk]
    assert not rebuild.is_unfinished()


def test_rebuild_removes_entries_without_messages(alice, pair):
    gone = [say(alice, pair, f"Tea {number}").pk for number in range(4)]
    index_all()
    Message.objects.filter(pk__in=(gone[0], gone[2], gone[3])).delete()
    list(rebuild.steps())
    assert list(entries()) == [gone[1]]


def test_rebuild_writes_no_entries_of_a_deleted_conversation(alice, pair):
    """Its messages may still be there when its entries have been removed."""
    message = say(alice, pair, "Secret garden")
    catch_up()
    actions.delete_conversation(alice, pair.pk)
    catch_up()
    jobs.remove_conversation(pair.pk)
    assert entries() == {}
    list(rebuild.steps())
    assert Message.objects.filter(pk=message.pk).exists()
    assert entries() == {}


def test_interrupted_rebuild_is_continued(alice, pair, one_by_one):
    for number in range(3):
        say(alice, pair, f"Tea {number}")
    total = Message.objects.count()
    steps = rebuild.steps()
    next(steps)
    assert rebuild.is_unfinished()
    assert sum(rebuild.steps()) == total - 1
    assert not rebuild.is_unfinished()
    next(rebuild.steps())
    assert sum(rebuild.steps(restart=True)) == total


def test_two_rebuilds_share_the_work(alice, pair, one_by_one):
    for number in range(3):
        say(alice, pair, f"Tea {number}")
    first, second = rebuild.steps(), rebuild.steps()
    done = next(first) + next(second)
    done += sum(first) + sum(second)
    assert done == Message.objects.count()
    assert not rebuild.is_unfinished()


def test_rebuild_beside_edits_keeps_the_newer_text(alice, pair, one_by_one):
    messages = [say(alice, pair, f"Tea {number}") for number in range(4)]
    index_all()
    for step, _done in enumerate(rebuild.steps(restart=True)):
        for message in messages:
            actions.edit_message(alice, message.pk, body=f"Tea {message.pk} of step {step}")
        catch_up()
    assert len(found(alice, f'tea "of step {step}"')) == 4


@pytest.mark.postgres
def test_rebuild_waits_for_the_reader(alice, pair):
    message = say(alice, pair, "Former tea")
    index_all()
    done = threading.Event()

    def run():
        list(rebuild.steps())
        done.set()
        connection.close()

    with transaction.atomic():
        index_messages([message.pk])
        thread = threading.Thread(target=run)
        thread.start()
        assert not done.wait(0.3)
        Message.objects.filter(pk=message.pk).update(body="Present tea", excerpt="Present tea")
        index_messages([message.pk])
    thread.join(10)
    assert done.is_set()
    assert found(alice, "present") == ["Present tea"]


def test_messages_are_found_by_a_former_key_until_they_are_written_again(alice, pair, settings):
    settings.SECRET_KEY = OLD
    say(alice, pair, "Tea of the old key")
    index_all()
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW, [OLD]
    new = say(alice, pair, "Tea of the new key")
    with transaction.atomic():
        index_messages([new.pk])
    assert found(alice, "tea") == ["Tea of the new key", "Tea of the old key"]
    assert found(alice, "tea in:garden old") == ["Tea of the old key"]
    run_all_jobs()
    assert IndexKey.objects.count() == 1
    settings.SECRET_KEY_FALLBACKS = []
    assert found(alice, "tea") == ["Tea of the new key", "Tea of the old key"]


def test_lost_key_makes_messages_unfindable_until_they_are_written_again(
    alice, pair, settings, caplog
):
    keys._warn_once.cache_clear()
    settings.SECRET_KEY = OLD
    say(alice, pair, "Tea")
    index_all()
    settings.SECRET_KEY = NEW
    assert found(alice, "tea") == []
    assert "rebuild_search" in caplog.text
    run_all_jobs()
    assert found(alice, "tea") == ["Tea"]


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_command_that_goes_on_reports_progress(alice, pair, one_by_one, monkeypatch):
    for number in range(3):
        say(alice, pair, f"Tea {number}")
    total = Message.objects.count()
    next(rebuild.steps())
    terminal, out = Terminal(), StringIO()
    monkeypatch.setattr("sys.stderr", terminal)
    call_command("rebuild_search", stdout=out)
    assert f"1/{total}" in terminal.getvalue()
    assert f"{total}/{total}" in terminal.getvalue()
    assert f"{total - 1} messages indexed." in out.getvalue()
    assert len(found(alice, "tea")) == 3


def files() -> bytes:
    path = Path(connection.settings_dict["NAME"])
    return b"".join(path.with_name(path.name + end).read_bytes() for end in ("", "-wal"))


@pytest.mark.sqlite
def test_hashes_of_deleted_and_former_texts_leave_the_file(alice, pair):
    texts = ("zyxwvutsrq ponmlkjihg", "qazwsxedcr fvtgbyhnuj")
    deleted, edited = (say(alice, pair, text) for text in texts)
    for number in range(30):
        say(alice, pair, f"Something else {number}")
        index_all()
    hashes = keys.current_key().hash([gram for text in texts for gram in text_grams(fold(text))])
    # The beginning of a hash can be shared with its neighbour in a segment. The end is always there.
    ends = [each[-5:].encode() for each in hashes]
    assert all(end in files() for end in ends)
    actions.delete_message(alice, deleted.pk)
    actions.edit_message(alice, edited.pk, body="Harmless")
    index_all()
    assert IndexState.objects.get().leftovers
    run_all_jobs()
    assert erasing.truncate_log()
    left = [end for end in ends if end in files()]
    assert len(left) <= len(ends) // 20  # five characters can be there by chance
    state = IndexState.objects.get()
    assert not state.leftovers
    assert not state.merging
    assert not storage().tidy()


@pytest.mark.sqlite
def test_merge_ends_while_others_write(alice, pair, monkeypatch):
    monkeypatch.setattr(sqlite_storage, "_MERGE_PAGES", 1)
    dice = random.Random(1)
    ids = [
        say(alice, pair, " ".join(f"{dice.getrandbits(60):x}" for _ in range(100))).pk
        for _ in range(40)
    ]
    index_all()
    actions.delete_message(alice, ids[0])
    index_all()
    steps = 0
    while upkeep_step():
        steps += 1
        assert steps < 300
        for pk in dice.sample(ids[1:], 2):
            remove_entries(pk)
            with transaction.atomic():
                index_messages([pk], new=[pk])
    assert steps > 1


def upkeep_step() -> bool:
    with transaction.atomic():
        return storage().tidy()


@pytest.mark.postgres
def test_hashes_of_deleted_texts_leave_the_table(alice, pair):
    message = say(alice, pair, "Tea")
    index_all()
    actions.delete_message(alice, message.pk)
    index_all()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM search_entry")
        assert cursor.fetchone() == (0,)


def test_index_holds_no_piece_of_a_text(alice, pair):
    say(alice, pair, "zyxwvutsrq")
    index_all()
    (stored,) = entries().values()
    assert re.fullmatch(r"[0-9a-z]{6}( [0-9a-z]{6})+|\[\d+(, \d+)+\]", stored)
    assert "zyxwvu" not in stored
