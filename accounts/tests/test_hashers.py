from __future__ import annotations

import os
import threading

import pytest
from argon2 import Type, extract_parameters
from django.conf import settings
from django.contrib.auth.hashers import (
    Argon2PasswordHasher,
    check_password,
    make_password,
)

from accounts import actions, hashers, models, tokens
from accounts.hashers import place_to_hash
from accounts.models import User
from accounts.tests.helpers import raises_chat_error
from chatty.common.errors import ChatError
from tests.cast import PASSWORD

pytestmark = pytest.mark.once

ARGON = ["accounts.hashers.Argon2idHasher"]


@pytest.fixture(autouse=True)
def _argon(settings):
    settings.PASSWORD_HASHERS = ARGON


def test_passwords_use_argon2id_with_19_mib_two_passes_and_one_lane():
    encoded = make_password("a quiet copper kettle")
    found = extract_parameters(encoded.removeprefix("argon2"))
    assert (found.type, found.memory_cost, found.time_cost, found.parallelism) == (
        Type.ID,
        19 * 1024,
        2,
        1,
    )
    assert check_password("a quiet copper kettle", encoded)
    assert not check_password("a quiet copper kettlE", encoded)


def test_production_uses_only_this_hasher():
    from chatty import settings as real

    assert real.PASSWORD_HASHERS == ARGON


def test_parallel_hashes_are_limited(monkeypatch):
    monkeypatch.setattr(hashers, "_places", threading.BoundedSemaphore(2))
    monkeypatch.setattr(hashers, "_line", threading.BoundedSemaphore(8))
    inside, most = [], []
    guard = threading.Lock()
    real = Argon2PasswordHasher.encode

    def encode(self, password, salt):
        with guard:
            inside.append(1)
            most.append(len(inside))
        try:
            return real(self, password, salt)
        finally:
            with guard:
                inside.pop()

    monkeypatch.setattr(Argon2PasswordHasher, "encode", encode)
    threads = [threading.Thread(target=make_password, args=("x",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 8
    assert max(most) <= 2


def test_waiting_too_long_raises_busy(monkeypatch):
    monkeypatch.setattr(hashers, "_places", threading.BoundedSemaphore(1))
    monkeypatch.setattr(hashers, "WAIT_SECONDS", 0.01)
    with place_to_hash(), raises_chat_error("busy"):
        make_password("x")
    assert make_password("x")


def test_full_queue_raises_busy_at_once_to_keep_threads_free(monkeypatch):
    monkeypatch.setattr(hashers, "_places", threading.BoundedSemaphore(1))
    monkeypatch.setattr(hashers, "_line", threading.BoundedSemaphore(3))
    entered, release = threading.Semaphore(0), threading.Event()
    codes = []

    def sign_in():
        try:
            with place_to_hash():
                entered.release()
                release.wait(10)
        except ChatError as error:
            codes.append((error.code, error.retry))

    threads = [threading.Thread(target=sign_in) for _ in range(10)]
    for thread in threads:
        thread.start()
    assert entered.acquire(timeout=10)
    # One hashes and two wait. The others were rejected at once, although none has finished.
    for thread in threads:
        thread.join(timeout=0.2)
    assert codes == [("busy", True)] * 7
    release.set()
    for thread in threads:
        thread.join()
    assert len(codes) == 7
    assert max(hashers.PARALLEL_HASHES + 1, settings.HTTP_RUNNING // 2) >= hashers.PLACES_MAX


def test_one_processor_is_left_free():
    assert max(1, (os.cpu_count() or 2) - 1) >= hashers.PARALLEL_HASHES


@pytest.fixture
def alice_with_an_old_hash(alice, settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher", *ARGON]
    alice.password = make_password(PASSWORD, hasher="argon2")
    alice.save()
    return alice


def signed_in(alice):
    user = actions.authenticate(email=alice.email, password=PASSWORD, address="192.0.2.1")
    return tokens.begin(user, client="a program")


def test_old_hash_is_upgraded_on_sign_in(alice_with_an_old_hash):
    signed_in(alice_with_an_old_hash)
    alice_with_an_old_hash.refresh_from_db()
    assert alice_with_an_old_hash.password.startswith("md5$")


@pytest.mark.parametrize("now", [PASSWORD, "another blue teapot"])
def test_concurrently_changed_hash_is_checked_again(now, alice_with_an_old_hash, monkeypatch):
    alice = alice_with_an_old_hash
    others = make_password(now)

    def renewed_too_late(password):
        User.objects.filter(pk=alice.pk).update(password=others)
        return make_password(password)

    monkeypatch.setattr(models.people, "make_password", renewed_too_late)
    if now == PASSWORD:
        assert signed_in(alice)
    else:
        with raises_chat_error("wrong_credentials"):
            signed_in(alice)
    alice.refresh_from_db()
    assert alice.password == others
