"""GET /api/search/"""

from __future__ import annotations

from urllib.parse import quote, urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from conversations.search.tests.conftest import index_all
from conversations.tests.helpers import message_json, say

pytestmark = pytest.mark.django_db


def test_response_has_messages_and_excerpts(alice, bob, pair, api_of):
    message = say(bob, pair, "Please **water** the beans")
    index_all()
    found = api_of(alice).get("/api/search/", {"q": "water"})
    assert found.status_code == 200
    assert found.json() == {
        "results": [
            {
                "message": message_json(message),
                "excerpt": [
                    {"text": "Please ", "hit": False},
                    {"text": "water", "hit": True},
                    {"text": " the beans", "hit": False},
                ],
            }
        ],
        "next": None,
    }


def test_pages_follow_each_other(alice, pair, api_of):
    for number in range(5):
        say(alice, pair, f"Tea {number}")
    index_all()
    client, address, seen = api_of(alice), "/api/search/?q=tea&limit=2", []
    while address:
        page = client.get(address).json()
        seen.append([each["message"]["body"] for each in page["results"]])
        address = page["next"] and "{0.path}?{0.query}".format(urlsplit(page["next"]))
    assert seen == [["Tea 4", "Tea 3"], ["Tea 2", "Tea 1"], ["Tea 0"]]


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ({}, "invalid", "q"),
        ({"q": ""}, "empty", "q"),
        ({"q": "\u200b"}, "empty", "q"),
        ({"q": "x" * 301}, "too_long", "q"),
        ({"q": "x " * 21}, "too_long", "q"),
        ({"q": "from:\x00"}, "invalid", "q"),  # by the serializer
        ({"q": "in:\x1b[2J"}, "bad_text", "q"),
        ({"q": "tea\ufffe"}, "bad_text", "q"),
        ({"q": "after:2026-13-01"}, "invalid", "q"),
        ({"q": "before:0001-01-01"}, "invalid", "q"),
        ({"q": 'in:""'}, "invalid", "q"),
        ({"q": "from:\u200b"}, "invalid", "q"),
        ({"q": "after:9999-12-31"}, "invalid", "q"),
        ({"q": "mentions:bob"}, "invalid", "q"),
        ({"q": "in:nowhere"}, "invalid", "q"),
        ({"q": "tea", "cursor": "x"}, "invalid", "cursor"),
        ({"q": "tea", "limit": "51"}, "invalid", "limit"),
    ],
)
def test_errors_name_their_field(query, code, field, alice, api_of):
    found = api_of(alice).get("/api/search/", query)
    assert found.status_code == 400
    assert found.json()["code"] == code
    assert field in found.json()["fields"]


@pytest.mark.parametrize(
    "text",
    [
        "\u202etea\u202c \u2066tea\u2069",
        "שלום عليكم " * 20,
        "t" + "\u0301" * 299,
        "\u0301" * 300,
        "가" * 300,
        "ﷺ" * 300,
        "(" * 300,
        "%s \\ ' ; -- {} * ^ : NEAR(a b) OR NOT",
        " ".join("abcdefghijklmnopqrst"),
        "in:garden " * 30,
        "from:al from:alice " * 15,
        "\ud800\udc00",
        "tea\x00",
        "from:\x00",
    ],
    ids=lambda text: ascii(text[:12]),
)
def test_odd_queries_get_an_answer_and_log_nothing(text, alice, pair, api_of, caplog):
    say(alice, pair, "Tea")
    index_all()
    caplog.clear()
    browser = Client()
    browser.force_login(alice)
    for client, path in ((api_of(alice), "/api/search/"), (browser, "/search/")):
        found = client.get(f"{path}?q={quote(text, errors='surrogatepass')}")
        assert found.status_code in (200, 400), path
    assert [record for record in caplog.records if record.levelname != "DEBUG"] == []


def test_number_of_queries_is_limited(alice, pair, api_of):
    for number in range(120):
        say(alice, pair, f"Tea {number}")
    index_all()
    client = api_of(alice)
    client.get("/api/search/?q=tea")
    with CaptureQueriesContext(connection) as few:
        client.get("/api/search/?q=tea&limit=1")
    with CaptureQueriesContext(connection) as many:
        assert len(client.get("/api/search/?q=tea&limit=40").json()["results"]) == 40
    assert len(many) == len(few)
