"""What is found, and by whom."""

from __future__ import annotations

import pytest

from accounts import actions as account_actions
from conversations import actions
from conversations.search import queries
from conversations.search.query_text import parse
from conversations.search.tests.conftest import index_all
from conversations.tests.helpers import raises_chat_error, say

pytestmark = pytest.mark.django_db

TEXTS = {
    # From element-hq/synapse#20092: search for whole English words finds none of these.
    "The model qwen3.6 is out": ["qwen3.6", "qwen", "wen3", "3.6", "QWEN3.6"],
    "We compile with C++20 now": ["C++20", "c++", "++20"],
    "See foo.png in the folder": ["foo.png", ".png", "foo"],
    "https://example.org/a/path?q=1#top has it": [
        "https://example.org/a/path?q=1#top",
        "example.org",
        "/a/path",
        "q=1",
    ],
    "It is in /etc/chatty/site.conf": ["/etc/chatty", "site.conf", "chatty/site"],
    "A state-of-the-art method": ["state-of-the-art", "of-the", "-art"],
    # Stop words and word forms.
    "The who and the what": ["the who", "who", "and the", '"the who and"'],
    "They were running away": ["running", "run", "unni"],
    # Letters, accents, other scripts.
    "Ömer öffnet die Straße": ["omer", "ÖMER", "strasse", "STRASSE", "straße", "öffnet"],
    "Иван идёт домой": ["иван", "ИВАН", "идет", "дом"],
    "Η Ελένη είναι εδώ": ["ελενη", "ΕΛΕΝΗ", "ειναι"],
    "明日の会議は東京で": ["会議", "東京", "会", "の", "日の会", "明日 東京"],
    "안녕하세요 여러분": ["안녕", "안", "하세요", "여러분"],
    "ㅋㅋㅋㅠㅠ 하ㅏ": ["ㅋㅋ", "ㅠㅠ", "ㅋㅋㅋㅠㅠ", "ﾻﾻ", "ㅏ", "하"],
    "ｶﾞｷﾞ": ["ガギ", "ｶﾞ", "ガ"],
    "พบกันพรุ่งนี้ที่ห้องประชุม": ["พรุ่งนี้", "ห้อง", "กัน"],
    "नमस्ते दुनिया": ["नमस्ते", "दुनिया"],
    "שלום עולם": ["שלום", "עולם"],
    "مرحبا بالعالم": ["مرحبا", "العالم"],
    "Party 🎉 with 👩‍💻 and ❤️": ["🎉", "👩‍💻", "❤", "❤️", "👩", "party 🎉"],
    "Don’t “quote” me – ever": ["don't", "Don’t", "- ever"],
    "Silben\u00adtrennung": ["Silbentrennung", "bentren"],
    # One and two letters are whole words.
    "OK, I use C# and Go": ["ok", "c#", "go", "i", "C"],
    "Is it 5 % or 7%?": ["5", "7", "7%", "%"],
    "About 10⁻³ of it": ["10-3", "10⁻³"],
    'Call getenv("HOME", "/root") first': ['env("HO', 'getenv("HOME", "/root")', "”HOME”"],
}


@pytest.mark.parametrize("text", TEXTS)
def test_search_finds_pieces_of_texts(text, alice, pair, search):
    say(alice, pair, "Something else")
    say(alice, pair, text)
    missing = [words for words in TEXTS[text] if search(alice, words) != [text]]
    assert missing == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Look here", "look there"),
        ("The OKAY sign", "ok"),
        ("one two three", '"one three"'),
        ("が", "か"),
        ("fifteen", "15"),
    ],
)
def test_search_does_not_find_other_texts(text, words, alice, pair, search):
    say(alice, pair, text)
    assert search(alice, words) == []


def test_markup_is_not_searched(alice, pair, search):
    body = "Some **bold** text, `code()` and [a link](https://hidden.example/)"
    say(alice, pair, body)
    for words in ("bold text", '"bold text, code()"', "code()", "a link"):
        assert search(alice, words) == [body], words
    for words in ("**bold**", "hidden.example", "strong"):
        assert search(alice, words) == [], words


def test_long_message_is_searched_to_its_end(alice, pair, search):
    body = "word " * 700 + "needle"
    say(alice, pair, body)
    assert search(alice, "needle") == [body]


def test_latest_results_come_first_and_pages_continue(alice, pair, search):
    for number in range(7):
        say(alice, pair, f"Tea {number}")
    index_all()
    seen, before = [], None
    while True:
        page = queries.search(alice, parse("tea"), before=before, limit=3)
        seen.append([result.message.body for result in page.results])
        if page.older is None:
            break
        before = page.older
    assert seen == [["Tea 6", "Tea 5", "Tea 4"], ["Tea 3", "Tea 2", "Tea 1"], ["Tea 0"]]


def test_only_members_find_messages(alice, bob, carol, pair, search):
    say(alice, pair, "Secret garden")
    assert search(bob, "garden") == ["Secret garden"]
    assert search(carol, "garden") == []
    actions.remove_member(alice, pair.pk, bob.pk)
    assert search(bob, "garden") == []
    assert search(bob, "from:alice") == []


def test_public_conversations_are_searched_by_members_only(alice, bob, open_group, search):
    say(alice, open_group, "Fresh fish")
    assert search(bob, "fish") == []
    actions.join(bob, open_group.pk)
    assert search(bob, "fish") == ["Fresh fish"]


def test_archived_conversations_and_messages_of_closed_accounts_are_found(alice, bob, pair, search):
    say(bob, pair, "Secret garden")
    account_actions.close_account(bob)
    actions.archive(alice, pair.pk)
    assert search(alice, "garden from:bob") == ["Secret garden"]
    with raises_chat_error("account_closed"):
        search(bob, "garden")


def test_deleted_conversation_is_not_found(alice, pair, search):
    say(alice, pair, "Secret garden")
    index_all()
    actions.delete_conversation(alice, pair.pk)
    assert search(alice, "garden") == []


def test_deleted_and_former_texts_are_not_found_before_the_index_knows(alice, pair, search):
    deleted = say(alice, pair, "Deleted words")
    edited = say(alice, pair, "Former words")
    index_all()
    actions.delete_message(alice, deleted.pk)
    actions.edit_message(alice, edited.pk, body="Present words")
    found = queries.search(alice, parse("words"))
    assert [result.message.body for result in found.results] == ["Present words"]
    assert queries.search(alice, parse("former")).results == []
    assert search(alice, "present") == ["Present words"]


def test_membership_that_ends_during_a_search_is_noticed(alice, bob, pair, search, monkeypatch):
    say(alice, pair, "Secret garden")
    index_all()
    read = queries.queries.read_by_ids

    def read_and_remove(ids):
        messages = read(ids)
        actions.remove_member(alice, pair.pk, bob.pk)
        return messages

    monkeypatch.setattr(queries.queries, "read_by_ids", read_and_remove)
    assert queries.search(bob, parse("garden")).results == []


def test_notices_are_not_found(alice, pair, search):
    actions.update_conversation(alice, pair.pk, name="Orchard")
    assert search(alice, "orchard") == []


def test_short_conversations_are_searched_without_grams(alice, pair, search, monkeypatch):
    monkeypatch.setattr(queries, "_READ_ALL_MAX", 1_000)
    say(alice, pair, "Tea time")
    say(alice, pair, "Time for tea")
    assert search(alice, "tea time") == ["Time for tea", "Tea time"]
    assert search(alice, '"tea time"') == ["Tea time"]
    assert search(alice, "xyz") == []


def test_many_short_conversations_are_searched(alice, pair, search, monkeypatch):
    monkeypatch.setattr(queries, "_READ_ALL_MAX", 1_000)
    monkeypatch.setattr(queries, "_LISTED_MAX", 0)
    say(alice, pair, "Tea time")
    assert search(alice, "tea") == ["Tea time"]
    assert search(alice, "in:garden") == ["Tea time"]
    assert search(alice, "xyz") == []
