"""Validation of emoji, and the one form in which each is stored."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.db import connection

from chatty.common import timestamps
from conversations.emoji import valid_emoji
from conversations.models import Reaction
from conversations.tests.helpers import raises_chat_error

DATA = Path(settings.BASE_DIR) / "static/emoji"
TONES = ("🏻", "🏼", "🏽", "🏾", "🏿")

EMOJI = [
    *("👍", "👍🏽", "❤️", "🎉", "😀", "☕", "✅", "⌚", "🫠", "🀄"),
    *("👩‍👩‍👧‍👦", "🧑🏿‍🚀", "🏳️‍🌈", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🇩🇪", "1️⃣", "#️⃣", "©️", "👁️‍🗨️"),
    "🧑🏻‍❤️‍💋‍🧑🏿",
]


@pytest.mark.parametrize("emoji", EMOJI)
def test_valid_emoji_are_accepted(emoji):
    assert valid_emoji(emoji) == emoji


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("❤", "❤️"),
        ("❤\ufe0e", "❤️"),
        ("👍\ufe0f", "👍"),
        ("☝\ufe0f", "☝️"),
        ("☝🏽", "☝🏽"),
        ("☝\ufe0f🏽", "☝🏽"),
        ("1\u20e3", "1️⃣"),
        ("🏳\u200d🌈", "🏳️‍🌈"),
        ("👁\u200d🗨", "👁️‍🗨️"),
        ("👁\ufe0f\u200d🗨", "👁️‍🗨️"),
        ("👩\u200d❤\u200d👨", "👩‍❤️‍👨"),
    ],
)
def test_emoji_that_look_the_same_are_stored_in_one_form(written, stored):
    assert valid_emoji(written) == stored


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "a", "7", "#", "ab", "<b>", "👍👍", "👍 ", " 👍", "👍\n", "🇩", "🇩🇪🇫🇷", "\u200d"),
        *("👍\u200d", "👍" + "\U000e0061" * 40, "é", "漢", "\x00", "\ufe0f", None, 1, b"a"),
        *(
            "🏽",
            "👍🏽🏽",
            "🎉🏽",
            "👍\U000e0067\U000e0062\U000e007f",
            "🏴\U000e007f",
            "🏴\U000e0067",
        ),
        *("\ufe0f👍", "❤\ufe0f\ufe0f", "👩\u200d\ufe0f❤", "1\ufe0f", "👍🏽\u200d", "👍\u200d🏽"),
    ],
)
def test_invalid_emoji_are_rejected(text):
    with raises_chat_error("invalid", field="emoji"):
        valid_emoji(text)


def test_every_emoji_of_the_picker_is_valid_with_and_without_selectors():
    lines = json.loads((DATA / "en.json").read_text())["groups"]
    parts = [line.split("\t") for _key, group in lines for line in group]
    known = [each[0] for each in parts]
    for lightest in (each[4] for each in parts if len(each) > 4):
        known += [lightest.replace(TONES[0], tone) for tone in TONES]
    assert len(known) > 3_000
    for emoji in known:
        assert valid_emoji(emoji) == emoji
        assert valid_emoji(emoji.replace("\ufe0f", "")) == emoji


def test_picker_has_the_same_emoji_in_each_language():
    english, german = (
        [
            (key, [line.split("\t")[0] for line in group])
            for key, group in json.loads((DATA / f"{language}.json").read_text())["groups"]
        ]
        for language in ("en", "de")
    )
    assert english == german


@pytest.mark.django_db
def test_upgrade_merges_reactions_that_look_the_same(alice, bob, hello):
    def react(user, emoji):
        Reaction.objects.create(message=hello, user=user, emoji=emoji, created_at=timestamps.now())

    for emoji in ("❤", "❤️", "❤\ufe0e", "🎉", "🏽"):
        react(alice, emoji)
    react(bob, "❤")
    migration = import_module("conversations.migrations.0013_one_form_of_each_emoji")
    migration.merge(apps, connection.schema_editor())
    left = hello.reactions.order_by("user_id", "emoji").values_list("user_id", "emoji")
    assert set(left) == {(alice.pk, "❤️"), (alice.pk, "🎉"), (bob.pk, "❤️")}
    assert len(left) == 3
