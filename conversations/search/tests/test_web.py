"""The page to search messages."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from conversations import actions
from conversations.models import Conversation
from conversations.search import queries
from conversations.search.tests.conftest import index_all
from conversations.search.web.menus import SHOWN
from conversations.tests.helpers import say
from tests.html import one, parse, values, words

pytestmark = pytest.mark.django_db


def page_of(user, address: str = "/search/", **query):
    client = Client()
    client.force_login(user)
    return client.get(address, query)


def test_page_without_a_query_explains_how_to_search(alice):
    page = page_of(alice)
    assert page.status_code == 200
    help_texts = words(one(page, "main section.panel"))
    for name in ("from:", "in:", "before:", "after:", "mentions:me"):
        assert name in help_texts
    assert parse(page).select(".result") == []


def test_results_have_author_conversation_time_and_marked_hits(alice, bob, pair):
    found = say(bob, pair, "Please **water** the beans, and give <b>water</b> to the cat")
    say(bob, pair, "Nothing")
    index_all()
    page = page_of(alice, q="WATER")
    row = one(page, ".result")
    assert [words(each) for each in row.select("strong, .result__about > a")] == ["Bob", "Garden"]
    assert one(row, "time")["datetime"].startswith(f"{found.created_at:%Y-%m-%d}")
    assert [mark.get_text() for mark in row.select("mark")] == ["water", "water"]
    assert "give <b>water</b> to" in one(row, ".result__text").get_text()
    (link,) = values(row, ".result__text a", "href")
    client = Client()
    client.force_login(alice)
    target = client.get(link)
    assert re.fullmatch(rf"/c/{pair.pk}/(\?around=\d+)?#m{found.pk}", target["Location"])


def test_excerpt_is_cut_around_the_hit(alice, pair):
    say(alice, pair, f"{'before ' * 100}needle {'after ' * 100}")
    index_all()
    text = words(one(page_of(alice, q="needle"), ".result__text"))
    assert re.fullmatch(r"…before (before )+needle (after )+after…", text)
    assert len(text) < 300


def test_direct_messages_are_named_after_the_other_person(alice, bob):
    direct = actions.open_direct(alice, bob.pk)
    say(alice, direct, "Just for you")
    index_all()
    assert words(one(page_of(alice, q="just"), ".result__about > a")) == "Bob"
    assert words(one(page_of(bob, q="just"), ".result__about > a")) == "Alice"


def test_older_results_follow_with_a_link(alice, pair, monkeypatch):
    for number in range(queries.PAGE_SIZE + 1):
        say(alice, pair, f"Tea & cake {number}")
    index_all()
    first = page_of(alice, q="Tea & cake")
    assert len(parse(first).select(".result")) == queries.PAGE_SIZE
    (older,) = values(first, "main a[rel=next]", "href")
    second = page_of(alice, f"/search/{older}")
    assert words(one(second, ".result__text")) == "Tea & cake 0"
    assert parse(second).select("main a[rel=next]") == []


def test_no_results_give_advice(alice, pair):
    page = page_of(alice, q="<xyz>")
    assert words(one(page, ".empty h2")) == "No results for “<xyz>”"
    assert one(page, "input[name=q]")["value"] == "<xyz>"


def test_search_that_ran_out_of_time_can_be_continued(alice, pair, monkeypatch):
    say(alice, pair, "Tea")
    index_all()
    monkeypatch.setattr(queries, "_SECONDS", -1.0)
    windows = iter([queries.Window(10**6, 10**6 + 1, 1)])
    monkeypatch.setattr(queries._Search, "_windows", lambda self, before: windows)
    page = page_of(alice, q="tea")
    assert "so far" in words(one(page, "main [role=status]"))
    assert values(page, "main a[rel=next]", "href") == ["?q=tea&before=1000000"]


@pytest.mark.parametrize(
    ("text", "status", "sentence"),
    [
        ("before:tomorrow", 400, "Write dates as year, month and day"),
        ("in:nowhere", 400, "None of your conversations is called “nowhere”."),
        ("from:zoe", 400, "No one here is called “zoe”."),
        ("from: x", 400, "after the colon"),
        ('""', 400, "Write what you’re looking for."),
        ("x" * 301, 400, "too long"),
        ("from:\x1b[2J", 400, "characters that can"),
        ("before:0001-01-01", 400, "Write dates as year, month and day"),
    ],
)
def test_errors_are_shown_at_the_field(text, status, sentence, alice, pair):
    page = page_of(alice, q=text)
    assert page.status_code == status
    assert sentence in words(one(page, "#q_error"))
    assert one(page, "input[name=q]")["aria-describedby"] == "q_error"
    assert one(page, "input[name=q]")["value"] == text


def test_searches_are_rate_limited(alice, pair, settings):
    settings.LIMITS = {**settings.LIMITS, "search": "1/h"}
    assert page_of(alice, q="tea").status_code == 200
    page = page_of(alice, q="tea")
    assert page.status_code == 429
    assert page.headers["Retry-After"]


def test_visitors_sign_in_first():
    page = Client().get("/search/?q=tea")
    assert page.status_code == 302
    assert page["Location"] == "/sign-in/?next=/search/%3Fq%3Dtea"


def test_every_page_links_to_search(alice):
    assert values(
        page_of(alice, "/c/browse/"), '.sidebar__find a[href="/search/"]', "aria-label"
    ) == ["Search messages"]
    assert one(page_of(alice), '.sidebar__find a[href="/search/"]')["aria-current"] == "page"


def links_of(page) -> dict[str, str]:
    """The links of all filters: label -> address."""
    chips = parse(page).select(".search-filters a")
    return {words(each).removesuffix(" Remove this filter"): str(each["href"]) for each in chips}


def test_filters_are_added_and_removed_with_a_press(alice, bob, pair):
    say(bob, pair, "The plan for Ann")
    say(alice, pair, "The plan for Bob")
    index_all()

    def follow(q: str, label: str):
        return page_of(alice, "/search/" + links_of(page_of(alice, q=q))[label])

    assert follow("", "Me").context["q"] == "from:me"
    added = follow('"plan for"', "Me")
    assert added.context["q"] == '"plan for" from:me'
    assert len(parse(added).select(".results:not(ul) > .result")) == 1
    assert words(one(added, ".search-menu [aria-current=true] .search-menu__label")) == "Me"
    assert [words(each) for each in parse(added).select("summary[data-on]")] == ["From: Me"]
    assert follow('FROM:me "plan for"', "Me").context["q"] == '"plan for"'
    assert links_of(page_of(alice, q="from:me"))["Me"] == "?"
    assert follow("plan from:@Bob", "Garden").context["q"] == 'plan from:@Bob in:"Garden"'
    assert follow("plan from:@Bob", "Bob").context["q"] == "plan"
    assert follow("plan in:#garden from:me", "Garden").context["q"] == "plan from:me"
    assert follow("plan", "@ me").context["q"] == "plan mentions:me"


def test_times_replace_each_other(alice, pair):
    links = links_of(page_of(alice, q="plan before:2026-11-01 after:2026-10-01"))
    assert "?q=plan+after%3A" in links["Last 7 days"]
    assert "before" not in links["Last 7 days"]
    assert links["before:2026-11-01"] == "?q=plan+after%3A2026-10-01"


def test_menus_offer_favourites_then_what_was_used_last(alice, bob, carol, pair):
    for number in range(SHOWN + 1):
        last = actions.create_conversation(alice, name=f"Room {number}")
    direct = actions.open_direct(alice, carol.pk)
    say(alice, direct, "Hello")
    actions.set_favourite(alice, pair.pk, True)
    conversations, people = parse(page_of(alice)).select(".search-menu")[:2]
    shown = [words(each) for each in conversations.select("a")]
    assert shown[:3] == ["Garden", "Carol", last.name]
    assert len(shown) == SHOWN
    assert [words(each) for each in people.select("a")][:2] == ["Me", "Carol"]
    # There are more conversations than are listed, but not more people.
    assert conversations.select("input[name=find]")
    assert not people.select("input[name=find]")
    narrowed = page_of(alice, q="tea", menu="in", find="ROOM 0")
    menu = one(narrowed, ".search-menu[open]")
    assert links_of(narrowed)["Room 0"] == "?q=tea+in%3A%22Room+0%22"
    assert [words(each) for each in menu.select("a")] == ["Room 0"]
    assert one(menu, "input[name=q]")["value"] == "tea"
    part = page_of(alice, q="tea", menu="in", find="ROOM 0", part="menus")
    assert str(one(part, ".search-menu[open]")) == str(menu)
    assert "searched" not in part.context
    assert "nowhere" in words(one(page_of(alice, menu="in", find="nowhere"), ".search-menu[open]"))
    found = one(page_of(alice, menu="from", find="car"), ".search-menu[open]")
    assert [words(each) for each in found.select("a")] == ["Carol"]


def test_names_that_a_filter_cannot_have_are_given_by_number(alice, bob, carol, pair):
    bob.name = 'The "other" Bob'
    bob.save()
    actions.create_conversation(alice, name='"Quoted"', member_ids=[bob.pk])
    unnamed = actions.open_with(alice, [bob.pk, carol.pk])
    say(bob, unnamed, "Tea for three")
    index_all()
    links = links_of(page_of(alice, q="tea"))
    assert links[bob.name] == f"?q=tea+from%3A{bob.pk}"
    titled = f"Carol, {bob.name}"
    assert links[titled] == f"?q=tea+in%3A{unnamed.pk}"
    found = page_of(alice, q=f"tea from:{bob.pk} in:{unnamed.pk}")
    assert len(parse(found).select(".result")) == 1
    assert words(one(found, ".result__about > a")) == titled
    chosen = [words(each) for each in parse(found).select("summary[data-on]")]
    assert chosen == [f"In: {titled}", f"From: {bob.name}"]


def test_people_are_found_by_slow_typing_only(alice, pair, settings):
    settings.LIMITS = {**settings.LIMITS, "people": "1/h"}
    assert page_of(alice, menu="from", find="a").status_code == 200
    assert page_of(alice, menu="from", find="b").status_code == 429


def test_search_in_a_conversation_has_its_filter(alice, bob, carol, pair):
    def begun(user, conversation) -> str:
        page = page_of(user, **{"in": conversation.pk})
        assert not parse(page).select(".result, [role=alert]")
        assert one(page, "#q")["value"] == ""
        return "".join(values(page, "input[name=also]", "value"))

    say(bob, pair, "Rain")
    index_all()
    assert begun(alice, pair) == 'in:"Garden"'
    found = page_of(alice, q="rain", also='in:"Garden"')
    assert one(found, "#q")["value"] == 'rain in:"Garden"'
    assert len(parse(found).select(".result")) == 1
    assert begun(carol, pair) == ""
    tool = one(page_of(alice, f"/c/{pair.pk}/"), ".topbar__tools [data-pane=search]")
    assert tool["href"] == f"/search/?in={pair.pk}"
    Conversation.objects.update(name='The "big" one')
    assert begun(alice, pair) == f"in:{pair.pk}"
