"""Creating, accepting and revoking invitations."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest
from django.utils import timezone

from accounts import actions as account_actions
from accounts.models import User
from chatty.common import link_tokens
from chatty.common.errors import ChatError
from conversations import actions as conversation_actions
from conversations import limits as conversation_limits
from conversations.invitations import actions, limits, queries, upkeep
from conversations.invitations.models import Acceptance, Invitation
from conversations.models import Conversation, Membership, Removal
from conversations.tests.helpers import (
    assert_consistent,
    notices_of,
    purge_deleted,
    raises_chat_error,
    role_of,
    run_concurrently,
)

ADDRESS = "192.0.2.1"
NEWCOMER = {
    "email": "mina@example.org",
    "password": "seven slow ferries",
    "name": "Mina",
    "address": ADDRESS,
}


def sign_up(created, **more):
    return actions.sign_up_and_accept(created.token, **{**NEWCOMER, **more})


# --- creating -------------------------------------------------------------------------------------


def test_only_a_hash_of_the_token_is_stored(alice, pair, invite):
    created = invite(alice, pair, note="Lunch at noon")
    row = Invitation.objects.values().get()
    assert created.token not in str(row)
    assert row["token_hash"] == link_tokens.hash_token(created.token)
    assert len(created.token) == link_tokens.LENGTH


def test_same_key_returns_the_same_link(alice, pair, settings):
    create = partial(actions.create_invitation, alice, key="k", conversation_ids=[pair.pk])
    first = create()
    again = create()
    assert (first.token, first.is_new, again.token, again.is_new) == (
        first.token,
        True,
        first.token,
        False,
    )
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another" * 10
    assert create().token == first.token
    assert Invitation.objects.count() == 1


@pytest.mark.parametrize(
    "change", [{"note": "x"}, {"days": 1}, {"uses": 1}, {"conversation_ids": []}]
)
def test_key_of_another_invitation_is_rejected(alice, pair, change):
    terms = {"key": "k", "conversation_ids": [pair.pk]}
    actions.create_invitation(alice, **terms)
    with raises_chat_error("key_reused"):
        actions.create_invitation(alice, **{**terms, **change})


def test_tokens_of_two_people_with_one_key_differ(alice, bob, open_group):
    conversation_actions.join(bob, open_group.pk)
    made = [
        actions.create_invitation(each, key="k", conversation_ids=[open_group.pk]).token
        for each in (alice, bob)
    ]
    assert len(set(made)) == 2


@pytest.mark.parametrize(
    ("terms", "code", "field"),
    [
        ({"days": 0}, "invalid", "days"),
        ({"days": limits.DAYS_MAX + 1}, "invalid", "days"),
        ({"uses": 0}, "invalid", "uses"),
        ({"uses": limits.USES_MAX + 1}, "invalid", "uses"),
        ({"note": "x" * (limits.NOTE_MAX + 1)}, "too_long", "note"),
        ({"note": "a\u202eb"}, "bad_text", "note"),
        ({"conversation_ids": range(1, limits.CONVERSATIONS_MAX + 2)}, "invalid", "conversations"),
        ({"conversation_ids": [10**9]}, "not_found", None),
    ],
)
def test_invalid_terms_are_rejected(alice, terms, code, field):
    with raises_chat_error(code, field=field):
        actions.create_invitation(alice, key="k", **terms)
    assert not Invitation.objects.exists()


def test_owners_and_admins_invite_to_private_conversations(group, alice, ann, bob, carol, invite):
    invite(alice, group)
    invite(ann, group)
    with raises_chat_error("not_allowed"):
        invite(bob, group)
    with raises_chat_error("not_found"):
        invite(carol, group)


def test_members_invite_to_public_conversations(open_group, bob, carol, invite):
    conversation_actions.join(bob, open_group.pk)
    invite(bob, open_group)
    with raises_chat_error("not_found"):
        invite(carol, open_group)


def test_no_one_invites_to_direct_or_archived_conversations(alice, bob, pair, invite):
    with raises_chat_error("direct_fixed"):
        invite(alice, conversation_actions.open_direct(alice, bob.pk))
    conversation_actions.archive(alice, pair.pk)
    with raises_chat_error("archived"):
        invite(alice, pair)


def test_invitation_only_to_sign_up_needs_sign_up(alice, pair, invite, settings):
    invite(alice)
    settings.SIGN_UP = "closed"
    with raises_chat_error("sign_up_closed"):
        invite(alice)
    invite(alice, pair)


def test_creating_invitations_is_limited(alice, pair, invite, settings):
    settings.LIMITS = {**settings.LIMITS, "invitations": "10/d"}
    results = []
    for _ in range(1000):
        try:
            results.append(invite(alice, pair))
        except ChatError as error:
            results.append(error.code)
    assert [r for r in results if r != "slow_down"] == results[:10]
    assert Invitation.objects.count() == 10


def test_rejected_invitation_is_not_counted(alice, pair, invite, settings):
    settings.LIMITS = {**settings.LIMITS, "invitations": "1/d"}
    with raises_chat_error("not_found"):
        actions.create_invitation(alice, key="k", conversation_ids=[10**9])
    invite(alice, pair)


def test_valid_invitations_of_one_person_are_bounded(alice, pair, invite, monkeypatch):
    monkeypatch.setattr(limits, "LIVE_MAX", 2)
    first, _second = invite(alice, pair), invite(alice, pair)
    with raises_chat_error("too_many"):
        invite(alice, pair)
    actions.revoke(alice, first.invitation.pk)
    invite(alice, pair)


def test_new_link_replaces_the_former(alice, carol, pair, invite, accept):
    created = invite(alice, pair)
    renewed = actions.renew_link(alice, created.invitation.pk, key="new")
    again = actions.renew_link(alice, created.invitation.pk, key="new")
    assert (renewed.token, again.token) == (again.token, renewed.token) != (created.token,) * 2
    with raises_chat_error("not_found"):
        accept(carol, created)
    accept(carol, renewed)


def test_request_that_is_sent_again_brings_no_replaced_link_back(alice, carol, pair, accept):
    create = partial(actions.create_invitation, alice, key="k", conversation_ids=[pair.pk])
    first = create()
    renew = partial(actions.renew_link, alice, first.invitation.pk)
    renew(key="new")
    with raises_chat_error("invitation_ended"):
        create()
    with raises_chat_error("key_reused"):
        renew(key="k")
    newest = renew(key="newer")
    with raises_chat_error("invitation_ended"):
        renew(key="new")
    assert Invitation.objects.count() == 1
    with raises_chat_error("not_found"):
        accept(carol, first)
    accept(carol, newest)


def test_only_valid_own_invitations_get_a_new_link(alice, bob, pair, invite):
    first, second = invite(alice, pair), invite(alice, pair)
    with raises_chat_error("not_found"):
        actions.renew_link(bob, first.invitation.pk, key="new")
    actions.renew_link(alice, first.invitation.pk, key="new")
    with raises_chat_error("key_reused"):
        actions.renew_link(alice, second.invitation.pk, key="new")
    actions.revoke(alice, first.invitation.pk)
    with raises_chat_error("invitation_ended"):
        actions.renew_link(alice, first.invitation.pk, key="newer")


def test_links_of_members_end_when_the_conversation_becomes_private(
    alice, bob, carol, mia, open_group, invite, accept
):
    conversation_actions.join(bob, open_group.pk)
    of_member, of_owner = invite(bob, open_group), invite(alice, open_group)
    conversation_actions.update_conversation(alice, open_group.pk, access="closed")
    with raises_chat_error("invitation_ended"):
        accept(carol, of_member)
    accept(carol, of_owner)
    conversation_actions.update_conversation(alice, open_group.pk, inviting="everyone")
    accept(mia, of_member)


# --- accepting ------------------------------------------------------------------------------------


def test_accepting_joins_all_conversations(alice, carol, pair, open_group, invite, accept):
    created = invite(alice, pair, open_group)
    accepted = accept(carol, created)
    assert accepted.conversations == sorted([pair.pk, open_group.pk])
    assert accepted.inviter == alice
    data = {"joined": "invited", "user": alice.pk, "name": "Alice"}
    for conversation in (pair, open_group):
        assert role_of(carol, conversation) == "member"
        assert notices_of(conversation)[-1] == ("joined", carol.pk, data)
        assert_consistent(conversation)
    created.invitation.refresh_from_db()
    assert created.invitation.uses == 1
    (acceptance,) = Acceptance.objects.all()
    assert (acceptance.user, acceptance.signed_up) == (carol, False)


def test_accepting_again_changes_nothing(alice, carol, pair, invite, accept):
    created = invite(alice, pair, uses=1)
    accept(carol, created)
    versions = Conversation.objects.values_list("version", flat=True).get(pk=pair.pk)
    for _ in range(2):
        accepted = accept(carol, created)
        assert (accepted.conversations, accepted.joined) == ([pair.pk], False)
    pair.refresh_from_db()
    assert pair.version == versions
    created.invitation.refresh_from_db()
    assert created.invitation.uses == 1


def test_member_does_not_use_an_invitation_up(alice, bob, carol, pair, invite, accept):
    created = invite(alice, pair, uses=1)
    assert not accept(bob, created).joined
    assert accept(carol, created).joined


def test_used_up_invitation_is_rejected(alice, bob, carol, mia, pair, invite, accept):
    created = invite(alice, pair, uses=1)
    accept(carol, created)
    with raises_chat_error("invitation_used"):
        accept(mia, created)
    with raises_chat_error("invitation_used"):
        sign_up(created)
    assert not User.objects.filter(email=NEWCOMER["email"]).exists()


def test_who_left_needs_another_use_to_come_back(alice, carol, open_group, invite, accept):
    once, twice = invite(alice, open_group, uses=1), invite(alice, open_group, uses=2)
    for created in (once, twice):
        accept(carol, created)
        conversation_actions.leave(carol, open_group.pk)
    with raises_chat_error("invitation_used"):
        accept(carol, once)
    accept(carol, twice)
    assert Acceptance.objects.filter(invitation=twice.invitation).count() == 1


def test_expired_invitation_is_rejected(alice, carol, pair, invite, accept):
    created = invite(alice, pair)
    Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    with raises_chat_error("invitation_expired"):
        accept(carol, created)
    with raises_chat_error("invitation_expired"):
        sign_up(created)


def test_revoked_invitation_is_rejected(alice, bob, carol, pair, invite, accept):
    created = invite(alice, pair)
    with raises_chat_error("not_found"):
        actions.revoke(bob, created.invitation.pk)
    for _ in range(2):
        actions.revoke(alice, created.invitation.pk)
    with raises_chat_error("invitation_ended"):
        accept(carol, created)


def test_invitation_to_a_deleted_conversation_is_rejected(alice, carol, pair, invite, accept):
    created = invite(alice, pair)
    conversation_actions.delete_conversation(alice, pair.pk)
    with raises_chat_error("invitation_ended"):
        accept(carol, created)
    purge_deleted()
    # Without a conversation, it must not turn into one for signing up.
    with raises_chat_error("invitation_ended"):
        sign_up(created)
    assert not User.objects.filter(email=NEWCOMER["email"]).exists()


def test_invitation_to_an_archived_conversation_is_rejected(alice, carol, pair, invite, accept):
    created = invite(alice, pair)
    conversation_actions.archive(alice, pair.pk)
    with raises_chat_error("archived"):
        accept(carol, created)
    with raises_chat_error("archived"):
        queries.get_offer(created.invitation)
    conversation_actions.unarchive(alice, pair.pk)
    accept(carol, created)


def test_full_conversation_can_not_be_joined(alice, carol, pair, invite, accept, monkeypatch):
    created = invite(alice, pair, uses=1)
    monkeypatch.setattr(conversation_limits, "MEMBERS_MAX", 2)
    with raises_chat_error("too_many"):
        accept(carol, created)
    with raises_chat_error("too_many"):
        sign_up(created)
    with raises_chat_error("too_many"):
        queries.get_offer(created.invitation)
    assert not User.objects.filter(email=NEWCOMER["email"]).exists()
    created.invitation.refresh_from_db()
    assert created.invitation.uses == 0


def test_what_can_not_be_joined_is_left_out(alice, carol, pair, open_group, invite, accept):
    created = invite(alice, pair, open_group)
    conversation_actions.archive(alice, open_group.pk)
    assert accept(carol, created).conversations == [pair.pk]
    assert role_of(carol, open_group) is None


def test_link_of_someone_who_left_does_not_work(group, alice, ann, carol, invite, accept):
    created = invite(ann, group)
    conversation_actions.leave(ann, group.pk)
    with raises_chat_error("invitation_ended"):
        accept(carol, created)


def test_link_of_someone_who_was_removed_does_not_work(group, alice, ann, carol, invite, accept):
    created = invite(ann, group)
    conversation_actions.remove_member(alice, group.pk, ann.pk)
    with raises_chat_error("invitation_ended"):
        accept(carol, created)


def test_link_of_a_deactivated_person_does_not_work(group, ann, carol, invite, accept):
    created, to_chatty = invite(ann, group), invite(ann)
    account_actions.close_account(ann)
    for each in (created, to_chatty):
        with raises_chat_error("invitation_ended"):
            accept(carol, each)
        with raises_chat_error("invitation_ended"):
            sign_up(each)


def test_link_of_a_former_admin_does_not_work(group, alice, ann, carol, invite, accept):
    created = invite(ann, group)
    conversation_actions.change_role(alice, group.pk, ann.pk, "member")
    with raises_chat_error("invitation_ended"):
        accept(carol, created)


def test_removed_person_can_not_return_by_an_old_link(group, alice, mia, invite, accept):
    old = invite(alice, group)
    conversation_actions.remove_member(alice, group.pk, mia.pk)
    with raises_chat_error("removed"):
        accept(mia, old)
    with raises_chat_error("removed"):
        queries.get_offer(old.invitation, mia)
    accept(mia, invite(alice, group))
    assert role_of(mia, group) == "member"
    assert not Removal.objects.filter(conversation=group, user=mia).exists()


def test_person_who_left_can_not_return_by_an_old_link(group, alice, mia, invite, accept):
    old = invite(alice, group)
    conversation_actions.leave(mia, group.pk)
    with raises_chat_error("invitation_ended"):
        accept(mia, old)
    with raises_chat_error("invitation_ended"):
        queries.get_offer(old.invitation, mia)
    accept(mia, invite(alice, group))
    assert role_of(mia, group) == "member"
    conversation_actions.leave(mia, group.pk)
    accept(mia, actions.renew_link(alice, old.invitation.pk, key="new"))


def test_person_who_left_a_public_conversation_can_return_by_a_link(
    alice, bob, open_group, invite, accept
):
    created = invite(alice, open_group)
    accept(bob, created)
    conversation_actions.leave(bob, open_group.pk)
    accept(bob, created)
    assert role_of(bob, open_group) == "member"


def test_new_link_of_an_old_invitation_counts_as_new(group, alice, mia, invite, accept):
    old = invite(alice, group)
    conversation_actions.remove_member(alice, group.pk, mia.pk)
    accept(mia, actions.renew_link(alice, old.invitation.pk, key="new"))


def test_member_can_not_bring_a_removed_person_back(alice, bob, carol, open_group, invite, accept):
    """Only members who could add the person can."""
    for each in (bob, carol):
        conversation_actions.join(each, open_group.pk)
    conversation_actions.remove_member(alice, open_group.pk, carol.pk)
    with raises_chat_error("removed"):
        accept(carol, invite(bob, open_group))


def test_deactivated_person_can_not_accept(alice, carol, pair, invite, accept):
    created = invite(alice, pair)
    account_actions.close_account(carol)
    with raises_chat_error("account_closed"):
        accept(carol, created)


# --- signing up -----------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["open", "invited"])
def test_signing_up_joins_in_one_step(policy, alice, pair, invite, settings):
    settings.SIGN_UP = policy
    accepted = sign_up(invite(alice, pair))
    user = User.objects.get(email="mina@example.org")
    assert accepted.user == user
    assert user.check_password(NEWCOMER["password"])
    assert role_of(user, pair) == "member"
    assert Acceptance.objects.get().signed_up


def test_without_an_invitation_sign_up_is_refused(db, settings):
    settings.SIGN_UP = "invited"
    with raises_chat_error("sign_up_closed"):
        account_actions.register(**NEWCOMER)
    with raises_chat_error("not_found"):
        actions.sign_up_and_accept("x" * link_tokens.LENGTH, **NEWCOMER)
    assert not User.objects.exists()


def test_closed_sign_up_stays_closed(alice, pair, invite, settings):
    created = invite(alice, pair)
    settings.SIGN_UP = "closed"
    with raises_chat_error("sign_up_closed"):
        sign_up(created)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"password": "12345678"}, "password"),
        ({"email": "ALICE@example.org"}, "email"),
        ({"email": "nobody"}, "email"),
        ({"name": " "}, "name"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
    ],
)
def test_rules_of_sign_up_hold(change, field, alice, pair, invite):
    created = invite(alice, pair, uses=1)
    with pytest.raises(ChatError) as refused:
        sign_up(created, **change)
    assert field in refused.value.fields
    created.invitation.refresh_from_db()
    assert created.invitation.uses == 0
    assert Membership.objects.filter(conversation=pair).count() == 2


def test_sign_ups_by_invitation_are_limited(alice, pair, invite, settings):
    settings.LIMITS = {**settings.LIMITS, "sign_up": "1/h"}
    created = invite(alice, pair)
    sign_up(created)
    with raises_chat_error("slow_down"):
        sign_up(created, email="other@example.org")


# --- at once --------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_of_twenty_people_at_once_one_gets_the_last_use(alice, pair, invite):
    people = [
        User.objects.create_user(f"p{number}@example.org", name=f"P{number}")
        for number in range(20)
    ]
    created = invite(alice, pair, uses=1)
    accept = partial(actions.accept, address=ADDRESS)
    results = run_concurrently([partial(accept, each, created.token) for each in people])
    assert codes(results) == ["invitation_used"] * 19 + ["ok"]
    assert Membership.objects.filter(conversation=pair).count() == 3
    assert Acceptance.objects.count() == 1
    assert_consistent(pair)


@pytest.mark.django_db(transaction=True)
def test_of_twenty_sign_ups_at_once_one_gets_the_last_use(alice, invite):
    """Without a conversation, whose lock would put them in order."""
    created = invite(alice, uses=1)
    results = run_concurrently(
        [partial(sign_up, created, email=f"p{number}@example.org") for number in range(20)]
    )
    assert codes(results) == ["invitation_used"] * 19 + ["ok"]
    assert User.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_one_person_twenty_times_at_once_joins_once(alice, carol, pair, invite):
    created = invite(alice, pair)
    accept = partial(actions.accept, carol, created.token, address=ADDRESS)
    assert codes(run_concurrently([accept] * 20)) == ["ok"] * 20
    created.invitation.refresh_from_db()
    assert created.invitation.uses == 1
    assert_consistent(pair)


@pytest.mark.django_db(transaction=True)
def test_twenty_requests_with_one_key_create_one_invitation(alice, pair):
    create = partial(actions.create_invitation, alice, key="k", conversation_ids=[pair.pk])
    results = run_concurrently([create] * 20)
    assert codes(results) == ["ok"] * 20
    assert len({created.token for created in results}) == 1
    assert Invitation.objects.count() == 1


def codes(results: list[object]) -> list[str]:
    for result in results:
        if isinstance(result, Exception) and not isinstance(result, ChatError):
            raise result
    return sorted(r.code if isinstance(r, ChatError) else "ok" for r in results)


# --- guesses, lists, upkeep -----------------------------------------------------------------------


def test_guesses_are_limited_by_address_and_network(alice, carol, pair, invite, settings):
    settings.LIMITS = {**settings.LIMITS, "invitation_guesses": "3/h"}
    created = invite(alice, pair)
    guess = "x" * link_tokens.LENGTH
    for _ in range(3):
        with raises_chat_error("not_found"):
            queries.find_invitation(guess, address=ADDRESS)
    with raises_chat_error("slow_down"):
        queries.find_invitation(guess, address=ADDRESS)
    for number in range(2, 29):
        with raises_chat_error("not_found"):
            queries.find_invitation(guess, address=f"192.0.2.{number}")
    with raises_chat_error("slow_down"):
        queries.find_invitation(guess, address="192.0.2.99")
    # Right links don't count, so an office behind one address can open many.
    for _ in range(10):
        queries.find_invitation(created.token, address="198.51.100.1")


@pytest.mark.parametrize("token", ["", "x", "\0" * 32, "\ud800" * 32, "x" * 10_000, "ä" * 32])
def test_any_text_can_be_a_guess(token, db):
    with raises_chat_error("not_found"):
        queries.find_invitation(token, address=ADDRESS)


def test_list_has_who_came_and_what_is_still_valid(
    alice, bob, carol, pair, open_group, invite, accept, django_assert_num_queries
):
    used = invite(alice, pair, uses=1)
    accept(carol, used)
    revoked = invite(alice, pair)
    actions.revoke(alice, revoked.invitation.pk)
    expired = invite(alice)
    Invitation.objects.filter(pk=expired.invitation.pk).update(expires_at=timezone.now())
    archived = invite(alice, open_group)
    conversation_actions.archive(alice, open_group.pk)
    live = invite(alice, pair)
    with django_assert_num_queries(4):
        found = queries.invitations_of(alice, limit=10)
    order = [live, archived, expired, revoked, used]
    assert [each.invitation for each in found] == [each.invitation for each in order]
    assert [each.state for each in found] == ["live", "archived", "expired", "revoked", "used"]
    assert [each.people for each in found] == [[], [], [], [], [carol]]
    assert queries.invitations_of(bob, limit=10) == []


def test_list_does_not_name_conversations_that_the_inviter_has_left(alice, ann, group, invite):
    invite(ann, group)
    conversation_actions.leave(ann, group.pk)
    conversation_actions.update_conversation(alice, group.pk, name="Renamed since")
    (found,) = queries.invitations_of(ann, limit=10)
    assert (found.conversations, found.state) == ([], "ended")


def test_unused_invitations_are_removed_a_month_after_they_ended(
    alice, carol, pair, invite, accept
):
    used, unused, live = invite(alice, pair, uses=1), invite(alice, pair), invite(alice, pair)
    accept(carol, used)
    before = timezone.now() - upkeep.FORGET_AFTER - timedelta(seconds=1)
    ended = Invitation.objects.exclude(pk=live.invitation.pk)
    ended.update(expires_at=before)
    assert list(upkeep.forgotten_invitations()) == [unused.invitation]


# --- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "imitation",
    ["Alice", "ALICE", "Аlice", "Alicе", "A1ice", "Alíce", "Al ice", "Ali\u200dce", "AIice"],
)
def test_names_that_imitate_are_recognised(imitation, alice, mia, pair, invite, accept):
    """Alice owns the conversation, and someone with a similar name invites to it."""
    imitator = User.objects.create_user("x@example.org", name=imitation)
    conversation_actions.add_members(alice, pair.pk, [imitator.pk])
    assert queries.has_look_alike(imitator, [pair])
    assert queries.has_look_alike(mia, [pair]) is False


def test_imitation_of_an_administrator_is_recognised(alice, mia):
    User.objects.create_superuser("root@example.org", "x", name="Mιa")
    assert queries.has_look_alike(mia, [])
    assert queries.has_look_alike(alice, []) is False


def test_each_invitation_shows_its_latest_people(
    alice, bob, carol, mia, open_group, pair, invite, accept, monkeypatch
):
    monkeypatch.setattr(limits, "PEOPLE_SHOWN", 1)
    first, second = invite(alice, pair), invite(alice, open_group)
    accept(carol, first)
    for person in (carol, mia):
        accept(person, second)
    found = queries.invitations_of(alice, limit=10)
    assert [(each.people, each.more_people) for each in found] == [([mia], 1), ([carol], 0)]
