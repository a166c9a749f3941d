from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection, transaction
from django.utils import timezone

from accounts import actions, mails, queries, tokens
from accounts.actions import authentication, passwords, registration, sign_ins
from accounts.devices import Device
from accounts.models import SignIn, User
from accounts.signals import ACCOUNT_CLOSED, SIGNED_OUT, sign_ins_ended
from accounts.tests.helpers import raises_chat_error
from chatty.common.errors import ChatError
from tests.cast import PASSWORD

HERE = "192.0.2.1"
NEW = "another blue teapot"


def register(**changes):
    given = {"email": "carol@example.org", "password": PASSWORD, "name": "Carol", "address": HERE}
    return actions.register(**{**given, **changes})


def sign_in(email="alice@example.org", password=PASSWORD, address=HERE, device=None):
    return actions.authenticate(email=email, password=password, address=address, device=device)


def raising(error):
    def fail(*args, **kwargs):
        raise error

    return fail


@pytest.fixture
def hashes(monkeypatch):
    """One entry for each password hash computed."""
    counted = []

    def counting(real):
        def hash_it(*args, **kwargs):
            counted.append(real.__name__)
            return real(*args, **kwargs)

        return hash_it

    for module in (registration, authentication, passwords):
        monkeypatch.setattr(module, "make_password", counting(module.make_password))
    monkeypatch.setattr(User, "check_password", counting(User.check_password))
    return counted


def web(user, sid="web", **fields):
    fields.setdefault("expires_at", timezone.now() + timedelta(days=1))
    return SignIn.objects.create(sid=sid, user=user, kind="web", **fields)


class TestRegister:
    pytestmark = pytest.mark.django_db

    def test_creates_an_account_that_can_sign_in(self):
        user = register(email=" Carol@Example.org", name="  Carol   C ", time_zone="Europe/Paris")
        assert (user.email, user.name, user.time_zone) == (
            "carol@example.org",
            "Carol C",
            "Europe/Paris",
        )
        assert sign_in("CAROL@example.org") == user
        assert not user.is_staff
        assert not user.is_superuser

    @pytest.mark.parametrize(
        ("code", "field", "changes"),
        [
            ("invalid", "email", {"email": "carol"}),
            ("invalid", "email", {"email": "carol@localhost@x"}),
            ("empty", "email", {"email": "  "}),
            ("bad_text", "email", {"email": "ca\x00rol@example.org"}),
            ("bad_text", "email", {"email": "ca\ud800rol@example.org"}),
            ("too_long", "email", {"email": "c" * 250 + "@example.org"}),
            ("empty", "name", {"name": "\u200b "}),
            ("too_long", "name", {"name": "n" * 61}),
            ("bad_text", "name", {"name": "Ca\x00rol"}),
            ("bad_text", "name", {"name": "Carol\u202eecilA"}),
            ("invalid", "time_zone", {"time_zone": "Mars/Olympus"}),
            ("invalid", "password", {"password": "short7!"}),
            ("invalid", "password", {"password": "password1"}),
            ("invalid", "password", {"password": "carol@example"}),
            ("invalid", "password", {"password": "q" * 257}),
            ("invalid", "password", {"password": "\ud800 a quiet copper kettle"}),
            ("invalid", "password", {"password": ""}),
        ],
    )
    def test_invalid_input_is_rejected_with_a_field_error(self, code, field, changes):
        with raises_chat_error(code, field=field) as caught:
            register(**changes)
        assert all(caught.value.fields[field])
        assert not User.objects.exists()

    def test_password_can_have_256_characters(self):
        long = "correct horse " * 18 + "batt"
        assert len(long) == 256
        register(password=long)
        assert sign_in("carol@example.org", long)

    def test_taken_email_is_rejected_and_changes_nothing(self, alice):
        with raises_chat_error("invalid", field="email"):
            register(email="ALICE@example.org", name="Impostor")
        alice.refresh_from_db()
        assert alice.name == "Alice"
        assert sign_in() == alice

    def test_sign_ups_are_rate_limited_per_address(self, settings):
        settings.LIMITS = {**settings.LIMITS, "sign_up": "2/h"}
        for n in range(2):
            register(email=f"c{n}@example.org")
        with raises_chat_error("slow_down") as caught:
            register(email="c3@example.org")
        assert caught.value.retry_after
        register(email="c4@example.org", address="192.0.2.2")
        assert User.objects.count() == 3

    @pytest.mark.parametrize("how", ["closed", "invited"])
    def test_is_rejected_when_sign_up_is_closed_or_by_invitation(self, settings, how):
        settings.SIGN_UP = how
        with raises_chat_error("sign_up_closed"):
            register()
        assert not User.objects.exists()

    def test_invitation_is_accepted_unless_sign_up_is_closed(self, settings):
        for how in ("invited", "approved"):
            settings.SIGN_UP = how
            assert register(email=f"{how}@example.org", invited=True)
        settings.SIGN_UP = "closed"
        with raises_chat_error("sign_up_closed"):
            register(email="d@example.org", invited=True)


class TestAuthenticate:
    def test_correct_password_returns_the_user(self, alice):
        assert sign_in() == alice

    @pytest.mark.parametrize(
        ("email", "password"),
        [
            ("alice@example.org", "wrong"),
            ("nobody@example.org", PASSWORD),
            ("alice@example.org", ""),
            ("alice@example.org", PASSWORD + " "),
            ("alice\x00@example.org", PASSWORD),
            ("\ud800@example.org", PASSWORD),
            ("", ""),
        ],
    )
    def test_wrong_email_and_wrong_password_raise_the_same_error(self, alice, email, password):
        with raises_chat_error("wrong_credentials") as caught:
            sign_in(email, password)
        assert caught.value.detail == "Wrong email address or password."
        assert caught.value.fields == {}

    @pytest.mark.parametrize("email", ["alice@example.org", "nobody@example.org"])
    def test_failed_attempts_hash_once_for_known_and_unknown_emails(
        self, settings, monkeypatch, db, email
    ):
        from accounts.hashers import Argon2idHasher

        settings.PASSWORD_HASHERS = ["accounts.hashers.Argon2idHasher"]
        User.objects.create_user("alice@example.org", PASSWORD, name="Alice")
        hashes = []
        for action in ("encode", "verify"):
            real = getattr(Argon2idHasher, action)

            def counted(self, *args, _real=real, _action=action):
                hashes.append(_action)
                return _real(self, *args)

            monkeypatch.setattr(Argon2idHasher, action, counted)
        with raises_chat_error("wrong_credentials"):
            sign_in(email, "wrong")
        assert len(hashes) == 1

    def test_deactivation_is_revealed_only_with_the_correct_password(self, alice):
        actions.close_account(alice)
        with raises_chat_error("account_closed"):
            sign_in()
        with raises_chat_error("wrong_credentials"):
            sign_in(password="wrong")

    def test_guessing_is_rate_limited_without_locking_out_other_addresses(self, alice, settings):
        settings.LIMITS = {**settings.LIMITS, "sign_in": "3/5m"}
        for _ in range(3):
            with raises_chat_error("wrong_credentials"):
                sign_in(password="wrong")
        with raises_chat_error("slow_down"):
            sign_in()  # not even with the correct password, or guessing would continue
        assert sign_in(address="192.0.2.99") == alice

    def test_email_spellings_share_a_rate_limit(self, alice, settings):
        settings.LIMITS = {**settings.LIMITS, "sign_in": "2/5m"}
        for email in ("alice@example.org", " ALICE@example.org "):
            with raises_chat_error("wrong_credentials"):
                sign_in(email, "wrong")
        with raises_chat_error("slow_down"):
            sign_in("Alice@example.org")

    def test_many_accounts_from_one_address_are_rate_limited(self, alice, settings):
        settings.LIMITS = {**settings.LIMITS, "sign_in_address": "5/5m"}
        for n in range(5):
            with raises_chat_error("wrong_credentials"):
                sign_in(f"p{n}@example.org")
        with raises_chat_error("slow_down"):
            sign_in()
        assert sign_in(address="192.0.2.99") == alice

    def test_one_address_cannot_exhaust_the_global_limit(self, alice, settings):
        settings.LIMITS = {**settings.LIMITS, "sign_in_address": "5/5m", "sign_in_all": "10/5m"}
        for n in range(50):
            with pytest.raises(ChatError):
                sign_in(f"p{n}@example.org")
        assert sign_in(address="192.0.2.99") == alice

    def test_correct_passwords_count_towards_the_limit(self, alice, settings, hashes):
        """Each sign-in costs a hash, also with the correct password."""
        settings.LIMITS = {**settings.LIMITS, "sign_in": "3/5m"}
        for _ in range(3):
            assert sign_in() == alice
        for _ in range(50):
            with raises_chat_error("slow_down"):
                sign_in()
        assert len(hashes) == 3

    def test_correct_passwords_are_rate_limited_per_address(self, settings, db, hashes):
        settings.LIMITS = {**settings.LIMITS, "passwords": "5/5m"}
        for n in range(9):
            User.objects.create_user(f"p{n}@example.org", PASSWORD, name="P")
        for n in range(5):
            sign_in(f"p{n}@example.org")
        for n in range(5, 9):
            with raises_chat_error("slow_down"):
                sign_in(f"p{n}@example.org")
        assert len(hashes) == 5
        assert sign_in("p8@example.org", address="198.51.100.1")

    def test_five_devices_can_sign_in_in_a_row(self, alice):
        for _ in range(5):
            assert sign_in() == alice

    def test_correct_passwords_do_not_use_up_shared_limits(self, alice, settings):
        settings.LIMITS = {**settings.LIMITS, "sign_in_address": "2/5m", "sign_in_all": "2/5m"}
        for _ in range(10):
            assert sign_in() == alice

    @pytest.mark.parametrize(
        ("field", "given"),
        [
            ("email", {"email": "a" * 255}),
            ("email", {"email": '"' * 1_000_000}),
            ("password", {"password": "x" * 257}),
            ("password", {"password": "x" * 1_000_000}),
        ],
    )
    def test_overlong_input_is_neither_hashed_nor_counted(
        self, alice, settings, hashes, field, given
    ):
        settings.LIMITS = {**settings.LIMITS, "sign_in_all": "1/h", "sign_in": "1/h"}
        for _ in range(3):
            with raises_chat_error("too_long", field=field):
                sign_in(**given)
        assert hashes == []
        assert sign_in() == alice

    def test_one_ipv6_48_cannot_exhaust_the_global_limit(self, alice, settings):
        settings.LIMITS = {**settings.LIMITS, "sign_in_address": "1/5m", "sign_in_all": "20/5m"}
        for n in range(100):
            with pytest.raises(ChatError):
                sign_in(f"p{n}@example.org", address=f"2001:db8:1:{n:x}::/64")
        assert sign_in(address="192.0.2.99") == alice

    def test_limit_is_refunded_when_hashing_was_busy(self, alice, settings, monkeypatch):
        settings.LIMITS = {**settings.LIMITS, "sign_in_all": "1/h"}
        with monkeypatch.context() as patched:
            patched.setattr(User, "check_password", raising(ChatError("busy")))
            with raises_chat_error("busy"):
                sign_in()
        assert sign_in() == alice


class TestKnownDevice:
    """Requests from unknown clients can exhaust the global limit; known devices can still sign in."""

    DEVICE = "192.0.2.99"

    @pytest.fixture(autouse=True)
    def _used_up(self, alice, bob, settings):
        settings.LIMITS = {**settings.LIMITS, "sign_in_all": "3/h", "sign_in_device": "3/5m"}

    def use_up(self):
        for n in range(5):
            with pytest.raises(ChatError):
                sign_in("nobody@example.org", address=f"2001:db8:{n}:1::/64")
        with raises_chat_error("slow_down"):
            sign_in(address="198.51.100.1")

    def test_known_browser_can_sign_in(self, alice):
        self.use_up()
        device = Device("phone", (alice.pk,))
        assert sign_in(address="198.51.100.1", device=device) == alice

    def test_known_browser_cannot_sign_in_to_another_account(self, alice, bob):
        self.use_up()
        with raises_chat_error("slow_down"):
            sign_in("bob@example.org", device=Device("phone", (alice.pk,)))

    def test_known_address_of_a_program_can_sign_in(self, alice):
        tokens.begin(alice, client="bot", address=HERE)
        self.use_up()
        assert sign_in(address=HERE) == alice
        with raises_chat_error("slow_down"):
            sign_in("bob@example.org", address=HERE)

    def test_guessing_from_known_devices_is_rate_limited(self, alice, settings, hashes):
        settings.LIMITS = {**settings.LIMITS, "sign_in_devices": "5/5m"}
        self.use_up()
        hashes.clear()
        for name in ("phone", "laptop"):
            for _ in range(10):
                with pytest.raises(ChatError):
                    device = Device(name, (alice.pk,))
                    sign_in(password="wrong", address="198.51.100.1", device=device)
        assert len(hashes) == 5

    def test_known_device_can_request_a_password_reset(self, alice, settings, monkeypatch):
        posted = []
        monkeypatch.setattr(mails, "send_later", lambda *given: posted.append(given))
        settings.LIMITS = {**settings.LIMITS, "reset_all": "3/h", "reset": "3/h"}

        def ask(email, **more):
            actions.request_password_reset(email=email, site="http://chatty", **more)

        for n in range(3):
            ask(f"n{n}@example.org", address=f"2001:db8:{n}:1::/64")
        with raises_chat_error("slow_down"):
            ask("alice@example.org", address=HERE)
        known = Device("phone", (alice.pk,))
        with raises_chat_error("slow_down"):
            ask("bob@example.org", address=HERE, device=known)
        for _ in range(3):
            ask("alice@example.org", address=HERE, device=known)
        with raises_chat_error("slow_down"):
            ask("alice@example.org", address=HERE, device=known)
        assert len(posted) == 6


class TestEndSignIn:
    def test_signal_is_sent_after_commit_with_that_sign_in(
        self, alice, ended, django_capture_on_commit_callbacks
    ):
        web(alice, "one")
        web(alice, "two")
        with django_capture_on_commit_callbacks(execute=True):
            assert actions.end_sign_in("one")
            assert ended == []  # not before the commit
        assert ended == [
            {"user_id": alice.pk, "sids": ["one"], "except_sid": None, "code": SIGNED_OUT}
        ]
        assert queries.valid_sids(["one", "two"]) == {"two"}
        alice.refresh_from_db()
        assert alice.clock == 1

    def test_ending_twice_sends_one_signal(self, alice, ended, django_capture_on_commit_callbacks):
        web(alice, "one")
        with django_capture_on_commit_callbacks(execute=True):
            assert actions.end_sign_in("one")
            assert not actions.end_sign_in("one")
            assert not actions.end_sign_in("never was")
        assert len(ended) == 1

    def test_rollback_sends_no_signal(self, alice, ended, django_capture_on_commit_callbacks):
        web(alice, "one")
        with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
            actions.end_sign_in("one")
            transaction.set_rollback(True)
        assert ended == []
        assert queries.valid_sids(["one"]) == {"one"}

    def test_ending_all_but_one_keeps_it_and_other_users(
        self, alice, bob, ended, django_capture_on_commit_callbacks
    ):
        for sid in ("one", "two", "three"):
            web(alice, sid)
        web(bob, "bob's")
        with django_capture_on_commit_callbacks(execute=True):
            actions.end_sign_ins(alice, except_sid="two")
        assert queries.valid_sids(["one", "two", "three", "bob's"]) == {"two", "bob's"}
        assert ended == [
            {"user_id": alice.pk, "sids": None, "except_sid": "two", "code": SIGNED_OUT}
        ]
        bob.refresh_from_db()
        assert bob.clock == 0

    def test_users_cannot_end_sign_ins_of_others(self, alice, bob):
        web(bob, "bob's")
        with raises_chat_error("not_found"):
            actions.end_own_sign_in(alice, "bob's")
        assert queries.valid_sids(["bob's"]) == {"bob's"}

    def test_failing_signal_receiver_is_logged(
        self, alice, ended, django_capture_on_commit_callbacks, caplog
    ):
        def broken(**said):
            raise RuntimeError("no")

        sign_ins_ended.connect(broken)
        try:
            web(alice, "one")
            with django_capture_on_commit_callbacks(execute=True):
                assert actions.end_sign_in("one")
        finally:
            sign_ins_ended.disconnect(broken)
        assert len(ended) == 1
        assert "broken" in caplog.text

    def test_expired_sign_in_is_invalid(self, alice):
        web(alice, "old", expires_at=timezone.now() - timedelta(seconds=1))
        assert queries.valid_sids(["old"]) == set()

    def test_valid_sids_batches_its_queries(self, alice, django_assert_num_queries):
        web(alice, "one")
        with django_assert_num_queries(3):
            asked = [str(n) for n in range(2500)] + ["one"]
            assert queries.valid_sids(asked) == {"one"}


class TestSignInLimit:
    def test_new_token_ends_the_oldest_token_but_no_browser_session(
        self, alice, monkeypatch, ended, django_capture_on_commit_callbacks
    ):
        monkeypatch.setattr(sign_ins, "SIGN_INS_MAX", 3)
        web(alice, "browser", last_seen_at=timezone.now() - timedelta(hours=9))
        pairs = [tokens.begin(alice, client=str(n)) for n in range(3)]
        assert ended == []
        with django_capture_on_commit_callbacks(execute=True):
            pairs.append(tokens.begin(alice, client="3"))
        with raises_chat_error("token_invalid"):
            tokens.identify(pairs[0].access)
        assert [tokens.identify(pair.access).sign_in.client for pair in pairs[1:]] == [*"123"]
        assert queries.valid_sids(["browser"]) == {"browser"}
        assert len(ended) == 1

    def test_new_browser_session_ends_the_oldest_one_but_no_token(
        self, alice, pair, monkeypatch, rf
    ):
        monkeypatch.setattr(sign_ins, "SIGN_INS_MAX", 3)
        for n in range(5):
            web(alice, f"web{n}", last_seen_at=timezone.now() - timedelta(hours=9 - n))
        request = rf.post("/sign-in/")
        request.session = SessionStore()
        actions.sign_in_web(request, alice)
        live = set(queries.live_sign_ins(alice).filter(kind="web").values_list("sid", flat=True))
        assert live == {"web3", "web4", request.session["sid"]}
        assert tokens.identify(pair.access)

    def test_ended_sign_ins_do_not_accumulate(self, alice, monkeypatch):
        monkeypatch.setattr(sign_ins, "SIGN_INS_MAX", 3)
        for _ in range(20):
            tokens.begin(alice, client="")
        assert SignIn.objects.count() == 6


class TestChangePassword:
    def change(self, user, old=PASSWORD, new=NEW, keep=None):
        actions.change_password(user, old=old, new=new, keep_sid=keep, address=HERE)

    def test_ends_all_other_sign_ins(self, alice, pair, ended, django_capture_on_commit_callbacks):
        web(alice, "here")
        web(alice, "there")
        with django_capture_on_commit_callbacks(execute=True):
            self.change(alice, keep="here")
        assert queries.valid_sids(["here", "there"]) == {"here"}
        with raises_chat_error("token_invalid"):
            tokens.identify(pair.access)
        with raises_chat_error("token_invalid"):
            tokens.rotate(pair.refresh)
        assert ended == [
            {"user_id": alice.pk, "sids": None, "except_sid": "here", "code": SIGNED_OUT}
        ]
        alice.refresh_from_db()
        assert alice.clock == 1
        assert sign_in(password=NEW) == alice
        with raises_chat_error("wrong_credentials"):
            sign_in(password=PASSWORD)

    def test_requires_the_current_password(self, alice, ended):
        with raises_chat_error("invalid", field="old_password"):
            self.change(alice, old="wrong")
        assert sign_in() == alice
        assert ended == []

    def test_weak_password_is_rejected_and_ends_no_sign_in(self, alice):
        web(alice, "there")
        with raises_chat_error("invalid", field="new_password"):
            self.change(alice, new="12345678")
        assert queries.valid_sids(["there"]) == {"there"}
        assert sign_in() == alice

    def test_guessing_the_current_password_is_rate_limited(self, alice, settings):
        settings.LIMITS = {**settings.LIMITS, "sign_in": "2/5m"}
        for _ in range(2):
            with raises_chat_error("invalid"):
                self.change(alice, old="wrong")
        with raises_chat_error("slow_down"):
            self.change(alice)

    def test_sign_in_checked_before_a_reset_is_rejected(self, alice):
        checked = sign_in()
        actions.reset_password(User.objects.get(pk=alice.pk), NEW)
        with raises_chat_error("wrong_credentials"):
            tokens.begin(checked, client="")
        assert not SignIn.objects.exists()


class TestCloseAccount:
    def test_ends_all_sign_ins_with_the_reason(
        self, alice, pair, ended, django_capture_on_commit_callbacks
    ):
        web(alice, "one")
        with django_capture_on_commit_callbacks(execute=True):
            actions.close_account(alice)
        assert not alice.is_active
        assert alice.closed_at
        assert alice.clock == 1
        assert queries.valid_sids(["one"]) == set()
        for attempt in (
            lambda: tokens.identify(pair.access),
            lambda: tokens.rotate(pair.refresh),
            lambda: tokens.begin(alice, client=""),
        ):
            with raises_chat_error("account_closed"):
                attempt()
        assert ended == [
            {"user_id": alice.pk, "sids": None, "except_sid": None, "code": ACCOUNT_CLOSED}
        ]

    def test_reactivating_does_not_restore_sign_ins(self, alice, pair):
        web(alice, "one")
        actions.close_account(alice)
        actions.reopen_account(alice)
        assert alice.is_active
        assert alice.closed_at is None
        assert alice.clock == 2
        assert queries.valid_sids(["one"]) == set()
        with raises_chat_error("token_invalid"):
            tokens.identify(pair.access)
        assert sign_in() == alice


class TestUpdateProfile:
    def test_changes_only_the_given_fields(self, alice):
        actions.update_profile(alice, time_zone="Asia/Tokyo")
        actions.update_profile(alice, name=" Alice  A ")
        alice.refresh_from_db()
        assert (alice.name, alice.time_zone) == ("Alice A", "Asia/Tokyo")

    def test_invalid_field_changes_nothing(self, alice):
        with raises_chat_error("invalid", field="time_zone"):
            actions.update_profile(alice, name="Other", time_zone="../etc/passwd")
        assert alice.name == "Alice"
        alice.refresh_from_db()
        assert alice.name == "Alice"


@pytest.mark.django_db(transaction=True)
def test_only_one_of_parallel_sign_ups_with_one_email_succeeds():
    together = threading.Barrier(6)
    answers: list[int | str] = []

    def knock():
        together.wait()
        try:
            answers.append(register().pk)
        except ChatError as error:
            answers.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=knock) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 6
    assert answers.count("invalid") == 5
    assert User.objects.count() == 1
