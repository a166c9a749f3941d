"""Invitations in the admin site."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission

from conversations.invitations.models import Invitation
from tests.html import parse, words

LIST = "/admin/invitations/invitation/"


@pytest.fixture
def staff(carol):
    carol.is_staff = True
    carol.save()
    return carol


def test_administrators_see_all_and_revoke(
    browser, root, alice, bob, carol, open_group, invite, accept
):
    created = invite(alice, open_group, note="Hello")
    accept(carol, created)
    client = browser(root)
    assert "Alice" in words(parse(client.get(LIST)))
    page = client.get(f"{LIST}{created.invitation.pk}/change/")
    shown = words(parse(page))
    assert "Carol" in shown
    assert f"#{open_group.pk}" in shown
    assert created.invitation.token_hash not in page.content.decode()
    data = {"action": "revoke", "_selected_action": [created.invitation.pk]}
    response = client.post(LIST, data, follow=True)
    assert "Revoked 1 invitation." in words(parse(response))
    invitation = Invitation.objects.get()
    assert (invitation.revoked_by, invitation.revoked_at is not None) == (root, True)
    assert browser().get(f"/invite/{created.token}/").status_code == 410


def test_viewing_does_not_include_revoking(browser, staff, alice, pair, invite):
    created = invite(alice, pair)
    client = browser(staff)
    assert client.get(LIST).status_code == 403
    staff.user_permissions.add(Permission.objects.get(codename="view_invitation"))
    assert client.get(LIST).status_code == 200
    client.post(LIST, {"action": "revoke", "_selected_action": [created.invitation.pk]})
    assert Invitation.objects.get().revoked_at is None
    for path in ("add/", f"{created.invitation.pk}/delete/"):
        assert client.get(LIST + path).status_code == 403


def test_number_of_queries_does_not_grow(
    browser, root, alice, pair, invite, django_assert_max_num_queries
):
    for _ in range(12):
        invite(alice, pair)
    client = browser(root)
    with django_assert_max_num_queries(9):
        client.get(LIST)
