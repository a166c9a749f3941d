"""What each action stores, what it publishes, and how many queries it takes."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.db import IntegrityError, InterfaceError, OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import actions as account_actions
from accounts.models import User
from accounts.wire import person_to_wire
from chatty.common import timestamps
from chatty.jobs.tests.helpers import run_jobs
from conversations import actions, limits, publisher, queries
from conversations.actions import Sent, log, transactions
from conversations.changefeed import deletions
from conversations.events import (
    ConversationChanged,
    ConversationDeleted,
    MembershipChanged,
    UserFrame,
)
from conversations.models import Conversation, Membership, Message, Reaction
from conversations.tests.helpers import (
    assert_consistent,
    draft,
    log_of,
    message_json,
    new_key,
    notices_of,
    published_versions,
    purge_deleted,
    raises_chat_error,
    role_of,
    say,
    version_of,
)
from tests.cast import create_extra


def clock_of(user: User) -> int:
    return User.objects.values_list("clock", flat=True).get(pk=user.pk)


# --- sending ---------------------------------------------------------------------------------------


def test_message_takes_the_next_seq_and_is_published_once(bob, pair, published):
    pair.refresh_from_db()
    with published() as events:
        sent = actions.send_message(bob, pair.pk, key="k", body="Hello **all**")
    message = sent.message
    assert sent.created
    assert (message.seq, message.version) == (pair.last_seq + 1, pair.version + 1)
    assert (message.author_id, message.key, message.kind) == (bob.pk, "k", "text")
    assert message.html == "<p>Hello <strong>all</strong></p>"
    (event,) = events
    assert isinstance(event, ConversationChanged)
    frame = json.loads(event.text)
    assert frame["type"] == "message"
    assert frame["change"] == {"action": "created", "user": bob.pk}
    assert frame["message"]["body"] == "Hello **all**"
    assert (frame["conversation"], frame["version"]) == (pair.pk, event.version)
    assert_consistent(pair)


def test_message_defaults_are_immutable():
    assert {type(value) for value in log.DEFAULTS} <= {type(None), bool, int, str, Message.Kind}
    assert list(log.DEFAULTS) == [field.get_default() for field in Message._meta.concrete_fields]


def test_message_moves_its_conversation_to_the_top(alice, pair):
    later = actions.create_conversation(alice, name="Later")
    assert [row.id for row in queries.sidebar(alice)] == [later.pk, pair.pk]
    say(alice, pair)
    assert [row.id for row in queries.sidebar(alice)] == [pair.pk, later.pk]


def test_clock_changes_do_not_affect_message_order(alice, bob, pair):
    actions.mark_read(bob, pair.pk, version_of(pair))
    before = pair.last_seq
    for number, hours in enumerate((0, -1, 1, -24)):
        at = timezone.now() + timedelta(hours=hours)
        with timestamps.use_clock(lambda at=at: at):
            say(alice, pair, f"{number}")
            actions.edit_message(alice, log_of(pair)[-1].pk, body=f"{number}!")
    pair.refresh_from_db()
    page = queries.history(pair, after=before)
    assert [(m.seq - before, m.body) for m in page.messages] == [
        (1, "0!"),
        (2, "1!"),
        (3, "2!"),
        (4, "3!"),
    ]
    assert [row.unread for row in queries.sidebar(bob)] == [4]
    assert_consistent(pair)


def test_repeated_key_returns_the_message_and_publishes_nothing(bob, pair, published):
    first = actions.send_message(bob, pair.pk, key="k", body="Hello")
    before = version_of(pair)
    with published() as events:
        again = actions.send_message(bob, pair.pk, key="k", body="Hello")
    assert (again.created, again.message.pk) == (False, first.message.pk)
    assert events == []
    assert version_of(pair) == before


@pytest.mark.parametrize("again", ["Hello", "Hello  \n", "\n\nHello"])
def test_repeated_send_compares_the_normalized_body(bob, pair, again):
    first = actions.send_message(bob, pair.pk, key="k", body="Hello")
    assert actions.send_message(bob, pair.pk, key="k", body=again).message == first.message


def test_reused_key_with_different_content_is_rejected(alice, bob, pair):
    elsewhere = actions.create_conversation(bob, name="Elsewhere")
    quoted = say(alice, pair, "Quote me")
    actions.send_message(bob, pair.pk, key="k", body="Hello")
    before = log_of(pair)
    with raises_chat_error("key_reused"):
        actions.send_message(bob, pair.pk, key="k", body="Goodbye")
    with raises_chat_error("key_reused"):
        actions.send_message(bob, pair.pk, key="k", body="Hello", reply_to=quoted.pk)
    with raises_chat_error("key_reused"):
        actions.send_message(bob, elsewhere.pk, key="k", body="Hello")
    assert log_of(pair) == before


def test_keys_are_unique_per_author(alice, bob, pair):
    one = say(alice, pair, "Hello", key="k")
    two = say(bob, pair, "Hello", key="k")
    assert one.pk != two.pk


def test_key_still_matches_the_sent_body_after_an_edit(bob, pair):
    message = say(bob, pair, "Hello", key="k")
    actions.edit_message(bob, message.pk, "Goodbye")
    again = actions.send_message(bob, pair.pk, key="k", body="Hello")
    assert (again.created, again.message.body) == (False, "Goodbye")
    with raises_chat_error("key_reused"):
        actions.send_message(bob, pair.pk, key="k", body="Goodbye")


def test_key_of_a_deleted_message_returns_the_tombstone(bob, pair, published):
    message = say(bob, pair, "Hello", key="k")
    actions.delete_message(bob, message.pk)
    with published() as events:
        for body in ("Hello", "Something else"):
            again = actions.send_message(bob, pair.pk, key="k", body=body)
            assert (again.created, again.message.pk, again.message.body) == (False, message.pk, "")
    assert events == []


def test_repeated_send_succeeds_after_leaving_or_archiving(alice, bob, pair):
    message = say(bob, pair, "Hello", key="k")
    actions.archive(alice, pair.pk)
    assert actions.send_message(bob, pair.pk, key="k", body="Hello").message == message
    actions.leave(bob, pair.pk)
    assert actions.send_message(bob, pair.pk, key="k", body="Hello").message == message
    with raises_chat_error("not_found"):
        actions.send_message(bob, pair.pk, key="k2", body="Hello")


def test_repeated_send_after_leaving_shows_no_later_changes(alice, bob, pair):
    quoted = say(alice, pair, "Tea?")
    sent = {"key": "k", "body": "Yes!", "reply_to": quoted.pk}
    message = actions.send_message(bob, pair.pk, **sent).message
    actions.react(alice, message.pk, "👍")
    again = message_json(actions.send_message(bob, pair.pk, **sent).message)
    assert (again["reply_to"]["excerpt"], len(again["reactions"])) == ("Tea?", 1)
    actions.leave(bob, pair.pk)
    actions.edit_message(alice, quoted.pk, "Now that he is gone")
    gone = message_json(actions.send_message(bob, pair.pk, **sent).message)
    assert (gone["id"], gone["body"]) == (message.pk, "Yes!")
    assert (gone["reply_to"], gone["reactions"]) == (None, [])
    message.refresh_from_db()
    assert message.reply_to_id == quoted.pk


def test_each_draft_of_a_batch_gets_its_own_result(alice, bob, carol, pair, published):
    archived = actions.create_conversation(alice, name="Old")
    actions.archive(alice, archived.pk)
    drafts = [
        draft(bob.pk, pair.pk, "a", "One"),
        draft(carol.pk, pair.pk, "a", "Outside"),
        draft(bob.pk, pair.pk, "a", "One"),
        draft(bob.pk, pair.pk, "a", "Another"),
        draft(bob.pk, pair.pk, "b", "   "),
        draft(bob.pk, pair.pk, "not a key", "Two"),
        draft(alice.pk, archived.pk, "a", "Too late"),
        draft(alice.pk, pair.pk, "c", "Three", reply_to=2**40),
        draft(alice.pk, pair.pk, "d", "Four"),
    ]
    with published() as events:
        results = actions.send_messages(drafts)
    answers = [r.created if isinstance(r, Sent) else r.code for r in results]
    assert answers == [
        *(True, "not_found", False, "key_reused"),
        *("empty", "invalid", "archived", "not_found", True),
    ]
    first, again = results[0], results[2]
    assert isinstance(first, Sent)
    assert isinstance(again, Sent)
    assert first.message is again.message
    assert [m.body for m in log_of(pair) if m.is_text] == ["One", "Four"]
    assert published_versions(events, pair) == [version_of(pair) - 1, version_of(pair)]
    assert_consistent(pair)


def test_query_count_of_a_batch_is_constant(bob, pair, django_assert_max_num_queries):
    say(bob, pair)  # marks it as opened
    with django_assert_max_num_queries(10):
        actions.send_messages([draft(bob.pk, pair.pk, f"k{n}", "Hello") for n in range(200)])
    assert_consistent(pair)


def test_reply_must_quote_a_message_of_the_same_conversation(alice, bob, pair):
    elsewhere = actions.create_conversation(bob, name="Elsewhere")
    foreign = say(bob, elsewhere)
    quoted = say(alice, pair, "Quote me")
    reply = say(bob, pair, "Indeed", reply_to=quoted.pk)
    assert reply.reply_to == quoted
    notice = log_of(pair)[0]
    for target in (foreign.pk, notice.pk, 2**40):
        with raises_chat_error("not_found", field="reply_to"):
            say(bob, pair, reply_to=target)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("", "empty"),
        (" \n\t ", "empty"),
        ("\u200b\u2060\ufeff", "empty"),
        ("a\x00b", "bad_text"),
        ("a\x1bb", "bad_text"),
        ("a\ud800b", "bad_text"),
        ("a\uffffb", "bad_text"),
        ("x" * (limits.BODY_MAX + 1), "too_long"),
        (None, "bad_text"),
        (7, "bad_text"),
    ],
)
def test_invalid_body_is_rejected_when_sending_and_editing(body, code, bob, pair, published):
    message = say(bob, pair, "Hello")
    with published() as events:
        with raises_chat_error(code, field="body"):
            actions.send_message(bob, pair.pk, key=new_key(), body=body)
        with raises_chat_error(code, field="body"):
            actions.edit_message(bob, message.pk, body)
    assert events == []
    assert_consistent(pair)


@pytest.mark.parametrize(
    "body", ["x" * limits.BODY_MAX, "👩‍👩‍👧‍👦" * 500, "שלום\nعالم", "\ta\n\n b"]
)
def test_unusual_text_is_stored_unchanged(body, bob, pair):
    body = body.rstrip()
    assert queries.with_details(say(bob, pair, body)).body == body


@pytest.mark.parametrize("key", ["", "a b", "ü", "x" * 65, "a\n", None, 7])
def test_invalid_key_is_rejected_when_sending(key, bob, pair):
    with raises_chat_error("invalid", field="key"):
        actions.send_message(bob, pair.pk, key=key, body="Hello")


def test_deactivated_account_cannot_send(alice, bob, pair):
    account_actions.close_account(bob)
    with raises_chat_error("account_closed"):
        say(bob, pair)


# --- publishing ------------------------------------------------------------------------------------


def test_events_are_published_after_commit(alice, recorder):
    conversation = actions.create_conversation(alice, name="Garden")
    recorder.events.clear()
    with transaction.atomic():
        say(alice, conversation)
        actions.update_conversation(alice, conversation.pk, topic="Apples")
        assert recorder.events == []
    head = version_of(conversation)
    assert published_versions(recorder.events, conversation) == [head - 1, head]
    assert not any(recorder.inside_transaction)


def test_rolled_back_events_are_not_published(alice, recorder):
    conversation = actions.create_conversation(alice, name="Garden")
    recorder.events.clear()
    before = version_of(conversation)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        say(alice, conversation)
        raise ZeroDivisionError
    assert recorder.events == []
    assert version_of(conversation) == before


def test_every_version_is_published_exactly_once(alice, ann, bob, mia, group, carol, published):
    before = version_of(group)
    with published() as events:
        message = say(bob, group)
        actions.edit_message(bob, message.pk, "Changed")
        actions.react(ann, message.pk, "👍")
        actions.react(ann, message.pk, "👍")
        actions.unreact(ann, message.pk, "👍")
        actions.unreact(ann, message.pk, "👍")
        actions.delete_message(bob, message.pk)
        actions.delete_message(bob, message.pk)
        actions.add_members(alice, group.pk, [carol.pk, mia.pk])
        actions.change_role(alice, group.pk, carol.pk, "admin")
        actions.change_role(alice, group.pk, carol.pk, "admin")
        actions.remove_member(alice, group.pk, carol.pk)
        actions.leave(mia, group.pk)
        actions.update_conversation(alice, group.pk, name="A", topic="B", access="open")
        actions.update_conversation(alice, group.pk, name="A", topic="B", access="open")
        actions.allow_to_join(alice, group.pk, carol.pk)
        actions.join(carol, group.pk)
        actions.join(carol, group.pk)
        actions.archive(alice, group.pk)
        actions.archive(alice, group.pk)
        actions.unarchive(alice, group.pk)
        actions.unarchive(alice, group.pk)
    assert published_versions(events, group) == list(range(before + 1, version_of(group) + 1))
    assert_consistent(group)


def test_change_frame_names_the_actor_and_the_action(alice, bob, hello, published):
    with published() as events:
        actions.edit_message(bob, hello.pk, "Changed")
        actions.react(alice, hello.pk, "👍")
        actions.unreact(alice, hello.pk, "👍")
        actions.delete_message(alice, hello.pk)
    changes = [json.loads(e.text)["change"] for e in events if isinstance(e, ConversationChanged)]
    assert changes == [
        {"action": "edited", "user": bob.pk},
        {"action": "reacted", "user": alice.pk, "emoji": "👍", "on": True},
        {"action": "reacted", "user": alice.pk, "emoji": "👍", "on": False},
        {"action": "deleted", "user": alice.pk},
    ]


# --- changing messages -----------------------------------------------------------------------------


def test_edit_takes_a_new_version_and_keeps_its_seq(bob, pair, hello):
    later = say(bob, pair, "Later")
    edited = actions.edit_message(bob, hello.pk, "Changed *here*")
    assert (edited.seq, edited.version) == (hello.seq, later.version + 1)
    assert (edited.body, edited.html) == ("Changed *here*", "<p>Changed <em>here</em></p>")
    assert edited.edited_at is not None
    assert_consistent(pair)


def test_edit_without_changes_is_ignored(bob, pair, hello, published):
    with published() as events:
        same = actions.edit_message(bob, hello.pk, "Hello\n")
    assert (same.version, same.edited_at) == (hello.version, None)
    assert events == []


def test_deleted_message_leaves_an_empty_tombstone(alice, bob, pair, hello):
    actions.react(alice, hello.pk, "👍")
    gone = actions.delete_message(bob, hello.pk)
    assert (gone.body, gone.html, gone.fingerprint) == ("", "", None)
    assert gone.deleted_at is not None
    assert gone.seq == hello.seq
    assert not Reaction.objects.filter(message=hello).exists()
    assert_consistent(pair)


def test_tombstone_can_only_be_deleted_again(alice, bob, pair, hello, published):
    gone = actions.delete_message(bob, hello.pk)
    with published() as events:
        with raises_chat_error("deleted"):
            actions.edit_message(bob, hello.pk, "Back")
        with raises_chat_error("deleted"):
            actions.react(alice, hello.pk, "👍")
        with raises_chat_error("deleted"):
            actions.unreact(alice, hello.pk, "👍")
        assert actions.delete_message(bob, hello.pk).version == gone.version
    assert events == []


def test_reply_to_a_tombstone_can_be_sent(alice, bob, pair, hello):
    actions.delete_message(bob, hello.pk)
    assert say(alice, pair, "Why?", reply_to=hello.pk).reply_to == hello


def test_reactions_are_unique_per_user_and_emoji(alice, bob, hello):
    for _ in range(2):
        actions.react(alice, hello.pk, "👍")
    actions.react(bob, hello.pk, "👍")
    actions.react(bob, hello.pk, "🎉")
    rows = Reaction.objects.filter(message=hello).order_by("pk")
    assert list(rows.values_list("user_id", "emoji")) == [
        (alice.pk, "👍"),
        (bob.pk, "👍"),
        (bob.pk, "🎉"),
    ]
    actions.unreact(bob, hello.pk, "👍")
    assert rows.filter(emoji="👍").count() == 1


def test_number_of_different_reactions_is_limited(alice, bob, hello):
    for number in range(limits.REACTIONS_MAX):
        actions.react(alice, hello.pk, chr(0x1F400 + number))
    with raises_chat_error("too_many"):
        actions.react(bob, hello.pk, "🎉")
    actions.react(bob, hello.pk, chr(0x1F400))
    assert Reaction.objects.filter(message=hello).count() == limits.REACTIONS_MAX + 1


@pytest.mark.parametrize("emoji", ["", "a", "👍👍", "1", "👍 ", "<b>", "\x00", None])
def test_reaction_must_be_a_single_emoji(emoji, alice, hello):
    with raises_chat_error("invalid", field="emoji"):
        actions.react(alice, hello.pk, emoji)
    with raises_chat_error("invalid", field="emoji"):
        actions.unreact(alice, hello.pk, emoji)


def test_query_count_of_an_edit_is_constant(bob, pair, django_assert_num_queries):
    first = say(bob, pair, "First")
    with CaptureQueriesContext(connection) as one:
        actions.edit_message(bob, first.pk, "Once")
    assert len(one) <= 10
    actions.send_messages([draft(bob.pk, pair.pk, f"k{n}", "More") for n in range(300)])
    with django_assert_num_queries(len(one)):
        actions.edit_message(bob, first.pk, "Twice")


# --- creating conversations ------------------------------------------------------------------------


def test_new_group_starts_with_system_messages(alice, bob, carol, published):
    with published() as events:
        group = actions.create_conversation(
            alice, name="  Garden  party ", topic="Apples", member_ids=[bob.pk, alice.pk, bob.pk]
        )
    group.refresh_from_db()
    assert (group.name, group.topic, group.access) == ("Garden party", "Apples", "closed")
    assert (role_of(alice, group), role_of(bob, group)) == ("owner", "member")
    assert role_of(carol, group) is None
    assert notices_of(group) == [
        ("created", alice.pk, {}),
        ("added", alice.pk, {"user": bob.pk, "name": "Bob"}),
    ]
    assert published_versions(events, group) == [1, 2]
    concerned = [(e.user, e.change) for e in events if isinstance(e, MembershipChanged)]
    assert concerned == [(alice.pk, "added"), (bob.pk, "added")]
    assert_consistent(group)


@pytest.mark.parametrize(
    ("given", "code", "field"),
    [
        ({"name": "  "}, "empty", "name"),
        ({"name": "x" * (limits.NAME_MAX + 1)}, "too_long", "name"),
        ({"name": "a\u202eb"}, "bad_text", "name"),
        ({"name": "\u200e\u200f"}, "empty", "name"),
        ({"name": "a\x00"}, "bad_text", "name"),
        ({"name": "\u200b"}, "empty", "name"),
        ({"name": "\U000e0041"}, "empty", "name"),
        ({"name": "\u180f"}, "empty", "name"),
        ({"topic": "x" * (limits.TOPIC_MAX + 1)}, "too_long", "topic"),
        ({"topic": "\ud800"}, "bad_text", "topic"),
        ({"access": "secret"}, "invalid", "access"),
        ({"member_ids": [2**40]}, "not_found", None),
        ({"member_ids": range(1, limits.ADD_MAX + 2)}, "too_many", None),
    ],
)
def test_invalid_group_is_not_created(given, code, field, alice, published):
    with published() as events, raises_chat_error(code, field=field):
        actions.create_conversation(alice, **{"name": "Garden", **given})
    assert events == []
    assert not Conversation.objects.exists()


def test_deactivated_account_cannot_be_added_or_create_conversations(alice, bob):
    account_actions.close_account(bob)
    with raises_chat_error("not_found"):
        actions.create_conversation(alice, name="Garden", member_ids=[bob.pk])
    with raises_chat_error("not_found"):
        actions.open_direct(alice, bob.pk)
    with raises_chat_error("account_closed"):
        actions.create_conversation(bob, name="Garden")
    with raises_chat_error("account_closed"):
        actions.open_direct(bob, alice.pk)
    assert not Conversation.objects.exists()


def test_two_people_share_one_direct_message(alice, bob, carol):
    direct = actions.open_direct(alice, bob.pk)
    assert actions.open_direct(bob, alice.pk) == direct
    assert actions.open_direct(alice, bob.pk) == direct
    assert actions.open_direct(alice, carol.pk) != direct
    assert {role_of(alice, direct), role_of(bob, direct)} == {"member"}
    assert notices_of(direct) == []


def test_direct_message_appears_for_the_other_person_with_its_first_message(alice, bob, published):
    with published() as events:
        direct = actions.open_direct(alice, bob.pk)
    assert events == [MembershipChanged(alice.pk, direct.pk, "added")]
    assert [row.id for row in queries.sidebar(alice)] == [direct.pk]
    assert queries.sidebar(bob) == []
    with published() as events:
        say(alice, direct)
    assert {(e.user, e.change) for e in events if isinstance(e, MembershipChanged)} == {
        (alice.pk, "added"),
        (bob.pk, "added"),
    }
    assert [(row.name, row.unread) for row in queries.sidebar(bob)] == [("Alice", 1)]
    with published() as events:
        say(bob, direct)
    assert not [e for e in events if isinstance(e, MembershipChanged)]


def test_direct_message_with_yourself_has_one_member(alice):
    notes = actions.open_direct(alice, alice.pk)
    say(alice, notes, "Remember the milk")
    (row,) = queries.sidebar(alice)
    assert (row.name, row.other, row.unread) == ("Alice", person_to_wire(alice), 0)
    assert notes.memberships.count() == 1


def test_direct_message_with_a_deactivated_account_stays_readable(alice, bob):
    direct = actions.open_direct(alice, bob.pk)
    say(bob, direct, "Farewell")
    account_actions.close_account(bob)
    assert actions.open_direct(alice, bob.pk) == direct
    assert [row.name for row in queries.sidebar(alice)] == ["Bob"]


# --- membership ------------------------------------------------------------------------------------


def test_joining_adds_a_system_message_and_nothing_unread(bob, open_group, alice, published):
    say(alice, open_group, "Welcome")
    before = clock_of(bob)
    with published() as events:
        membership = actions.join(bob, open_group.pk)
    assert membership.role == "member"
    assert notices_of(open_group)[-1] == ("joined", bob.pk, {})
    change, concern = events
    assert isinstance(change, ConversationChanged)
    assert change.gone == ()
    assert concern == MembershipChanged(bob.pk, open_group.pk, "added")
    assert [row.unread for row in queries.sidebar(bob)] == [0]
    assert clock_of(bob) == before + 1


def test_joining_twice_changes_nothing(alice, open_group, published):
    with published() as events:
        assert actions.join(alice, open_group.pk).role == "owner"
    assert events == []


def test_joining_is_limited_but_repeating_it_does_not_count(alice, carol, open_group, settings):
    settings.LIMITS = {**settings.LIMITS, "joins": "2/h"}
    for _ in range(3):
        actions.join(alice, open_group.pk)  # a member already
    actions.join(carol, open_group.pk)
    actions.leave(carol, open_group.pk)
    actions.join(carol, open_group.pk)
    actions.leave(carol, open_group.pk)
    with raises_chat_error("slow_down"):
        actions.join(carol, open_group.pk)


def test_leaving_removes_the_membership_and_publishes_it(alice, bob, pair, published):
    with published() as events:
        actions.leave(bob, pair.pk)
    assert role_of(bob, pair) is None
    assert notices_of(pair)[-1] == ("left", bob.pk, {})
    (change,) = [e for e in events if isinstance(e, ConversationChanged)]
    assert change.gone == (bob.pk,)
    assert MembershipChanged(bob.pk, pair.pk, "removed") in events


def test_last_owner_cannot_become_a_member(alice, bob, pair):
    with raises_chat_error("last_owner"):
        actions.change_role(alice, pair.pk, alice.pk, "member")
    actions.change_role(alice, pair.pk, bob.pk, "owner")
    actions.leave(alice, pair.pk)
    assert role_of(alice, pair) is None
    assert_consistent(pair)


def test_first_to_rejoin_an_empty_group_becomes_owner(alice, bob, carol, open_group):
    actions.leave(alice, open_group.pk)
    actions.join(bob, open_group.pk)
    actions.join(carol, open_group.pk)
    assert (role_of(bob, open_group), role_of(carol, open_group)) == ("owner", "member")


def test_add_members_skips_existing_members(alice, bob, carol, pair, published):
    with published() as events:
        came = actions.add_members(alice, pair.pk, [bob.pk, carol.pk, alice.pk])
    assert [membership.user for membership in came] == [carol]
    assert notices_of(pair)[-1] == ("added", alice.pk, {"user": carol.pk, "name": "Carol"})
    assert len(published_versions(events, pair)) == 1


def test_add_members_with_an_unknown_id_adds_no_one(alice, bob, carol, pair, published):
    with published() as events, raises_chat_error("not_found"):
        actions.add_members(alice, pair.pk, [carol.pk, 2**40])
    assert events == []
    assert role_of(carol, pair) is None


def test_number_of_members_is_limited(alice, carol, pair, open_group, monkeypatch):
    monkeypatch.setattr(limits, "MEMBERS_MAX", 2)
    with raises_chat_error("too_many"):
        actions.add_members(alice, pair.pk, [carol.pk])
    actions.join(carol, open_group.pk)
    monkeypatch.setattr(limits, "MEMBERS_MAX", 1)
    actions.leave(carol, open_group.pk)
    with raises_chat_error("too_many"):
        actions.join(carol, open_group.pk)


def test_number_of_conversations_per_user_is_limited(
    alice, bob, carol, pair, open_group, monkeypatch
):
    """Alice has two conversations. She can be added to a third and get a direct message, and read both."""
    elsewhere = actions.create_conversation(carol, name="Elsewhere", access="open")
    another = actions.create_conversation(carol, name="Another", access="open")
    monkeypatch.setattr(limits, "CONVERSATIONS_MAX", 2)
    for refused_act in (
        lambda: actions.create_conversation(alice, name="Third"),
        lambda: actions.open_direct(alice, carol.pk),
        lambda: actions.join(alice, elsewhere.pk),
    ):
        with raises_chat_error("too_many"):
            refused_act()
    actions.add_members(carol, elsewhere.pk, [alice.pk])
    monkeypatch.setattr(limits, "CONVERSATIONS_MAX", 3)
    direct = actions.open_direct(bob, alice.pk)
    monkeypatch.setattr(limits, "CONVERSATIONS_MAX", 2)
    for conversation in (elsewhere, direct):
        assert actions.mark_read(alice, conversation.pk, 1).unopened
    monkeypatch.setattr(limits, "CONVERSATIONS_MAX", 3)
    actions.join(alice, another.pk)


def test_being_added_does_not_count_towards_the_limit(alice, bob, pair, open_group, monkeypatch):
    for number in range(5):
        actions.create_conversation(alice, name=f"{number}", member_ids=[bob.pk])
    monkeypatch.setattr(limits, "CONVERSATIONS_MAX", 1)
    actions.join(bob, open_group.pk)


def test_users_with_many_unopened_groups_cannot_be_added(alice, ann, bob, pair, monkeypatch):
    monkeypatch.setattr(limits, "UNOPENED_GROUPS_MAX", 2)
    second = actions.create_conversation(ann, name="Second", member_ids=[bob.pk])
    third = actions.create_conversation(ann, name="Third")
    for refused_act in (
        lambda: actions.create_conversation(ann, name="Fourth", member_ids=[alice.pk, bob.pk]),
        lambda: actions.add_members(ann, third.pk, [alice.pk, bob.pk]),
    ):
        with raises_chat_error("too_many") as caught:
            refused_act()
        assert "Bob" in caught.value.detail
        assert "Alice" not in caught.value.detail
    assert role_of(alice, third) is None
    actions.open_direct(ann, bob.pk)  # counted separately
    actions.mark_read(bob, second.pk, 1)
    actions.add_members(ann, third.pk, [bob.pk])


def test_sending_a_message_marks_the_conversation_as_opened(alice, bob, pair, monkeypatch):
    """A bot that only replies never marks anything as read."""
    monkeypatch.setattr(limits, "UNOPENED_GROUPS_MAX", 1)
    say(bob, pair)
    assert not Membership.objects.get(conversation=pair, user=bob).unopened
    actions.create_conversation(alice, name="Second", member_ids=[bob.pk])


def test_number_of_unopened_direct_messages_is_limited(alice, ann, bob, carol, monkeypatch):
    monkeypatch.setattr(limits, "UNOPENED_DIRECTS_MAX", 2)
    first = actions.open_direct(alice, bob.pk)
    actions.open_direct(ann, bob.pk)
    with raises_chat_error("too_many"):
        actions.open_direct(carol, bob.pk)
    assert actions.open_direct(alice, bob.pk) == first
    assert actions.open_direct(bob, bob.pk).is_direct
    assert actions.open_direct(bob, carol.pk).is_direct
    actions.mark_read(bob, first.pk, 1)
    assert actions.open_direct(carol, bob.pk).is_direct


def test_additions_per_day_are_limited(alice, ann, bob, carol, mia, pair, settings):
    settings.LIMITS = {**settings.LIMITS, "additions": "3/d"}
    actions.create_conversation(alice, name="Two", member_ids=[bob.pk, carol.pk])
    with raises_chat_error("slow_down"):
        actions.create_conversation(alice, name="Two more", member_ids=[bob.pk, carol.pk])
    with raises_chat_error("not_found"):
        actions.add_members(alice, pair.pk, [2**40])  # no one was added: does not count
    direct = actions.open_direct(alice, mia.pk)
    for refused_act in (
        lambda: actions.add_members(alice, pair.pk, [carol.pk]),
        lambda: actions.open_direct(alice, ann.pk),
    ):
        with raises_chat_error("slow_down"):
            refused_act()
    assert actions.open_direct(alice, mia.pk) == direct
    assert actions.open_direct(alice, alice.pk).is_direct
    assert actions.create_conversation(alice, name="Nobody added")


def test_removed_user_can_rejoin_only_when_allowed(alice, bob, carol, open_group, published):
    actions.join(bob, open_group.pk)
    actions.remove_member(alice, open_group.pk, bob.pk)
    for _ in range(2):
        with published() as events, raises_chat_error("removed"):
            actions.join(bob, open_group.pk)
        assert events == []
    assert [each.removed for each in queries.browse(bob)] == [True]
    assert [each.removed for each in queries.browse(carol)] == [False]
    assert [each.user for each in queries.removals(open_group)] == [bob]
    actions.join(carol, open_group.pk)
    with raises_chat_error("not_allowed"):
        actions.allow_to_join(carol, open_group.pk, bob.pk)
    actions.allow_to_join(alice, open_group.pk, bob.pk)
    actions.join(bob, open_group.pk)
    assert queries.removals(open_group) == []


def test_user_added_back_can_leave_and_rejoin(alice, bob, open_group):
    actions.join(bob, open_group.pk)
    actions.remove_member(alice, open_group.pk, bob.pk)
    actions.add_members(alice, open_group.pk, [bob.pk])
    actions.leave(bob, open_group.pk)
    actions.join(bob, open_group.pk)


def test_removal_from_a_private_group_persists_when_it_becomes_public(alice, bob, pair):
    actions.remove_member(alice, pair.pk, bob.pk)
    with raises_chat_error("not_found"):
        actions.join(bob, pair.pk)
    actions.update_conversation(alice, pair.pk, access="open")
    with raises_chat_error("removed"):
        actions.join(bob, pair.pk)


def test_admin_can_remove_members_and_admins_but_not_owners(alice, ann, bob, mia, group):
    actions.change_role(alice, group.pk, mia.pk, "admin")
    actions.remove_member(ann, group.pk, mia.pk)
    actions.remove_member(ann, group.pk, bob.pk)
    with raises_chat_error("not_allowed"):
        actions.remove_member(ann, group.pk, alice.pk)
    with raises_chat_error("not_allowed"):
        actions.remove_member(ann, group.pk, ann.pk)
    assert notices_of(group)[-1] == ("removed", ann.pk, {"user": bob.pk, "name": "Bob"})


def test_owner_can_remove_another_owner(alice, bob, pair):
    actions.change_role(alice, pair.pk, bob.pk, "owner")
    actions.remove_member(alice, pair.pk, bob.pk)
    assert role_of(bob, pair) is None


def test_change_role_adds_a_system_message_and_bumps_the_clock(alice, bob, pair, published):
    before = clock_of(bob)
    with published() as events:
        actions.change_role(alice, pair.pk, bob.pk, "admin")
    data = {"user": bob.pk, "name": "Bob", "role": "admin"}
    assert notices_of(pair)[-1] == ("role", alice.pk, data)
    assert MembershipChanged(bob.pk, pair.pk, "role") in events
    assert clock_of(bob) == before + 1
    with raises_chat_error("invalid", field="role"):
        actions.change_role(alice, pair.pk, bob.pk, "king")


# --- settings of a conversation --------------------------------------------------------------------


def test_each_change_of_settings_adds_a_system_message(alice, pair):
    before = len(log_of(pair))
    actions.update_conversation(alice, pair.pk, name="Orchard", topic="Apples", access="open")
    actions.update_conversation(alice, pair.pk, name="Orchard ", topic="Apples")
    actions.update_conversation(alice, pair.pk)
    assert notices_of(pair)[before:] == [
        ("renamed", alice.pk, {"old": "Garden", "new": "Orchard"}),
        ("topic", alice.pk, {"old": "", "new": "Apples"}),
        ("access", alice.pk, {"access": "open"}),
    ]
    pair.refresh_from_db()
    assert (pair.name, pair.topic, pair.access) == ("Orchard", "Apples", "open")
    assert_consistent(pair)


def test_update_with_one_invalid_field_changes_nothing(alice, pair, published):
    with published() as events:
        with raises_chat_error("too_long", field="topic"):
            actions.update_conversation(
                alice, pair.pk, name="Orchard", topic="x" * (limits.TOPIC_MAX + 1)
            )
        with raises_chat_error("empty", field="name"):
            actions.update_conversation(alice, pair.pk, name=" ", archived=True)
    assert events == []
    pair.refresh_from_db()
    assert (pair.name, pair.is_archived) == ("Garden", False)


def test_archiving_and_renaming_can_be_combined(alice, pair):
    actions.update_conversation(alice, pair.pk, name="Old garden", archived=True)
    with raises_chat_error("archived"):
        actions.update_conversation(alice, pair.pk, name="Orchard", archived=True)
    actions.update_conversation(alice, pair.pk, name="New garden", archived=False)
    assert [kind for kind, *_ in notices_of(pair)][-4:] == [
        *("renamed", "archived", "unarchived", "renamed"),
    ]
    pair.refresh_from_db()
    assert (pair.name, pair.is_archived) == ("New garden", False)


def test_archived_conversation_can_be_read_and_left_but_not_joined(alice, bob, carol, pair):
    say(bob, pair, "Before")
    actions.update_conversation(alice, pair.pk, access="open", archived=True)
    assert "Before" in [m.body for m in queries.history(pair).messages]
    with raises_chat_error("archived"):
        actions.join(carol, pair.pk)
    actions.leave(bob, pair.pk)
    assert role_of(bob, pair) is None


def test_deleted_conversation_is_gone_for_everyone(alice, bob, pair, published):
    other = actions.create_conversation(alice, name="Other")
    quoted = say(bob, pair, "Hello")
    say(alice, pair, "Yes?", reply_to=quoted.pk)
    actions.react(alice, quoted.pk, "👍")
    before = clock_of(bob)
    with published() as events:
        actions.delete_conversation(alice, pair.pk)
    assert events == [
        ConversationDeleted(pair.pk),
        MembershipChanged(alice.pk, pair.pk, "deleted"),
        MembershipChanged(bob.pk, pair.pk, "deleted"),
    ]
    assert clock_of(bob) == before + 1
    with raises_chat_error("not_found"):
        say(alice, pair)
    purge_deleted()
    assert not Conversation.objects.filter(pk=pair.pk).exists()
    assert not Message.objects.filter(conversation_id=pair.pk).exists()
    assert not Reaction.objects.exists()
    assert [row.id for row in queries.sidebar(alice)] == [other.pk]


def test_query_count_of_a_deletion_is_constant(alice, bob, pair, django_assert_num_queries):
    other = actions.create_conversation(alice, name="Other", member_ids=[bob.pk])
    actions.send_messages([draft(alice.pk, pair.pk, f"k{n}", "More") for n in range(300)])
    with CaptureQueriesContext(connection) as short:
        actions.delete_conversation(alice, other.pk)
    with django_assert_num_queries(len(short)):
        actions.delete_conversation(alice, pair.pk)


def test_deleted_conversations_are_purged_in_batches(alice, bob, pair, monkeypatch):
    monkeypatch.setattr(limits, "PURGE_BATCH", 7)
    monkeypatch.setattr(deletions, "all_readers_know", lambda pk: True)
    first = say(alice, pair, "First")
    for number in range(20):
        say(alice, pair, f"{number}", reply_to=first.pk)
    actions.remove_member(alice, pair.pk, bob.pk)
    actions.delete_conversation(alice, pair.pk)
    left = []
    while run_jobs():
        left.append(Message.objects.filter(conversation_id=pair.pk).count())
    assert left == [17, 10, 3, 0, 0]
    assert not Message.objects.filter(conversation_id=pair.pk).exists()
    assert not Conversation.objects.filter(pk=pair.pk).exists()


# --- personal settings -----------------------------------------------------------------------------


def test_mark_read_only_moves_forward_up_to_the_end(alice, bob, pair, published):
    for number in range(5):
        say(alice, pair, f"{number}")
    pair.refresh_from_db()
    with published() as events:
        assert actions.mark_read(bob, pair.pk, 4).last_read_seq == 4
        actions.mark_read(bob, pair.pk, 3)
        actions.mark_read(bob, pair.pk, 4)
        assert actions.mark_read(bob, pair.pk, 10**9).last_read_seq == pair.last_seq
    frames = [json.loads(e.text) for e in events if isinstance(e, UserFrame)]
    assert [(f["type"], f["user"], f["seq"]) for f in frames] == [
        ("read", bob.pk, 4),
        ("read", bob.pk, pair.last_seq),
    ]
    assert Membership.objects.get(user=bob, conversation=pair).last_read_seq == pair.last_seq


def test_mark_unread_restores_the_unread_count(alice, bob, pair):
    messages = [say(alice, pair, f"{number}") for number in range(4)]
    actions.mark_read(bob, pair.pk, messages[-1].seq)
    assert queries.sidebar(bob)[0].unread == 0
    actions.mark_unread(bob, pair.pk, messages[1].seq)
    assert queries.sidebar(bob)[0].unread == 3
    assert actions.mark_unread(bob, pair.pk, 0).last_read_seq == 0
    actions.mark_unread(bob, pair.pk, 10**9)
    assert queries.sidebar(bob)[0].unread == 1


def test_notification_level_is_per_member(alice, bob, pair):
    actions.set_level(bob, pair.pk, "nothing")
    assert [row.level for row in queries.sidebar(bob)] == ["nothing"]
    assert [row.level for row in queries.sidebar(alice)] == ["all"]
    with raises_chat_error("invalid", field="level"):
        actions.set_level(bob, pair.pk, "loud")


# --- staff -----------------------------------------------------------------------------------------


def test_staff_can_moderate_without_being_members(carol, alice, bob, pair, published):
    staff = create_extra("Staff", is_staff=True)
    actions.reveal(staff, pair.pk, "A complaint")
    message = say(bob, pair, "Rude")
    before = version_of(pair)
    with published() as events:
        gone = actions.moderate_delete_message(staff, message.pk)
        assert actions.moderate_delete_message(staff, message.pk).version == gone.version
        actions.moderate_add_member(staff, pair.pk, carol.pk)
        actions.moderate_change_role(staff, pair.pk, carol.pk, "owner")
        actions.moderate_remove_member(staff, pair.pk, alice.pk)
        actions.moderate_remove_member(staff, pair.pk, carol.pk)
        actions.moderate_archive(staff, pair.pk)
        actions.moderate_unarchive(staff, pair.pk)
    assert gone.is_deleted
    assert {author for _kind, author, _data in notices_of(pair)[2:]} == {staff.pk}
    assert published_versions(events, pair) == list(range(before + 1, version_of(pair) + 1))
    assert role_of(staff, pair) is None
    assert_consistent(pair)


def test_invalid_moderation_is_rejected(alice, bob, pair):
    with raises_chat_error("already_member"):
        actions.moderate_add_member(alice, pair.pk, bob.pk)
    with raises_chat_error("not_found"):
        actions.moderate_add_member(alice, pair.pk, 2**40)
    with raises_chat_error("not_found"):
        actions.moderate_delete_message(alice, 2**40)
    with raises_chat_error("not_allowed"):
        actions.moderate_delete_message(alice, log_of(pair)[0].pk)
    with raises_chat_error("invalid", field="role"):
        actions.moderate_change_role(alice, pair.pk, bob.pk, "king")


# --- database errors -------------------------------------------------------------------------------


def failure(kind: type[Exception], sqlstate: str = "", text: str = "") -> Exception:
    """An error of Django that wraps one of the driver, as in production."""
    error, driver = kind(text), Exception(text)
    driver.sqlstate = sqlstate
    error.__cause__ = driver
    return error


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("error", "tries", "code"),
    [
        (failure(OperationalError, "40P01"), 2, "unavailable"),
        (failure(OperationalError, "40001"), 2, "unavailable"),
        (failure(OperationalError, "55P03"), 1, "busy"),
        (failure(OperationalError, text="database is locked"), 1, "busy"),
        (failure(OperationalError, "57P01"), 1, "unavailable"),
        (failure(InterfaceError), 1, "unavailable"),
    ],
)
def test_only_transient_database_errors_are_retried(error, tries, code):
    tried = []

    @transactions.in_transaction
    def action() -> None:
        tried.append(1)
        raise error

    with raises_chat_error(code) as caught:
        action()
    assert len(tried) == tries
    assert (caught.value.retry, caught.value.retry_after) == (True, 1)


@pytest.mark.django_db(transaction=True)
def test_integrity_error_is_retried_without_publishing_the_first_run(recorder):
    tried = []

    @transactions.in_transaction
    def action() -> str:
        publisher.publish_after_commit(ConversationDeleted(len(tried)))
        tried.append(1)
        if len(tried) == 1:
            raise IntegrityError
        return "done"

    assert action() == "done"
    assert recorder.events == [ConversationDeleted(1)]


@pytest.mark.django_db(transaction=True)
def test_repeated_integrity_error_is_raised():
    @transactions.in_transaction
    def action() -> None:
        raise IntegrityError

    with pytest.raises(IntegrityError):
        action()


def test_errors_inside_an_outer_transaction_are_not_retried(db):
    tried = []

    @transactions.in_transaction
    def action() -> None:
        tried.append(1)
        raise failure(OperationalError, "40P01")

    with raises_chat_error("unavailable"):
        action()
    assert len(tried) == 1
