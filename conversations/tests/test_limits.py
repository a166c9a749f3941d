"""Validation of keys."""

from __future__ import annotations

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
