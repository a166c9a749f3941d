"""Readers are called with every change, in order, whatever happens in between."""

from __future__ import annotations

import threading
from contextlib import suppress
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection, connections
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatty.jobs import claims
from conversations import actions
from conversations.changefeed import batches, deletions, steps
from conversations.changefeed.models import Cursor, SetAsideChange
from conversations.changefeed.readers import Batch
from conversations.changefeed.tests.conftest import Notebook
from conversations.models import Conversation, Membership, Message
from conversations.tests.helpers import log_of, purge_deleted, say

pytestmark = pytest.mark.django_db

CONVERSATION = Cursor.Source.CONVERSATION


def current(conversation: Conversation) -> dict[int, str]:
    return {message.pk: message.body for message in log_of(conversation)}


def test_a_reader_gets_what_is_there_and_then_what_changes(notebook, alice, pair):
    first = say(alice, pair, "one")
    notebook.read()
    notices = first.seq - 1
    assert notebook.seen[notices:] == [(first.seq, True)]
    second = say(alice, pair, "two")
    actions.edit_message(alice, first.pk, "one, corrected")
    notebook.batches.clear()
    notebook.read()
    assert notebook.seen == [(first.seq, False), (second.seq, True)]
    assert notebook.texts == current(pair)
    notebook.batches.clear()
    notebook.read()
    assert notebook.batches == []


def test_a_message_that_was_edited_before_it_was_read_is_new_and_comes_once(notebook, alice, pair):
    notebook.read()
    notebook.batches.clear()
    message = say(alice, pair, "one")
    for number in range(5):
        actions.edit_message(alice, message.pk, f"edit {number}")
    notebook.read()
    assert notebook.seen == [(message.seq, True)]
    assert notebook.texts[message.pk] == "edit 4"


def test_a_history_in_small_batches_is_complete_and_new_only_once(notebook, alice, pair):
    messages = [say(alice, pair, f"message {number}") for number in range(20)]
    # The newest version belongs to an old message, which comes first nevertheless.
    actions.edit_message(alice, messages[3].pk, "edited before it was read")
    batches.start(notebook.reader)
    for number in range(30):
        batches.run_batch(notebook.reader, CONVERSATION, [pair.pk], most=3)
        if number == 2:
            actions.edit_message(alice, messages[2].pk, "read already")
            actions.edit_message(alice, messages[15].pk, "not yet read")
            messages.append(say(alice, pair, "late"))
    rows = log_of(pair)
    assert notebook.created == [row.pk for row in rows]
    assert notebook.texts == current(pair)
    # Only the message that was edited after it was read comes twice, and one that was edited in between.
    assert len(notebook.seen) <= len(rows) + 2


def test_a_long_message_counts_for_several_changes_of_a_batch(notebook, alice, pair):
    """Otherwise a batch of long messages takes ten times as long, while others wait for the interpreter."""
    notebook.read()
    notebook.batches.clear()
    for text in ("x" * 2 * steps.LENGTH, "x" * 9_999, "1", "2", "3", "4"):
        say(alice, pair, text)
    notebook.read(most=6)
    sizes = [len(batch.messages) for batch in notebook.batches if batch.messages]
    assert sizes == [1, 1, 4]  # the second alone counts for more than six
    notebook.batches.clear()
    for pk in notebook.created[-3:]:
        actions.edit_message(alice, pk, "x" * 2 * steps.LENGTH)
    notebook.read(most=6)
    assert [len(batch.messages) for batch in notebook.batches if batch.messages] == [2, 1]
    assert notebook.texts == current(pair)


def test_several_conversations_share_a_call(notebook, alice, pair, open_group):
    say(alice, pair)
    say(alice, open_group)
    batches.run_batch(notebook.reader, CONVERSATION, [pair.pk, open_group.pk])
    (batch,) = notebook.batches
    assert {each.conversation_id for each in batch.messages} == {pair.pk, open_group.pk}


def test_a_reader_that_starts_now_sees_nothing_of_what_was_there(make_notebook, alice, pair):
    say(alice, pair, "before")
    notebook = make_notebook(starts="now")
    notebook.read()
    assert notebook.batches == []
    after = say(alice, pair, "after")
    actions.mark_read(alice, pair.pk, after.seq)
    new = actions.create_conversation(alice, name="New")
    notebook.read()
    assert {(each.conversation_id, each.seq) for b in notebook.batches for each in b.messages} == {
        (pair.pk, after.seq),
        (new.pk, 1),
    }
    memberships = [each for batch in notebook.batches for each in batch.memberships]
    assert {(each.conversation_id, each.user_id) for each in memberships} == {
        (pair.pk, alice.pk),
        (new.pk, alice.pk),
    }


def test_a_reader_switched_on_beside_100_000_messages_sees_none_of_them(make_notebook, alice, pair):
    fill(pair, alice.pk, 100_000)
    notebook = make_notebook(starts="now")
    batches.start(notebook.reader)
    notebook.read()
    assert notebook.batches == []
    pair.refresh_from_db()
    message = say(alice, pair, "after")
    notebook.read()
    assert notebook.seen == [(message.seq, True)]


def test_a_reader_100_000_changes_behind_catches_up_in_small_batches(notebook, alice, pair):
    fill(pair, alice.pk, 100_000)
    batches.start(notebook.reader)
    changes, rounds = 0, 0
    while more := batches.run_batch(notebook.reader, CONVERSATION, [pair.pk]):
        changes, rounds = changes + more.changes, rounds + 1
        assert len(notebook.batches[-1]) <= batches.CHANGES_MAX
        if not more.more:
            break
    pair.refresh_from_db()
    assert changes == pair.last_seq
    assert len(set(notebook.created)) == len(notebook.created) == changes
    assert rounds <= changes // batches.CHANGES_MAX + 2


def test_a_restored_backup_is_read_from_its_own_cursors(notebook, alice, pair):
    say(alice, pair, "before")
    notebook.read()
    notebook.batches.clear()
    call_command("new_epoch")
    message = say(alice, pair, "after")
    notebook.read()
    assert notebook.seen == [(message.seq, True)]


def test_a_clock_that_was_set_back_delays_no_reader(notebook, alice, pair):
    say(alice, pair, "before")
    notebook.read()
    Cursor.objects.update(due_at=timezone.now() + timedelta(hours=1))
    message = say(alice, pair, "after")
    batches.run_batch(notebook.reader, CONVERSATION, [pair.pk])
    assert notebook.created[-1] == message.pk


def test_a_change_that_fails_ten_times_is_set_aside_and_holds_up_only_its_conversation(
    notebook, alice, pair, open_group, caplog
):
    bad = say(alice, pair, "bad")
    after = say(alice, pair, "after")
    calls = []

    def refuse(batch: Batch) -> None:
        if bad.pk in [each.message_id for each in batch.messages]:
            calls.append(batch)
            raise ValueError("what somebody wrote")

    notebook.refuses = refuse
    batches.run_batch(notebook.reader, CONVERSATION, [pair.pk, open_group.pk])
    assert notebook.batches == []
    for _ in range(20):
        Cursor.objects.update(due_at=timezone.now())
        batches.run_batch(notebook.reader, CONVERSATION, [pair.pk, open_group.pk])
    assert open_group.pk in {e.conversation_id for b in notebook.batches for e in b.messages}
    # Once with others, then alone. What comes before it in its conversation is not held up.
    assert len(calls) == 11
    (aside,) = SetAsideChange.objects.all()
    assert (aside.message_id, aside.conversation_id) == (bad.pk, pair.pk)
    assert aside.error == "ValueError"
    assert after.pk in notebook.created
    assert bad.pk not in notebook.created
    assert "what somebody wrote" not in aside.error
    with pytest.raises(ValueError, match="what somebody wrote"):
        batches.retry(aside)
    assert SetAsideChange.objects.exists()
    notebook.refuses = lambda batch: None
    cursors = Cursor.objects.filter(source=CONVERSATION, subject_id=pair.pk)
    cursors.update(claim="another", claimed_until=timezone.now() + timedelta(seconds=20))
    with pytest.raises(batches.BusyError):
        batches.retry(aside)
    cursors.update(claim="", claimed_until=None)
    batches.retry(aside)
    assert notebook.created[-1] == bad.pk
    assert not SetAsideChange.objects.exists()


class Killed(BaseException):
    """As if the process was killed: no one catches this, so no claim is given back."""


def test_a_change_that_ends_the_process_is_set_aside_alone(notebook, alice, pair, open_group):
    bad, after = say(alice, pair, "bad"), say(alice, pair, "after")
    good = say(alice, open_group, "good")

    def kill(batch: Batch) -> None:
        if bad.pk in [each.message_id for each in batch.messages]:
            raise Killed

    notebook.refuses = kill
    killed = 0
    for _ in range(20):
        Cursor.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
        try:
            batches.run_batch(notebook.reader, CONVERSATION, [pair.pk, open_group.pk])
        except Killed:
            killed += 1
    assert killed == 11  # once with the other, then alone
    assert {good.pk, after.pk} <= set(notebook.created)
    aside = SetAsideChange.objects.get()
    assert aside.message_id == bad.pk
    assert claims.KILLED in aside.error
    assert not Cursor.objects.filter(set_aside_at__isnull=False).exists()


def test_an_error_before_the_reader_is_called_sets_no_change_aside(
    notebook, alice, pair, monkeypatch
):
    say(alice, pair)
    reads = []

    def fail_after_one(cursors, most):
        reads.append(cursors)
        if len(reads) % 2 == 0:
            raise ValueError("a fault of ours")
        return read_steps(cursors, most)

    # The first change of each attempt is handled, the second can't be read.
    read_steps = batches.read_steps
    batches.start(notebook.reader)
    batches.run_batch(notebook.reader, CONVERSATION, [pair.pk], most=1)
    monkeypatch.setattr(batches, "read_steps", fail_after_one)
    for _ in range(15):
        Cursor.objects.filter(failures=0).update(failures=1)  # the next attempt is a single one
        Cursor.objects.update(due_at=timezone.now())
        batches.run_batch(notebook.reader, CONVERSATION, [pair.pk])
    assert not SetAsideChange.objects.exists()
    monkeypatch.setattr(batches, "read_steps", read_steps)
    notebook.read()
    assert notebook.created == [row.pk for row in log_of(pair)]


def test_a_message_that_is_sent_during_a_read_is_new_once(notebook, alice, pair, monkeypatch):
    read_rows = steps._read_rows

    def say_in_between(cursors, most):
        heads, _changes = read_rows(cursors, most)
        say(alice, pair)
        return heads, read_rows(cursors, most)[1]

    say(alice, pair)
    batches.start(notebook.reader)
    monkeypatch.setattr(steps, "_read_rows", say_in_between)
    batches.run_batch(notebook.reader, CONVERSATION, [pair.pk])
    monkeypatch.setattr(steps, "_read_rows", read_rows)
    notebook.read()
    assert notebook.created == [row.pk for row in log_of(pair)]


def test_what_a_failing_reader_has_written_is_rolled_back(notebook, alice, pair):
    say(alice, pair)

    def refuse(batch: Batch) -> None:
        Message.objects.update(body="written by the reader")
        raise ValueError

    notebook.refuses = refuse
    batches.run_batch(notebook.reader, CONVERSATION, [pair.pk])
    assert not Message.objects.filter(body="written by the reader").exists()


def test_a_late_process_writes_nothing(notebook, alice, pair):
    say(alice, pair, "one")

    def run_out(batch: Batch) -> None:
        Cursor.objects.update(claim="another")
        Message.objects.update(body="written by the late one")

    notebook.refuses = run_out
    outcome = batches.run_batch(notebook.reader, CONVERSATION, [pair.pk])
    assert outcome.changes == 0
    assert not Message.objects.filter(body="written by the late one").exists()
    notebook.refuses = lambda batch: None
    notebook.created.clear()
    batches.run_batch(notebook.reader, CONVERSATION, [pair.pk])
    assert notebook.created == []  # still claimed
    Cursor.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    notebook.read()
    assert notebook.created == [row.pk for row in log_of(pair)]


def test_a_late_process_sets_nothing_aside(notebook, alice, pair, monkeypatch):
    say(alice, pair)
    notebook.read()
    say(alice, pair)

    def fail(batch: Batch) -> None:
        raise ValueError

    def lose_claim(*given, **named):
        Cursor.objects.update(claim="another")
        return is_trouble(*given, **named)

    # The claim is lost when the transaction of the handler has been rolled back.
    is_trouble = claims.is_database_trouble
    monkeypatch.setattr(claims, "is_database_trouble", lose_claim)
    Cursor.objects.update(failures=9)
    notebook.refuses = fail
    batches.run_batch(notebook.reader, CONVERSATION, [pair.pk])
    assert not SetAsideChange.objects.exists()
    assert set(Cursor.objects.values_list("claim", flat=True)) == {"another"}


def test_changes_of_memberships_are_read_once_as_they_are(notebook, alice, bob, pair):
    say(alice, pair)
    notebook.read()
    notebook.batches.clear()
    pair.refresh_from_db()
    actions.mark_read(bob, pair.pk, pair.last_seq)
    actions.mark_read(bob, pair.pk, pair.last_seq)
    actions.mark_unread(bob, pair.pk, pair.last_seq)
    actions.set_level(bob, pair.pk, "nothing")
    notebook.read()
    (batch,) = notebook.batches
    (change,) = batch.memberships
    assert (change.conversation_id, change.user_id) == (pair.pk, bob.pk)
    actions.change_role(alice, pair.pk, bob.pk, "admin")
    notebook.read()
    assert [len(batch.memberships) for batch in notebook.batches] == [1, 0, 1]
    actions.remove_member(alice, pair.pk, bob.pk)
    notebook.read()
    assert not Membership.objects.filter(pk=change.membership_id).exists()
    cursor = Cursor.objects.filter(source=Cursor.Source.MEMBERSHIP, subject_id=change.membership_id)
    assert cursor.exists()
    deletions.cursors_of_ended_memberships().delete()
    assert not cursor.exists()


def test_a_deleted_conversation_is_told_once_before_its_rows_go(make_notebook, alice, pair):
    say(alice, pair)
    notebook, late = make_notebook(), make_notebook("late")
    notebook.read()
    actions.delete_conversation(alice, pair.pk)
    assert not deletions.all_readers_know(pair.pk)
    notebook.read()
    assert notebook.deleted == [pair.pk]
    assert not deletions.all_readers_know(pair.pk)
    late.read()
    assert deletions.all_readers_know(pair.pk)
    assert late.created == []
    notebook.read()
    assert notebook.deleted == late.deleted == [pair.pk]
    purge_deleted()
    assert not Cursor.objects.filter(source=CONVERSATION).exists()


def test_a_reader_that_did_not_know_in_time_is_told_afterwards(notebook, alice, pair):
    actions.delete_conversation(alice, pair.pk)
    purge_deleted()
    assert not Conversation.objects.filter(pk=pair.pk).exists()
    notebook.read()
    assert notebook.deleted == [pair.pk]
    assert not Cursor.objects.filter(source=CONVERSATION).exists()


def test_a_deletion_that_was_set_aside_or_a_stopped_reader_delays_no_purge(notebook, alice, pair):
    say(alice, pair)
    actions.delete_conversation(alice, pair.pk)

    def refuse(batch: Batch) -> None:
        raise ValueError

    notebook.refuses = refuse
    notebook.read()
    assert deletions.all_readers_know(pair.pk)
    (aside,) = SetAsideChange.objects.filter(message_id=None, membership_id=None)
    assert aside.conversation_id == pair.pk


class Actor:
    """Applies random actions to a conversation."""

    def __init__(self, user, conversation) -> None:
        self.user, self.conversation = user, conversation
        self.ids: list[int] = []

    def act(self, what: str, which: int) -> None:
        living = self.ids
        if what == "send" or not living:
            self.ids.append(say(self.user, self.conversation, f"text {which}").pk)
            return
        pk = living[which % len(living)]
        if what == "edit":
            actions.edit_message(self.user, pk, f"edit {which}")
        elif what == "react":
            actions.react(self.user, pk, "👍")
        else:
            actions.delete_message(self.user, pk)
            self.ids.remove(pk)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["send", "send", "edit", "react", "delete", "read", "fail", "kill"]),
            st.integers(0, 30),
        ),
        max_size=40,
    ),
    most=st.integers(1, 6),
)
def test_whatever_happens_the_end_state_is_the_present_state(notebook, alice, bob, steps, most):
    conversation = actions.create_conversation(alice, name="Property", member_ids=[bob.pk])
    actor = Actor(alice, conversation)
    fresh = Notebook("property", "beginning")
    Cursor.objects.filter(reader="property").delete()

    def end_with(error: BaseException) -> None:
        """End the next call with an error."""

        def refuse(batch: Batch) -> None:
            fresh.refuses = lambda batch: None
            raise error

        fresh.refuses = refuse

    for what, which in steps:
        if what in ("fail", "kill"):
            end_with(ValueError() if what == "fail" else Killed())
        elif what == "read":
            with suppress(Killed):
                batches.run_batch(fresh.reader, CONVERSATION, [conversation.pk], most=most)
            Cursor.objects.update(due_at=timezone.now(), claimed_until=timezone.now())
        else:
            actor.act(what, which)
    fresh.refuses = lambda batch: None
    fresh.read(most=most)
    created = [pk for pk in fresh.created if pk in current(conversation)]
    assert created == [row.pk for row in log_of(conversation)]
    assert {pk: fresh.texts[pk] for pk in created} == current(conversation)


def fill(conversation: Conversation, user_id: int, number: int) -> None:
    """Insert many messages at once."""
    conversation.refresh_from_db()
    seq, version = conversation.last_seq, conversation.version
    series = f"SELECT generate_series(1, {number}) AS n"
    if connection.vendor == "sqlite":
        series = (
            f"WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < {number})"
            " SELECT n FROM t"
        )
    with connection.cursor() as cursor:
        cursor.execute(
            f"""INSERT INTO conversations_message (conversation_id, seq, version, kind, author_id, key,
            body, html, created_at)
            SELECT %s, %s + n, %s + n, 'text', %s, 'filled-' || n, 'text ' || n, '', %s
            FROM ({series}) AS numbers""",
            [conversation.pk, seq, version, user_id, "2026-01-01 00:00:00+00:00"],
        )
    Conversation.objects.filter(pk=conversation.pk).update(
        last_seq=seq + number, version=version + number
    )


@pytest.mark.django_db(transaction=True)
def test_two_that_read_at_once_share_the_conversations(notebook, alice):
    conversations = [actions.create_conversation(alice, name=f"Room {n}") for n in range(10)]
    for conversation in conversations:
        for number in range(5):
            say(alice, conversation, f"text {number}")
    batches.start(notebook.reader)
    start = threading.Barrier(2)
    errors: list[BaseException] = []

    def work() -> None:
        try:
            start.wait()
            for _ in range(6):
                for conversation in conversations:
                    batches.run_batch(notebook.reader, CONVERSATION, [conversation.pk], most=2)
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert errors == []
    for conversation in conversations:
        ids = [row.pk for row in log_of(conversation)]
        assert [pk for pk in notebook.created if pk in ids] == ids
