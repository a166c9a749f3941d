from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from accounts import actions
from accounts.models import User

pytestmark = pytest.mark.django_db


def test_email_is_normalized():
    user = User.objects.create_user("  Alice@Example.ORG ", "x", name="Alice")
    assert user.email == "alice@example.org"
    assert User.objects.get_by_natural_key("ALICE@example.org") == user


def test_database_rejects_duplicate_and_unnormalized_emails(alice):
    for email in ("alice@example.org", "Bob@example.org"):
        with pytest.raises(IntegrityError), transaction.atomic():
            User.objects.bulk_create([User(email=email, name="Somebody")])


def test_database_rejects_an_empty_name():
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.bulk_create([User(email="a@example.org", name="")])


def test_account_without_a_password_cannot_sign_in():
    user = User.objects.create_user("bot@example.org", name="Bot")
    assert not user.has_usable_password()
    assert not user.check_password("")


def test_account_requires_an_email():
    with pytest.raises(ValueError, match="address"):
        User.objects.create_user(" ", "x")


def test_saving_a_stale_user_keeps_the_clock(alice):
    stale = User.objects.get(pk=alice.pk)
    actions.bump_clock([alice.pk])
    stale.name = "Alicia"
    stale.save()
    alice.refresh_from_db()
    assert (alice.name, alice.clock) == ("Alicia", 1)


def test_bump_clock_affects_only_the_given_users(alice, bob, root):
    actions.bump_clock([bob.pk, alice.pk, alice.pk])
    clocks = dict(User.objects.values_list("name", "clock"))
    assert clocks == {"Alice": 1, "Bob": 1, "Root": 0}
