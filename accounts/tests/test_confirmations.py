"""Confirming email addresses, changing them, and signing up by domain."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts import actions, signals, upkeep
from accounts.installation import may_sign_up_by_domain
from accounts.models import AddressConfirmation, SignUpRequest, User
from accounts.tests.helpers import raises_chat_error
from chatty.common.errors import ChatError
from chatty.conf import checks, domains
from chatty.jobs.models import Delivery
from chatty.jobs.tests.helpers import send_waiting
from tests.cast import PASSWORD
from tests.html import parse, words

pytestmark = pytest.mark.django_db

NEW = "another blue teapot"
FORM = {"name": "Nia", "email": "nia@example.org", "password": NEW}
SITE = "https://chat.example.org"
HERE = {"address": "192.0.2.1", "site": SITE}
CHANGE = {"email": "alice@example.net", "password": PASSWORD}


@pytest.fixture(autouse=True)
def _mail(settings):
    settings.MAIL_SET_UP = True


@pytest.fixture
def by_domain(settings):
    settings.SIGN_UP = "closed"
    settings.SIGN_UP_DOMAINS = ["example.org", "xn--mnchen-3ya.example"]


def link_in(mail: Any) -> str:
    (link,) = re.findall(r"^https?://[^/]+(/confirm/\S+)$", mail.body, re.MULTILINE)
    return link


@pytest.fixture
def last_link(mailoutbox):
    """last_link(): sends what is waiting, and returns the link in the last email."""

    def send() -> str:
        send_waiting()
        return link_in(mailoutbox[-1])

    return send


@pytest.fixture
def link(alice, last_link) -> str:
    """Confirms Alice's address."""
    actions.send_confirmation(alice, **HERE)
    return last_link()


def is_confirmed(user: User) -> bool:
    user.refresh_from_db()
    return user.email_confirmed


def token_of(link: str) -> str:
    return link.split("/")[2]


def sign_up(**changes):
    given = {"email": "nia@example.org", "password": NEW, "name": "Nia", **HERE}
    return actions.sign_up(**{**given, **changes})


class TestConfirming:
    def test_new_account_can_be_used_at_once_and_gets_a_link(self, client, settings, last_link):
        settings.SIGN_UP = "open"
        assert client.post("/sign-up/", FORM).status_code == 303
        user = User.objects.get()
        page = words(parse(client.get("/")))
        assert "Your email address isn’t confirmed yet." in page
        assert client.post(last_link()).url == "/settings/email/"
        assert is_confirmed(user)
        assert "isn’t confirmed" not in words(parse(client.get("/")))

    def test_without_a_mail_server_nothing_is_asked(self, client, settings):
        settings.MAIL_SET_UP = False
        client.post("/sign-up/", FORM)
        assert not Delivery.objects.exists()
        assert "confirmed" not in words(parse(client.get("/")))

    def test_opening_the_link_changes_nothing(self, alice, link, browser):
        for visitor in (Client(), browser):
            for method in ("get", "head", "options"):
                getattr(visitor, method)(link)
        assert not is_confirmed(alice)
        assert AddressConfirmation.objects.count() == 1

    def test_works_once(self, alice, link, browser):
        assert browser.post(link).status_code == 303
        assert is_confirmed(alice)
        again = browser.post(link)
        assert again.status_code == 404
        assert "expired" in words(parse(again))

    def test_elsewhere_it_needs_the_password_and_signs_in(self, alice, link):
        visitor = Client()
        assert b'name="password"' in visitor.get(link).content
        assert visitor.post(link, {"password": NEW}).status_code == 400
        assert not is_confirmed(alice)
        assert visitor.post(link, {"password": PASSWORD}).status_code == 303
        assert is_confirmed(alice)
        assert visitor.get("/settings/profile/").status_code == 200

    def test_someone_else_who_is_signed_in_cannot_confirm_it(self, alice, bob, link):
        other = Client()
        other.force_login(bob)
        assert other.post(link).status_code == 400
        assert not is_confirmed(alice)
        assert other.post(link, {"password": PASSWORD}).status_code == 303
        assert is_confirmed(alice)
        assert words(parse(other.get("/settings/email/"))).count("alice@example.org")

    def test_expires_after_a_day(self, alice, link, browser):
        AddressConfirmation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        assert browser.post(link).status_code == 404
        assert not is_confirmed(alice)
        upkeep.expired_confirmations().delete()
        assert not AddressConfirmation.objects.exists()

    def test_only_a_hash_is_stored(self, alice, link, django_assert_num_queries):
        token = token_of(link)
        assert len(token) == 32
        row = AddressConfirmation.objects.values().get()
        assert token not in str(row)
        assert not Delivery.objects.exists()

    @pytest.mark.parametrize("token", ["x", "é" * 32, "x" * 5000, "%00", "a" * 32])
    def test_guessed_tokens_are_not_found_and_limited(self, client, settings, token):
        settings.LIMITS = {**settings.LIMITS, "confirm_address": "2/h"}
        codes = [client.get(f"/confirm/{token}/").status_code for _ in range(4)]
        assert codes == [404, 404, 429, 429]

    def test_closed_account_is_not_confirmed(self, alice, link):
        actions.close_account(alice)
        assert Client().post(link, {"password": PASSWORD}).status_code == 404

    def test_each_email_has_a_link_and_the_first_used_ends_the_others(
        self, alice, link, last_link, browser
    ):
        browser.post("/settings/email/send/")
        second = last_link()
        assert second != link
        assert browser.post(link).status_code == 303
        assert browser.post(second).status_code == 404

    def test_emails_are_limited_by_mailbox_and_address(self, alice, bob, settings):
        settings.LIMITS = {**settings.LIMITS, "confirm": "2/h", "confirm_address": "3/h"}
        for n in range(2):
            actions.send_confirmation(alice, address=f"192.0.2.{n}", site=SITE)
        with raises_chat_error("slow_down"):
            actions.send_confirmation(alice, address="198.51.100.1", site=SITE)
        actions.send_confirmation(bob, address="192.0.2.1", site=SITE)

    def test_sign_up_succeeds_when_no_more_emails_may_be_sent(self, settings):
        settings.LIMITS = {**settings.LIMITS, "confirm_all": "1/h"}
        assert sign_up()
        assert sign_up(email="zoe@example.org")
        assert Delivery.objects.count() == 1

    def test_confirmed_address_gets_no_link(self, alice, link, browser):
        browser.post(link)
        alice.refresh_from_db()
        with raises_chat_error("not_allowed"):
            actions.send_confirmation(alice, **HERE)

    def test_password_reset_link_proves_the_address(self, alice, client, mailoutbox):
        client.post("/password/forgotten/", {"email": alice.email})
        send_waiting()
        (path,) = re.findall(r"(/password/reset/\S+)", mailoutbox[0].body)
        assert client.get(path).status_code == 200
        assert not is_confirmed(alice)
        client.post(path, {"new_password": NEW, "again": NEW})
        assert is_confirmed(alice)

    def test_mail_contains_nothing_a_stranger_entered(self, mailoutbox):
        sign_up(name="Buy at x.example")
        send_waiting()
        assert "x.example" not in mailoutbox[0].body + mailoutbox[0].subject


class TestChanging:
    def test_new_address_counts_once_it_is_confirmed(self, alice, browser, last_link, mailoutbox):
        assert browser.post("/settings/email/", CHANGE).status_code == 303
        page = words(parse(browser.get("/settings/email/")))
        assert "alice@example.net replaces it" in page
        link = last_link()
        assert mailoutbox[-1].to == ["alice@example.net"]
        alice.refresh_from_db()
        assert alice.email == "alice@example.org"
        assert browser.post(link).status_code == 303
        alice.refresh_from_db()
        assert (alice.email, alice.new_email) == ("alice@example.net", "")
        assert alice.email_confirmed
        send_waiting()
        assert mailoutbox[-1].to == ["alice@example.org"]
        assert "alice@example.net" not in mailoutbox[-1].body
        assert browser.get("/settings/email/").status_code == 200  # still signed in
        assert actions.authenticate(email=CHANGE["email"], password=PASSWORD, address="x") == alice

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"password": NEW}, "password"),
            ({"password": "x" * 300}, "password"),
            ({"email": "alice"}, "email"),
            ({"email": "ALICE@example.org"}, "email"),
        ],
    )
    def test_wrong_input_changes_nothing(self, alice, changes, field):
        with raises_chat_error("invalid", field=field):
            actions.change_email(alice, **{**CHANGE, **changes}, **HERE)
        assert not Delivery.objects.exists()

    def test_passwords_cannot_be_guessed_here(self, alice, settings):
        settings.LIMITS = {**settings.LIMITS, "sign_in": "2/h"}
        for _ in range(2):
            with raises_chat_error("invalid"):
                actions.change_email(alice, **{**CHANGE, "password": NEW}, **HERE)
        with raises_chat_error("slow_down"):
            actions.change_email(alice, **CHANGE, **HERE)

    def test_taken_address_is_not_revealed_and_not_taken_over(self, alice, bob, mailoutbox):
        actions.change_email(alice, email=bob.email, password=PASSWORD, **HERE)
        assert alice.new_email == bob.email
        send_waiting()
        assert mailoutbox == []

    def test_address_that_is_taken_in_between_stays_with_its_owner(self, alice, browser, last_link):
        actions.change_email(alice, **CHANGE, **HERE)
        link = last_link()
        User.objects.create_user(CHANGE["email"], PASSWORD)
        assert browser.post(link).status_code == 400
        alice.refresh_from_db()
        assert alice.email == "alice@example.org"

    def test_cancelled_change_ends_its_links(self, alice, browser, last_link):
        actions.change_email(alice, **CHANGE, **HERE)
        link = last_link()
        browser.post("/settings/email/cancel/")
        assert browser.post(link).status_code == 404
        alice.refresh_from_db()
        assert (alice.email, alice.new_email) == ("alice@example.org", "")

    def test_link_for_the_present_address_keeps_the_change(self, alice, link, browser):
        actions.change_email(alice, **CHANGE, **HERE)
        browser.post(link)
        alice.refresh_from_db()
        assert (alice.email, alice.new_email) == ("alice@example.org", CHANGE["email"])
        assert alice.email_confirmed

    def test_without_a_mail_server_it_counts_at_once(self, alice, bob, settings):
        settings.MAIL_SET_UP = False
        with raises_chat_error("invalid", field="email"):
            actions.change_email(alice, email=bob.email, password=PASSWORD, **HERE)
        actions.change_email(alice, **CHANGE, **HERE)
        alice.refresh_from_db()
        assert alice.email == CHANGE["email"]
        assert not alice.email_confirmed

    def test_changed_by_an_administrator_is_not_confirmed(self, alice, link, browser, rita):
        browser.post(link)
        rita.is_staff = rita.is_superuser = True
        rita.save()
        root = Client()
        root.force_login(rita)
        url = f"/admin/accounts/user/{alice.pk}/change/"
        answer = root.post(url, {"name": "Alice", "email": "a@example.net", "time_zone": ""})
        assert answer.status_code == 302
        alice.refresh_from_db()
        assert (alice.email, alice.email_confirmed) == ("a@example.net", False)


class TestDomains:
    @pytest.mark.parametrize(
        ("email", "allowed"),
        [
            ("nia@example.org", True),
            ("Nia@EXAMPLE.org", True),
            ("nia+chat@example.org", True),
            ("nia@münchen.example", True),
            ("nia@MÜNCHEN.example", True),
            ("nia@xn--mnchen-3ya.example", True),
            ("nia@mail.example.org", False),
            ("nia@notexample.org", False),
            ("nia@example.org.evil.example", False),
            ("nia@example.org.", False),
            ('"nia@example.org"@evil.example', False),
            ("nia@ｅxample.org", False),
            ("nia@example。org", False),
            ("nia@", False),
        ],
    )
    def test_only_exactly_this_domain(self, by_domain, email, allowed):
        assert may_sign_up_by_domain(email) is allowed

    def test_only_if_the_email_goes_to_this_domain(self, settings):
        """Django would send what is for straße.example to strasse.example."""
        settings.SIGN_UP_DOMAINS = ["xn--strae-oqa.example"]
        assert may_sign_up_by_domain("nia@xn--strae-oqa.example")
        assert not may_sign_up_by_domain("nia@straße.example")

    def test_account_exists_once_the_address_is_confirmed(
        self, by_domain, client, last_link, django_capture_on_commit_callbacks
    ):
        page = words(parse(client.get("/sign-up/")))
        assert "an email address at example.org" in page
        sent = client.post("/sign-up/", FORM)
        assert (sent.status_code, sent.url) == (303, "/sign-up/sent/")
        assert not User.objects.exists()
        answer = client.post("/sign-in/", {"email": FORM["email"], "password": NEW})
        assert answer.status_code == 403
        assert "Send the link again" in words(parse(answer))
        created: list[int] = []
        signals.account_created.connect(note := lambda user_id, **more: created.append(user_id))
        link = last_link()
        with django_capture_on_commit_callbacks(execute=True):
            assert client.post(link, {"password": NEW}).status_code == 303
        signals.account_created.disconnect(note)
        user = User.objects.get()
        assert created == [user.pk]  # by which they come into the first conversation, for example
        assert user.email_confirmed
        assert client.get("/settings/profile/").status_code == 200
        assert not SignUpRequest.objects.exists()

    def test_other_addresses_follow_the_policy(self, by_domain, settings):
        for policy in ("closed", "invited"):
            settings.SIGN_UP = policy
            with raises_chat_error("sign_up_closed", field="email"):
                sign_up(email="nia@mail.example.org")
        settings.SIGN_UP = "approved"
        assert sign_up(email="nia@mail.example.org").state == "waiting"
        assert sign_up().state == "unconfirmed"

    def test_owner_does_not_confirm_what_a_stranger_has_entered(self, by_domain, last_link):
        sign_up(password="password of a stranger", name="Nia?")
        strangers = last_link()
        sign_up()
        assert Client().post(strangers, {"password": NEW}).status_code == 400
        assert not User.objects.exists()
        assert Client().post(last_link(), {"password": NEW}).status_code == 303
        assert User.objects.get().name == "Nia"
        assert Client().post(strangers, {"password": "password of a stranger"}).status_code == 404

    def test_passwords_of_a_link_cannot_be_guessed(self, by_domain, settings, last_link):
        sign_up()
        link = last_link()
        settings.LIMITS = {**settings.LIMITS, "sign_in": "2/h"}
        codes = [Client().post(link, {"password": "wrong"}).status_code for _ in range(3)]
        assert codes == [400, 400, 429]

    def test_domain_that_was_removed_meanwhile_no_longer_counts(
        self, by_domain, settings, last_link
    ):
        sign_up()
        link = last_link()
        settings.SIGN_UP_DOMAINS = []
        assert Client().post(link, {"password": NEW}).status_code == 403
        assert not User.objects.exists()

    def test_sending_again_stores_the_same_for_any_address(self, by_domain, alice, mailoutbox):
        sign_up()
        send_waiting()
        for email in ("nia@example.org", "unknown@example.org", alice.email):
            actions.request_sign_up_link(email=email, **HERE)
        assert Delivery.objects.count() == 3
        send_waiting()
        assert [mail.to for mail in mailoutbox] == [["nia@example.org"]] * 2
        assert not Delivery.objects.exists()

    def test_unconfirmed_sign_up_is_forgotten_after_a_week(self, by_domain):
        sign_up()
        assert not upkeep.forgotten_sign_ups().exists()
        week = timezone.now() - upkeep.FORGET_UNCONFIRMED_AFTER - timedelta(seconds=1)
        SignUpRequest.objects.update(created_at=week)
        assert upkeep.forgotten_sign_ups().exists()

    def test_is_refused_at_start_without_a_mail_server(self, by_domain, settings):
        assert list(checks.domains_can_be_confirmed(None)) == []
        settings.MAIL_SET_UP = False
        (error,) = checks.domains_can_be_confirmed(None)
        assert error.id == "chatty.E011"

    def test_setting_is_validated_and_converted_to_ascii(self, monkeypatch):
        monkeypatch.setenv("SIGN_UP_DOMAINS", "Example.org, münchen.example")
        assert domains.get_domains("SIGN_UP_DOMAINS") == ["example.org", "xn--mnchen-3ya.example"]
        for wrong in ("@example.org", "*.example.org", "example.org.", "org", "a b..c"):
            monkeypatch.setenv("SIGN_UP_DOMAINS", wrong)
            with pytest.raises(ImproperlyConfigured, match="must be a domain"):
                domains.get_domains("SIGN_UP_DOMAINS")


class TestApi:
    def test_state_of_the_address_and_sending_again(self, alice, browser):
        me = browser.get("/api/me/").json()
        assert (me["email_confirmed"], me["new_email"]) == (False, "")
        assert (
            browser.post("/api/me/email/link/", content_type="application/json").status_code == 204
        )
        assert Delivery.objects.get().template == "confirm_address"

    def test_changing_and_cancelling(self, alice, browser):
        changed = browser.post("/api/me/email/", CHANGE, content_type="application/json")
        assert changed.json()["new_email"] == CHANGE["email"]
        assert browser.delete("/api/me/email/").json()["new_email"] == ""

    def test_signing_up_by_domain(self, by_domain, client):
        given = {"email": "nia@example.org", "password": NEW, "name": "Nia"}
        answer = client.post("/api/register/", given, content_type="application/json")
        assert (answer.status_code, answer.json()) == (202, {"state": "unconfirmed"})
        pair = {"email": given["email"], "password": NEW}
        answer = client.post("/api/token/", pair, content_type="application/json")
        assert answer.json()["code"] == "address_unconfirmed"
        again = {"email": given["email"]}
        answer = client.post("/api/register/link/", again, content_type="application/json")
        assert answer.status_code == 204


@pytest.mark.django_db(transaction=True)
def test_of_many_requests_with_one_link_one_succeeds(alice, link):
    def confirm(_n: int) -> str:
        try:
            given: Any = {**HERE, "user": alice, "password": ""}
            actions.confirm_address(token_of(link), **given)
        except ChatError as error:
            return error.code
        finally:
            connection.close()
        return "confirmed"

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(confirm, range(16)))
    assert sorted(results) == ["confirmed", *["not_found"] * 15]
