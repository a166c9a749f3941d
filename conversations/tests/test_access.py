"""Permissions: every action by every role, in a group, an archived group and a direct message.

A rejected action leaves no trace: no version, no row, no event.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import transaction

from accounts.models import User
from chatty.common.errors import ChatError
from chatty.common.limiter import limiter
from conversations import access, actions, queries
from conversations.models import Conversation, Membership, Message, Reaction
from conversations.tests.helpers import new_key, raises_chat_error, say, version_of


@dataclass
class Scene:
    conversation: Conversation
    of_bob: Message
    of_alice: Message
    notice: Message
    bob: User
    mia: User
    alice: User
    carol: User

    @property
    def pk(self) -> int:
        return self.conversation.pk


@pytest.fixture
def scene(group, alice, bob, mia, carol) -> Scene:
    of_alice = say(alice, group, "From Alice")
    of_bob = say(bob, group, "From Bob")
    actions.react(alice, of_bob.pk, "👍")
    return Scene(
        conversation=group,
        of_bob=of_bob,
        of_alice=of_alice,
        notice=group.messages.get(seq=1),
        bob=bob,
        mia=mia,
        alice=alice,
        carol=carol,
    )


Action = Callable[[User, Scene], Any]

ACTIONS: dict[str, Action] = {
    "read": lambda u, s: access.member_of(u, s.pk),
    "read a message": lambda u, s: access.message_for(u, s.of_bob.pk),
    "send": lambda u, s: actions.send_message(u, s.pk, key=new_key(), body="Hi"),
    "reply": lambda u, s: say(u, s.conversation, reply_to=s.of_bob.pk),
    "edit Bob's": lambda u, s: actions.edit_message(u, s.of_bob.pk, "Changed"),
    "delete Bob's": lambda u, s: actions.delete_message(u, s.of_bob.pk),
    "delete Alice's": lambda u, s: actions.delete_message(u, s.of_alice.pk),
    "react": lambda u, s: actions.react(u, s.of_bob.pk, "🎉"),
    "unreact": lambda u, s: actions.unreact(u, s.of_bob.pk, "👍"),
    "edit a system message": lambda u, s: actions.edit_message(u, s.notice.pk, "Changed"),
    "delete a system message": lambda u, s: actions.delete_message(u, s.notice.pk),
    "react to a system message": lambda u, s: actions.react(u, s.notice.pk, "👍"),
    "join": lambda u, s: actions.join(u, s.pk),
    "leave": lambda u, s: actions.leave(u, s.pk),
    "add Carol": lambda u, s: actions.add_members(u, s.pk, [s.carol.pk]),
    "remove Mia": lambda u, s: actions.remove_member(u, s.pk, s.mia.pk),
    "remove Alice": lambda u, s: actions.remove_member(u, s.pk, s.alice.pk),
    "remove Carol": lambda u, s: actions.remove_member(u, s.pk, s.carol.pk),
    "make Mia admin": lambda u, s: actions.change_role(u, s.pk, s.mia.pk, "admin"),
    "make Mia owner": lambda u, s: actions.change_role(u, s.pk, s.mia.pk, "owner"),
    "demote Alice": lambda u, s: actions.change_role(u, s.pk, s.alice.pk, "member"),
    "make Carol admin": lambda u, s: actions.change_role(u, s.pk, s.carol.pk, "admin"),
    "rename": lambda u, s: actions.update_conversation(u, s.pk, name="Orchard"),
    "set topic": lambda u, s: actions.update_conversation(u, s.pk, topic="Apples"),
    "make it public": lambda u, s: actions.update_conversation(u, s.pk, access="open"),
    "archive": lambda u, s: actions.archive(u, s.pk),
    "unarchive": lambda u, s: actions.unarchive(u, s.pk),
    "delete it": lambda u, s: actions.delete_conversation(u, s.pk),
    "mark read": lambda u, s: actions.mark_read(u, s.pk, 3),
    "mark unread": lambda u, s: actions.mark_unread(u, s.pk, 1),
    "set level": lambda u, s: actions.set_level(u, s.pk, "nothing"),
}

OK = "ok"
#                      Alice         Ann            Bob (member)
INSIDE = {
    "read": (OK, OK, OK),
    "read a message": (OK, OK, OK),
    "send": (OK, OK, OK),
    "reply": (OK, OK, OK),
    "edit Bob's": ("not_allowed", "not_allowed", OK),
    "delete Bob's": (OK, OK, OK),
    "delete Alice's": (OK, OK, "not_allowed"),
    "react": (OK, OK, OK),
    "unreact": (OK, OK, OK),
    "edit a system message": ("not_allowed", "not_allowed", "not_allowed"),
    "delete a system message": ("not_allowed", "not_allowed", "not_allowed"),
    "react to a system message": ("not_allowed", "not_allowed", "not_allowed"),
    "join": (OK, OK, OK),
    "leave": (OK, OK, OK),
    "add Carol": (OK, OK, "not_allowed"),
    "remove Mia": (OK, OK, "not_allowed"),
    "remove Alice": ("not_allowed", "not_allowed", "not_allowed"),
    "remove Carol": ("not_found", "not_found", "not_allowed"),
    "make Mia admin": (OK, OK, "not_allowed"),
    "make Mia owner": (OK, "not_allowed", "not_allowed"),
    "demote Alice": ("last_owner", "not_allowed", "not_allowed"),
    "make Carol admin": ("not_found", "not_found", "not_allowed"),
    "rename": (OK, OK, "not_allowed"),
    "set topic": (OK, OK, "not_allowed"),
    "make it public": (OK, OK, "not_allowed"),
    "archive": (OK, OK, "not_allowed"),
    "unarchive": (OK, OK, "not_allowed"),
    "delete it": (OK, "not_allowed", "not_allowed"),
    "mark read": (OK, OK, OK),
    "mark unread": (OK, OK, OK),
    "set level": (OK, OK, OK),
}
# For the owner, who can do the most.
ARCHIVED = {
    **dict.fromkeys(ACTIONS, "archived"),
    **dict.fromkeys(("read", "read a message", "join", "remove Mia", "archive", "unarchive"), OK),
    **dict.fromkeys(("delete it", "mark read", "mark unread", "set level"), OK),
    "leave": OK,
    "remove Alice": "not_allowed",
    "remove Carol": "not_found",
}


def attempt(action: Action, user: User, scene: Scene) -> str:
    try:
        action(user, scene)
    except ChatError as error:
        return error.code
    return OK


def traces(conversation: Conversation) -> tuple[Any, ...]:
    """Return everything that an action could change."""
    return (
        list(Conversation.objects.filter(pk=conversation.pk).values_list()),
        list(Membership.objects.filter(conversation=conversation).order_by("pk").values_list()),
        list(Message.objects.filter(conversation=conversation).order_by("pk").values_list()),
        list(Reaction.objects.order_by("pk").values_list()),
    )


def test_tables_cover_every_action():
    assert set(INSIDE) == set(ARCHIVED) == set(ACTIONS)


@pytest.fixture
def answers(scene, published) -> Callable[[User], dict[str, str]]:
    """answers(user): what the user is answered to each action, by its name. Each is undone, and one that was
    refused must have left no trace."""

    def ask(user: User) -> dict[str, str]:
        before = traces(scene.conversation)
        given = {}
        for name, action in ACTIONS.items():
            limiter.clear()
            with transaction.atomic():
                with published() as events:
                    given[name] = attempt(action, user, scene)
                if given[name] != OK:
                    assert events == [], name
                    assert traces(scene.conversation) == before, name
                transaction.set_rollback(True)
        return given

    return ask


def test_roles_determine_the_allowed_actions(alice, ann, bob, answers):
    for column, user in enumerate((alice, ann, bob)):
        expected = {action: row[column] for action, row in INSIDE.items()}
        assert answers(user) == expected, user


def test_non_members_get_not_found_for_every_action(carol, rita, clive, answers):
    for user, answer in ((carol, "not_found"), (rita, "not_found"), (clive, "account_closed")):
        assert answers(user) == dict.fromkeys(ACTIONS, answer), user


def test_archived_conversation_rejects_most_actions(alice, scene, answers):
    actions.archive(alice, scene.pk)
    assert answers(alice) == ARCHIVED


def test_deleted_conversation_is_not_found_for_every_action(alice, scene, answers):
    actions.delete_conversation(alice, scene.pk)
    assert answers(alice) == dict.fromkeys(ACTIONS, "not_found")


@pytest.mark.parametrize(
    ("action", "answer"),
    [
        (lambda u, c: actions.leave(u, c.pk), "direct_fixed"),
        (lambda u, c: actions.update_conversation(u, c.pk, name="Us"), "direct_fixed"),
        (lambda u, c: actions.update_conversation(u, c.pk, access="open"), "direct_fixed"),
        (lambda u, c: actions.archive(u, c.pk), "direct_fixed"),
        (lambda u, c: actions.unarchive(u, c.pk), "direct_fixed"),
        (lambda u, c: actions.remove_member(u, c.pk, u.pk), "direct_fixed"),
        (lambda u, c: actions.add_members(u, c.pk, [u.pk]), "direct_fixed"),
        (lambda u, c: actions.change_role(u, c.pk, u.pk, "owner"), "direct_fixed"),
        (lambda u, c: actions.delete_conversation(u, c.pk), "direct_fixed"),
        (lambda u, c: actions.moderate_archive(u, c.pk), "direct_fixed"),
        (lambda u, c: actions.moderate_add_member(u, c.pk, u.pk), "direct_fixed"),
        (lambda u, c: actions.moderate_remove_member(u, c.pk, u.pk), "direct_fixed"),
    ],
)
def test_direct_message_rejects_changes(action, answer, alice, bob, published):
    direct = actions.open_direct(alice, bob.pk)
    before = traces(direct)
    with published() as events, raises_chat_error(answer):
        action(alice, direct)
    assert events == []
    assert traces(direct) == before


def test_only_authors_delete_messages_in_direct_messages(alice, bob):
    direct = actions.open_direct(alice, bob.pk)
    message = say(alice, direct, "Mine")
    with raises_chat_error("not_allowed"):
        actions.delete_message(bob, message.pk)
    assert actions.delete_message(alice, message.pk).is_deleted


def test_outsider_cannot_join_a_direct_message(alice, bob, carol):
    direct = actions.open_direct(alice, bob.pk)
    for enter in (actions.join, access.member_of):
        with raises_chat_error("not_found"):
            enter(carol, direct.pk)
    assert queries.sidebar_row(carol, direct.pk, even_unspoken=True) is None
    assert direct.memberships.count() == 2


def test_removed_member_loses_access_until_added_again(alice, bob, pair):
    message = say(alice, pair, "Before")
    actions.remove_member(alice, pair.pk, bob.pk)
    with raises_chat_error("not_found"):
        access.message_for(bob, message.pk)
    assert queries.sidebar(bob) == []
    assert queries.sidebar_row(bob, pair.pk) is None
    actions.add_members(alice, pair.pk, [bob.pk])
    found, _membership = access.message_for(bob, message.pk)
    assert found.body == "Before"


def test_member_of_locks_before_reading_the_membership(alice, pair, django_assert_num_queries):
    with django_assert_num_queries(1):
        access.member_of(alice, pair.pk)
    with django_assert_num_queries(2) as queries_made:
        access.member_of(alice, pair.pk, lock=True)
    assert "conversations_conversation" in queries_made.captured_queries[0]["sql"]
    assert "membership" not in queries_made.captured_queries[0]["sql"]
    with django_assert_num_queries(1), raises_chat_error("not_found"):
        access.member_of(alice, 2**40, lock=True)


def test_missing_and_inaccessible_messages_raise_the_same_error(carol, hello):
    for pk in (hello.pk, 2**40):
        with raises_chat_error("not_found") as caught:
            access.message_for(carol, pk)
        assert caught.value.as_dict() == ChatError("not_found").as_dict()


def test_message_of_a_concurrently_deleted_conversation_is_not_found(
    alice, bob, pair, hello, monkeypatch
):
    allow = access.member_of

    def overtaken(*args, **kwargs):
        monkeypatch.setattr(access, "member_of", allow)
        membership = allow(*args, **kwargs)
        actions.delete_conversation(alice, pair.pk)
        return membership

    monkeypatch.setattr(access, "member_of", overtaken)
    with raises_chat_error("not_found"):
        access.message_for(bob, hello.pk)


def test_personal_settings_do_not_change_the_version(bob, pair, hello):
    before = version_of(pair)
    actions.mark_read(bob, pair.pk, 3)
    actions.mark_unread(bob, pair.pk, 1)
    actions.set_level(bob, pair.pk, "mentions")
    assert version_of(pair) == before


def test_readable_returns_the_conversations_of_a_member(group, open_group, bob, carol, clive):
    ids = [group.pk, open_group.pk, 10**9]
    assert access.readable(bob, ids) == {group.pk}
    assert access.readable(carol, ids) == set()
    with raises_chat_error("account_closed"):
        access.readable(clive, [group.pk])
