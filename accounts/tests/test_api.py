from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db.models import F
from django.test import Client
from django.utils import timezone

from accounts import actions, tokens
from accounts.models import SignIn, User
from accounts.tests.helpers import bearer
from accounts.tests.test_tokens import claims
from tests.cast import PASSWORD

pytestmark = pytest.mark.django_db

NEW = "another blue teapot"


def post(client, path, data=None, **extra):
    return client.post(path, data or {}, content_type="application/json", **extra)


def token(client, email="alice@example.org", password=PASSWORD, **extra):
    return post(client, "/api/token/", {"email": email, "password": password}, **extra)


def says(response, status, code, field=None):
    body = response.json()
    assert (response.status_code, body["code"]) == (status, code), body
    assert body["detail"]
    assert field is None or body["fields"][field], body
    if status == 401:
        assert response["WWW-Authenticate"].startswith("Bearer")
    return True


class TestRegister:
    def test_sign_up_sign_in_and_profile(self, api):
        given = {"email": "Carol@example.org", "password": NEW, "name": "Carol"}
        made = post(api, "/api/register/", given)
        assert made.status_code == 201
        user = User.objects.get()
        me = {
            "id": user.pk,
            "email": "carol@example.org",
            "email_confirmed": False,
            "new_email": "",
            "name": "Carol",
            "title": "",
            "status": None,
            "hue": user.pk * 7 % 12,
            "picture": None,
            "time_zone": "",
            "language": "",
            "theme": "system",
            "contrast": "system",
            "density": "comfortable",
            "time_format": "language",
            "quiet_hours": None,
        }
        assert made.json() == me
        pair = token(api, "carol@example.org", NEW).json()
        assert api.get("/api/me/", **bearer(pair["access"])).json() == me

    @pytest.mark.parametrize("field", ["is_staff", "is_superuser", "id", "clock", "frob"])
    def test_staff_fields_are_rejected(self, api, field):
        given = {"email": "c@example.org", "password": NEW, "name": "C"}
        assert says(post(api, "/api/register/", {**given, field: 1}), 400, "invalid", field)
        assert not User.objects.exists()

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"email": "x"}, "email"),
            ({"email": 7.5}, "email"),
            ({"email": None}, "email"),
            ({"password": "short"}, "password"),
            ({"name": ""}, "name"),
            ({"name": ["a"]}, "name"),
            ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ],
    )
    def test_invalid_input_is_reported_by_field(self, api, changes, field):
        given = {"email": "c@example.org", "password": NEW, "name": "C", **changes}
        assert says(post(api, "/api/register/", given), 400, "invalid", field)
        assert not User.objects.exists()

    def test_all_missing_fields_are_reported(self, api):
        response = post(api, "/api/register/")
        assert says(response, 400, "invalid")
        assert set(response.json()["fields"]) == {"email", "password", "name"}

    @pytest.mark.parametrize("body", ["[]", "7", "null", '"x"'])
    def test_non_object_json_is_rejected(self, api, body):
        response = api.post("/api/register/", body, content_type="application/json")
        assert says(response, 400, "invalid")

    @pytest.mark.parametrize("body", ["", "{", "[" * 100_000, "\xff", '{"a": NaN}'])
    def test_malformed_json_is_rejected(self, api, body):
        response = api.post("/api/register/", body, content_type="application/json")
        assert response.status_code == 400

    def test_closed_sign_up_is_reported_before_validation(self, api, settings):
        settings.SIGN_UP = "closed"
        assert says(post(api, "/api/register/"), 403, "sign_up_closed")

    def test_rate_limit_returns_429_with_retry_after(self, api, settings):
        settings.LIMITS = {**settings.LIMITS, "sign_up": "1/h"}
        given = {"email": "c@example.org", "password": NEW, "name": "C"}
        assert post(api, "/api/register/", given).status_code == 201
        response = post(api, "/api/register/", {**given, "email": "d@example.org"})
        assert says(response, 429, "slow_down")
        assert int(response["Retry-After"]) > 0
        assert response.json()["retry"] is True


class TestToken:
    def test_wrong_email_and_wrong_password_get_the_same_response(self, api, alice):
        wrong = [token(api, password="wrong"), token(api, "nobody@example.org")]
        for response in wrong:
            assert says(response, 401, "wrong_credentials")
        assert wrong[0].content == wrong[1].content

    def test_password_is_not_stripped(self, api, alice):
        actions.reset_password(alice, f" {NEW} ")
        assert token(api, password=f" {NEW} ").status_code == 200
        assert token(api, password=NEW).status_code == 401

    def test_deactivated_account_gets_no_tokens(self, api, alice):
        actions.close_account(alice)
        assert says(token(api), 403, "account_closed")
        assert not SignIn.objects.exists()

    def test_rate_limit_ignores_forged_forwarded_headers(self, api, alice, settings):
        settings.LIMITS = {**settings.LIMITS, "sign_in": "3/5m"}
        answers = [
            token(api, password="wrong", HTTP_X_FORWARDED_FOR=f"10.0.0.{n}").status_code
            for n in range(5)
        ]
        assert answers == [401, 401, 401, 429, 429]

    def test_stored_user_agent_is_sanitized(self, api, alice):
        token(api, HTTP_USER_AGENT="cli/1.0\r\n\x00\u202e" + "x" * 500)
        sign_in = SignIn.objects.get()
        assert sign_in.client.startswith("cli/1.0")
        assert sign_in.client.isprintable()
        assert len(sign_in.client) <= 200

    def test_lifetimes_come_with_the_tokens(self, api, alice, settings):
        begun = token(api).json()
        refreshed = post(api, "/api/token/refresh/", {"refresh": begun["refresh"]}).json()
        for pair in (begun, refreshed):
            assert set(pair) == {"access", "refresh", "expires_in", "refresh_expires_in"}
            assert 598 <= pair["expires_in"] <= 600
            assert 30 * 86400 - 2 <= pair["refresh_expires_in"] <= 30 * 86400

    def test_lifetimes_of_a_pair_that_is_returned_again_are_what_is_left(self, api, pair):
        post(api, "/api/token/refresh/", {"refresh": pair.refresh})
        SignIn.objects.update(rotated_at=F("rotated_at") - timedelta(seconds=50))
        again = post(api, "/api/token/refresh/", {"refresh": pair.refresh}).json()
        assert 548 <= again["expires_in"] <= 550
        assert api.get("/api/me/", **bearer(again["access"])).status_code == 200

    def test_refresh_can_be_repeated_only_after_a_lost_response(self, api, pair):
        first = post(api, "/api/token/refresh/", {"refresh": pair.refresh})
        assert first.status_code == 200
        again = post(api, "/api/token/refresh/", {"refresh": pair.refresh})
        assert again.status_code == 200
        for name in ("access", "refresh"):
            assert again.json()[name] == first.json()[name]
        assert api.get("/api/me/", **bearer(first.json()["access"])).status_code == 200
        again = post(api, "/api/token/refresh/", {"refresh": pair.refresh})
        assert says(again, 401, "token_invalid")
        access = bearer(first.json()["access"])
        assert says(api.get("/api/me/", **access), 401, "token_invalid")

    def test_refresh_of_a_deactivated_account_is_rejected(self, api, alice, pair):
        actions.close_account(alice)
        response = post(api, "/api/token/refresh/", {"refresh": pair.refresh})
        assert says(response, 403, "account_closed")
        assert says(api.get("/api/me/", **bearer(pair.access)), 403, "account_closed")

    def test_refresh_of_a_deleted_user_is_rejected(self, api, alice, pair):
        alice.delete()
        response = post(api, "/api/token/refresh/", {"refresh": pair.refresh})
        assert says(response, 401, "token_invalid")

    @pytest.mark.parametrize("bad", ["", "x", 7, None, "\ud800", ["a"], "a" * 5000])
    def test_malformed_refresh_token_is_rejected(self, api, db, bad):
        response = post(api, "/api/token/refresh/", {"refresh": bad})
        assert response.status_code in {400, 401}
        assert response.json()["code"] in {"invalid", "token_invalid", "bad_frame", "bad_text"}


class TestLogout:
    def test_refresh_token_ends_its_sign_in(self, api, pair):
        assert post(api, "/api/token/logout/", {"refresh": pair.refresh}).status_code == 204
        assert says(api.get("/api/me/", **bearer(pair.access)), 401, "token_invalid")
        response = post(api, "/api/token/refresh/", {"refresh": pair.refresh})
        assert says(response, 401, "token_invalid")

    def test_refresh_token_works_with_an_expired_access_token(self, api, pair):
        gone = bearer("x.y.z")
        response = post(api, "/api/token/logout/", {"refresh": pair.refresh}, **gone)
        assert response.status_code == 204
        assert SignIn.objects.live().count() == 0

    def test_access_token_alone_is_enough(self, api, alice, pair):
        other = tokens.begin(alice, client="")
        assert post(api, "/api/token/logout/", **bearer(pair.access)).status_code == 204
        assert says(api.get("/api/me/", **bearer(pair.access)), 401, "token_invalid")
        assert api.get("/api/me/", **bearer(other.access)).status_code == 200

    def test_requires_a_token(self, api, pair):
        assert says(post(api, "/api/token/logout/"), 401, "unauthenticated")
        assert says(post(api, "/api/token/logout/", {"refresh": "x"}), 401, "token_invalid")
        assert api.get("/api/me/", **bearer(pair.access)).status_code == 200


class TestAuthentication:
    def test_anonymous_request_gets_401_with_www_authenticate(self, api):
        for path in ("/api/me/", "/api/users/", "/api/me/sign-ins/"):
            assert says(api.get(path), 401, "unauthenticated")

    @pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
    def test_bearer_scheme_is_case_insensitive(self, api, pair, scheme):
        response = api.get("/api/me/", HTTP_AUTHORIZATION=f"{scheme} {pair.access}")
        assert response.status_code == 200

    @pytest.mark.parametrize("header", ["Bearer", "Bearer a b", "Bearer x"])
    def test_invalid_token_is_rejected_despite_a_valid_cookie(self, browser, header):
        response = browser.get("/api/me/", HTTP_AUTHORIZATION=header)
        assert says(response, 401, "token_invalid")

    def test_token_in_the_query_string_is_ignored(self, api, pair):
        response = api.get(f"/api/me/?token={pair.access}&access={pair.access}")
        assert says(response, 401, "unauthenticated")

    def test_session_cookie_can_read(self, browser, alice):
        assert browser.get("/api/me/").json()["id"] == alice.pk

    def test_session_cookie_requires_a_csrf_token_for_changes(self, alice):
        client = Client(enforce_csrf_checks=True)
        client.force_login(alice)
        change, kind = {"name": "Mallory"}, "application/json"
        assert says(client.patch("/api/me/", change, content_type=kind), 403, "csrf")
        alice.refresh_from_db()
        assert alice.name == "Alice"
        token = str(client.get("/settings/profile/").context["csrf_token"])
        good = client.patch("/api/me/", change, content_type=kind, HTTP_X_CSRFTOKEN=token)
        assert good.status_code == 200

    def test_bearer_token_needs_no_csrf_token(self, api, alice, pair):
        response = api.patch(
            "/api/me/",
            {"name": "Alicia"},
            content_type="application/json",
            **bearer(pair.access),
        )
        assert response.json()["name"] == "Alicia"

    def test_ended_session_is_rejected(self, browser):
        actions.end_sign_in(SignIn.objects.get().sid)
        assert says(browser.get("/api/me/"), 401, "unauthenticated")


class TestMe:
    def change(self, api, pair, **data):
        return api.patch("/api/me/", data, content_type="application/json", **bearer(pair.access))

    def test_profile_can_be_changed(self, api, alice, pair):
        changes = {"hue": 3, "time_zone": "Europe/Paris", "language": "en", "theme": "dark"}
        changes |= {"contrast": "more", "density": "compact", "time_format": "12"}
        changes |= {
            "title": "Gardener",
            "status": {"emoji": "🏡", "text": "At home", "until": None},
            "quiet_hours": {"start": "22:00", "end": "08:00"},
        }
        response = self.change(api, pair, name=" Alice  A ", **changes)
        assert response.json() == {
            "id": alice.pk,
            "email": "alice@example.org",
            "email_confirmed": False,
            "new_email": "",
            "name": "Alice A",
            "picture": None,
            **changes,
        }

    @pytest.mark.parametrize("field", ["email", "picture", "id", "is_staff", "nmae"])
    def test_read_only_fields_are_rejected_and_nothing_changes(self, api, alice, pair, field):
        response = self.change(api, pair, name="Alicia", **{field: "x"})
        assert says(response, 400, "invalid", field)
        alice.refresh_from_db()
        assert alice.name == "Alice"

    def test_status_can_be_sent_back_as_it_was_read_and_removed(self, api, alice, pair):
        until = (timezone.now() + timedelta(hours=1)).isoformat()
        given = {"emoji": "🌴", "text": " On  holiday ", "until": until}
        status = self.change(api, pair, status=given).json()["status"]
        assert (status["emoji"], status["text"]) == ("🌴", "On holiday")
        assert datetime.fromisoformat(status["until"]) == datetime.fromisoformat(until)
        assert self.change(api, pair, status=status, name="Ada").json()["status"] == status
        assert self.change(api, pair, title="Gardener").json()["status"] == status
        alice.refresh_from_db()
        assert (alice.status_text, alice.title, alice.name) == ("On holiday", "Gardener", "Ada")
        for removing in (None, {"emoji": "", "text": " ", "until": until}):
            self.change(api, pair, status=status)
            assert self.change(api, pair, status=removing).json()["status"] is None
            alice.refresh_from_db()
            assert (alice.has_status, alice.status_until) == (False, None)

    def test_hue_can_be_reset_to_the_default(self, api, alice, pair):
        assert self.change(api, pair, hue=3).json()["hue"] == 3
        assert self.change(api, pair, hue=None).json()["hue"] == alice.pk * 7 % 12

    @pytest.mark.parametrize(
        ("data", "code"),
        [
            ({"name": ""}, "invalid"),
            ({"name": "x" * 61}, "invalid"),
            ({"name": "\u202ex"}, "bad_text"),
            ({"time_zone": "Nowhere"}, "invalid"),
            ({"language": "tlh"}, "invalid"),
            ({"theme": "pink"}, "invalid"),
            ({"contrast": ""}, "invalid"),
            ({"density": "tight"}, "invalid"),
            ({"time_format": "13"}, "invalid"),
            ({"hue": 12}, "invalid"),
            ({"hue": "red"}, "invalid"),
            ({"title": "x" * 81}, "invalid"),
            ({"title": "\u202ex"}, "bad_text"),
            ({"status": {"emoji": "no", "text": ""}}, "invalid"),
            ({"status": {"emoji": "", "text": "x" * 81}}, "invalid"),
            ({"status": {"emoji": "", "text": "\u202ex"}}, "bad_text"),
            ({"status": {"text": "Busy"}}, "invalid"),
            ({"status": {"emoji": "", "text": "Busy", "until": "2020-01-01T00:00:00Z"}}, "invalid"),
            ({"status": {"emoji": "", "text": "Busy", "ends": "today"}}, "invalid"),
        ],
    )
    def test_invalid_values_are_reported(self, api, pair, data, code):
        assert says(self.change(api, pair, **data), 400, code, next(iter(data)))

    def test_changing_the_password_keeps_this_sign_in(self, api, alice, pair):
        other = tokens.begin(alice, client="")
        data = {"old_password": PASSWORD, "new_password": NEW}
        assert post(api, "/api/me/password/", data, **bearer(pair.access)).status_code == 204
        assert api.get("/api/me/", **bearer(pair.access)).status_code == 200
        assert says(api.get("/api/me/", **bearer(other.access)), 401, "token_invalid")
        assert token(api, password=NEW).status_code == 200

    def test_changing_the_password_keeps_the_browser_signed_in(self, browser):
        data = {"old_password": PASSWORD, "new_password": NEW}
        assert post(browser, "/api/me/password/", data).status_code == 204
        assert browser.get("/api/me/").status_code == 200

    def test_wrong_current_password_is_reported(self, api, pair):
        data = {"old_password": "wrong", "new_password": NEW}
        response = post(api, "/api/me/password/", data, **bearer(pair.access))
        assert says(response, 400, "invalid", "old_password")

    def test_users_see_and_end_only_their_own_sign_ins(self, api, alice, bob, pair):
        other, foreign = tokens.begin(alice, client="phone"), tokens.begin(bob, client="")
        rows = api.get("/api/me/sign-ins/", **bearer(pair.access)).json()["results"]
        assert {row["client"]: row["current"] for row in rows} == {
            "a program": True,
            "phone": False,
        }
        assert not any("jti" in name for row in rows for name in row)

        def end(pair_to_end):
            path = f"/api/me/sign-ins/{claims(pair_to_end.access)['sid']}/"
            return api.delete(path, **bearer(pair.access))

        assert end(other).status_code == 204
        assert says(end(foreign), 404, "not_found")
        assert says(api.get("/api/me/", **bearer(other.access)), 401, "token_invalid")
        assert api.get("/api/me/", **bearer(foreign.access)).status_code == 200


class TestPeople:
    def find(self, api, pair, query=""):
        return api.get(f"/api/users/{query}", **bearer(pair.access)).json()

    def test_user_list_never_contains_emails(self, api, alice, bob, pair):
        def shown(user, name):
            return {"id": user.pk, "name": name, "hue": user.pk * 7 % 12, "picture": None}

        assert self.find(api, pair) == {
            "next": None,
            "results": [shown(alice, "Alice"), shown(bob, "Bob")],
        }

    @pytest.mark.parametrize("query", ["bob@", "example.org", "%", "_", "\\", "%00", "B%00ob@"])
    def test_search_ignores_emails_and_wildcards(self, api, bob, pair, query):
        from urllib.parse import quote

        assert self.find(api, pair, f"?q={quote(query)}")["results"] == []

    def test_search_finds_part_of_a_name_of_active_users(self, api, bob, pair):
        assert [p["name"] for p in self.find(api, pair, "?q=BO")["results"]] == ["Bob"]
        actions.close_account(bob)
        assert self.find(api, pair, "?q=bo")["results"] == []

    def test_search_terms_match_any_part_of_a_name(self, api, bob, pair):
        bob.name = "Bob van Dyke"
        bob.save()
        assert [p["name"] for p in self.find(api, pair, "?q=dyk%20bo")["results"]] == [bob.name]
        assert self.find(api, pair, "?q=dyk%20ann")["results"] == []

    def test_pages_have_no_gaps_or_duplicates(self, api, pair):
        User.objects.bulk_create(
            [User(email=f"p{n}@example.org", name="Same name") for n in range(120)]
        )
        found, path = [], "/api/users/"
        while path:
            page = api.get(path, **bearer(pair.access)).json()
            found += [person["id"] for person in page["results"]]
            path = page["next"]
        assert len(found) == len(set(found)) == 121

    @pytest.mark.parametrize("cursor", ["nonsense", "cD0lMDA", "cD0lMDA=", "bz14", "/w=="])
    def test_invalid_cursor_is_rejected(self, api, pair, cursor):
        response = api.get("/api/users/", {"cursor": cursor}, **bearer(pair.access))
        assert says(response, 400, "invalid", "cursor")

    def test_person_can_be_read_by_id(self, api, alice, bob, pair):
        found = api.get(f"/api/users/{bob.pk}/", **bearer(pair.access))
        assert (found.status_code, found.json()) == (
            200,
            self.find(api, pair, "?q=bob")["results"][0],
        )

    def test_unknown_and_deactivated_people_are_not_found(self, api, bob, pair):
        actions.close_account(bob)
        for pk in (bob.pk, 10**9, 2**60):
            assert says(api.get(f"/api/users/{pk}/", **bearer(pair.access)), 404, "not_found")
        assert says(api.get(f"/api/users/{bob.pk}/"), 401, "unauthenticated")

    def test_many_people_can_be_read_by_their_ids(self, api, alice, bob, pair):
        found = self.find(api, pair, f"?ids={bob.pk},{alice.pk},{bob.pk},999999")
        assert [person["name"] for person in found["results"]] == ["Alice", "Bob"]
        assert found["next"] is None
        actions.close_account(bob)
        found = self.find(api, pair, f"?ids={bob.pk},{alice.pk}")
        assert [person["name"] for person in found["results"]] == ["Alice"]

    @pytest.mark.parametrize("ids", ["", ",", "1,", "1, 2", "x", "-1", "0", "1.0", "9" * 30, "1;2"])
    def test_invalid_ids_are_rejected(self, api, pair, ids):
        answer = api.get("/api/users/", {"ids": ids}, **bearer(pair.access))
        assert says(answer, 400, "invalid", "ids")

    def test_number_of_ids_is_limited_and_exact(self, api, pair):
        for number, status in ((100, 200), (101, 400)):
            ids = ",".join(str(pk) for pk in range(1, number + 1))
            answer = api.get("/api/users/", {"ids": ids}, **bearer(pair.access))
            assert answer.status_code == status
        assert "100" in answer.json()["fields"]["ids"][0]

    @pytest.mark.parametrize("other", [{"q": "bo"}, {"cursor": "x"}])
    def test_ids_are_not_combined_with_a_search(self, api, pair, other):
        answer = api.get("/api/users/", {"ids": "1", **other}, **bearer(pair.access))
        assert says(answer, 400, "invalid", "ids")

    def test_search_is_rate_limited(self, api, pair, settings):
        settings.LIMITS = {**settings.LIMITS, "people": "2/h"}
        for _ in range(2):
            assert "results" in self.find(api, pair)
        for path in ("/api/users/", "/api/users/?ids=1", "/api/users/1/"):
            assert says(api.get(path, **bearer(pair.access)), 429, "slow_down")


def test_overlong_search_is_rejected(client, alice):
    client.force_login(alice)
    assert client.get("/api/users/", {"q": "a" * 60}).status_code == 200
    assert says(client.get("/api/users/", {"q": "a" * 60_000}), 400, "too_long", "q")
