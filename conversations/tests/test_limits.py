"""Validation of keys and emoji."""

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


EMOJI = [
    *("👍", "👍🏽", "❤️", "❤", "🎉", "😀", "☕", "✅", "⌚", "🫠", "🀄"),
    *("👩‍👩‍👧‍👦", "🧑🏿‍🚀", "🏳️‍🌈", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🇩🇪", "1️⃣", "#⃣", "©️", "👁️‍🗨️"),
    "🧑🏻‍❤️‍💋‍🧑🏿",
]


@pytest.mark.parametrize("emoji", EMOJI)
def test_valid_emoji_are_accepted(emoji):
    assert limits.valid_emoji(emoji) == emoji


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "a", "7", "#", "ab", "<b>", "👍👍", "👍 ", " 👍", "👍\n", "🇩", "🇩🇪🇫🇷", "\u200d"),
        *("👍\u200d", "👍" + "\U000e0061" * 40, "é", "漢", "\x00", "\ufe0f", None, 1, b"a"),
    ],
)
def test_invalid_emoji_are_rejected(text):
    with raises_chat_error("invalid", field="emoji"):
        limits.valid_emoji(text)
