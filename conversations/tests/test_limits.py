"""Validation of keys, and sizes that follow from the length of messages."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from conversations import limits
from conversations.tests.helpers import raises_chat_error


@pytest.mark.parametrize("key", ["a", "A-Z_09", "x" * 64, "0" * 36])
def test_valid_keys_are_accepted(key):
    assert limits.valid_key(key) == key


@pytest.mark.parametrize(
    "key", ["", " ", "a.b", "a/b", "ä", "a\n", "\na", "x" * 65, "٣", None, 1, b"a"]
)
def test_invalid_keys_are_rejected(key):
    with raises_chat_error("invalid", field="key"):
        limits.valid_key(key)


@pytest.mark.parametrize(
    ("body_max", "size"), [(500, 400), (10_000, 400), (20_000, 200), (40_000, 100)]
)
def test_fewer_messages_are_held_in_memory_if_they_may_be_longer(body_max, size, monkeypatch):
    monkeypatch.setattr(limits, "BODY_MAX", body_max)
    assert limits.messages_at_a_time(400) == size


@pytest.mark.parametrize("body_max", [500, 40_000])
def test_sizes_follow_from_the_setting(body_max):
    """They are made from it when the process starts."""
    code = """if True:
        import django; django.setup()
        from django.conf import settings
        from conversations import limits
        from conversations.search import queries
        print(limits.BODY_MAX, settings.FRAME_MAX, limits.HTML_MAX, queries._CHUNK_MAX)
    """
    environment = {
        **os.environ,
        "MESSAGE_MAX": str(body_max),
        "DJANGO_SETTINGS_MODULE": "tests.settings",
    }
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    body, frame, html, chunk = map(int, ran.stdout.split())
    assert body == body_max
    assert frame > 6 * body  # each character can be an escape such as \\u00e4
    assert html > 5 * body  # or &amp;
    assert chunk == (400 if body_max == 500 else 100)
