from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from accounts import actions
from accounts.models import User

pytestmark = pytest.mark.django_db


def test_an_address_is_stored_in_one_spelling():
    user = User.objects.create_user("  Alice@Example.ORG ", "x", name="Alice")
    assert user.email == "alice@example.org"
    assert User.objects.get_by_natural_key("ALICE@example.org") == user


def test_the_database_itself_refuses_a_second_spelling_and_a_second_account(alice):
    for email in ("alice@example.org", "Bob@example.org"):
        with pytest.raises(IntegrityError), transaction.atomic():
            User.objects.bulk_create([User(email=email, name="Somebody")])


def test_the_database_itself_refuses_a_person_without_a_name():
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.bulk_create([User(email="a@example.org", name="")])


def test_an_account_without_a_password_cannot_be_signed_in_to():
    user = User.objects.create_user("bot@example.org", name="Bot")
    assert not user.has_usable_password()
    assert not user.check_password("")


def test_an_account_needs_an_address():
    with pytest.raises(ValueError, match="address"):
        User.objects.create_user(" ", "x")


def test_saving_a_person_read_a_while_ago_does_not_turn_the_clock_back(alice):
    stale = User.objects.get(pk=alice.pk)
    actions.bump_clock([alice.pk])
    stale.name = "Alicia"
    stale.save()
    alice.refresh_from_db()
    assert (alice.name, alice.clock) == ("Alicia", 1)


def test_a_clock_moves_for_those_concerned_and_nobody_else(alice, bob, root):
    actions.bump_clock([bob.pk, alice.pk, alice.pk])
    clocks = dict(User.objects.values_list("name", "clock"))
    assert clocks == {"Alice": 1, "Bob": 1, "Root": 0}
