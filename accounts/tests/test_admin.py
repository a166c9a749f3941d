from __future__ import annotations

import pytest
from django.contrib.admin.utils import quote
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.test import Client

from accounts import actions, tokens
from accounts.models import SignIn, User
from accounts.signals import ACCOUNT_CLOSED, SIGNED_OUT
from accounts.tests.helpers import raises_chat_error
from tests.cast import PASSWORD

pytestmark = pytest.mark.django_db

NEW = "another blue teapot"
PEOPLE = "/admin/accounts/user/"
SIGN_INS = "/admin/accounts/signin/"


@pytest.fixture
def staff(db) -> User:
    """Can manage accounts, but not those of other staff."""
    user = User.objects.create_user("staff@example.org", PASSWORD, name="Staff", is_staff=True)
    wanted = Permission.objects.filter(content_type__app_label="accounts")
    user.user_permissions.set(wanted)
    return user


def office(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def act(client, path, action, *keys):
    return client.post(path, {"action": action, "_selected_action": keys}, follow=True)


def fields(person, **changes):
    given = {"email": person.email, "name": person.name, "time_zone": person.time_zone}
    for right in ("is_staff", "is_superuser"):
        if getattr(person, right):
            given[right] = "on"
    return {**given, **changes}


class TestSignInPage:
    def test_admin_redirects_to_the_rate_limited_sign_in_page(self, client):
        first = client.get("/admin/")
        second = client.get(first["Location"])
        assert second["Location"] == "/sign-in/?next=/admin/"
        assert client.post("/admin/login/", {"username": "root@example.org"}).status_code == 302

    def test_non_staff_get_403_instead_of_a_second_sign_in(self, browser):
        response = browser.get("/admin/", follow=True)
        assert response.status_code == 403

    def test_password_change_redirects_to_the_settings(self, root):
        response = office(root).get("/admin/password_change/")
        assert response["Location"] == "/settings/password/"

    def test_logout_ends_the_sign_in(self, root):
        client = office(root)
        client.post("/admin/logout/")
        assert not SignIn.objects.live().exists()


class TestPeople:
    def test_search_finds_name_and_email(self, root, alice, bob):
        page = office(root).get(PEOPLE, {"q": "alice@"})
        assert [row.name for row in page.context["cl"].result_list] == ["Alice"]
        page = office(root).get(PEOPLE, {"q": "Bo"})
        assert [row.name for row in page.context["cl"].result_list] == ["Bob"]

    def test_deactivating_signs_out_and_notifies_sockets(
        self, root, alice, pair, ended, django_capture_on_commit_callbacks
    ):
        hers = office(alice)
        with django_capture_on_commit_callbacks(execute=True):
            act(office(root), PEOPLE, "close_accounts", alice.pk)
        alice.refresh_from_db()
        assert not alice.is_active
        assert hers.get("/settings/profile/").status_code == 302
        with raises_chat_error("account_closed"):
            tokens.identify(pair.access)
        assert [(end["user_id"], end["code"]) for end in ended] == [(alice.pk, ACCOUNT_CLOSED)]
        act(office(root), PEOPLE, "reopen_accounts", alice.pk)
        alice.refresh_from_db()
        assert alice.is_active

    def test_staff_cannot_deactivate_themselves(self, root):
        page = act(office(root), PEOPLE, "close_accounts", root.pk)
        root.refresh_from_db()
        assert root.is_active
        assert "You don’t have permission to change this account: Root." in page.content.decode()

    def test_users_cannot_be_deleted(self, root, alice):
        client = office(root)
        assert client.post(f"{PEOPLE}{alice.pk}/delete/", {"post": "yes"}).status_code == 403
        act(client, PEOPLE, "delete_selected", alice.pk)
        assert User.objects.filter(pk=alice.pk).exists()

    def test_password_hash_is_not_shown(self, root, alice):
        page = office(root).get(f"{PEOPLE}{alice.pk}/change/").content.decode()
        assert "alice@example.org" in page
        _, salt, digest = alice.password.split("$")
        assert salt not in page
        assert digest not in page

    def test_setting_a_password_ends_all_sign_ins(
        self, root, alice, pair, ended, django_capture_on_commit_callbacks
    ):
        given = {"password1": NEW, "password2": NEW, "usable_password": "true"}
        with django_capture_on_commit_callbacks(execute=True):
            response = office(root).post(f"{PEOPLE}{alice.pk}/password/", given)
        assert response.status_code == 302
        alice.refresh_from_db()
        assert alice.check_password(NEW)
        with raises_chat_error("token_invalid"):
            tokens.identify(pair.access)
        assert [(end["user_id"], end["code"]) for end in ended] == [(alice.pk, SIGNED_OUT)]

    @pytest.mark.parametrize("new", ["short", "q" * 257, ""])
    def test_invalid_password_is_a_field_error(self, root, alice, new):
        client = office(root)
        given = {"email": "new@example.org", "name": "New", "password1": new, "password2": new}
        made = client.post(f"{PEOPLE}add/", given)
        changed = client.post(f"{PEOPLE}{alice.pk}/password/", given)
        assert made.status_code == changed.status_code == 200
        assert "password1" in made.context["adminform"].form.errors
        assert "password1" in changed.context["form"].errors
        assert not User.objects.filter(email="new@example.org").exists()
        alice.refresh_from_db()
        assert alice.check_password(PASSWORD)

    def test_disabling_the_password_ends_all_sign_ins(self, root, alice, pair):
        given = {"password1": "", "password2": "", "usable_password": "false"}
        form = {**given, "unset-password": "Disable password-based authentication"}
        assert office(root).post(f"{PEOPLE}{alice.pk}/password/", form).status_code == 302
        alice.refresh_from_db()
        assert not alice.has_usable_password()
        with raises_chat_error("token_invalid"):
            tokens.identify(pair.access)

    def test_saving_does_not_overwrite_the_clock(self, root, alice):
        client = office(root)
        actions.bump_clock([alice.pk])
        given = fields(alice, name="Alicia", email="ALICIA@example.org")
        assert client.post(f"{PEOPLE}{alice.pk}/change/", given).status_code == 302
        alice.refresh_from_db()
        assert (alice.name, alice.email) == ("Alicia", "alicia@example.org")
        assert alice.is_active
        assert alice.clock == 1

    @pytest.mark.parametrize(
        "changes", [{"name": "\u202eAlice"}, {"email": "x"}, {"email": "bob@example.org"}]
    )
    def test_staff_input_is_validated_like_users_input(self, root, alice, bob, changes):
        response = office(root).post(f"{PEOPLE}{alice.pk}/change/", fields(alice, **changes))
        assert response.status_code == 200
        assert list(response.context["adminform"].form.errors) == list(changes)

    def test_added_user_can_sign_in(self, root):
        given = {"email": "New@example.org", "name": "New", "password1": NEW, "password2": NEW}
        assert office(root).post(f"{PEOPLE}add/", given).status_code == 302
        user = User.objects.get(email="new@example.org")
        assert user.check_password(NEW)
        assert not user.is_staff


class TestStaffWithoutSuperuser:
    def test_can_deactivate_users(self, staff, alice):
        act(office(staff), PEOPLE, "close_accounts", alice.pk)
        alice.refresh_from_db()
        assert not alice.is_active

    def test_cannot_change_a_superuser(self, staff, root):
        client = office(staff)
        given = {"password1": NEW, "password2": NEW, "usable_password": "true"}
        assert client.post(f"{PEOPLE}{root.pk}/password/", given).status_code == 403
        assert client.post(f"{PEOPLE}{root.pk}/change/", fields(root, name="X")).status_code == 403
        act(client, PEOPLE, "close_accounts", root.pk)
        root.refresh_from_db()
        assert root.is_active
        assert root.check_password(PASSWORD)

    def test_cannot_make_themselves_superuser(self, staff):
        given = fields(staff, name="Boss", is_superuser="on")
        assert office(staff).post(f"{PEOPLE}{staff.pk}/change/", given).status_code == 302
        staff.refresh_from_db()
        assert staff.name == "Boss"
        assert not staff.is_superuser


class TestSignIns:
    def test_can_be_ended_but_not_edited(self, root, alice, pair):
        client = office(root)
        # In addresses of the administration "_2F" is an escape, so keys that contain one are quoted.
        sid = "a_2Fb"
        SignIn.objects.filter(user=alice).update(sid=sid)
        address = f"{SIGN_INS}{quote(sid)}"
        assert f"{address}/change/" in client.get(SIGN_INS).content.decode()
        page = client.get(f"{address}/change/").content.decode()
        assert "a program" in page
        assert SignIn.objects.get(sid=sid).refresh_jti not in page
        assert client.post(f"{address}/change/", {"client": "x"}).status_code == 403
        assert client.get(f"{SIGN_INS}add/").status_code == 403
        assert client.post(f"{address}/delete/", {"post": "yes"}).status_code == 403
        act(client, SIGN_INS, "end_now", sid)
        assert not SignIn.objects.live().filter(sid=sid).exists()

    def test_staff_cannot_end_sign_ins_of_privileged_users(self, root, alice):
        staff = User.objects.create_user("sam@example.org", "-", name="Sam", is_staff=True)
        rights = Permission.objects.filter(codename__in=["view_signin", "change_signin"])
        staff.user_permissions.set(rights)
        client = office(staff)
        for person in (root, alice):
            tokens.begin(person, client="x")
            sid = SignIn.objects.filter(user=person).latest("created_at").sid
            act(client, SIGN_INS, "end_now", sid)
            assert SignIn.objects.live().filter(sid=sid).exists() == (person == root)

    def test_list_query_count_is_constant(self, root, alice, django_assert_max_num_queries):
        for _ in range(20):
            tokens.begin(alice, client="x")
        client = office(root)
        with django_assert_max_num_queries(10):
            assert client.get(SIGN_INS).status_code == 200


@pytest.mark.parametrize("page", ["accounts/user", "accounts/signin", "conversations/conversation"])
def test_lists_are_searched_for_the_first_words_only(page, admin):
    page = f"/admin/{page}/"
    answer = admin.get(page, {"q": " ".join(f"alice{number}" for number in range(3_000))})
    assert answer.status_code == 200
    assert "alice9" in answer.content.decode()
    assert "alice10" not in answer.content.decode()
    assert "x" * 201 not in admin.get(page, {"q": "x" * 5_000}).content.decode()


def test_changepassword_command_ends_all_sign_ins(alice, pair, monkeypatch):
    from accounts.management.commands.changepassword import Command

    monkeypatch.setattr(Command, "_get_pass", lambda self, *args: NEW)
    call_command("changepassword", "alice@example.org", verbosity=0)
    alice.refresh_from_db()
    assert alice.check_password(NEW)
    with raises_chat_error("token_invalid"):
        tokens.identify(pair.access)
