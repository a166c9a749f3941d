"""Concurrency with real threads and real commits: one row per key, no gap in seq or version."""

from __future__ import annotations

import threading
from functools import partial

import pytest
from django.db import connection, transaction

from accounts.actions import close_account
from accounts.models import User
from chatty.common.errors import ChatError
from chatty.jobs.tests.helpers import run_jobs
from conversations import access, actions, limits, queries
from conversations.actions import Sent
from conversations.models import Conversation, Membership, Message, Reaction
from conversations.tests.helpers import (
    Recorder,
    assert_consistent,
    draft,
    log_of,
    message_json,
    notices_of,
    published_versions,
    purge_deleted,
    role_of,
    run_concurrently,
    say,
)

pytestmark = pytest.mark.django_db(transaction=True)


def codes(results: list[object]) -> list[str]:
    """Return the code of each error, or "ok"; any other exception fails the test."""
    for result in results:
        if isinstance(result, Exception) and not isinstance(result, ChatError):
            raise result
    return sorted(r.code if isinstance(r, ChatError) else "ok" for r in results)


def assert_published_once(recorder: Recorder, conversation: Conversation) -> None:
    conversation.refresh_from_db()
    events = published_versions(recorder.events, conversation)
    assert sorted(events) == list(range(1, conversation.version + 1))
    assert not any(recorder.inside_transaction)


def test_concurrent_sends_with_one_key_store_one_message(bob, pair, recorder):
    send = partial(actions.send_message, bob, pair.pk, key="k", body="Hello")
    results = run_concurrently([send] * 50)
    assert codes(results) == ["ok"] * 50
    assert sum(result.created for result in results) == 1
    answers = {(r.message.pk, r.message.seq, r.message.version, r.message.body) for r in results}
    assert len(answers) == 1
    assert Message.objects.filter(author=bob, key="k").count() == 1
    pair.refresh_from_db()
    assert published_versions(recorder.events, pair) == [pair.version]
    assert_consistent(pair)


def test_concurrent_sends_of_one_key_to_two_conversations_store_one_message(alice, bob, pair):
    other = actions.create_conversation(alice, name="Other", member_ids=[bob.pk])
    places = [pair.pk, other.pk] * 8
    results = run_concurrently(
        [partial(actions.send_message, bob, place, key="k", body="Hello") for place in places]
    )
    assert codes(results) == ["key_reused"] * 8 + ["ok"] * 8
    assert Message.objects.filter(author=bob, key="k").count() == 1
    assert_consistent(pair)
    assert_consistent(other)


def test_concurrent_changes_leave_no_gap_in_versions(alice, bob, recorder):
    shared = actions.create_conversation(alice, name="Garden", member_ids=[bob.pk])

    def talk(user: User, name: str) -> None:
        mine = []
        for number in range(10):
            mine.append(say(user, shared, f"{name} {number}"))
            actions.edit_message(user, mine[number // 2].pk, f"{name} {number} edited")
            actions.react(user, mine[0].pk, "👍" if number % 2 else "🎉")
            if number == 7:
                actions.delete_message(user, mine[5].pk)
        actions.mark_read(user, shared.pk, mine[-1].seq)

    threads = [partial(talk, (alice, bob)[number % 2], f"t{number}") for number in range(8)]
    assert codes(run_concurrently(threads)) == ["ok"] * 8
    assert_consistent(shared)
    assert_published_once(recorder, shared)
    assert shared.last_seq == 2 + 8 * 10


def test_concurrent_batches_in_any_order_do_not_deadlock(alice, bob):
    groups = [
        actions.create_conversation(alice, name=f"Group {n}", member_ids=[bob.pk]) for n in range(4)
    ]

    def batch(number: int) -> list[Sent | ChatError]:
        order = groups if number % 2 else groups[::-1]
        return [
            result
            for turn in range(5)
            for result in actions.send_messages(
                [draft(bob.pk, group.pk, f"{number}-{turn}-{group.pk}", "Hello") for group in order]
            )
        ]

    results = run_concurrently([partial(batch, number) for number in range(8)])
    assert codes(results) == ["ok"] * 8
    assert all(isinstance(one, Sent) and one.created for result in results for one in result)
    for group in groups:
        assert_consistent(group)
        assert group.last_seq == 2 + 8 * 5


def test_concurrent_open_direct_creates_one_conversation(alice, bob):
    functions = [
        partial(actions.open_direct, alice, bob.pk),
        partial(actions.open_direct, bob, alice.pk),
    ] * 4
    results = run_concurrently(functions)
    assert codes(results) == ["ok"] * 8
    assert len({conversation.pk for conversation in results}) == 1
    assert Conversation.objects.count() == 1
    assert Membership.objects.count() == 2


def test_concurrent_joins_create_one_membership(alice, bob, open_group):
    results = run_concurrently([partial(actions.join, bob, open_group.pk)] * 8)
    assert codes(results) == ["ok"] * 8
    assert [kind for kind, *_ in notices_of(open_group)].count("joined") == 1
    assert_consistent(open_group)


def test_concurrent_reactions_store_one(alice, hello, pair):
    results = run_concurrently([partial(actions.react, alice, hello.pk, "👍")] * 8)
    assert codes(results) == ["ok"] * 8
    assert Reaction.objects.count() == 1
    assert_consistent(pair)
    assert pair.version == hello.version + 1


def test_concurrently_leaving_owners_keep_one_owner(alice, bob, carol, pair):
    actions.add_members(alice, pair.pk, [carol.pk])
    actions.change_role(alice, pair.pk, bob.pk, "owner")
    results = run_concurrently([partial(actions.leave, user, pair.pk) for user in (alice, bob)])
    assert codes(results) == ["ok", "ok"]
    assert role_of(carol, pair) == "owner"
    assert_consistent(pair)


def test_ownership_is_not_passed_on_to_an_account_being_deactivated(alice, bob, carol, pair):
    actions.add_members(alice, pair.pk, [carol.pk])
    leave = partial(actions.leave, alice, pair.pk)
    assert codes(run_concurrently([leave, partial(close_account, bob)])) == ["ok", "ok"]
    run_jobs()
    assert role_of(carol, pair) == "owner"
    assert_consistent(pair)


def test_deletion_wins_over_a_concurrent_edit(alice, bob, pair):
    for round_ in range(5):
        message = say(bob, pair, f"Hello {round_}")
        results = run_concurrently(
            [
                partial(actions.edit_message, bob, message.pk, "Changed"),
                partial(actions.delete_message, alice, message.pk),
            ]
        )
        assert set(codes(results)) <= {"ok", "deleted"}
        message.refresh_from_db()
        assert (message.is_deleted, message.body, message.html) == (True, "", "")
    assert_consistent(pair)


def test_no_message_is_stored_after_the_removal_of_its_author(alice, bob, pair):
    def talk() -> None:
        for number in range(30):
            say(bob, pair, f"{number}")

    results = run_concurrently([talk, partial(actions.remove_member, alice, pair.pk, bob.pk)])
    assert set(codes(results)) <= {"ok", "not_found"}
    log = log_of(pair)
    (removal,) = [row.seq for row in log if row.kind == "removed"]
    assert not [row for row in log if row.is_text and row.seq > removal]
    assert_consistent(pair)


def test_readers_never_see_a_gap_during_writes(alice, bob, pair):
    def write() -> None:
        for number in range(40):
            message = say(alice, pair, f"{number}")
            if number % 3 == 0:
                actions.edit_message(alice, message.pk, f"{number} edited")

    def follow() -> dict[int, str]:
        """Return what a client knows that polls for changes: the complete log."""
        known: dict[int, tuple[int, str]] = {}
        page = queries.history(pair, limit=limits.PAGE_MAX)
        known.update({m.seq: (m.version, m.body) for m in page.messages})
        position = page.position
        while len(known) < 42 or position < 42 + 14:
            changes = queries.changes_since(pair.pk, position)
            assert changes is not None
            assert not changes.reset
            known.update({m.seq: (m.version, m.body) for m in changes.messages})
            position = changes.version
            assert sorted(known) == list(range(1, len(known) + 1))
        return {seq: body for seq, (_version, body) in known.items()}

    _nothing, one, two = results = run_concurrently([write, follow, follow])
    assert codes(results) == ["ok"] * 3
    assert one == two == {row.seq: row.body for row in log_of(pair)}


def test_concurrent_purge_and_send_leave_no_rows(alice, bob, pair):
    for number in range(20):
        say(bob, pair, f"{number}")
    results = run_concurrently(
        [
            partial(actions.delete_conversation, alice, pair.pk),
            *[partial(say, bob, pair, f"late {number}") for number in range(6)],
        ]
    )
    assert set(codes(results)) <= {"ok", "not_found"}
    codes(run_concurrently([purge_deleted] * 2))
    assert not Conversation.objects.filter(pk=pair.pk).exists()
    assert not Message.objects.filter(conversation_id=pair.pk).exists()


@pytest.mark.postgres
def test_locked_conversation_does_not_block_others(alice, bob, pair):
    other = actions.create_conversation(alice, name="Other", member_ids=[bob.pk])
    locked, release = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            access.member_of(alice, pair.pk, lock=True)
            locked.set()
            release.wait(timeout=30)

    def send() -> list[str]:
        locked.wait(timeout=30)
        drafts = [draft(bob.pk, place, f"k{place}", "Hello") for place in (pair.pk, other.pk)]
        try:
            first = actions.send_messages(drafts, skip_locked=True)
            with pytest.raises(ChatError) as busy:
                actions.send_messages(drafts[:1], lock_seconds=0.05)
        finally:
            release.set()
        answers = [*first, busy.value, *actions.send_messages(drafts)]
        return [a.code if isinstance(a, ChatError) else f"{a.created}" for a in answers]

    _nothing, answers = results = run_concurrently([hold, send])
    codes(results)
    assert answers == ["busy", "True", "busy", "True", "False"]
    assert_consistent(pair)
    assert_consistent(other)


def test_message_version_has_the_same_content_in_every_response(alice, bob, pair):
    """Someone reacts between any two statements of a reader."""
    message = say(bob, pair, "React to me")
    once: dict[tuple[int, int], object] = {}

    def keep(wire):
        wire = {name: value for name, value in wire.items() if name != "reply_to"}
        assert once.setdefault((wire["id"], wire["version"]), wire) == wire

    def react():
        change = actions.react if len(once) % 2 else actions.unreact
        keep(message_json(change(alice, message.pk, "\N{THUMBS UP SIGN}")))

    def react_meanwhile(execute, *statement):
        result = execute(*statement)
        if "SELECT" in statement[0]:
            (outcome,) = run_concurrently([react])
            assert outcome is None
        return result

    actions.react(alice, message.pk, "\N{PARTY POPPER}")
    reads = [
        lambda: queries.history(access.member_of(bob, pair.pk).conversation).messages,
        lambda: queries.changes_since(pair.pk, 0).messages,
        lambda: [queries.with_details(message)],
    ]
    for read in reads * 3:
        with connection.execute_wrapper(react_meanwhile):
            messages = read()
            wires = [message_json(each) for each in messages]
        for wire in wires:
            keep(wire)
    assert len({version for pk, version in once if pk == message.pk}) > 9
