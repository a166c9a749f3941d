"""Messages with files: found by the names of files, and by their kinds."""

from __future__ import annotations

import pytest

from conversations import actions
from conversations.attachments.tests.conftest import data_dir, upload
from conversations.content import FileReference
from conversations.search import queries
from conversations.search.query_text import parse
from conversations.tests.helpers import raises_chat_error, say

__all__ = ["data_dir", "upload"]
pytestmark = pytest.mark.django_db
GIF = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff"
    b",\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)


@pytest.fixture
def messages(alice, pair, upload):
    def refer(name: str, data: bytes) -> tuple[FileReference, ...]:
        return (FileReference(upload(alice, name, data).pk),)

    say(alice, pair, "Words")
    say(alice, pair, "Plan", files=refer("Bebauungsplan_Süd.pdf", b"%PDF-1.7"))
    say(alice, pair, "Cat", files=refer("cat.gif", GIF))
    long = "word " * 100
    say(alice, pair, long, files=refer("long-story.txt", b"Once"))
    return long.strip()


@pytest.mark.parametrize("read_all", [0, 1_000])
def test_names_and_kinds_of_files_are_found(alice, pair, search, messages, monkeypatch, read_all):
    monkeypatch.setattr(queries, "_READ_ALL_MAX", read_all)
    assert search(alice, "bebauungsplan_sud") == ["Plan"]
    assert search(alice, "cat.gif") == ["Cat"]
    assert search(alice, "long-story word") == [messages]
    assert search(alice, "has:file") == [messages, "Cat", "Plan"]
    assert search(alice, "has:image") == ["Cat"]
    assert search(alice, "has:IMAGE cat") == ["Cat"]
    assert search(alice, "has:text") == [messages]
    assert search(alice, "has:image plan") == []
    assert search(alice, "has:image has:text") == []
    assert search(alice, "has:video") == []
    found = queries.search(alice, parse("cat.gif"))
    assert any(part.hit and part.text == "cat.gif" for part in found.results[0].excerpt)


def test_a_deleted_file_is_not_found_even_if_the_index_is_old(alice, pair, search, messages):
    assert search(alice, "has:image") == ["Cat"]
    actions.delete_message(alice, queries.search(alice, parse("has:image")).results[0].message.pk)
    assert queries.search(alice, parse("has:image")).results == []
    assert queries.search(alice, parse("cat.gif")).results == []


@pytest.mark.parametrize("text", ["has:link", "has:", "has: image"])
def test_other_kinds_are_refused(text):
    with raises_chat_error("invalid", field="q"):
        parse(text)
