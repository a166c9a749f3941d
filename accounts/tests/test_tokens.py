from __future__ import annotations

import base64
import json
import threading
import time
from datetime import timedelta

import jwt
import pytest
from django.db import connection
from django.utils import timezone

from accounts import actions, socket_auth, tokens
from accounts.failures import ForgedTokenError
from accounts.models import SignIn, User
from accounts.signals import SIGNED_OUT
from accounts.tests.helpers import raises_chat_error
from chatty.common.errors import ChatError
from chatty.conf.env import derive_key
from tests.cast import PASSWORD


def claims(token):
    return jwt.decode(token, options={"verify_signature": False})


def signed(payload, key=None, **options):
    """A token with these claims, signed with our key."""
    from django.conf import settings

    return jwt.encode(payload, key or derive_key(settings.SECRET_KEY, "jwt"), **options)


def altered(token, **changes):
    return signed({**claims(token), **changes})


def without(token, claim):
    return signed({name: value for name, value in claims(token).items() if name != claim})


def answer_to(token):
    """Return "accepted", or the code of the error."""
    try:
        tokens.identify(token)
    except ChatError as error:
        return error.code
    return "accepted"


class TestAccessToken:
    def test_identify_takes_one_query(self, alice, pair, django_assert_num_queries):
        with django_assert_num_queries(1):
            bearer = tokens.identify(pair.access)
        assert bearer.sign_in.user == alice
        assert bearer.sign_in.sid == claims(pair.access)["sid"]
        assert bearer.expires_at == claims(pair.access)["exp"]

    def test_lifetimes_are_ten_minutes_and_thirty_days(self, pair):
        for token, seconds in ((pair.access, 600), (pair.refresh, 30 * 86400)):
            found = claims(token)
            assert found["exp"] - found["iat"] == seconds
            assert (found["aud"], found["iss"]) == ("chatty", "chatty")

    def test_claims_contain_no_personal_data(self, pair):
        names = {"token_type", "exp", "iat", "jti", "user_id", "sid", "aud", "iss"}
        assert set(claims(pair.access)) == set(claims(pair.refresh)) == names

    def test_forged_and_foreign_tokens_are_rejected(self, pair, bob):
        head, body, mark = pair.access.split(".")
        unsigned = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
        other = base64.urlsafe_b64encode(
            json.dumps({**claims(pair.access), "user_id": str(bob.pk)}).encode()
        ).rstrip(b"=")
        deep = base64.urlsafe_b64encode(b"[" * 100_000).decode()
        nested = base64.urlsafe_b64encode(b'{"a":' + b"[" * 700).decode()
        bad = {
            "empty": "",
            "no token": "abc",
            "alg none": f"{unsigned}.{body}.",
            "edited": f"{head}.{other.decode()}.{mark}",
            "unsigned": f"{head}.{body}.",
            "another key": signed(claims(pair.access), "k" * 64),
            "another algorithm": signed(claims(pair.access), algorithm="HS512"),
            "another audience": altered(pair.access, aud="other"),
            "another issuer": altered(pair.access, iss="other"),
            "run out": altered(pair.access, exp=int(time.time()) - 1),
            "a refresh token": pair.refresh,
            "somebody else's id": altered(pair.access, user_id=str(bob.pk)),
            "no such person": altered(pair.access, user_id="999999"),
            "no such sign-in": altered(pair.access, sid="x" * 32),
            "sid is a number": altered(pair.access, sid=7),
            "deep header": f"{deep}.{body}.{mark}",
            "nested header": f"{nested}.{body}.{mark}",
            "not ascii": "é.é.é",
            "surrogate": "\ud800",
            "huge": "a" * 1_000_000,
            **{f"without {claim}": without(pair.access, claim) for claim in claims(pair.access)},
        }
        answers = {name: answer_to(token) for name, token in bad.items()}
        accepted = {name for name, answer in answers.items() if answer != "token_invalid"}
        # Nothing depends on `iat`; every other claim is required.
        assert accepted == {"without iat"}
        assert tokens.identify(pair.access)

    def test_is_invalid_after_its_sign_in_ended(self, pair):
        actions.end_sign_in(claims(pair.access)["sid"])
        with raises_chat_error("token_invalid"):
            tokens.identify(pair.access)

    def test_is_invalid_after_the_user_is_deleted(self, alice, pair):
        alice.delete()
        with raises_chat_error("token_invalid"):
            tokens.identify(pair.access)
        with raises_chat_error("token_invalid"):
            tokens.rotate(pair.refresh)

    def test_browser_sign_in_cannot_be_used_by_tokens(self, alice, pair):
        web = SignIn.objects.create(
            user=alice, kind="web", expires_at=timezone.now() + timedelta(days=1)
        )
        for token, use in ((pair.access, tokens.identify), (pair.refresh, tokens.rotate)):
            with raises_chat_error("token_invalid"):
                use(altered(token, sid=web.sid))

    def test_known_token_is_rejected_once_it_expires_and_not_as_forged(self, pair, monkeypatch):
        assert tokens.identify(pair.access)
        later = time.time() + 600
        monkeypatch.setattr(tokens.time, "time", lambda: later)
        with raises_chat_error("token_invalid") as caught:
            tokens.identify(pair.access)
        assert not isinstance(caught.value, ForgedTokenError)

    def test_changes_of_a_token_do_not_reach_the_next_one(self, pair):
        token = tokens.AccessToken(pair.access)
        token["sid"] = "other"
        assert tokens.AccessToken(pair.access)["sid"] == claims(pair.access)["sid"]

    def test_tokens_survive_a_secret_key_rotation(self, settings, alice, pair):
        old, settings.SECRET_KEY = settings.SECRET_KEY, "n" * 50
        settings.SECRET_KEY_FALLBACKS = ["m" * 50, old]
        assert tokens.identify(pair.access).sign_in.user == alice
        fresh = tokens.rotate(pair.refresh)
        settings.SECRET_KEY_FALLBACKS = []
        assert tokens.identify(fresh.access).sign_in.user == alice
        with raises_chat_error("token_invalid"):
            tokens.identify(pair.access)


class TestRefresh:
    def test_returns_a_new_pair_of_the_same_sign_in(self, alice, pair):
        fresh = tokens.rotate(pair.refresh)
        assert claims(fresh.refresh)["jti"] != claims(pair.refresh)["jti"]
        assert claims(fresh.refresh)["sid"] == claims(pair.refresh)["sid"]
        assert tokens.identify(fresh.access).sign_in.user == alice
        assert tokens.rotate(fresh.refresh)
        assert SignIn.objects.count() == 1

    def test_reuse_ends_the_sign_in(self, alice, pair, ended, django_capture_on_commit_callbacks):
        fresh = tokens.rotate(pair.refresh)
        tokens.identify(fresh.access)
        other = tokens.begin(alice, client="another program")
        with django_capture_on_commit_callbacks(execute=True), raises_chat_error("token_invalid"):
            tokens.rotate(pair.refresh)
        for use, token in ((tokens.identify, fresh.access), (tokens.rotate, fresh.refresh)):
            with raises_chat_error("token_invalid"):
                use(token)
        sid = claims(pair.refresh)["sid"]
        assert ended == [
            {"user_id": alice.pk, "sids": [sid], "except_sid": None, "code": SIGNED_OUT}
        ]
        assert tokens.identify(other.access)  # the other sign-in is not affected

    def test_access_token_cannot_refresh(self, pair):
        with raises_chat_error("token_invalid"):
            tokens.rotate(pair.access)
        assert tokens.rotate(pair.refresh)

    def test_expired_refresh_token_does_not_end_the_sign_in(self, pair):
        late = altered(pair.refresh, exp=int(time.time()) - 1)
        with raises_chat_error("token_invalid"):
            tokens.rotate(late)
        assert tokens.identify(pair.access)

    def test_logout_accepts_a_rotated_refresh_token(self, pair):
        fresh = tokens.rotate(pair.refresh)
        tokens.end(pair.refresh)
        with raises_chat_error("token_invalid"):
            tokens.identify(fresh.access)
        tokens.end(pair.refresh)  # a second time is harmless


class TestLostResponse:
    """The response to a refresh is lost, or two tasks of a program refresh at once."""

    def test_repeated_refresh_returns_the_same_pair(self, pair):
        fresh = tokens.rotate(pair.refresh)
        assert tokens.rotate(pair.refresh) == fresh
        assert tokens.identify(fresh.access)
        assert tokens.rotate(fresh.refresh)

    def test_repeated_twice_returns_the_same_pair(self, pair):
        fresh = tokens.rotate(pair.refresh)
        assert tokens.rotate(pair.refresh) == tokens.rotate(pair.refresh) == fresh
        assert tokens.rotate(fresh.refresh)

    def test_repeated_after_a_secret_key_change_returns_the_same_claims(self, settings, pair):
        fresh = tokens.rotate(pair.refresh)
        settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "n" * 50
        again = tokens.rotate(pair.refresh)
        assert claims(again.refresh) == claims(fresh.refresh)
        assert claims(again.access) == claims(fresh.access)
        settings.SECRET_KEY_FALLBACKS = []
        assert tokens.identify(again.access)

    def test_repeat_after_a_minute_ends_the_sign_in(self, pair):
        fresh = tokens.rotate(pair.refresh)
        late = timezone.now() - timedelta(seconds=tokens.REPEAT_SECONDS)
        SignIn.objects.update(rotated_at=late)
        self.assert_ends_it(pair.refresh, fresh)

    def test_repeat_after_use_of_the_new_token_ends_the_sign_in(self, pair):
        fresh = tokens.rotate(pair.refresh)
        tokens.identify(fresh.access)
        self.assert_ends_it(pair.refresh, fresh)

    def test_repeat_after_the_new_token_opened_a_socket_ends_the_sign_in(self, pair):
        fresh = tokens.rotate(pair.refresh)
        header = (b"authorization", f"Bearer {fresh.access}".encode())
        socket_auth.identify({"headers": [header]})
        self.assert_ends_it(pair.refresh, fresh)

    def test_repeat_after_the_new_token_renewed_a_socket_ends_the_sign_in(self, pair):
        header = (b"authorization", f"Bearer {altered(pair.access, exp=time.time() + 9)}".encode())
        identity = socket_auth.identify({"headers": [header]})
        fresh = tokens.rotate(pair.refresh)
        socket_auth.renew(fresh.access, identity)
        self.assert_ends_it(pair.refresh, fresh)

    def test_repeat_of_the_token_before_last_ends_the_sign_in(self, pair):
        second = tokens.rotate(pair.refresh)
        third = tokens.rotate(second.refresh)
        self.assert_ends_it(pair.refresh, third)

    def test_latest_rotation_can_be_repeated(self, pair):
        second = tokens.rotate(pair.refresh)
        third = tokens.rotate(second.refresh)
        assert tokens.rotate(second.refresh) == third

    def test_use_of_the_old_access_token_allows_a_repeat(self, pair):
        fresh = tokens.rotate(pair.refresh)
        tokens.identify(pair.access)
        assert tokens.rotate(pair.refresh) == fresh

    def test_reuse_after_theft_ends_the_sign_in_when_the_thief_is_first(self, pair):
        stolen = tokens.rotate(pair.refresh)
        tokens.identify(stolen.access)
        self.assert_ends_it(pair.refresh, stolen)

    def test_reuse_after_theft_ends_the_sign_in_when_the_thief_is_second(self, pair):
        fresh = tokens.rotate(pair.refresh)
        stolen = tokens.rotate(pair.refresh)
        last = tokens.rotate(fresh.refresh)
        tokens.identify(last.access)
        self.assert_ends_it(stolen.refresh, last)

    def test_repeat_after_the_sign_in_ended_is_rejected(self, pair):
        tokens.rotate(pair.refresh)
        actions.end_sign_in(claims(pair.refresh)["sid"])
        with raises_chat_error("token_invalid"):
            tokens.rotate(pair.refresh)

    def test_first_use_is_recorded_only_once(self, pair, django_assert_num_queries):
        fresh = tokens.rotate(pair.refresh)
        tokens.identify(fresh.access)
        with django_assert_num_queries(1):
            tokens.identify(fresh.access)

    @staticmethod
    def assert_ends_it(token, latest):
        with raises_chat_error("token_invalid"):
            tokens.rotate(token)
        with raises_chat_error("token_invalid"):
            tokens.identify(latest.access)
        with raises_chat_error("token_invalid"):
            tokens.rotate(latest.refresh)


@pytest.mark.django_db(transaction=True)
def test_parallel_refreshes_return_one_pair():
    alice = User.objects.create_user("alice@example.org", PASSWORD, name="Alice")
    pair = tokens.begin(alice, client="")
    together = threading.Barrier(10)
    answers: list[tokens.Pair | str] = []

    def refresh():
        together.wait()
        try:
            answers.append(tokens.rotate(pair.refresh))
        except ChatError as error:
            answers.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=refresh) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 10
    (got,) = set(answers)
    assert isinstance(got, tokens.Pair)
    assert tokens.rotate(got.refresh)
    with raises_chat_error("token_invalid"):
        tokens.rotate(pair.refresh)


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer abc", "abc"),
        ("bearer  abc ", "abc"),
        ("Basic abc", None),
        ("", None),
        (None, None),
        ("Bearerabc", None),
    ],
)
def test_bearer_of_reads_the_token(header, token):
    assert tokens.bearer_of(header) == token


@pytest.mark.parametrize("header", ["Bearer", "Bearer a b", "bearer "])
def test_malformed_bearer_header_is_rejected(header):
    with raises_chat_error("token_invalid"):
        tokens.bearer_of(header)
