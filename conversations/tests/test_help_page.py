"""The help: for everyone, in both languages, and searchable."""

from __future__ import annotations

from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from django.test import Client
from django.urls import reverse

from conversations import markdown
from conversations.web import help_page
from tests import markup
from tests.html import one, parse, script_templates, values, words

pytestmark = pytest.mark.once

HELP = "/help/"
TEMPLATES = Path(__file__).parents[2] / "templates" / "conversations" / "help"


@pytest.fixture
def stranger() -> Client:
    return Client()


@pytest.fixture
def signed_in(client, alice) -> Client:
    client.force_login(alice)
    return client


@pytest.fixture(params=["signed in", "signed out"])
def reader(request, db) -> Client:
    return request.getfixturevalue("signed_in" if request.param == "signed in" else "stranger")


@pytest.fixture(params=["en", "de"])
def language(request) -> str:
    return request.param


def search(client: Client, query: str, language: str = "en") -> BeautifulSoup:
    headers = {"Accept-Language": language}
    response = client.get(HELP, {"q": query}, headers=headers)
    assert response.status_code == 200
    assert markup.faults(response.content.decode()) == []
    return parse(response)


def found_headings(page: BeautifulSoup) -> list[str]:
    return [words(each) for each in page.select(".help h2, .help__section > h3")]


def shortcuts_in(part) -> list[tuple[str, list[str]]]:
    return [
        (words(one(row, "dt")), [words(key) for key in row.select("kbd")])
        for row in part.select(".shortcuts__groups dl > div")
    ]


# --- the page ------------------------------------------------------------------------------------


def test_every_topic_and_section_is_shown(reader, language):
    response = reader.get(HELP, headers={"Accept-Language": language})
    assert response.status_code == 200
    assert response.headers["Content-Language"] == language
    page = parse(response)
    assert one(page, "h1").text == {"en": "Help", "de": "Hilfe"}[language]
    titles = {"en": "Privacy", "de": "Privatsphäre"}
    assert titles[language] in found_headings(page)
    number = sum(len(topic.sections) for topic in help_page.TOPICS)
    assert len(page.select(".help__section")) == number
    assert all(len(words(each)) > 50 for each in page.select(".help__section"))
    assert not page.select("mark")


def test_every_section_has_a_template_and_an_anchor_of_its_own():
    slugs = [section.slug for topic in help_page.TOPICS for section in topic.sections]
    assert sorted(slugs) == sorted(path.stem for path in TEMPLATES.glob("*.html"))
    anchors = {topic.slug for topic in help_page.TOPICS if not topic.is_single} | set(slugs)
    assert len(anchors) == len(slugs) + sum(not topic.is_single for topic in help_page.TOPICS)


def test_signed_out_readers_see_no_sidebar_and_cost_no_query(
    stranger, db, django_assert_num_queries
):
    with django_assert_num_queries(
        1
    ):  # the settings of the installation, which are read once a second
        response = stranger.get(HELP)
    page = parse(response)
    assert not page.select("#sidebar, #app-data, script")
    assert one(page, ".public__top .button")["href"] == reverse("accounts:sign_in")
    assert not response.cookies


def test_signed_in_readers_keep_their_sidebar(signed_in):
    page = parse(signed_in.get(HELP))
    assert one(page, "#sidebar [aria-current=page]")["href"] == HELP


def test_the_help_is_linked_from_the_sidebar_the_shortcuts_and_signed_out_pages(
    signed_in, stranger
):
    page = signed_in.get("/c/browse/")
    assert one(page, f".sidebar__me a[href='{HELP}']")["aria-label"] == "Help"
    assert one(one(script_templates(page, signed_in), "#shortcuts-template"), f"a[href='{HELP}']")
    for path in ("/sign-in/", "/sign-up/", "/password/forgotten/", "/nowhere/"):
        assert one(stranger.get(path), f"main a[href='{HELP}']").text == "Help"


def test_every_link_and_anchor_leads_somewhere(reader, language):
    page = parse(reader.get(HELP, headers={"Accept-Language": language}))
    main = one(page, "main")
    ids = set(values(page, "[id]", "id"))
    links = values(main, "a", "href")
    anchors = {link[1:] for link in links if link.startswith("#")}
    assert len(anchors) > 20
    assert anchors <= ids
    for path in {link for link in links if link.startswith("/")}:
        response = reader.get(path, follow=True)
        assert (response.status_code, path) == (200, path)
    others = {link for link in links if not link.startswith(("#", "/"))}
    assert others == {"https://example.org"}


def test_the_help_takes_only_get_and_head(stranger, db):
    assert stranger.head(HELP).status_code == 200
    assert stranger.post(HELP).status_code == 405


def test_examples_of_formatting_are_what_the_renderer_makes_of_them(reader, language):
    page = parse(reader.get(HELP, headers={"Accept-Language": language}))
    rows = page.select("#help-formatting .examples > tbody > tr")
    assert len(rows) == len(help_page.EXAMPLES)
    for row in rows:
        source = one(row, "code.examples__source").text
        rendered = one(row, "td .message__body")
        expected = one(markdown.render(source), "body")
        assert rendered.decode_contents().strip() == expected.decode_contents().strip()
        assert source != words(rendered) or source.startswith("https:")


def test_every_shortcut_of_the_dialog_is_in_the_help(signed_in, language):
    page = signed_in.get(HELP, headers={"Accept-Language": language})
    # Parsed on its own: the text of a <template> does not count as text of its elements.
    dialog = one(script_templates(page, signed_in), "#shortcuts-template")
    in_dialog = shortcuts_in(parse(dialog.decode_contents()))
    assert len(in_dialog) > 15
    assert shortcuts_in(one(page, "#help-shortcuts")) == in_dialog


def test_presence_is_described_as_this_server_has_it(stranger, db, settings):
    settings.PRESENCE_MEMBERS = 7
    assert "up to 7 members" in words(one(stranger.get(HELP), "#help-what-others-see"))
    settings.PRESENCE_MEMBERS = 0
    assert "turned off on this server" in words(one(stranger.get(HELP), "#help-what-others-see"))


# --- searching -----------------------------------------------------------------------------------


def test_a_word_of_a_title_finds_and_marks_its_section(reader):
    page = search(reader, "ADMINISTRATORS see names")
    assert found_headings(page) == ["Privacy", "What administrators can see"]
    assert {each.text for each in page.select("h3 mark")} == {"administrators", "see"}
    assert one(page, "#q")["value"] == "ADMINISTRATORS see names"
    assert "1 result for" in words(one(page, "main"))
    assert values(page, "#help-contents ul ul a", "href") == ["#help-administrators"]


def test_a_word_of_the_text_finds_its_section(reader):
    page = search(reader, "backslash")
    assert found_headings(page) == ["Formatting"]
    assert [each.text for each in page.select("mark")] == ["backslash"]


def test_a_german_search_finds_german_text(reader):
    page = search(reader, "löschen ENDGÜLTIG", "de")
    assert "Eine Unterhaltung archivieren oder löschen" in found_headings(page)
    assert {"löschen", "endgültig"} <= {each.text for each in page.select("mark")}


def test_a_word_of_a_topic_finds_all_its_sections(stranger, db):
    page = search(stranger, "privacy")
    number = next(len(each.sections) for each in help_page.TOPICS if each.slug == "privacy")
    assert len(page.select("#help-privacy .help__section")) == number
    assert one(page, "h2 mark").text == "Privacy"


def test_every_word_has_to_occur(stranger, db):
    assert found_headings(search(stranger, "backslash archive")) == []


@pytest.mark.parametrize(
    ("query", "marked"), [("K", {"K"}), ("@", {"@"}), ("Ctrl k", {"Ctrl", "K"})]
)
def test_a_key_is_found_as_a_whole_word(query, marked, stranger, db):
    page = search(stranger, query)
    assert page.select("#help-shortcuts")
    assert {each.text for each in page.select("mark")} == marked


def test_nothing_found_leads_back_to_all_topics(reader, language):
    page = search(reader, "zzzz", language)
    empty = one(page, ".empty")
    said = {"en": "No results for “zzzz”", "de": "Keine Ergebnisse für „zzzz“"}
    assert words(one(empty, "h2")) == said[language]
    assert one(empty, "a.button")["href"] == HELP
    assert not page.select(".help, #help-contents")


@pytest.mark.parametrize("query", ["", "   ", "\x00", "\t\n\x00 "])
def test_a_blank_search_shows_everything(query, stranger, db):
    assert len(found_headings(search(stranger, query))) > 20


@pytest.mark.parametrize(
    "query",
    ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</title><b>", "&lt;b&gt;"],
)
def test_markup_in_a_search_is_shown_as_text(query, reader):
    page = search(reader, query)
    assert one(page, "#q")["value"] == query
    assert query in one(page, ".empty h2").text
    assert query in one(page, "title").text
    assert not page.select("main script, main img, main b")


@pytest.mark.parametrize("query", ["amp", "lt", "quot", "svg", "class", "strong", "mark", "#x27"])
def test_a_search_never_breaks_tags_and_entities(query, reader, language):
    page = search(reader, query, language)
    assert all(query in each.text.lower() for each in page.select("mark"))


@pytest.mark.parametrize(
    "query",
    [
        "x" * 10_000,
        "a " * 5_000,
        "\x00" * 100,
        "notif\x00ication",
        "(.*",
        "[a-z]+",
        "\\",
        "é" * 200,
        "%",
    ],
)
def test_odd_searches_are_answered(query, reader):
    page = search(reader, query)
    assert len(one(page, "#q")["value"]) <= help_page.QUERY_MAX


def test_bytes_that_are_no_text_are_answered(stranger, db):
    for query in ("%ff%fe", "%ed%a0%80", "q=1&q=2", "%00"):
        assert stranger.get(f"{HELP}?q={query}").status_code == 200


def test_composed_and_decomposed_letters_are_the_same(stranger, db):
    page = search(stranger, "lo\u0308schen", "de")
    assert page.select("mark")
