"""The system checks: what each reports, what it accepts, and `check --deploy` as a whole."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from chatty.conf import checks, env

pytestmark = pytest.mark.once

GOOD = "Xb7Pq2Lw9Zt4Rm6Kc1Vn8Js3Hd5Gf0Ya"


def ids(faults):
    return [fault.id for fault in faults]


@pytest.mark.parametrize(
    ("key", "found"),
    [
        (GOOD, []),
        ("django-insecure-" + GOOD, ["chatty.E001"]),
        ("change-me-" + GOOD, ["chatty.E001"]),
        (GOOD[:31], ["chatty.E002"]),
        ("ab" * 30, ["chatty.E002"]),
    ],
)
def test_weak_secret_key_is_an_error(settings, key, found):
    settings.SECRET_KEY = key
    assert ids(checks.secret_is_strong(None)) == found


@pytest.mark.parametrize(
    ("debug", "public", "host", "found"),
    [
        (False, "https://chat.example.org", "0.0.0.0", []),
        (True, "", "127.0.0.1", []),
        (True, "http://localhost:8000", "localhost", []),
        (True, "https://chat.example.org", "127.0.0.1", ["chatty.E003"]),
        (True, "", "0.0.0.0", ["chatty.E004"]),
    ],
)
def test_debug_is_an_error_on_public_addresses(monkeypatch, settings, debug, public, host, found):
    monkeypatch.setenv("PUBLIC_URL", public)
    settings.PUBLIC_ADDRESS = env.get_public_address()
    settings.DEBUG = debug
    settings.HOST = host
    assert ids(checks.debug_is_local(None)) == found


def test_several_processes_require_redis_and_postgresql(monkeypatch, settings):
    monkeypatch.setenv("WEB_CONCURRENCY", "4")
    settings.REDIS_URL = ""
    monkeypatch.setattr(checks, "uses_sqlite", lambda: True)
    assert ids(checks.channel_layer_is_shared(None)) == ["chatty.E006", "chatty.E007"]
    settings.REDIS_URL = "redis://127.0.0.1"
    monkeypatch.setattr(checks, "uses_sqlite", lambda: False)
    assert ids(checks.channel_layer_is_shared(None)) == []
    monkeypatch.setenv("WEB_CONCURRENCY", "1")
    settings.REDIS_URL = ""
    assert ids(checks.channel_layer_is_shared(None)) == []


def test_pool_smaller_than_the_threads_is_a_warning(monkeypatch, settings):
    settings.HTTP_RUNNING, settings.SOCKET_THREADS = 12, 8
    for size, found in ((24, []), (23, ["chatty.W004"])):
        options = {"pool": {"max_size": size}}
        monkeypatch.setitem(settings.DATABASES["default"], "OPTIONS", options)
        assert ids(checks.pool_is_large_enough(None)) == found


def test_requests_without_room_for_a_message_are_an_error(settings):
    settings.HTTP_BODY_MAX = settings.FRAME_MAX
    assert ids(checks.requests_have_room_for_a_message(None)) == []
    settings.HTTP_BODY_MAX -= 1
    (fault,) = checks.requests_have_room_for_a_message(None)
    assert fault.id == "chatty.E012"
    assert str(settings.FRAME_MAX) in str(fault.hint)


def test_every_check_message_has_a_hint(settings):
    settings.SECRET_KEY = "short"
    settings.DEBUG = True
    settings.HOST = "0.0.0.0"
    settings.ALLOWED_HOSTS = ["*"]
    faults = [
        *checks.secret_is_strong(None),
        *checks.debug_is_local(None),
        *checks.hosts_are_named(None),
        *checks.check_several_processes(2),
    ]
    assert len(faults) >= 3
    assert all(fault.hint for fault in faults)


def check_deploy(**environment):
    return subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=env.BASE_DIR,
        env={
            "PATH": os.environ["PATH"],
            # Nothing listens there: checks do not connect.
            "DATABASE_URL": "postgres://chatty@127.0.0.1:1/chatty",
            "REDIS_URL": "redis://127.0.0.1:1/0",
            "SECRET_KEY": GOOD * 2,
            **environment,
        },
        capture_output=True,
        text=True,
    )


def test_check_deploy_passes_for_production_without_connections():
    done = check_deploy(
        PUBLIC_URL="https://chat.example.org",
        TRUSTED_PROXIES="127.0.0.1",
        EMAIL_URL="smtp+tls://user:password@mail.example.org:587",
    )
    assert done.returncode == 0, done.stderr


def test_check_deploy_warns_about_missing_tls_proxies_and_email():
    plain = check_deploy(PUBLIC_URL="http://chat.example.org")
    assert plain.returncode == 1
    assert "chatty.W002" in plain.stderr
    alone = check_deploy(PUBLIC_URL="https://chat.example.org")
    assert "chatty.W003" in alone.stderr
    assert "chatty.W005" in alone.stderr
