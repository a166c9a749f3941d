"""Slow mode, and who can post, add people and rename."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chatty.common.errors import ChatError
from conversations import access, actions, queries
from conversations.models import Membership
from conversations.tests.helpers import (
    draft,
    new_key,
    notices_of,
    raises_chat_error,
    say,
    version_of,
)


@pytest.fixture
def slow(alice, pair):
    """A group in slow mode, of Alice, who owns it, and Bob."""
    return actions.update_conversation(alice, pair.pk, slow_mode=30)


def let_pass(seconds: float) -> None:
    for membership in Membership.objects.all():
        if membership.posted_at is not None:
            membership.posted_at -= timedelta(seconds=seconds)
            membership.save(update_fields=["posted_at"])


def test_member_waits_between_two_messages(bob, slow):
    say(bob, slow, "One")
    with raises_chat_error("slow_mode") as caught:
        say(bob, slow, "Two")
    assert caught.value.detail == "Slow mode is on. You can post again in 30 s."
    assert 29 < caught.value.retry_after <= 30
    assert caught.value.retry
    let_pass(29)
    with raises_chat_error("slow_mode") as caught:
        say(bob, slow, "Two")
    assert caught.value.retry_after <= 1
    let_pass(1)
    say(bob, slow, "Two")


def test_admins_post_without_waiting(alice, slow):
    for number in range(3):
        say(alice, slow, str(number))


def test_everyone_waits_for_themselves(alice, bob, mia, slow):
    actions.add_members(alice, slow.pk, [mia.pk])
    say(bob, slow)
    say(mia, slow)


def test_repeated_message_is_answered_without_waiting(bob, slow):
    first = say(bob, slow, "One", key="k")
    again = actions.send_message(bob, slow.pk, key="k", body="One")
    assert (again.message.pk, again.created) == (first.pk, False)


def test_messages_of_one_batch_wait_too(bob, slow):
    drafts = [draft(bob.pk, slow.pk, new_key(), str(number)) for number in range(3)]
    sent, *others = actions.send_messages(drafts)
    assert isinstance(sent, actions.Sent)
    assert [each.code for each in others if isinstance(each, ChatError)] == ["slow_mode"] * 2


def test_leaving_and_joining_again_does_not_end_the_wait(alice, bob, open_group):
    actions.update_conversation(alice, open_group.pk, slow_mode=30)
    actions.join(bob, open_group.pk)
    say(bob, open_group, "One")
    actions.leave(bob, open_group.pk)
    actions.join(bob, open_group.pk)
    with raises_chat_error("slow_mode"):
        say(bob, open_group, "Two")
    let_pass(30)
    say(bob, open_group, "Two")


def test_deleting_a_message_does_not_end_the_wait(bob, slow):
    actions.delete_message(bob, say(bob, slow).pk)
    with raises_chat_error("slow_mode"):
        say(bob, slow)


def test_clock_set_back_makes_no_one_wait_longer(bob, slow):
    say(bob, slow)
    let_pass(-10_000)
    with raises_chat_error("slow_mode") as caught:
        say(bob, slow)
    assert caught.value.retry_after == 30


def test_turning_it_off_ends_the_wait(alice, bob, slow):
    say(bob, slow)
    actions.update_conversation(alice, slow.pk, slow_mode=0)
    say(bob, slow)
    assert notices_of(slow)[-1] == (
        "permissions",
        alice.pk,
        {"setting": "slow_mode", "old": 30, "new": 0},
    )


def test_nothing_is_written_without_slow_mode(bob, pair):
    say(bob, pair)
    assert Membership.objects.get(conversation=pair, user=bob).posted_at is None


# --- who can do what ----------------------------------------------------------------------------------


def test_only_admins_post_in_an_announcement_channel(alice, ann, bob, group):
    message = say(bob, group, "Before")
    actions.update_conversation(alice, group.pk, posting="admins")
    assert notices_of(group)[-2:] == [
        ("permissions", alice.pk, {"setting": setting, "old": "everyone", "new": "admins"})
        for setting in ("posting", "pinning")
    ]
    for more in ({}, {"reply_to": message.pk}):
        with raises_chat_error("not_allowed") as caught:
            say(bob, group, "Hello", **more)
        assert caught.value.detail == "Only admins can post here."
    say(alice, group)
    say(ann, group)
    actions.react(bob, message.pk, "👍")
    actions.edit_message(bob, message.pk, "Changed")
    membership = Membership.objects.select_related("conversation").get(conversation=group, user=bob)
    assert access.can(membership) == ["mention-all", "react", "edit-own", "delete-own"]
    assert queries.sidebar_row(bob, group.pk).can == access.can(membership)


@pytest.mark.parametrize(
    ("setting", "change"),
    [
        ("adding", lambda u, g, carol: actions.add_members(u, g.pk, [carol.pk])),
        ("renaming", lambda u, g, carol: actions.update_conversation(u, g.pk, topic="Apples")),
    ],
)
def test_setting_lets_members_do_what_admins_do(setting, change, alice, bob, carol, group):
    with raises_chat_error("not_allowed"):
        change(bob, group, carol)
    actions.update_conversation(alice, group.pk, **{setting: "everyone"})
    change(bob, group, carol)


@pytest.mark.parametrize(
    "change",
    [
        {"posting": "nobody"},
        {"slow_mode": -1},
        {"slow_mode": 3601},
        {"slow_mode": "10"},
        {"polling": "admins"},
        {"name": "New", "posting": "nobody"},
    ],
)
def test_invalid_permissions_change_nothing(change, alice, group):
    before = version_of(group)
    with raises_chat_error("invalid"):
        actions.update_conversation(alice, group.pk, **change)
    assert version_of(group) == before


def test_people_who_can_no_longer_post_can_no_longer_pin(alice, group):
    actions.update_conversation(alice, group.pk, posting="admins")
    group.refresh_from_db()
    assert group.pinning == "admins"
    actions.update_conversation(alice, group.pk, pinning="everyone")
    actions.update_conversation(alice, group.pk, posting="admins")  # it was before
    actions.update_conversation(alice, group.pk, posting="everyone")
    actions.update_conversation(alice, group.pk, posting="admins", pinning="everyone")
    group.refresh_from_db()
    assert group.pinning == "everyone"


def test_unchanged_permissions_are_no_notice(alice, group):
    before = version_of(group)
    actions.update_conversation(alice, group.pk, posting="everyone", slow_mode=0)
    assert version_of(group) == before
