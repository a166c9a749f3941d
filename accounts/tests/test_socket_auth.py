"""Every combination of Origin and credentials in a handshake."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from accounts import actions, tokens
from accounts.models import SignIn, User
from accounts.socket_auth import identify, origin_verdict, renew, sends_token_later, valid_sids
from accounts.socket_auth import language as socket_language
from accounts.tests.helpers import raises_chat_error
from accounts.tests.test_tokens import altered, claims
from chatty.common.errors import ChatError
from tests.cast import PASSWORD

OWN = "https://chat.example.org"

ORIGINS = {
    "none": (None, "absent"),
    "own": (OWN, "same"),
    "own, with port": ("https://chat.example.org:443", "same"),
    "trusted": ("https://app.example.net:8443", "same"),
    "other port": ("https://chat.example.org:8443", "foreign"),
    "http": ("http://chat.example.org", "foreign"),
    "listed": ("https://board.example.net", "listed"),
    "listed, http": ("http://board.example.net", "foreign"),
    "evil": ("https://evil.example", "foreign"),
    "null": ("null", "foreign"),
}


@pytest.fixture(autouse=True)
def _site(settings):
    settings.ALLOWED_HOSTS = ["chat.example.org"]
    settings.CSRF_TRUSTED_ORIGINS = ["https://app.example.net:8443"]
    settings.API_ORIGINS = ["https://board.example.net"]


def scope(origin=None, *, cookie=None, token=None, host="chat.example.org", scheme="wss", more=()):
    headers = [(b"host", host.encode())] if host is not None else []
    if origin is not None:
        headers.append((b"origin", origin.encode()))
    if cookie is not None:
        headers.append((b"cookie", f"theme=dark; chatty-session={cookie}; x=1".encode()))
    if token is not None:
        headers.append((b"authorization", f"Bearer {token}".encode()))
    return {"type": "websocket", "scheme": scheme, "headers": [*headers, *more]}


def cookie_of(client):
    return client.cookies["chatty-session"].value


def answer(handshake):
    """How a consumer responds: rejected before accept, an error code to close with, or the user."""
    if origin_verdict(handshake) == "foreign":
        return "foreign"
    try:
        found = identify(handshake)
    except ChatError as error:
        return error.code
    return f"{found.user.name} by {found.kind}"


class TestOrigin:
    @pytest.mark.parametrize(("origin", "verdict"), ORIGINS.values(), ids=ORIGINS)
    def test_scheme_host_and_port_must_match(self, origin, verdict):
        assert origin_verdict(scope(origin)) == verdict

    @pytest.mark.parametrize(
        ("host", "scheme", "origin", "verdict"),
        [
            ("chat.example.org:8000", "ws", "http://chat.example.org:8000", "same"),
            ("chat.example.org:80", "ws", "http://chat.example.org", "same"),
            ("chat.example.org", "ws", "http://chat.example.org:80", "same"),
            ("CHAT.example.org", "ws", "http://chat.Example.org", "same"),
            ("chat.example.org", "ws", "https://chat.example.org", "foreign"),
            ("chat.example.org:8000", "ws", "http://chat.example.org", "foreign"),
            ("evil.example", "ws", "http://evil.example", "foreign"),  # not in ALLOWED_HOSTS
            (None, "wss", OWN, "foreign"),
            ("chat.example.org", "wss", OWN + "/", "foreign"),
            ("chat.example.org", "wss", "https://chat.example.org.evil.example", "foreign"),
            ("chat.example.org", "wss", "https://chat.example.org@evil.example", "foreign"),
            ("chat.example.org", "wss", "https://evil.example@chat.example.org", "foreign"),
            ("chat.example.org", "wss", "https://chat.example.org:99999", "foreign"),
            ("chat.example.org", "wss", "https://[::1", "foreign"),
            ("chat.example.org", "wss", "", "foreign"),
            ("chat.example.org", "wss", "file://", "foreign"),
            ("chat.example.org", "wss", "chat.example.org", "foreign"),
        ],
    )
    def test_origin_is_compared_strictly(self, host, scheme, origin, verdict):
        assert origin_verdict(scope(origin, host=host, scheme=scheme)) == verdict

    def test_ipv6_host_is_accepted(self, settings):
        settings.ALLOWED_HOSTS = ["[::1]"]
        given = scope("http://[::1]:8000", host="[::1]:8000", scheme="ws")
        assert origin_verdict(given) == "same"

    def test_duplicate_origin_or_host_headers_are_foreign(self):
        assert origin_verdict(scope(OWN, more=[(b"origin", OWN.encode())])) == "foreign"
        assert origin_verdict(scope(OWN, more=[(b"host", b"chat.example.org")])) == "foreign"

    def test_wildcard_origin_matches_only_subdomains(self, settings):
        settings.CSRF_TRUSTED_ORIGINS = ["https://*.example.net"]
        assert origin_verdict(scope("https://a.b.example.net")) == "same"
        for other in ("https://example.net", "https://evilexample.net", "http://a.example.net"):
            assert origin_verdict(scope(other)) == "foreign"

    def test_no_origin_is_listed_by_default(self, settings):
        settings.API_ORIGINS = []
        assert origin_verdict(scope("https://board.example.net")) == "foreign"

    def test_only_scripts_of_listed_origins_send_the_token_later(self):
        for origin, verdict in ORIGINS.values():
            assert sends_token_later(scope(origin, cookie="x")) == (verdict == "listed")
            assert not sends_token_later(scope(origin, token="x"))

    def test_makes_no_queries(self, db, django_assert_num_queries):
        with django_assert_num_queries(0):
            origin_verdict(scope(OWN, cookie="x", token="y"))


class Shown:
    """Credentials of a handshake, by name."""

    def __init__(self, alice: User) -> None:
        def browser() -> Client:
            client = Client()
            client.force_login(alice)
            return client

        live, over = browser(), browser()
        actions.end_sign_in(over.session["sid"])
        pair, gone = tokens.begin(alice, client=""), tokens.begin(alice, client="")
        tokens.end(gone.refresh)
        closed = User.objects.create_user("closed@example.org", PASSWORD, name="Closed")
        erased = User.objects.create_user("erased@example.org", PASSWORD, name="Erased")
        closed_pair, erased_pair = tokens.begin(closed, client=""), tokens.begin(erased, client="")
        closed_browser = Client()
        closed_browser.force_login(closed)
        actions.close_account(closed)
        erased.delete()
        late = altered(pair.access, exp=int(time.time()) - 1)
        other = altered(pair.access, aud="elsewhere")
        self.all = {
            "nothing": {},
            "cookie": {"cookie": cookie_of(live)},
            "made-up cookie": {"cookie": "a" * 32},
            "empty cookie": {"cookie": ""},
            "ended cookie": {"cookie": cookie_of(over)},
            "cookie of a closed account": {"cookie": cookie_of(closed_browser)},
            "token": {"token": pair.access},
            "both": {"cookie": cookie_of(live), "token": pair.access},
            "cookie and a bad token": {"cookie": cookie_of(live), "token": "x.y.z"},
            "token that ran out": {"token": late},
            "ended token": {"token": gone.access},
            "token of a closed account": {"token": closed_pair.access},
            "token of a deleted person": {"token": erased_pair.access},
            "token for another audience": {"token": other},
            "refresh token": {"token": pair.refresh},
        }


# Credentials -> the result with our own Origin, and without any or with a listed one, from which cookies
# are ignored. Foreign origins are always rejected.
EXPECTED = {
    "nothing": ("unauthenticated", "unauthenticated"),
    "cookie": ("Alice by web", "unauthenticated"),
    "made-up cookie": ("unauthenticated", "unauthenticated"),
    "empty cookie": ("unauthenticated", "unauthenticated"),
    "ended cookie": ("unauthenticated", "unauthenticated"),
    "cookie of a closed account": ("account_closed", "unauthenticated"),
    "token": ("Alice by token", "Alice by token"),
    "both": ("Alice by token", "Alice by token"),
    "cookie and a bad token": ("token_invalid", "token_invalid"),
    "token that ran out": ("token_invalid", "token_invalid"),
    "ended token": ("token_invalid", "token_invalid"),
    "token of a closed account": ("account_closed", "account_closed"),
    "token of a deleted person": ("token_invalid", "token_invalid"),
    "token for another audience": ("token_invalid", "token_invalid"),
    "refresh token": ("token_invalid", "token_invalid"),
}


@pytest.mark.parametrize(
    ("more", "language"),
    [
        ((), "en"),
        (((b"accept-language", b"de-AT,de;q=0.9,en;q=0.8"),), "de"),
        (((b"accept-language", b"tlh"),), "en"),
        (((b"accept-language", b"en"), (b"cookie", b"django_language=de")), "de"),
        (((b"accept-language", b"\xff;q=;;"),), "en"),
    ],
)
def test_socket_language_matches_that_of_pages(more, language):
    assert socket_language(scope(more=more)) == language


def test_every_combination_of_origin_and_credentials(alice):
    given = {}
    expected = {}
    for name, shown in Shown(alice).all.items():
        for whence, (origin, verdict) in ORIGINS.items():
            given[name, whence] = answer(scope(origin, **shown))
            same, absent = EXPECTED[name]
            results = {"same": same, "absent": absent, "listed": absent}
            expected[name, whence] = results.get(verdict, "foreign")
    assert len(given) == 15 * 10
    assert given == expected


class TestIdentify:
    def test_session_takes_two_queries_and_token_one(
        self, browser, pair, django_assert_num_queries
    ):
        with django_assert_num_queries(2):
            found = identify(scope(OWN, cookie=cookie_of(browser)))
        assert found.sid == browser.session["sid"]
        with django_assert_num_queries(1):
            found = identify(scope(token=pair.access))
        assert found.sid == claims(pair.access)["sid"]
        assert found.expires_at == claims(pair.access)["exp"]

    def test_expires_at_is_that_of_the_session(self, browser):
        found = identify(scope(OWN, cookie=cookie_of(browser)))
        session = Session.objects.get()
        assert found.expires_at == pytest.approx(session.expire_date.timestamp(), abs=2)

    def test_cookie_with_a_foreign_origin_is_ignored(self, browser):
        with raises_chat_error("unauthenticated"):
            identify(scope("https://evil.example", cookie=cookie_of(browser)))

    def test_token_of_the_first_frame_is_as_good_as_one_in_a_header(self, browser, pair):
        handshake = scope("https://board.example.net", cookie=cookie_of(browser))
        found = identify(handshake, pair.access)
        assert (found.kind, found.sid) == ("token", claims(pair.access)["sid"])
        for other in ("nonsense", pair.refresh):
            with raises_chat_error("token_invalid"):
                identify(handshake, other)
        with raises_chat_error("unauthenticated"):
            identify(handshake, "")

    def test_does_not_write_to_the_session(self, browser, settings):
        cookie = cookie_of(browser)
        before = Session.objects.values_list().get()
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
        settings.SECRET_KEY = "n" * 50
        assert answer(scope(OWN, cookie=cookie)) == "Alice by web"
        settings.SECRET_KEY_FALLBACKS = []
        # Without the old key the session cannot be read. It is rejected, but not deleted.
        assert answer(scope(OWN, cookie=cookie)) == "unauthenticated"
        assert Session.objects.values_list().get() == before

    def test_session_from_before_a_password_change_is_rejected(self, browser, alice):
        cookie = cookie_of(browser)
        User.objects.filter(pk=alice.pk).update(password="changed behind our back")
        assert answer(scope(OWN, cookie=cookie)) == "unauthenticated"
        assert Session.objects.count() == 1

    def test_expired_session_is_rejected(self, browser):
        cookie = cookie_of(browser)
        Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
        assert answer(scope(OWN, cookie=cookie)) == "unauthenticated"

    def test_duplicate_authorization_headers_are_rejected(self, pair):
        twice = scope(token=pair.access, more=[(b"authorization", b"Bearer x")])
        assert answer(twice) == "token_invalid"

    def test_other_authorization_schemes_are_ignored(self, browser):
        basic = [(b"authorization", b"Basic eDp5")]
        assert answer(scope(OWN, cookie=cookie_of(browser), more=basic)) == "Alice by web"
        assert answer(scope(more=basic)) == "unauthenticated"

    @pytest.mark.parametrize("raw", [b"\xff\xfe=\x00", b";;;===", b"chatty-session", b"=" * 5000])
    def test_malformed_cookie_header_is_ignored(self, db, raw):
        assert answer(scope(OWN, more=[(b"cookie", raw)])) == "unauthenticated"


class TestRenew:
    @pytest.fixture
    def identity(self, pair):
        sooner = altered(pair.access, exp=int(time.time()) + 30)
        return identify(scope(token=sooner))

    def test_later_token_of_the_same_sign_in_extends_the_socket(self, identity, pair):
        fresh = tokens.rotate(pair.refresh)
        renewed = renew(fresh.access, identity)
        assert renewed.expires_at == claims(fresh.access)["exp"] > identity.expires_at
        assert (renewed.user, renewed.sid, renewed.kind) == (
            identity.user,
            identity.sid,
            "token",
        )

    def test_any_other_token_is_rejected(self, identity, pair, alice, bob, browser):
        web = identify(scope(OWN, cookie=cookie_of(browser)))
        bad = {
            "another sign-in": (tokens.begin(alice, client="").access, identity),
            "another person": (tokens.begin(bob, client="").access, identity),
            "the same end": (altered(pair.access, exp=int(identity.expires_at)), identity),
            "an earlier end": (altered(pair.access, exp=int(time.time()) + 5), identity),
            "a refresh token": (pair.refresh, identity),
            "nonsense": ("", identity),
            "a browser": (pair.access, web),
        }
        for token, whom in bad.values():
            with raises_chat_error("token_invalid"):
                renew(token, whom)

    def test_deactivated_account_is_rejected(self, identity, pair, alice):
        fresh = tokens.rotate(pair.refresh)
        actions.close_account(alice)
        with raises_chat_error("account_closed"):
            renew(fresh.access, identity)


def test_valid_sids_excludes_ended_sign_ins(alice, bob, browser, pair):
    web, program = browser.session["sid"], claims(pair.access)["sid"]
    bobs = claims(tokens.begin(bob, client="").access)["sid"]
    everybody = [web, program, bobs, "unknown"]
    assert valid_sids(everybody) == {web, program, bobs}
    actions.end_sign_in(web)
    assert valid_sids(everybody) == {program, bobs}
    actions.close_account(bob)
    assert valid_sids(everybody) == {program}
    SignIn.objects.update(expires_at=timezone.now())
    assert valid_sids(everybody) == set()
    assert valid_sids([]) == set()
