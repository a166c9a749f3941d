"""`manage.py demo`: it is not mixed with real messages, its growing conversation, and its script format."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.models import User
from chatty.common import timestamps
from conversations import actions, limits
from conversations.management.demo import player, script
from conversations.management.demo.people import EMAILS
from conversations.models import Conversation, Membership, Message


def demo(*words: str, **options) -> str:
    output = io.StringIO()
    call_command("demo", *words, stdout=output, **options)
    return output.getvalue()


# --- beside real messages --------------------------------------------------------------------------


@pytest.fixture
def talk(db) -> Message:
    alice = User.objects.create_user("alice@example.org", "-", name="Alice")
    kitchen = actions.create_conversation(alice, name="Kitchen")
    return actions.send_message(alice, kitchen.pk, key="k", body="Really").message


def test_demo_requires_force_if_real_messages_exist(talk, monkeypatch):
    with pytest.raises(CommandError, match="--force"):
        demo()
    assert not User.objects.filter(email__in=EMAILS).exists()
    monkeypatch.setattr(script, "scenes", lambda now: [])
    monkeypatch.setattr(player, "scenes", lambda now: [])
    assert "Sign in as any of these" in demo(force=True)


def test_welcome_message_does_not_count_as_real(talk):
    Message.objects.filter(pk=talk.pk).update(key="welcome-0")
    assert not player.has_real_messages()


def test_invalid_script_line_rolls_back_everything(db, monkeypatch):
    heading = "name: Broken\naccess: open\nowner: mara\nmembers: tomas\n\n"
    bad = f"{heading}-- 2 09:00\nmara: Hello\nnoa: Not a member\n"
    monkeypatch.setattr(player, "scenes", lambda now: [script.read("bad", bad, now)])
    with pytest.raises(Exception, match="not_found"):
        demo()
    assert not User.objects.exists()
    assert not Conversation.objects.exists()


# --- any number of messages ------------------------------------------------------------------------


@pytest.fixture
def people(db):
    """The demo users, without their messages."""
    return player.create_people("-", timezone.now())


def test_messages_option_grows_one_conversation(people, monkeypatch):
    monkeypatch.setattr(limits, "BULK", 20)
    assert "has 50 messages" in demo(messages=50)
    assert "has 75 messages" in demo(messages=75)
    assert "has 75 messages" in demo(messages=10)
    crowd = Conversation.objects.get()
    rows = list(crowd.messages.order_by("seq"))
    assert [row.seq for row in rows] == list(range(1, 76)) == sorted(row.version for row in rows)
    assert crowd.last_seq == crowd.version == 75
    times = [row.created_at for row in rows]
    assert times == sorted(times)
    assert times[-1] <= timezone.now()
    assert timedelta(days=29) < times[-1] - times[0] <= timedelta(days=30)
    assert Membership.objects.filter(conversation=crowd).count() == 8


@pytest.mark.django_db(transaction=True)
def test_messages_are_created_in_bounded_transactions(people, monkeypatch):
    sizes = []
    send = actions.send_messages

    def sent(drafts):
        sizes.append(len(drafts))
        return send(drafts)

    monkeypatch.setattr(actions, "send_messages", sent)
    demo(messages=limits.BULK + 100)
    assert max(sizes) == limits.BULK
    assert len(sizes) == 2


def test_archived_conversation_stops_with_an_error(people):
    demo(messages=20)
    owner = people["mara"]
    actions.archive(owner, Conversation.objects.get().pk)
    with pytest.raises(CommandError, match="archived"):
        demo(messages=40)
    assert Message.objects.count() == 21


@pytest.mark.parametrize("number", ["-1", "many"])
def test_invalid_number_is_rejected(number, db):
    with pytest.raises(CommandError):
        demo("--messages", number)
    assert not User.objects.exists()


# --- parsing the script ----------------------------------------------------------------------------

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)  # a Monday
HEAD = "name: Test\naccess: open\nowner: ann\nmembers: bob\n\n"


def test_script_lines_are_parsed_with_their_options():
    talk = HEAD + (
        "-- 1 09:00\n"
        "ann #a: One\n\n    more\n        code\n  + 👍 bob cat\n  ~ Two\n"
        "bob ^a +30: Three\n  x ann\n! ann adds cat\n"
    )
    first, second, action = script.read("t", talk, NOW).lines
    assert isinstance(first, script.MessageLine)
    assert isinstance(second, script.MessageLine)
    assert isinstance(action, script.ActionLine)
    assert first.body == "One\n\nmore\n    code"
    assert first.reactions == [("👍", "bob"), ("👍", "cat")]
    assert (first.label, first.edited_to, second.answers) == ("a", "Two", "a")
    assert (second.deleted_by, action.verb, action.rest) == ("ann", "adds", "cat")
    # Friday: the weekend before Monday has no working days.
    assert first.at.date().isoformat() == "2026-11-20"
    assert first.at.hour == 9
    assert second.at - first.at > timedelta(minutes=30)


def test_no_script_line_is_in_the_future():
    scene = script.read("t", HEAD + "-- now 1\n" + "ann: Words\n" * 50, NOW)
    assert all(line.at <= NOW for line in scene.lines)


@pytest.mark.parametrize(
    "line", ["ann says", "-- 1", "! ann dances", "ann: x\n  ? bob", "-- 1 25:00", "  + 👍 bob"]
)
def test_invalid_script_line_is_named(line):
    with pytest.raises(script.ScriptError, match="line"):
        script.read("t", HEAD + line, NOW)


def test_use_clock_applies_only_inside_the_block():
    then = datetime(2020, 1, 1, tzinfo=UTC)
    with timestamps.use_clock(lambda: then):
        assert timestamps.now() == then
    assert timezone.now() - timestamps.now() < timedelta(seconds=5)
