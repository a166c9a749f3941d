"""Pages of the server in the side pane: links, forms and files stay in it; Back, focus and titles."""

from __future__ import annotations

import base64
import re
from functools import partial

import pytest
from playwright.sync_api import FilePayload, Locator, Page, Request, Route, expect

from tests.browser.conftest import Visit
from tests.browser.rooms import (
    Later,
    Room,
    bubble,
    enter,
    let_go,
    violations,
    wait_for_held,
    wait_for_line,
)
from tests.browser.test_details import details, door, open_details
from tests.installations import eventually

# One transparent pixel.
PICTURE = FilePayload(
    name="me.png",
    mimeType="image/png",
    buffer=base64.b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
    ),
)


def tool(page: Page, name: str) -> Locator:
    return page.locator(f"#sidebar [data-pane={name}]")


def stays(page: Page) -> None:
    """is_same() then tells whether the page was loaded again."""
    page.evaluate("window.isSame = true")


def is_same(page: Page) -> bool:
    return bool(page.evaluate("window.isSame === true"))


def search(page: Page, words: str) -> None:
    tool(page, "search").click()
    field = details(page).get_by_role("searchbox")
    expect(field).to_be_focused()
    field.fill(words)
    field.press("Enter")


@pytest.mark.long
def test_pane_covers_the_page_on_a_phone_and_back_leads_out_of_it(visit: Visit, room: Room) -> None:
    phone = {"width": 390, "height": 740}  # narrower ones have no button for people
    page = enter(visit(room.server, "Alice", phone=True, viewport=phone), room)
    stays(page)
    open_details(page, "members")
    expect(page).to_have_title(re.compile("^People · Kitchen"))
    expect(page.locator("#main")).to_have_attribute("inert", "")
    box = details(page).bounding_box()
    assert box
    assert box["width"] == page.evaluate("innerWidth")
    assert violations(page) == []
    page.go_back()
    expect(details(page)).to_be_hidden()
    expect(page).to_have_title(re.compile("^Kitchen"))
    expect(door(page, "members")).to_be_focused()
    open_details(page, "settings")
    details(page).get_by_role("link", name="People").click()
    expect(details(page)).to_contain_text("Bob")
    page.go_back()
    expect(details(page).get_by_role("heading", name="Settings", exact=True)).to_be_visible()
    page.go_forward()
    expect(details(page)).to_contain_text("Bob")
    page.reload()  # returns to where one was
    expect(details(page)).to_contain_text("Bob")
    stays(page)
    details(page).get_by_role("button", name="Close").click()
    expect(details(page)).to_be_hidden()
    page.locator("#composer-body").fill("It can be used again")
    assert page.url.endswith(room.path)
    assert is_same(page)


def test_search_in_the_pane_leads_to_messages_and_stays_open(
    visit: Visit, room: Room, other: Room
) -> None:
    room.say(room.bob, "A cinnamon bun")
    other.say(other.bob, "Cinnamon for the pantry")
    # The index follows a moment later.
    found = partial(room.alice.call, "GET", "/api/search/?q=cinnamon")
    eventually(lambda: len(found()[1]["results"]) == 2)
    page = enter(visit(room.server, "Alice"), room)
    stays(page)
    sent: list[Request] = []
    page.on("request", lambda request: sent.append(request))
    page.locator("#composer-body").fill("Half a thought")
    search(page, "cinnamon")
    results = details(page).locator(".results li")
    expect(results).to_have_count(2)
    # With the style sheets that only this page has.
    assert any("search" in each.url for each in sent if each.resource_type == "stylesheet")
    menu = details(page).locator(".search-menu").first
    kitchen = menu.locator("a:has(> :text-is('Kitchen'))")
    menu.locator("summary").press("Enter")
    kitchen.press("Enter")
    expect(results).to_have_count(1)
    expect(details(page).get_by_role("searchbox")).to_have_value('cinnamon in:"Kitchen"')
    for close in (
        lambda: page.keyboard.press("Escape"),
        details(page).get_by_role("searchbox").click,
    ):
        menu.locator("summary").click()
        close()
        expect(menu).to_have_js_property("open", False)
    expect(results).to_have_count(1)
    menu.locator("summary").click()
    kitchen.click()
    expect(results).to_have_count(2)
    results.filter(has_text="pantry").locator(".result__text a").click()
    page.wait_for_url(f"**{other.path}*")
    expect(bubble(page, "for the pantry")).to_be_visible()
    expect(results).to_have_count(2)
    results.filter(has_text="bun").locator(".result__text a").click()
    page.wait_for_url(f"**{room.path}*")
    expect(page.locator("#composer-body")).to_have_value("Half a thought")
    expect(results).to_have_count(2)
    page.go_back()
    page.wait_for_url(f"**{other.path}*")
    expect(bubble(page, "for the pantry")).to_be_visible()
    expect(results).to_have_count(2)
    details(page).get_by_role("searchbox").press("Escape")
    expect(details(page)).to_be_hidden()
    assert is_same(page)


def test_menu_of_filters_is_narrowed_while_typing(alice: Page, room: Room) -> None:
    alice.goto(f"{room.server.url}/search/?menu=from&find=zz")
    menu = alice.locator(".search-menu[open]")
    expect(menu.locator("p")).to_contain_text("zz")
    menu.get_by_role("searchbox").fill("bo")
    expect(menu.locator("ul").get_by_role("link")).to_have_text(["Bob"])
    menu.get_by_role("searchbox").press("Enter")
    menu.get_by_role("link", name="Bob").click()
    expect(alice.get_by_role("searchbox", name="Search messages")).to_have_value('from:"Bob"')


@pytest.mark.long
def test_picture_is_uploaded_in_the_pane(visit: Visit, room: Room) -> None:
    page = enter(visit(room.server, "Alice"), room)
    stays(page)
    tool(page, "profile").click()
    pane = details(page)
    field = pane.get_by_label("Picture")
    field.set_input_files({**PICTURE, "name": "big.png", "buffer": b"0" * (6 * 1024 * 1024)})
    assert field.evaluate("field => field.validity.customError")  # views/avatar_preview.js
    field.set_input_files(PICTURE)
    expect(pane.locator(".portrait > .avatar img")).to_have_attribute("src", re.compile("^blob:"))
    pane.get_by_label("Theme").select_option("dark")
    pane.get_by_role("button", name="Save").last.click()
    expect(pane.locator(".flashes")).to_be_visible()
    expect(pane.locator(".portrait > .avatar img")).to_have_attribute("src", re.compile("^/"))
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.locator("meta[name=color-scheme]")).to_have_attribute("content", "dark")
    expect(page.locator("#sidebar [data-slot=my-avatar] img")).to_be_attached()
    pane.get_by_role("button", name="Remove picture").click()
    expect(pane.get_by_role("button", name="Remove picture")).to_have_count(0)
    assert is_same(page)


@pytest.mark.long
def test_settings_and_their_errors_are_shown_in_the_pane(visit: Visit, room: Room) -> None:
    visitor = visit(room.server, "Alice")
    visitor.allow("status of 400")
    page = enter(visitor, room)
    stays(page)
    tool(page, "profile").click()
    pane = details(page)
    pane.get_by_role("link", name="Password").click()
    old = pane.locator("input[type=password]").first
    old.fill("wrong")
    for field in pane.locator("input[type=password]").all()[1:]:
        field.fill("a long enough password")
    old.press("Enter")
    expect(pane.locator("[aria-invalid=true]").first).to_be_focused()
    pane.get_by_role("link", name="Notifications").click()
    settings = pane.locator("#notify-settings")
    expect(settings).to_be_visible()
    expect(settings.locator("[data-states=none]")).to_be_hidden()  # its view was started
    page.go_back()
    expect(pane.locator("input[type=password]").first).to_be_visible()
    assert is_same(page)


@pytest.mark.long
def test_archiving_in_the_pane_keeps_the_page(visit: Visit, room: Room) -> None:
    page = enter(visit(room.server, "Alice"), room)
    stays(page)
    open_details(page, "settings")
    details(page).get_by_role("button", name="Archive conversation").click()
    expect(page.locator("#conversation[data-archived]")).to_be_attached()
    expect(page.locator(".flashes")).to_be_visible()
    assert is_same(page)


@pytest.mark.long
def test_slow_page_says_that_it_is_loading_and_modified_clicks_open_tabs(
    visit: Visit, room: Room
) -> None:
    page = enter(visit(room.server, "Alice"), room)
    held: list[Route] = []
    page.route(re.compile("/members/"), lambda route: held.append(route))
    door(page, "members").click()
    wait_for_held(page, held)
    expect(details(page)).to_contain_text("Loading…")
    expect(page.locator("#announcer")).to_contain_text("Loading…")
    let_go(page, held)
    expect(details(page)).to_contain_text("Bob")
    expect(details(page)).not_to_contain_text("Loading…")
    page.unroute(re.compile("/members/"))
    with page.context.expect_page() as opened:
        door(page, "settings").click(modifiers=["ControlOrMeta"])
    opened.value.wait_for_url("**/settings/")
    expect(details(page)).to_contain_text("Bob")


def test_page_of_another_build_is_loaded_instead(visit: Visit, room: Room) -> None:
    page = enter(visit(room.server, "Alice"), room)

    def answer(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, headers={**response.headers, "chatty-build": "newer"})

    page.route(re.compile("/members/"), answer)
    door(page, "members").click()
    page.wait_for_url("**/members/")


def test_first_conversation_opens_in_place_without_its_scripts_before(
    visit: Visit, room: Room
) -> None:
    room.say(room.bob, "Anyone here?")
    visitor = visit(room.server, "Alice")
    later = Later(visitor)
    scripts: list[str] = []
    visitor.page.on("request", lambda request: scripts.append(request.url))
    page = later.goto("/?list")
    stays(page)
    assert not [url for url in scripts if "/js/conversation." in url]
    later.come()
    wait_for_line(page)
    page.locator(f"#conversations [data-conversation='{room.id}'] .row__link").click()
    expect(bubble(page, "Anyone here?")).to_be_visible()
    page.locator("#composer-body").fill("Me")
    page.locator("#composer-body").press("Enter")
    expect(page.locator("#messages > .message--pending")).to_have_count(0)
    expect(bubble(page, "Me").last).to_be_visible()
    open_details(page, "members")
    assert is_same(page)
