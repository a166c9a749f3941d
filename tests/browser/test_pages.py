"""Pages in a browser: valid HTML, size, overflow, on a phone, and without JavaScript."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, expect

from tests import markup
from tests.browser.conftest import Visit
from tests.browser.rooms import overflowing
from tests.browser.sample_pages import STRANGERS
from tests.installations import ChatServer
from tests.markers import first_of


@pytest.mark.parametrize("javascript", first_of(False, True), ids=["as sent", "as drawn"])
def test_html_of_every_page_is_valid(
    javascript: bool, visit: Visit, server: ChatServer, places: dict[str, str]
) -> None:
    """Checks the HTML sent by the server and the DOM after scripts have run. See tests/markup.py."""
    alice, stranger = (visit(server, name, javascript=javascript) for name in ("Alice", None))
    found = {}
    for visitor, paths in ((alice, places.values()), (stranger, STRANGERS)):
        visitor.allow("404")
        for path in paths:
            if javascript:
                page = visitor.goto(path)
                if path == places["room"]:
                    page.locator("#messages > .message").last.hover()
                    page.locator("#messages [data-action=react]:visible").last.click()
                found[path] = markup.faults(
                    "<!doctype html>" + page.locator(":root").evaluate("root => root.outerHTML")
                )
            else:
                sent = visitor.context.request.get(server.url + path)
                assert sent.status < 500, path
                found[path] = markup.faults(sent.text())
    assert {path: each for path, each in found.items() if each} == {}


def test_conversation_page_stays_within_its_size_budget(
    visit: Visit, server: ChatServer, places: dict[str, str]
) -> None:
    """Everything except images and the font, including later scripts and about 300 bytes of headers each."""
    page = visit(server, "Alice").goto(places["room"])
    page.wait_for_load_state("networkidle")
    moved = page.evaluate(
        """() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
            .filter(each => each.initiatorType !== "img" && !/\\.(png|svg|woff2)$/.test(each.name))
            .map(each => [each.name, each.encodedBodySize + 300])"""
    )
    scripts = {name: size for name, size in moved if name.endswith(".js")}
    (templates,) = (scripts.pop(name) for name in list(scripts) if "/templates/" in name)
    (offline,) = (scripts.pop(name) for name in list(scripts) if "/offline_reading." in name)
    # Three bundles, main.js, and those that few pages need: here for code, and for the list of conversations,
    # which has changed, because messages were read.
    assert 4 <= len(scripts) <= 9
    assert 3_000 < templates <= 7 * 1024  # the seventh request
    assert 3_000 < offline <= 10 * 1024  # the eighth
    assert 20_000 < sum(scripts.values()) <= 51 * 1024  # including headers
    assert sum(size for _, size in moved) <= 100_000


@pytest.mark.long  # the test of accessibility loads each page in a wide window and then makes it narrow
@pytest.mark.parametrize(
    "sizes",
    [[(320, 100), (360, 200)], [(701, 100), (1280, 100), (1280, 200)]],
    ids=["narrow", "wide"],
)
def test_pages_do_not_overflow_horizontally(
    sizes: list[tuple[int, int]], visit: Visit, server: ChatServer, places: dict[str, str]
) -> None:
    """`sizes`: see overflowing(). Each page is loaded in the first."""
    visitor = visit(server, "Alice", viewport={"width": sizes[0][0], "height": 800})
    visitor.allow("404")
    found = {}
    for name, path in places.items():
        found[name] = overflowing(visitor.goto(path), sizes)
        visitor.page.set_viewport_size({"width": sizes[0][0], "height": 800})
    assert {name: each for name, each in found.items() if each} == {}


def test_phone_shows_the_list_and_the_conversation_as_separate_screens(
    visit: Visit, server: ChatServer, places: dict[str, str]
) -> None:
    page = visit(server, "Alice", phone=True).goto("/?list")
    expect(page.locator("#sidebar")).to_be_visible()
    page.locator("#conversations .row__link", has_text="Harbour").click()
    expect(page.locator("#sidebar")).to_be_hidden()
    expect(page.locator("#composer-body")).to_be_in_viewport()
    small = page.evaluate(
        """() => [...document.querySelectorAll('.topbar a, .composer__send, #messages .message__more')]
            .filter(each => each.offsetParent && Math.min(each.offsetWidth, each.offsetHeight) < 44)
            .filter(each => each.matches('.tool, .message__more, .composer__send'))
            .map(each => each.outerHTML.slice(0, 120))"""
    )
    assert small == []
    page.get_by_role("link", name="All conversations").click()
    expect(page.locator("#sidebar")).to_be_visible()


# --- without JavaScript --------------------------------------------------------------------------


def more(message: Locator) -> None:
    """Open the page of a message with everything one can do with it."""
    message.hover()
    message.get_by_role("link", name="More").click()


def test_form_of_a_new_conversation_is_kept_for_going_back(
    visit: Visit, server: ChatServer
) -> None:
    page = visit(server, "Alice").goto("/c/new/")
    page.get_by_label("Name", exact=True).fill("Half a name")
    page.get_by_label("Public").check()
    page.wait_for_function("history.state?.form")  # its script has loaded
    page.get_by_role("link", name="Browse conversations").first.click()
    page.wait_for_url("**/c/browse/")
    page.go_back()
    expect(page.get_by_label("Name", exact=True)).to_have_value("Half a name")
    expect(page.get_by_label("Public")).to_be_checked()
    page.get_by_role("link", name="Browse conversations").first.click()
    page.wait_for_url("**/c/browse/")
    page.get_by_role("link", name="New conversation").first.click()
    page.wait_for_url("**/c/new/")
    expect(page.get_by_label("Name", exact=True)).to_have_value("")


def test_conversation_works_without_scripts(visit: Visit, server: ChatServer) -> None:
    alice = visit(server, "Alice", javascript=False)
    bob = visit(server, "Bob", javascript=False)

    page = alice.goto("/c/new/")
    page.get_by_label("Name", exact=True).fill("By hand")
    page.get_by_role("checkbox", name="Bob", exact=True).check()
    page.get_by_role("button", name="Create conversation").click()
    expect(page.get_by_role("heading", name="By hand")).to_be_visible()
    path = page.url.removeprefix(server.url)

    page.get_by_label("Message By hand").fill("First words")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#messages .message")).to_have_count(1)

    page = bob.goto("/?list")
    row = page.locator(".row", has_text="By hand")
    expect(row.locator("[data-slot=unread-count]")).to_have_text("1")
    row.locator(".row__link").click()
    expect(page.locator("#new")).to_be_visible()
    page.get_by_role("button", name="Mark as read").click()
    expect(page.locator("#new")).to_have_count(0)

    message = page.locator("#messages .message", has_text="First words").first
    more(message)
    page.get_by_role("link", name="Reply").click()
    expect(page.locator("#composer")).to_contain_text("Reply to Alice")
    page.get_by_label("Message By hand").fill("An answer")
    page.get_by_role("button", name="Send").click()
    answer = page.locator("#messages .message", has_text="An answer")
    expect(answer).to_contain_text("First words")

    more(message)
    page.get_by_role("button", name="🎉").click()
    chip = message.get_by_role("button", name="🎉")
    expect(chip).to_have_attribute("aria-pressed", "true")
    chip.click()
    expect(chip).to_have_count(0)

    more(answer)
    page.get_by_role("link", name="Edit").click()
    page.get_by_label("Message", exact=True).fill("A better answer")
    page.get_by_role("button", name="Save").click()
    better = page.locator("#messages .message", has_text="A better answer")
    expect(better).to_contain_text("edited")

    more(better)
    page.get_by_role("link", name="Show in conversation").click()
    more(better)
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.locator("#messages").get_by_text("Message deleted")).to_be_visible()

    page = alice.goto(path + "settings/")
    page.get_by_role("link", name="Delete…").click()
    page.get_by_label("Conversation name").fill("By hand")
    page.get_by_role("button", name="Delete permanently").click()
    expect(page.get_by_text("and all its messages")).to_be_visible()
    bob.allow("404")
    expect(bob.goto(path).get_by_role("heading", name="Conversation not found")).to_be_visible()


@pytest.mark.long
def test_latest_message_is_in_view_without_scripts(
    visit: Visit, server: ChatServer, places: dict[str, str]
) -> None:
    page = visit(server, "Bob", javascript=False).goto(places["room"])
    expect(page.locator("#messages .message").last).to_be_in_viewport()
    page.get_by_role("link", name="Older messages").click()
    expect(page.locator("#messages .message").last).to_be_in_viewport()
    expect(page.get_by_role("link", name="Newer messages")).to_be_visible()


@pytest.mark.long
def test_rejected_message_stays_in_the_composer_without_scripts(
    visit: Visit, server: ChatServer, places: dict[str, str]
) -> None:
    visitor = visit(server, "Bob", javascript=False)
    visitor.allow("400")
    page = visitor.goto(places["room"])
    page.locator("#composer-body").fill("x" * 10_001)
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("alert")).to_contain_text("10,001 characters")
    expect(page.locator("#composer-body")).to_have_value("x" * 10_001)
