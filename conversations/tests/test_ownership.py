"""A group with members always has an owner."""

from __future__ import annotations

from datetime import timedelta

import pytest

from accounts.actions import close_account, reopen_account
from chatty.common import timestamps
from chatty.jobs.tests.helpers import run_jobs
from conversations import actions
from conversations.models import Membership
from conversations.tests.helpers import notices_of, raises_chat_error, role_of


@pytest.fixture
def trio(alice, bob, mia, carol, group):
    """Alice's group, where Ann is an admin. Mia has been a member longer than Bob."""
    earlier = timestamps.now() - timedelta(days=1)
    Membership.objects.filter(conversation=group, user=mia).update(joined_at=earlier)
    return group


def test_ownership_goes_to_the_longest_standing_admin(alice, ann, bob, trio):
    actions.change_role(alice, trio.pk, bob.pk, "admin")
    actions.leave(alice, trio.pk)
    assert (role_of(ann, trio), role_of(bob, trio)) == ("owner", "admin")
    role, left = notices_of(trio)[-2:]
    assert role == ("role", alice.pk, {"user": ann.pk, "name": "Ann", "role": "owner"})
    assert left == ("left", alice.pk, {})


def test_without_admins_it_goes_to_the_longest_standing_member(alice, ann, bob, mia, trio):
    actions.remove_member(alice, trio.pk, ann.pk)
    actions.leave(alice, trio.pk)
    assert (role_of(mia, trio), role_of(bob, trio)) == ("owner", "member")


def test_leaving_owner_can_choose_the_next(alice, ann, bob, trio):
    actions.leave(alice, trio.pk, next_owner=bob.pk)
    assert (role_of(ann, trio), role_of(bob, trio)) == ("admin", "owner")


def test_only_active_members_can_be_chosen(alice, carol, clive, trio):
    for someone in (carol, clive, alice):
        with raises_chat_error("not_found"):
            actions.leave(alice, trio.pk, next_owner=someone.pk)
    assert role_of(alice, trio) == "owner"


def test_member_cannot_choose_an_owner_by_leaving(bob, mia, trio):
    with raises_chat_error("not_allowed"):
        actions.leave(bob, trio.pk, next_owner=mia.pk)
    assert (role_of(bob, trio), role_of(mia, trio)) == ("member", "member")


def test_nothing_is_passed_on_while_there_is_another_owner(alice, ann, bob, trio):
    actions.change_role(alice, trio.pk, bob.pk, "owner")
    actions.leave(alice, trio.pk)
    assert (role_of(ann, trio), role_of(bob, trio)) == ("admin", "owner")


def test_deactivated_account_owns_only_what_nobody_else_can(alice, ann, bob, mia, clive, trio):
    for user in (ann, bob, mia):
        actions.leave(user, trio.pk)
    actions.leave(alice, trio.pk)
    assert role_of(clive, trio) == "owner"


def test_administrator_who_removes_the_last_owner_passes_it_on(alice, ann, root, trio):
    actions.moderate_remove_member(root, trio.pk, alice.pk)
    assert role_of(ann, trio) == "owner"


def test_administrator_cannot_take_the_last_ownership_away(alice, root, trio):
    with raises_chat_error("last_owner"):
        actions.moderate_change_role(root, trio.pk, alice.pk, "member")


def test_only_member_stays_owner(alice, open_group):
    with raises_chat_error("last_owner"):
        actions.change_role(alice, open_group.pk, alice.pk, "member")


def test_deactivated_owner_gets_a_successor(alice, ann, bob, trio):
    close_account(alice)
    assert role_of(ann, trio) == "admin"
    run_jobs()
    assert role_of(ann, trio) == "owner"
    notice = ("role", None, {"user": ann.pk, "name": "Ann", "role": "owner"})
    assert notices_of(trio)[-1] == notice
    reopen_account(alice)
    assert role_of(alice, trio) == "owner"


def test_deactivation_passes_on_every_group_of_the_person(alice, ann, bob, trio):
    others = [
        actions.create_conversation(alice, name=f"Group {n}", member_ids=[bob.pk]) for n in range(3)
    ]
    direct = actions.open_direct(alice, bob.pk)
    actions.change_role(alice, others[0].pk, bob.pk, "owner")
    close_account(alice)
    while run_jobs():  # one group at a time
        pass
    assert [role_of(bob, each) for each in others] == ["owner"] * 3
    assert notices_of(others[0])[-1][1] == alice.pk  # nothing to do there
    assert role_of(bob, direct) == "member"


def test_first_to_join_a_group_of_deactivated_accounts_becomes_owner(alice, bob, open_group):
    close_account(alice)
    run_jobs()
    actions.join(bob, open_group.pk)
    assert role_of(bob, open_group) == "owner"


def test_reactivated_member_of_a_group_of_deactivated_accounts_becomes_owner(alice, bob, pair):
    close_account(bob)
    close_account(alice)
    run_jobs()
    reopen_account(bob)
    run_jobs()
    assert (role_of(alice, pair), role_of(bob, pair)) == ("owner", "owner")
    reopen_account(alice)
    run_jobs()
    assert role_of(bob, pair) == "owner"


def test_reactivated_member_of_a_group_with_an_owner_stays_a_member(clive, trio):
    reopen_account(clive)
    run_jobs()
    assert role_of(clive, trio) == "member"


def test_first_whom_an_administrator_adds_to_a_deserted_group_becomes_owner(
    alice, bob, carol, root, open_group
):
    close_account(alice)
    for person, role in ((bob, "owner"), (carol, "member")):
        actions.moderate_add_member(root, open_group.pk, person.pk)
        assert role_of(person, open_group) == role
