"""Signing up, in and out, and settings, as a browser without JavaScript uses them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.tokens import default_token_generator
from django.contrib.sessions.models import Session
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from django.utils.http import urlsafe_base64_encode

from accounts import actions, installation, queries
from accounts.models import SignIn, User
from chatty.version import __version__
from tests.cast import PASSWORD
from tests.html import one, parse, values, words

pytestmark = pytest.mark.django_db

NEW = "another blue teapot"
SIGN_UP = {"name": "Carol", "email": "carol@example.org", "password": NEW}
SIGN_IN = {"email": "alice@example.org", "password": PASSWORD}
PROFILE = {
    "name": "Alice",
    "chosen_hue": "",
    "theme": "system",
    "contrast": "system",
    "density": "comfortable",
    "time_format": "language",
    "language": "",
    "time_zone": "",
}
CHANGE = {"old_password": PASSWORD, "new_password": NEW, "again": NEW}


def text(response):
    """Return roughly what a reader sees."""
    return words(parse(response))


def is_in(client):
    return client.get("/settings/profile/").status_code == 200


class TestSignUp:
    def test_signs_in_immediately(self, client):
        response = client.post("/sign-up/", SIGN_UP)
        assert (response.status_code, response["Location"]) == (303, "/")
        user = User.objects.get()
        assert (user.email, user.name, user.time_zone) == ("carol@example.org", "Carol", "")
        assert is_in(client)
        sign_in = SignIn.objects.get()
        assert (sign_in.user, sign_in.kind) == (user, "web")

    def test_unknown_browser_time_zone_is_ignored(self, client):
        for n, (sent, kept) in enumerate({"Asia/Tokyo": "Asia/Tokyo", "Mars/One": ""}.items()):
            email = f"c{n}@example.org"
            Client().post("/sign-up/", {**SIGN_UP, "email": email, "time_zone": sent})
            assert User.objects.get(email=email).time_zone == kept

    def test_direction_marks_are_removed_from_a_name(self, client):
        """They come along when a name is copied from somewhere, and can't be seen."""
        client.post("/sign-up/", {**SIGN_UP, "name": "\u200eCarol \u05d0\u200f"})
        assert User.objects.get().name == "Carol \u05d0"

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"email": "no address"}, "email"),
            ({"email": ""}, "email"),
            ({"name": " "}, "name"),
            ({"name": "\u202eCarol"}, "name"),
            ({"name": "Ca\x00rol"}, "name"),
            ({"password": "short"}, "password"),
            ({"password": "carol@example"}, "password"),
            ({"password": "q" * 257}, "password"),
        ],
    )
    def test_field_error_keeps_the_input_but_no_password(self, client, changes, field):
        typed = {**SIGN_UP, **changes}
        response = client.post("/sign-up/", typed)
        assert response.status_code == 400
        assert list(response.context["form"].errors) == [field]
        for name in ("name", "email"):
            assert response.context["form"][name].value() == typed[name]
        assert NEW not in response.content.decode()  # never put a password back into a page
        assert not User.objects.exists()
        assert "chatty-session" not in response.cookies

    def test_empty_form_reports_all_missing_fields(self, client):
        response = client.post("/sign-up/")
        assert response.status_code == 400
        assert set(response.context["form"].errors) == {"name", "email", "password"}

    def test_taken_email_is_reported(self, client, alice):
        response = client.post("/sign-up/", {**SIGN_UP, "email": "Alice@example.org"})
        assert response.status_code == 400
        assert "There’s already an account with this email address." in text(response)
        assert not is_in(client)

    def test_rate_limit_returns_429_with_retry_after(self, client, settings):
        settings.LIMITS = {**settings.LIMITS, "sign_up": "1/h"}
        Client().post("/sign-up/", SIGN_UP)
        response = client.post("/sign-up/", {**SIGN_UP, "email": "d@example.org"})
        assert response.status_code == 429
        assert int(response["Retry-After"]) > 0
        assert "d@example.org" in response.content.decode()

    @pytest.mark.parametrize(
        ("how", "word"), [("closed", "Sign-up is closed"), ("invited", "need an invitation")]
    )
    def test_closed_sign_up_shows_the_reason_and_no_form(self, client, settings, how, word):
        settings.SIGN_UP = how
        for response in (client.get("/sign-up/"), client.post("/sign-up/", SIGN_UP)):
            assert response.status_code == 403
            assert word in text(response)
            assert not parse(response).select("form")
        assert not User.objects.exists()
        assert b"/sign-up/" not in client.get("/sign-in/").content


class TestSignIn:
    def test_browser_time_zone_is_stored_at_the_first_sign_in_only(self, client, alice):
        """The first administrator has no other occasion. Later, an empty one can be a choice."""

        def zone_after(sent: str, **given: Any) -> str:
            User.objects.filter(pk=alice.pk).update(**given)
            assert Client().post("/sign-in/", {**SIGN_IN, "time_zone": sent}).status_code == 303
            return User.objects.get(pk=alice.pk).time_zone

        never = {"last_login": None}
        for bad in ("Mars/One", "x" * 9_999, "Asia/Tokyo\x00", ""):
            assert zone_after(bad, **never) == ""
        assert zone_after("Asia/Tokyo") == ""
        assert zone_after("Asia/Tokyo", **never) == "Asia/Tokyo"
        assert zone_after("Europe/Berlin", **never) == "Asia/Tokyo"

    def test_correct_password_signs_in(self, client, alice):
        response = client.post("/sign-in/", {**SIGN_IN, "email": " ALICE@example.org "})
        assert (response.status_code, response["Location"]) == (303, "/")
        assert is_in(client)

    def test_wrong_email_and_wrong_password_render_the_same_page(self, alice):
        pages = []
        for wrong in ({**SIGN_IN, "password": "x"}, {**SIGN_IN, "email": "alicx@example.org"}):
            response = Client().post("/sign-in/", wrong)
            assert response.status_code == 400
            pages.append(text(response))
        assert pages[0] == pages[1]
        assert "Wrong email address or password" in pages[0]

    def test_error_page_keeps_the_email_but_not_the_password(self, client, alice):
        response = client.post("/sign-in/", {"email": "x@example.org", "password": "secret-x"})
        assert b"x@example.org" in response.content
        assert b"secret-x" not in response.content

    def test_deactivated_account_is_reported(self, client, alice):
        actions.close_account(alice)
        response = client.post("/sign-in/", SIGN_IN)
        assert response.status_code == 403
        assert "This account has been deactivated." in text(response)
        assert not is_in(client)

    def test_account_deactivated_during_sign_in_is_not_signed_in(self, client, alice, monkeypatch):
        real = actions.authenticate

        def authenticate(**given):
            user = real(**given)
            actions.close_account(User.objects.get(pk=user.pk))
            return user

        monkeypatch.setattr(actions, "authenticate", authenticate)
        response = client.post("/sign-in/", SIGN_IN)
        assert response.status_code == 403
        assert not is_in(client)
        assert not SignIn.objects.exists()

    def test_session_key_changes_to_prevent_fixation(self, client, alice):
        session = client.session
        session["planted"] = 1
        session.save()
        before = session.session_key
        client.post("/sign-in/", SIGN_IN)
        assert client.session.session_key != before
        assert not Session.objects.filter(session_key=before).exists()

    @pytest.mark.parametrize(
        ("asked", "goes"),
        [
            ("/c/7/?around=3", "/c/7/?around=3"),
            ("https://evil.example/", "/"),
            ("//evil.example/", "/"),
            ("/\\evil.example", "/"),
            ("javascript:alert(1)", "/"),
            ("http://testserver/c/7/", "http://testserver/c/7/"),
            ("", "/"),
        ],
    )
    def test_next_redirects_only_within_this_site(self, client, alice, asked, goes):
        page = client.get("/sign-in/", {"next": asked})
        carried = page.context["next"]
        response = client.post("/sign-in/", {**SIGN_IN, "next": carried})
        assert response["Location"] == goes
        other = Client().post("/sign-in/", {**SIGN_IN, "next": asked})
        assert other["Location"] == goes

    def test_signed_in_user_is_redirected(self, browser):
        for path in ("/sign-in/", "/sign-up/"):
            assert browser.get(path)["Location"] == "/"

    def test_signing_in_as_another_user_ends_the_first_sign_in(self, browser, bob):
        first = browser.session["sid"]
        browser.post("/sign-in/", {**SIGN_IN, "email": "bob@example.org"})
        assert queries.valid_sids([first]) == set()
        assert browser.get("/settings/profile/").context["user"] == bob

    def test_signing_in_twice_keeps_one_sign_in(self, browser):
        browser.post("/sign-in/", SIGN_IN)
        assert SignIn.objects.live().count() == 1

    def test_protected_page_redirects_to_sign_in_with_next(self, client):
        response = client.get("/settings/profile/")
        assert response.status_code == 302
        assert response["Location"] == "/sign-in/?next=/settings/profile/"

    def test_guessing_returns_429(self, client, alice, settings):
        settings.LIMITS = {**settings.LIMITS, "sign_in": "2/5m"}
        answers = [
            client.post("/sign-in/", {**SIGN_IN, "password": "x"}).status_code for _ in range(3)
        ]
        assert answers == [400, 400, 429]


class TestSignOut:
    def test_cookie_is_invalid_afterwards(
        self, browser, alice, ended, django_capture_on_commit_callbacks
    ):
        cookie, sid = browser.cookies["chatty-session"].value, browser.session["sid"]
        with django_capture_on_commit_callbacks(execute=True):
            response = browser.post("/sign-out/")
        assert (response.status_code, response["Location"]) == (303, "/sign-in/")
        thief = Client()
        thief.cookies["chatty-session"] = cookie
        assert not is_in(thief)
        assert not Session.objects.filter(session_key=cookie).exists()
        assert [(text["sids"], text["code"]) for text in ended] == [([sid], 4001)]

    def test_get_request_does_not_sign_out(self, browser):
        assert browser.get("/sign-out/").status_code == 405
        assert is_in(browser)

    def test_other_browsers_stay_signed_in(self, browser, alice):
        other = Client()
        other.force_login(alice)
        browser.post("/sign-out/")
        assert is_in(other)


class TestSettings:
    def test_changing_the_password_ends_other_sign_ins(self, browser, alice, pair):
        other = Client()
        other.force_login(alice)
        before = browser.session.session_key
        response = browser.post("/settings/password/", CHANGE)
        assert response.status_code == 303
        assert is_in(browser)
        assert browser.session.session_key != before
        assert not is_in(other)
        assert Client().post("/sign-in/", {**SIGN_IN, "password": NEW}).status_code == 303
        assert Client().post("/sign-in/", SIGN_IN).status_code == 400

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"old_password": "wrong"}, "old_password"),
            ({"new_password": "password1", "again": "password1"}, "new_password"),
            ({"again": "typo"}, "again"),
            ({"old_password": ""}, "old_password"),
        ],
    )
    def test_invalid_password_change_changes_nothing(self, browser, alice, changes, field):
        other = Client()
        other.force_login(alice)
        response = browser.post("/settings/password/", {**CHANGE, **changes})
        assert response.status_code == 400
        assert list(response.context["form"].errors) == [field]
        assert NEW not in response.content.decode()
        assert is_in(other)

    def test_all_profile_fields_are_saved(self, browser, alice):
        given = {
            "name": "Alice A",
            "chosen_hue": "5",
            "theme": "dark",
            "contrast": "more",
            "density": "compact",
            "time_format": "12",
            "language": "en",
            "time_zone": "Asia/Tokyo",
        }
        assert browser.post("/settings/profile/", given).status_code == 303
        alice.refresh_from_db()
        assert {name: str(getattr(alice, name)) for name in given} == given
        page = browser.get("/settings/profile/")
        assert values(page, "select[name=time_zone] option[selected]") == ["Asia/Tokyo"]
        assert one(page, '[data-time-zone="offer"]')

    def test_invalid_profile_shows_errors_and_keeps_the_input(self, browser, alice):
        wrong = {
            "name": "A" * 61,
            "chosen_hue": "12",
            "theme": "pink",
            "contrast": "x",
            "density": "x",
            "time_format": "x",
            "language": "tlh",
            "time_zone": "x",
        }
        response = browser.post("/settings/profile/", wrong)
        assert response.status_code == 400
        assert set(response.context["form"].errors) == set(wrong)
        assert "A" * 61 in response.content.decode()
        alice.refresh_from_db()
        assert alice.name == "Alice"

    def test_sign_ins_are_listed_and_can_be_ended(self, browser, alice, bob):
        other = Client(headers={"user-agent": "Old <b>phone</b>"})
        other.post("/sign-in/", SIGN_IN)
        page = browser.get("/settings/sign-ins/")
        assert b"Old &lt;b&gt;phone&lt;/b&gt;" in page.content
        sid = other.session["sid"]
        assert browser.post(f"/settings/sign-ins/{sid}/end/").status_code == 303
        assert not is_in(other)
        assert is_in(browser)

    def test_users_cannot_end_sign_ins_of_others(self, browser, bob):
        other = Client()
        other.force_login(bob)
        sid = other.session["sid"]
        assert browser.post(f"/settings/sign-ins/{sid}/end/").status_code == 404
        assert is_in(other)

    def test_all_other_sign_ins_can_be_ended(self, browser, alice, pair):
        other = Client()
        other.force_login(alice)
        assert browser.post("/settings/sign-ins/end-others/").status_code == 303
        assert SignIn.objects.live().get().sid == browser.session["sid"]
        assert is_in(browser)


class TestCsrf:
    FORMS = {
        "/sign-up/": SIGN_UP,
        "/sign-up/link/": {"email": "carol@example.org"},
        "/confirm/{token}/": {},
        "/settings/email/": {"email": "a@example.net", "password": PASSWORD},
        "/settings/email/send/": {},
        "/settings/email/cancel/": {},
        "/sign-in/": SIGN_IN,
        "/sign-out/": {},
        "/password/forgotten/": {"email": "alice@example.org"},
        "/password/reset/{uid}/{token}/": {"new_password": NEW, "again": NEW},
        "/settings/profile/": {"name": "Mallory"},
        "/settings/password/": CHANGE,
        "/settings/status/": {"emoji": "🏡", "text": "Home", "ends": ""},
        "/settings/sign-ins/end-others/": {},
        "/settings/sign-ins/{sid}/end/": {},
    }

    @pytest.mark.parametrize("path", FORMS)
    def test_form_without_csrf_token_is_rejected(self, alice, pair, path):
        client = Client(enforce_csrf_checks=True)
        if not path.startswith("/sign-up") and not path.startswith("/sign-in"):
            client.force_login(alice)
        other = SignIn.objects.get(kind="token")
        link = {
            "uid": urlsafe_base64_encode(str(alice.pk).encode()),
            "token": default_token_generator.make_token(User.objects.get(pk=alice.pk)),
        }
        response = client.post(path.format(sid=other.sid, **link), self.FORMS[path])
        assert response.status_code == 403
        alice.refresh_from_db()
        assert alice.name == "Alice"
        assert alice.check_password(PASSWORD)
        assert User.objects.count() == 1
        assert SignIn.objects.live().filter(sid=other.sid).exists()
        assert SignIn.objects.live().filter(kind="web").count() == ("sign-i" not in path[:7]) * (
            "sign-u" not in path[:7]
        )

    def test_all_account_urls_are_covered(self):
        from accounts.web.urls import urlpatterns

        ours = {"/" + re.sub(r"<str:(\w+)>", r"{\1}", str(p.pattern)) for p in urlpatterns}
        assert ours - set(self.FORMS) == {
            "/settings/sign-ins/",
            "/password/forgotten/sent/",
            "/sign-up/waiting/",
            "/sign-up/sent/",
        }

    def test_form_with_csrf_token_is_accepted(self, alice):
        client = Client(enforce_csrf_checks=True)
        token = values(client.get("/sign-in/"), "input[name=csrfmiddlewaretoken]")[0]
        given = {**SIGN_IN, "csrfmiddlewaretoken": token}
        assert client.post("/sign-in/", given).status_code == 303


class TestSessions:
    def test_ending_a_sign_in_signs_out_the_browser_and_deletes_its_session(self, browser):
        key = browser.session.session_key
        actions.end_sign_in(browser.session["sid"])
        assert not is_in(browser)
        assert not Session.objects.filter(session_key=key).exists()

    def test_deactivating_signs_out_the_browser(self, browser, alice):
        actions.close_account(alice)
        assert not is_in(browser)

    def test_session_without_a_sign_in_is_anonymous(self, browser):
        SignIn.objects.all().delete()
        assert not is_in(browser)

    def test_session_with_a_foreign_sign_in_is_anonymous(self, alice, bob, pair):
        theirs = Client()
        theirs.force_login(bob)
        for sid in (theirs.session["sid"], SignIn.objects.get(kind="token").sid):
            client = Client()
            client.force_login(alice)
            session = client.session
            session["sid"] = sid
            session.save()
            assert not is_in(client)

    def test_sessions_survive_a_secret_key_rotation(self, browser, settings):
        before, key = browser.session["_auth_user_hash"], browser.session.session_key
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
        settings.SECRET_KEY = "n" * 50
        assert is_in(browser)
        settings.SECRET_KEY_FALLBACKS = []
        assert is_in(browser)  # the session was signed with the new key in between
        assert browser.session["_auth_user_hash"] != before
        assert browser.session.session_key != key

    def test_expiry_is_extended_at_most_once_per_interval(self, browser, django_assert_num_queries):
        sign_in = SignIn.objects.get()
        is_in(browser)
        again = SignIn.objects.get()
        assert (again.last_seen_at, again.expires_at) == (
            sign_in.last_seen_at,
            sign_in.expires_at,
        )
        long_ago = timezone.now() - timedelta(days=3)
        SignIn.objects.update(last_seen_at=long_ago, expires_at=timezone.now() + timedelta(days=1))
        Session.objects.update(expire_date=timezone.now() + timedelta(days=1))
        is_in(browser)
        used = SignIn.objects.get()
        assert used.last_seen_at > long_ago + timedelta(days=2)
        month = timezone.now() + timedelta(days=29)
        assert used.expires_at > month
        assert Session.objects.get().expire_date > month

    def test_authentication_takes_two_queries(self, browser, django_assert_num_queries):
        with django_assert_num_queries(2):
            assert browser.get("/sign-in/").status_code == 303

    def test_anonymous_request_makes_no_query_and_no_session(
        self, client, django_assert_num_queries
    ):
        installation.installation_settings()  # read once a second by each process
        with django_assert_num_queries(0):
            response = client.get("/sign-in/")
        assert response.status_code == 200
        assert "chatty-session" not in response.cookies

    def test_times_are_shown_in_the_users_time_zone(self, browser, alice):
        SignIn.objects.update(created_at="2026-01-01T20:30:00Z")
        assert "1 January 2026, 20:30" in text(browser.get("/settings/sign-ins/"))
        actions.update_profile(alice, time_zone="Asia/Tokyo")
        assert "2 January 2026, 05:30" in text(browser.get("/settings/sign-ins/"))

    def test_unknown_time_zone_does_not_break_pages(self, browser, alice):
        User.objects.update(time_zone="Gone/Away")
        assert is_in(browser)
        page = browser.get("/settings/profile/")
        assert values(page, "select[name=time_zone] option[selected]") == ["Gone/Away"]

    def test_async_views_get_the_same_user(self, browser, alice, rf):
        from accounts.middleware import SignInMiddleware

        def seen():
            request = rf.get("/")
            request.session = browser.session
            SignInMiddleware(lambda request: HttpResponse())(request)
            return async_to_sync(request.auser)()

        assert seen() == alice
        actions.end_sign_ins(alice)
        assert not seen().is_authenticated


class TestPreferences:
    def test_theme_and_contrast_apply_to_every_page(self, browser, alice):
        actions.update_profile(alice, theme="dark", contrast="more")
        for path in ("/settings/password/", "/no/such/page/", "/?list"):
            page = browser.get(path)
            assert one(page, 'html[data-theme="dark"][data-contrast="more"]')
            assert values(page, "meta[name=color-scheme]", "content") == ["dark"]
            assert len(parse(page).select("meta[name=theme-color]")) == 1

    def test_theme_defaults_to_the_system(self, browser, alice):
        for page in (browser.get("/settings/password/"), Client().get("/sign-in/")):
            assert one(page, 'html[data-theme="system"][data-contrast="system"]')
            assert values(page, "meta[name=color-scheme]", "content") == ["light dark"]
            assert len(parse(page).select("meta[name=theme-color]")) == 2

    def language(self, client, path="/settings/password/", **headers):
        response = client.get(path, headers=headers)
        text = one(response, "html")["lang"]
        assert response["Content-Language"] == text
        return text

    def test_profile_language_overrides_the_browsers(self, browser, alice):
        wish = {"accept_language": "de, en;q=0.5"}
        assert self.language(browser, **wish) == "de"
        assert self.language(Client(), "/sign-in/", **wish) == "de"
        actions.update_profile(alice, language="en")
        assert self.language(browser, **wish) == "en"
        actions.update_profile(alice, language="de")
        assert self.language(browser, accept_language="en") == "de"
        assert self.language(Client(), "/sign-in/", accept_language="en") == "en"

    def test_languages_are_listed_by_their_native_names(self, browser):
        choices = one(browser.get("/settings/profile/"), "select[name=language]")
        assert words(one(choices, 'option[value="de"]:not([selected])')) == "Deutsch"
        assert words(one(choices, 'option[value=""][selected]')) == "Browser default"

    def test_unsupported_language_falls_back_to_the_browsers(self, browser, alice):
        User.objects.filter(pk=alice.pk).update(language="tlh")
        assert self.language(browser) == "en"

    def test_time_zones_are_grouped_by_region_without_duplicates(self, browser):
        zones = one(browser.get("/settings/profile/"), "select[name=time_zone]")
        berlin = one(zones, 'optgroup[label="Europe"] > option[value="Europe/Berlin"]')
        assert words(berlin) == "Berlin"
        assert "Argentina, Buenos Aires" in words(zones)
        places = values(zones, "option")
        assert len(places) == len(set(places))
        assert not {"US/Eastern", "Etc/GMT+5", "Cuba", "posixrules"} & set(places)

    def test_deprecated_time_zone_stays_selectable(self, browser, alice):
        User.objects.filter(pk=alice.pk).update(time_zone="US/Eastern")
        zones = one(browser.get("/settings/profile/"), "select[name=time_zone]")
        assert words(one(zones, 'option[value="US/Eastern"][selected]')) == "US, Eastern"


def test_settings_show_the_version(client, alice):
    client.force_login(alice)
    assert f"Chatty {__version__}" in client.get("/settings/profile/").content.decode()
