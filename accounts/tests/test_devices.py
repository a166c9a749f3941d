"""The cookie that remembers who has signed in with this browser."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts import devices
from tests.cast import PASSWORD

pytestmark = pytest.mark.django_db

SIGN_IN = {"email": "alice@example.org", "password": PASSWORD}
COOKIE = "chatty-device"


def device_in(client, rf):
    request = rf.get("/")
    request.COOKIES = {name: morsel.value for name, morsel in client.cookies.items()}
    return devices.device_of(request)


def test_sign_in_sets_an_httponly_cookie(client, alice, rf):
    assert device_in(client, rf) is None
    client.post("/sign-in/", {**SIGN_IN, "password": "wrong"})
    assert COOKIE not in client.cookies
    client.post("/sign-in/", SIGN_IN)
    cookie = client.cookies[COOKIE]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")
    assert int(cookie["max-age"]) > 365 * 86400
    assert device_in(client, rf).has_signed_in(alice)


def test_sign_up_sets_the_cookie(client, rf):
    account = {"name": "C", "email": "c@example.org", "password": PASSWORD}
    client.post("/sign-up/", account)
    assert device_in(client, rf) is not None


def test_cookie_survives_sign_out_and_lists_all_users_of_the_browser(client, alice, bob, rf):
    client.post("/sign-in/", SIGN_IN)
    first = device_in(client, rf)
    client.post("/sign-out/")
    client.post("/sign-in/", {**SIGN_IN, "email": "bob@example.org"})
    both = device_in(client, rf)
    assert both.id == first.id
    assert both.has_signed_in(alice)
    assert both.has_signed_in(bob)


@pytest.mark.parametrize("cookie", ["", "x", "a:b:c", "x" * 100_000, "\x00"])
def test_invalid_cookie_is_ignored(rf, cookie):
    request = rf.get("/")
    request.COOKIES = {COOKIE: cookie}
    assert devices.device_of(request) is None


def test_cookie_alone_does_not_authenticate(client, alice):
    client.post("/sign-in/", SIGN_IN)
    thief = Client()
    thief.cookies[COOKIE] = client.cookies[COOKIE].value
    assert thief.get("/settings/profile/").status_code == 302


def test_cookie_is_valid_while_its_secret_is_a_fallback(client, alice, rf, settings):
    client.post("/sign-in/", SIGN_IN)
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "n" * 50
    assert device_in(client, rf).has_signed_in(alice)
    settings.SECRET_KEY_FALLBACKS = []
    assert device_in(client, rf) is None


def test_known_device_can_sign_in_while_the_global_limit_is_exhausted(client, alice, settings):
    settings.LIMITS = {**settings.LIMITS, "sign_in_all": "3/h"}
    client.post("/sign-in/", SIGN_IN)
    client.post("/sign-out/")
    for n in range(4):
        Client(REMOTE_ADDR=f"2001:db8:{n}::1").post("/sign-in/", {**SIGN_IN, "password": "wrong"})
    assert Client(REMOTE_ADDR="192.0.2.1").post("/sign-in/", SIGN_IN).status_code == 429
    answer = client.post("/sign-in/", SIGN_IN, REMOTE_ADDR="198.51.100.1")
    assert answer.status_code == 303


def test_overlong_input_is_not_echoed(client, db):
    for path in ("/sign-in/", "/sign-up/", "/password/forgotten/"):
        answer = client.post(path, {"email": '"' * 900_000, "name": "<" * 100_000})
        assert answer.status_code == 400
        assert len(answer.content) < 100_000, path
    answer = client.post("/sign-in/", {"email": "x", "next": "/" + "a" * 900_000})
    assert len(answer.content) < 100_000
