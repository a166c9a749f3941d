"""Password reset: who gets an email, what it contains, and what its link allows, once."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.test import Client
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import get_language

from accounts import actions, mails
from accounts.actions import passwords
from accounts.models import User
from accounts.tests.helpers import raises_chat_error
from accounts.tests.test_web import SIGN_IN, is_in, text
from chatty.common.limiter import limiter
from chatty.jobs import deliveries
from chatty.jobs.models import Delivery
from chatty.jobs.tests.helpers import send_waiting
from chatty.ops import metrics
from tests.cast import PASSWORD
from tests.html import one

ASK = "/password/forgotten/"
NEW = "another blue teapot"
CHOICE = {"new_password": NEW, "again": NEW}


@pytest.fixture(autouse=True)
def _sent_at_once(request, monkeypatch):
    """Send in the test's thread, and so in its transaction, except in tests of what is stored."""
    if "stored" in request.fixturenames:
        return
    send_later = mails.send_later

    def send(*given):
        send_later(*given)
        send_waiting()

    monkeypatch.setattr(mails, "send_later", send)


@pytest.fixture
def stored():
    """Emails are only stored. Return their deliveries, without IDs, times and references."""
    columns = ("kind", "destination", "ordering", "template", "data", "failures", "error")
    return lambda: list(Delivery.objects.order_by("pk").values(*columns))


def link_in(mail) -> str:
    (link,) = re.findall(r"^https?://[^/]+(/password/reset/\S+)$", mail.body, re.MULTILINE)
    return link


@pytest.fixture
def link(alice, mailoutbox) -> str:
    Client().post(ASK, {"email": alice.email})
    return link_in(mailoutbox[-1])


def test_password_reset_from_sign_in_page_to_new_password(client, alice, mailoutbox):
    assert one(client.get("/sign-in/"), f'a[href="{ASK}"]')
    response = client.post(ASK, {"email": " Alice@Example.org "}, follow=True)
    assert "we’ve sent it an email" in text(response)
    (mail,) = mailoutbox
    assert mail.to == ["alice@example.org"]
    link = link_in(mail)
    assert "alice@example.org" in text(client.get(link))
    response = client.post(link, CHOICE, follow=True)
    assert "Password changed." in text(response)
    assert Client().post("/sign-in/", {**SIGN_IN, "password": NEW}).status_code == 303
    assert Client().post("/sign-in/", SIGN_IN).status_code == 400


def test_reset_ends_all_sign_ins(
    browser, alice, pair, link, ended, django_capture_on_commit_callbacks
):
    assert is_in(browser)
    with django_capture_on_commit_callbacks(execute=True):
        assert Client().post(link, CHOICE).status_code == 303
    assert not is_in(browser)
    assert not alice.sign_ins.live().exists()
    assert (ended[-1]["user_id"], ended[-1]["sids"]) == (alice.pk, None)


def test_email_is_plain_text_and_names_the_site(alice, mailoutbox, settings):
    settings.PUBLIC_URL = "https://chat.example.org"
    User.objects.filter(pk=alice.pk).update(name="Alice <b>&")
    Client().post(ASK, {"email": alice.email})
    (mail,) = mailoutbox
    assert mail.subject == "Reset your password for Chatty at chat.example.org"
    assert mail.body.startswith("Hi Alice <b>&,\n")
    assert "https://chat.example.org/password/reset/" in mail.body
    assert "If it wasn’t you, you can ignore this email" in mail.body


def test_link_uses_public_url_instead_of_the_host_header(alice, mailoutbox, settings):
    settings.PUBLIC_URL = "https://chat.example.org"
    settings.ALLOWED_HOSTS = ["*"]
    Client().post(ASK, {"email": alice.email}, headers={"host": "evil.example"})
    assert "evil" not in mailoutbox[0].body


def test_foreign_host_sends_no_email_without_public_url(alice, mailoutbox):
    response = Client().post(ASK, {"email": alice.email}, headers={"host": "evil.example"})
    assert response.status_code == 400
    assert mailoutbox == []


def test_email_is_in_the_users_language(alice, mailoutbox, settings, monkeypatch):
    settings.LANGUAGES = [("en", "English"), ("de", "German")]
    spoken = []

    def render(*given):
        spoken.append(get_language())
        return "words"

    monkeypatch.setattr(passwords, "render_to_string", render)
    german = {"accept-language": "de"}
    Client().post(ASK, {"email": alice.email}, headers=german)
    actions.update_profile(alice, language="en")
    Client().post(ASK, {"email": alice.email}, headers=german)
    assert spoken == ["de", "en"]


class TestAccountsAreNotRevealed:
    @pytest.fixture
    def people(self, alice, bob, root) -> list[str]:
        """An active account, a deactivated one, one whose password staff disabled, and an unknown address."""
        actions.close_account(bob)
        actions.remove_password(root)
        return ["alice@example.org", "bob@example.org", "root@example.org", "x@example.org"]

    def test_response_queries_and_row_do_not_depend_on_the_account(
        self, people, stored, django_assert_num_queries
    ):
        answers = []
        for email in people:
            with django_assert_num_queries(1):
                response = Client().post(ASK, {"email": email})
            answers.append((response.status_code, response["Location"], response.content))
        assert len(set(answers)) == 1
        rows = stored()
        assert [row["data"].pop("email") for row in rows] == people
        assert rows == [rows[0]] * len(people)
        assert rows[0]["data"] == {"language": "en", "site": "http://testserver"}

    def test_the_row_goes_in_any_case(self, people, stored, mailoutbox):
        for email in people:
            Client().post(ASK, {"email": email})
        assert send_waiting() == len(people)
        assert stored() == []
        assert len(mailoutbox) == 1

    def test_only_active_accounts_get_an_email(self, people, mailoutbox):
        for email in people:
            Client().post(ASK, {"email": email})
        assert [mail.to for mail in mailoutbox] == [["alice@example.org"]]

    @pytest.mark.parametrize("limit", ["reset", "reset_address", "reset_all"])
    def test_rate_limits_do_not_depend_on_the_account(self, people, mailoutbox, settings, limit):
        settings.LIMITS = {**settings.LIMITS, limit: "2/h"}
        for email in ("x@example.org", "alice@example.org"):
            limiter.clear()
            statuses = [Client().post(ASK, {"email": email}).status_code for _ in range(3)]
            assert statuses == [303, 303, 429]
        assert len(mailoutbox) == 2

    def test_emails_to_one_account_are_limited_across_addresses(self, people, mailoutbox, settings):
        settings.LIMITS = {**settings.LIMITS, "reset": "2/h"}
        for number in range(5):
            Client(REMOTE_ADDR=f"203.0.113.{number}").post(ASK, {"email": people[0]})
        assert len(mailoutbox) == 2


@pytest.mark.entrances
@pytest.mark.parametrize(
    "email", ["", "no address", "a@b", "x" * 300 + "@example.org", "a\0@b.org"]
)
def test_invalid_email_is_a_field_error_and_stays_in_the_form(client, db, email):
    response = client.post(ASK, {"email": email})
    assert response.status_code == 400
    assert list(response.context["form"].errors) == ["email"]
    assert response.context["form"]["email"].value() == email


class TestLink:
    def over(self, link: str) -> bool:
        answers = [Client().get(link), Client().post(link, CHOICE)]
        assert answers[0].status_code == answers[1].status_code
        return answers[0].status_code == 404 and "has expired" in text(answers[0])

    def test_works_once(self, alice, link):
        assert Client().get(link).status_code == 200
        assert Client().get(link).status_code == 200  # mail scanners open links before people do
        assert Client().post(link, CHOICE).status_code == 303
        assert self.over(link)
        alice.refresh_from_db()
        assert alice.check_password(NEW)

    def test_only_one_of_two_concurrent_resets_succeeds(self, alice, link, monkeypatch):
        uid, token = link.strip("/").split("/")[-2:]
        real, hashed = passwords.make_password, []

        def make_password(new):
            encoded = real(new)
            hashed.append(new)
            # The other reset comes between the check of the link and the change.
            if len(hashed) == 1:
                actions.reset_password_by_link(uid, token, new="the other was quicker")
            return encoded

        monkeypatch.setattr(passwords, "make_password", make_password)
        with raises_chat_error("not_found"):
            actions.reset_password_by_link(uid, token, new=NEW)
        alice.refresh_from_db()
        assert alice.check_password("the other was quicker")

    def test_is_invalid_after_a_password_change(self, alice, link):
        actions.reset_password(alice, "a third purple saucer")
        assert self.over(link)

    def test_is_invalid_after_a_sign_in(self, link):
        assert Client().post("/sign-in/", SIGN_IN).status_code == 303
        assert self.over(link)

    def test_is_invalid_after_deactivation(self, alice, link):
        actions.close_account(alice)
        assert self.over(link)

    def test_expires_after_an_hour(self, link, monkeypatch):
        for minutes, over in ((59, False), (61, True)):
            moment = datetime.now() + timedelta(minutes=minutes)  # noqa: DTZ005  # as Django asks
            monkeypatch.setattr(PasswordResetTokenGenerator, "_now", lambda _, at=moment: at)
            assert (Client().get(link).status_code == 404) is over

    def test_does_not_work_for_another_account(self, alice, bob, link):
        uid, token = link.strip("/").split("/")[-2:]
        theirs = urlsafe_base64_encode(str(bob.pk).encode())
        assert theirs != uid
        assert self.over(f"/password/reset/{theirs}/{token}/")

    @pytest.mark.parametrize(
        "uid", ["x", "MQ", "LTE", "OTk5OTk5OTk5OTk5OTk5OTk5OTk", "%00", "é", "w6k"]
    )
    def test_forged_links_do_not_work(self, db, uid):
        assert self.over(f"/password/reset/{uid}/c0ffee-0123456789abcdef/")

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"new_password": "short", "again": "short"}, "new_password"),
            ({"new_password": "password1", "again": "password1"}, "new_password"),
            ({"new_password": "alice@example", "again": "alice@example"}, "new_password"),
            ({"again": "typo"}, "again"),
            ({"again": ""}, "again"),
        ],
    )
    def test_invalid_password_does_not_use_up_the_link(self, alice, link, changes, field):
        response = Client().post(link, {**CHOICE, **changes})
        assert response.status_code == 400
        assert list(response.context["form"].errors) == [field]
        assert NEW not in response.content.decode()
        alice.refresh_from_db()
        assert alice.check_password(PASSWORD)
        assert Client().post(link, CHOICE).status_code == 303


def test_unreachable_mail_server_is_logged_without_the_email(
    alice, stored, caplog, settings, mailoutbox
):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    failed = metrics.MAILS.labels("failed")._value
    before = failed.get()
    assert Client().post(ASK, {"email": alice.email}).status_code == 303
    send_waiting()
    assert "The mail server could not be reached: Connection refused." in caplog.text
    assert "alice" not in caplog.text.lower()
    assert failed.get() == before + 1
    (row,) = stored()
    assert "Connection refused" in row["error"]


def test_link_is_made_when_the_email_is_sent(alice, stored, mailoutbox):
    Client().post(ASK, {"email": alice.email})
    actions.reset_password(alice, "a third purple saucer")
    send_waiting()
    assert Client().get(link_in(mailoutbox[0])).status_code == 200


def test_email_of_another_version_is_left_to_it(alice, stored):
    Client().post(ASK, {"email": alice.email})
    Delivery.objects.update(template="of another version")
    assert send_waiting() == 0
    assert stored()[0]["failures"] == 0
    with pytest.raises(LookupError):
        mails.send_later("of another version", {})


def test_repeated_email_has_the_same_id(alice, stored, mailoutbox, settings):
    settings.DEFAULT_FROM_EMAIL = "Chatty <chatty@example.org>"
    Client().post(ASK, {"email": alice.email})
    (delivery,) = Delivery.objects.all()
    kind = deliveries.kind_of(delivery)
    for _ in range(2):
        kind.send(kind.prepare(delivery))
    sent = [mail.message()["Message-ID"] for mail in mailoutbox]
    assert sent == [f"<{delivery.reference}@example.org>"] * 2
