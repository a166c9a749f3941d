"""Sign-up where an administrator has to approve it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.hashers import make_password
from django.test import Client
from django.utils import timezone

from accounts import actions, hashers, installation, upkeep
from accounts.models import NOTE_MAX, SignUpRequest, User
from accounts.tests.helpers import raises_chat_error
from chatty.jobs.models import Delivery
from chatty.jobs.tests.helpers import send_waiting
from tests.cast import PASSWORD
from tests.html import parse, words

pytestmark = pytest.mark.django_db

NEW = "another blue teapot"
GIVEN = {"name": "Nia", "email": "nia@example.org", "password": NEW}
FORM = {**GIVEN, "note": "I draw the maps."}
SITE = "https://chat.example.org"
QUEUE = "/admin/accounts/signuprequest/"


@pytest.fixture(autouse=True)
def _approved(settings):
    settings.SIGN_UP = "approved"


@pytest.fixture
def root(rita) -> Client:
    rita.is_staff = rita.is_superuser = True
    rita.save()
    client = Client()
    client.force_login(rita)
    return client


def ask(**changes):
    return actions.sign_up(**{**GIVEN, "address": "192.0.2.1", "site": SITE, **changes})


def sign_in(email="nia@example.org", password=NEW):
    return actions.authenticate(email=email, password=password, address="192.0.2.1")


class TestAsking:
    def test_creates_no_account(self):
        request = ask(note="  I draw\nthe maps. ")
        assert isinstance(request, SignUpRequest)
        assert request.note == "I draw\nthe maps."
        assert NEW not in request.password
        assert not User.objects.exists()

    @pytest.mark.parametrize(
        ("changes", "code", "field"),
        [
            ({"note": "x" * (NOTE_MAX + 1)}, "too_long", "note"),
            ({"note": "\0"}, "bad_text", "note"),
            ({"email": "nia"}, "invalid", "email"),
            ({"password": "123"}, "invalid", "password"),
            ({"name": " "}, "empty", "name"),
        ],
    )
    def test_input_is_checked_as_for_an_account(self, changes, code, field):
        with raises_chat_error(code, field=field):
            ask(**changes)
        assert not SignUpRequest.objects.exists()

    def test_waiting_address_gets_the_error_of_an_account(self, alice):
        """Otherwise it would reveal who has asked; that someone has an account, sign-up reveals anyway."""
        ask()
        answers = []
        for email in ("NIA@example.org", alice.email):
            with raises_chat_error("invalid", field="email") as caught:
                ask(email=email, password="quite another teapot")
            answers.append(caught.value.as_dict())
        assert answers[0] == answers[1]
        assert SignUpRequest.objects.get().check_password(NEW)

    def test_is_limited_by_address_and_by_email_address(self, settings):
        settings.LIMITS = {**settings.LIMITS, "sign_up": "5/h", "sign_up_requests": "2/d"}
        for _ in range(2):
            actions.reject_sign_ups([ask()], site=SITE)
        with raises_chat_error("slow_down"):
            ask(address="192.0.2.2")
        for n in range(3):
            ask(email=f"n{n}@example.org")
        with raises_chat_error("slow_down"):
            ask(email="n9@example.org")

    def test_invited_person_who_has_asked_gets_an_account(self):
        ask()
        assert actions.register(**GIVEN, address="192.0.2.1", invited=True)
        assert not SignUpRequest.objects.exists()


class TestSigningIn:
    def test_state_needs_the_password(self):
        request = ask()
        with raises_chat_error("approval_pending"):
            sign_in("Nia@Example.org")
        with raises_chat_error("wrong_credentials"):
            sign_in(password=PASSWORD)
        actions.reject_sign_ups([request], site=SITE)
        with raises_chat_error("sign_up_rejected"):
            sign_in()
        with raises_chat_error("wrong_credentials"):
            sign_in(password=PASSWORD)

    def test_one_hash_is_computed_whoever_asks(self, monkeypatch, settings, alice):
        settings.PASSWORD_HASHERS = ["accounts.hashers.Argon2idHasher"]
        User.objects.filter(pk=alice.pk).update(password=make_password(PASSWORD))
        ask()
        hashed = []
        place = hashers.place_to_hash
        monkeypatch.setattr(hashers, "place_to_hash", lambda: hashed.append(1) or place())
        for email in ("nia@example.org", alice.email, "unknown@example.org"):
            hashed.clear()
            with raises_chat_error("wrong_credentials"):
                sign_in(email, "quite another teapot")
            assert len(hashed) == 1, email

    def test_password_reset_sends_nothing(self, mailoutbox):
        ask()
        actions.request_password_reset(email=GIVEN["email"], address="192.0.2.1", site=SITE)
        send_waiting()
        assert mailoutbox == []


class TestDeciding:
    def test_approved_person_can_sign_in_with_the_password_they_chose(self):
        request = ask(time_zone="Asia/Tokyo")
        (user,) = actions.approve_sign_ups([request], site=SITE)
        assert (user.name, user.time_zone) == ("Nia", "Asia/Tokyo")
        assert sign_in() == user
        assert not SignUpRequest.objects.exists()

    def test_decision_is_made_once(self):
        request = ask()
        assert len(actions.approve_sign_ups([request], site=SITE)) == 1
        assert actions.approve_sign_ups([request], site=SITE) == []
        assert actions.reject_sign_ups([request], site=SITE) == 0

    def test_account_created_in_between_is_kept(self):
        request = ask()
        User.objects.create_user("nia@example.org", PASSWORD)
        assert actions.approve_sign_ups([request], site=SITE) == []
        assert sign_in(password=PASSWORD)
        assert not SignUpRequest.objects.exists()

    def test_rejected_person_may_ask_again(self):
        actions.reject_sign_ups([ask()], site=SITE)
        again = ask(note="It was me.")
        assert again.state == "waiting"
        assert SignUpRequest.objects.get() == again

    def test_rejected_person_is_forgotten_after_a_week(self):
        request = ask()
        waiting = ask(email="zoe@example.org")
        actions.reject_sign_ups([request], site=SITE)
        assert not upkeep.forgotten_sign_ups().exists()
        week = timezone.now() - upkeep.FORGET_REJECTED_AFTER - timedelta(seconds=1)
        SignUpRequest.objects.update(decided_at=week, created_at=week)
        upkeep.forgotten_sign_ups().delete()
        assert SignUpRequest.objects.get() == waiting


class TestMails:
    def test_without_a_mail_server_none_is_stored(self):
        actions.approve_sign_ups([ask()], site=SITE)
        actions.reject_sign_ups([ask(email="zoe@example.org")], site=SITE)
        assert not Delivery.objects.exists()

    def test_answers_are_sent_without_words_of_the_asker(self, settings, mailoutbox):
        settings.MAIL_SET_UP = True
        actions.approve_sign_ups([ask(name="Buy http://x.example")], site=SITE)
        actions.reject_sign_ups([ask(email="zoe@example.org")], site=SITE)
        send_waiting()
        approved, rejected = mailoutbox
        assert (approved.to, rejected.to) == (["nia@example.org"], ["zoe@example.org"])
        assert f"{SITE}/sign-in/" in approved.body
        assert "x.example" not in approved.body
        assert "declined" in rejected.body
        assert "7 days" in rejected.body

    def test_rejection_that_is_overtaken_is_not_sent(self, settings, mailoutbox):
        settings.MAIL_SET_UP = True
        actions.reject_sign_ups([ask()], site=SITE)
        ask()
        send_waiting()
        assert mailoutbox == []


class TestPages:
    def test_asking_with_a_note(self, client):
        page = client.get("/sign-up/")
        assert "Why would you like to join?" in words(parse(page))
        sent = client.post("/sign-up/", FORM)
        assert (sent.status_code, sent.url) == (303, "/sign-up/waiting/")
        assert "Come back and sign in" in words(parse(client.get(sent.url)))
        assert SignUpRequest.objects.get().note == "I draw the maps."
        assert client.get("/settings/profile/").status_code == 302

    def test_signing_in_says_where_the_request_is(self, client):
        ask()
        page = client.post("/sign-in/", {"email": GIVEN["email"], "password": NEW})
        assert page.status_code == 403
        assert "waiting for approval" in words(parse(page))

    def test_note_is_not_asked_for_otherwise(self, client, settings):
        settings.SIGN_UP = "open"
        assert b"Why would you like" not in client.get("/sign-up/").content
        assert client.post("/sign-up/", FORM).status_code == 303
        assert User.objects.get().email == GIVEN["email"]


class TestApi:
    def test_registering_returns_202_and_tokens_say_why_not(self, client):
        given = {**GIVEN, "note": "I draw the maps."}
        answer = client.post("/api/register/", given, content_type="application/json")
        assert (answer.status_code, answer.json()) == (202, {"state": "waiting"})
        pair = {"email": GIVEN["email"], "password": NEW}
        answer = client.post("/api/token/", pair, content_type="application/json")
        assert (answer.status_code, answer.json()["code"]) == (403, "approval_pending")


class TestQueue:
    def test_several_are_approved_and_rejected_at_once(self, root):
        rows = [ask(email=f"n{n}@example.org", note=f"note {n}") for n in range(4)]
        page = words(parse(root.get(QUEUE)))
        assert all(row.note in page for row in rows)
        for action, chosen in (("approve", rows[:2]), ("reject", rows[2:3])):
            given = {"action": action, "_selected_action": [row.pk for row in chosen]}
            assert root.post(QUEUE, given).status_code == 302
        assert User.objects.filter(email__startswith="n").count() == 2
        left = words(parse(root.get(QUEUE)))
        assert "note 3" in left
        assert "note 2" not in left
        assert "note 2" in words(parse(root.get(f"{QUEUE}?state=rejected")))

    def test_number_waiting_is_shown_to_administrators_only(self, root, alice):
        ask()
        member = Client()
        member.force_login(alice)
        installation.forget()
        assert "1 person is waiting for approval" in words(parse(root.get("/")))
        assert "waiting for approval" not in words(parse(member.get("/")))

    def test_staff_without_the_permission_see_and_decide_nothing(self, rita):
        rita.is_staff = True
        rita.save()
        client = Client()
        client.force_login(rita)
        request = ask()
        assert client.get(QUEUE).status_code == 403
        given = {"action": "approve", "_selected_action": [request.pk]}
        assert client.post(QUEUE, given).status_code == 403
        assert "waiting for approval" not in words(parse(client.get("/")))
