"""The settings of the installation: who may sign up, and where that is decided."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts import actions, installation
from accounts.models import InstallationSettings
from accounts.tests.helpers import raises_chat_error
from chatty.common import kept
from tests.html import parse, words

pytestmark = pytest.mark.django_db
PAGE = "/admin/accounts/installationsettings/1/change/"


@pytest.fixture
def root(rita) -> Client:
    rita.is_staff = rita.is_superuser = True
    rita.save()
    client = Client()
    client.force_login(rita)
    return client


def test_everyone_can_sign_up_at_first():
    assert installation.sign_up_policy() == "open"


@pytest.mark.parametrize("policy", ["open", "invited", "approved", "closed"])
def test_change_takes_effect_in_this_process_after_the_commit(
    policy, django_capture_on_commit_callbacks
):
    assert installation.sign_up_policy() == "open"
    with django_capture_on_commit_callbacks(execute=True):
        actions.change_installation(sign_up=policy)
    assert installation.sign_up_policy() == policy


def test_change_by_another_process_takes_effect_within_a_second(monkeypatch):
    now = 100.0
    monkeypatch.setattr(kept.time, "monotonic", lambda: now)
    assert installation.sign_up_policy() == "open"
    InstallationSettings.objects.bulk_create([InstallationSettings(sign_up="closed")])
    assert installation.sign_up_policy() == "open"
    now += kept.KEEP_SECONDS
    assert installation.sign_up_policy() == "closed"


def test_pages_read_the_row_once_while_it_is_kept(django_assert_num_queries, monkeypatch):
    monkeypatch.setattr(kept, "KEEP_SECONDS", 3_600)
    with django_assert_num_queries(1):
        for _ in range(3):
            Client().get("/sign-in/")


def test_environment_wins_and_cannot_be_changed(settings):
    actions.change_installation(sign_up="invited")
    settings.SIGN_UP = "closed"
    assert installation.sign_up_policy() == "closed"
    with raises_chat_error("not_allowed"):
        actions.change_installation(sign_up="open")
    assert InstallationSettings.objects.get().sign_up == "invited"


def test_unknown_policy_is_rejected():
    with raises_chat_error("invalid"):
        actions.change_installation(sign_up="anyone")


class TestAdmin:
    def test_shows_and_changes_the_policy(self, root):
        assert root.get("/admin/accounts/installationsettings/").url == PAGE
        assert b'value="open" selected' in root.get(PAGE).content
        assert root.post(PAGE, {"sign_up": "approved"}).status_code == 302
        assert InstallationSettings.objects.get().sign_up == "approved"
        installation.forget()
        assert b'value="approved" selected' in root.get(PAGE).content

    def test_shows_that_the_environment_has_fixed_it(self, root, settings):
        settings.SIGN_UP = "closed"
        page = root.get(PAGE)
        assert "No one: administrators create accounts. This is set by SIGN_UP" in words(
            parse(page)
        )
        assert b'name="sign_up"' not in page.content
        assert root.post(PAGE, {"sign_up": "open"}).status_code == 403
        assert not InstallationSettings.objects.exists()

    def test_has_one_page_only(self, root):
        assert root.get("/admin/accounts/installationsettings/add/").status_code == 403
        assert root.get("/admin/accounts/installationsettings/2/change/").status_code == 302
        assert root.get("/admin/accounts/installationsettings/1/delete/").status_code == 403

    def test_needs_the_permission(self, rita):
        rita.is_staff = True
        rita.save()
        client = Client()
        client.force_login(rita)
        assert client.get(PAGE).status_code == 403
        assert client.post(PAGE, {"sign_up": "closed"}).status_code == 403
        assert not InstallationSettings.objects.exists()
