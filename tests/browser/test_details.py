"""The pane beside the conversation with its members or settings."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, Request, Route, expect

from tests.browser.conftest import Visit
from tests.browser.rooms import (
    Line,
    Persons,
    Room,
    bubble,
    enter,
    let_go,
    violations,
    wait_for_held,
    wait_for_line,
)
from tests.installations import ChatServer


def door(page: Page, name: str) -> Locator:
    return page.locator(f".topbar [data-pane={name}]")


def details(page: Page) -> Locator:
    return page.locator("#details")


def open_details(page: Page, name: str) -> Locator:
    door(page, name).click()
    expect(page.locator(".details__body:not([aria-busy]) > *").first).to_be_visible()
    return details(page)


def page_requests(page: Page, name: str) -> list[str]:
    """The addresses of a page of the pane that are requested from now on."""
    found: list[str] = []

    def note(request: Request) -> None:
        if re.search(rf"/c/\d+/{name}/$", request.url):
            found.append(request.url)

    page.on("request", note)
    return found


def save(page: Page, **fields: str) -> None:
    """Fill in settings by their labels and click Save."""
    for label, words in fields.items():
        details(page).get_by_role("textbox", name=label).fill(words)
    details(page).get_by_role("button", name="Save").first.click()


def test_details_pane_opens_beside_the_conversation_and_closes(alice: Page, room: Room) -> None:
    alice.locator("#composer-body").fill("Half a thought")
    open_details(alice, "members")
    expect(details(alice).get_by_role("heading", name="People", exact=True)).to_be_focused()
    expect(details(alice)).to_contain_text("Bob")
    expect(door(alice, "members")).to_have_attribute("aria-expanded", "true")
    expect(alice.locator("#composer-body")).to_have_value("Half a thought")
    boxes = [
        alice.locator(part).bounding_box() for part in (".sidebar", "#conversation", "#details")
    ]
    assert [box["x"] for box in boxes if box] == sorted(box["x"] for box in boxes if box)
    assert all(box and box["width"] > 290 for box in boxes)
    open_details(alice, "settings")
    expect(details(alice).get_by_role("heading", name="Settings")).to_be_visible()
    alice.keyboard.press("Escape")
    expect(details(alice)).to_be_hidden()
    expect(door(alice, "settings")).to_be_focused()
    expect(door(alice, "settings")).to_have_attribute("aria-expanded", "false")
    assert alice.url.endswith(room.path)


def test_faces_and_names_open_the_card_of_the_person(alice: Page, bob: Page, room: Room) -> None:
    room.say(room.bob, "Hello")
    room.say(room.alice, "@Bob welcome")
    card = details(alice).get_by_role("heading", name="Bob", exact=True)
    asked = bubble(alice, "@Bob welcome")
    expect(asked.locator(".mention")).to_have_text("@Bob")
    for face in (
        bubble(alice, "Hello").locator(".avatar").first,
        asked.locator(".mention"),
        asked.locator(".message__seen .avatar"),
    ):
        face.click()
        expect(card).to_be_visible()
        alice.keyboard.press("Escape")
        expect(details(alice)).to_be_hidden()
    open_details(alice, "members").locator(".people__face", has_text="B").click()
    expect(card).to_be_visible()


@pytest.mark.long
def test_details_pane_closes_by_its_toggle_or_button(alice: Page) -> None:
    open_details(alice, "members")
    door(alice, "members").click()
    expect(details(alice)).to_be_hidden()
    open_details(alice, "members")
    details(alice).get_by_role("button", name="Close").click()
    expect(details(alice)).to_be_hidden()


def test_details_pane_finds_adds_and_promotes_members_in_place(alice: Page, room: Room) -> None:
    name = "Carol"
    open_details(alice, "members")
    search = details(alice).get_by_role("searchbox", name="Find people by name")
    search.fill(name)
    search.press("Enter")
    expect(alice.locator(".details__body:not([aria-busy])")).to_be_attached()
    expect(details(alice).get_by_role("checkbox")).to_have_count(1)
    details(alice).get_by_role("checkbox", name=name).check()
    details(alice).get_by_role("button", name="Add", exact=True).click()
    expect(details(alice).locator(".flashes")).to_have_text("Added 1 person.")
    expect(alice.locator("#announcer")).to_contain_text("Added 1 person.")
    row = details(alice).locator("li", has_text=name)
    row.get_by_role("combobox").select_option("admin")  # saved at once
    expect(details(alice).locator(".flashes")).to_have_text("Role changed.")
    expect(row.get_by_role("combobox")).to_have_value("admin")
    expect(alice.locator("#people")).to_have_text("3 people")
    expect(alice.locator("#messages")).to_contain_text(f"Alice added {name}.")
    assert alice.url.endswith(room.path)


@pytest.mark.long
def test_details_pane_saves_settings_and_shows_errors_in_place(visit: Visit, room: Room) -> None:
    visitor = visit(room.server, "Alice")
    visitor.allow("status of 400")
    alice = enter(visitor, room)
    open_details(alice, "settings")
    save(alice, Name="   ")
    expect(details(alice).locator("[aria-invalid=true]")).to_be_visible()
    save(alice, Name="Pantry")
    expect(details(alice).locator(".flashes")).to_be_visible()
    expect(alice.locator("#conversation-name")).to_have_text("Pantry")
    assert alice.url.endswith(room.path)


def test_details_pane_shows_changes_by_others_unless_in_use(
    visit: Visit, room: Room, person: Persons, server: ChatServer
) -> None:
    visitor = visit(server, "Alice")
    visitor.page.clock.install()
    alice = enter(visitor, room)
    carol = person(server, "Carol")
    _, me = carol.call("GET", "/api/me/")
    members = f"/api/conversations/{room.id}/members/"
    open_details(alice, "members")
    alice.locator("#composer-body").focus()
    assert room.alice.call("POST", members, {"users": [me["id"]]})[0] == 200
    expect(details(alice).locator(f"#person-{me['id']}")).to_be_visible()
    search = details(alice).get_by_role("searchbox")
    search.fill("Bo")
    loaded = page_requests(alice, "members")
    assert room.alice.call("DELETE", f"{members}{me['id']}/")[0] == 204
    expect(alice.locator("#messages")).to_contain_text("Alice removed Carol")
    alice.clock.fast_forward(1_000)
    expect(search).to_have_value("Bo")
    expect(details(alice).locator(f"#person-{me['id']}")).to_be_visible()
    assert loaded == []
    search.fill("")
    alice.locator("#composer-body").focus()
    expect(details(alice).locator(f"#person-{me['id']}")).to_have_count(0)


@pytest.mark.long
def test_details_pane_stays_open_across_pages_without_layout_shift(
    visit: Visit, room: Room
) -> None:
    visitor = visit(room.server, "Alice")
    page = enter(visitor, room)
    open_details(page, "members")
    held: list[Route] = []
    visitor.page.route(re.compile("/members/"), lambda route: held.append(route))
    page.goto(room.server.url + room.path, wait_until="domcontentloaded")
    width = page.locator("#conversation").bounding_box()
    wait_for_line(page)
    expect(details(page)).to_be_visible()
    assert page.locator("#conversation").bounding_box() == width
    let_go(page, held)
    expect(details(page)).to_contain_text("Bob")
    details(page).get_by_role("button", name="Close").click()
    visitor.page.unroute(re.compile("/members/"))
    page.reload()
    wait_for_line(page)
    expect(details(page)).to_be_hidden()


@pytest.mark.long
def test_leaving_from_the_details_pane_redirects_with_a_message(visit: Visit, room: Room) -> None:
    visitor = visit(room.server, "Bob")
    visitor.allow(
        "404"
    )  # his socket may say that he is gone first: then it is tried whether he can join again
    page = enter(visitor, room)
    open_details(page, "settings")
    details(page).get_by_role("button", name="Leave conversation").click()
    page.wait_for_url(lambda url: room.path not in url)
    expect(page.locator(".flashes")).to_contain_text("left")


@pytest.mark.long
def test_details_pane_shows_load_errors_and_retries(visit: Visit, room: Room) -> None:
    visitor = visit(room.server, "Alice")
    visitor.allow("ERR_FAILED")
    page = enter(visitor, room)
    visitor.page.route(re.compile("/members/"), lambda route: route.abort())
    door(page, "members").click()
    expect(details(page).locator(".flash--error")).to_contain_text("Can’t reach Chatty")
    expect(page.locator("#announcer")).to_contain_text("Can’t reach Chatty")
    visitor.page.unroute(re.compile("/members/"))
    details(page).get_by_role("button", name="Try again").click()
    expect(details(page)).to_contain_text("Bob")


@pytest.mark.long
def test_details_pane_reopens_when_the_window_grows(visit: Visit, room: Room) -> None:
    visitor = visit(room.server, "Alice")
    open_details(enter(visitor, room), "members")
    page = visitor.context.new_page()
    page.set_viewport_size({"width": 900, "height": 700})
    page.goto(room.server.url + room.path)
    wait_for_line(page)
    expect(details(page)).to_be_hidden()
    page.set_viewport_size({"width": 1300, "height": 700})
    expect(details(page)).to_contain_text("Bob")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.long
def test_axe_finds_no_violations_in_the_details_pane(visit: Visit, room: Room, scheme: str) -> None:
    page = enter(visit(room.server, "Alice", color_scheme=scheme), room)
    for name in ("members", "settings"):
        open_details(page, name)
        assert violations(page) == []


def change_topic(room: Room, topic: str) -> None:
    path = f"/api/conversations/{room.id}/"
    assert room.alice.call("PATCH", path, {"topic": topic})[0] == 200


def is_refresh(request: Request, path: str) -> bool:
    """Whether the pane loads this page again, not after a form."""
    is_same = request.method == "GET" and request.url.endswith(path)
    return is_same and request.redirected_from is None


@pytest.mark.long
def test_details_pane_keeps_the_saved_message_after_its_own_system_message(
    alice: Page, room: Room
) -> None:
    open_details(alice, "settings")
    path = f"{room.path}settings/"
    with alice.expect_response(lambda answer: is_refresh(answer.request, path)) as refreshed:
        save(alice, Topic="Cake")
    refreshed.value.finished()
    expect(alice.locator(".topbar__about")).to_contain_text("Cake")
    expect(details(alice).locator(".flashes")).to_be_visible()
    expect(details(alice).get_by_role("textbox", name="Topic")).to_have_value("Cake")
    change_topic(room, "")
    expect(alice.locator("#topic")).to_have_text("")


@pytest.mark.long
def test_heading_follows_changes_made_during_a_long_disconnection(visit: Visit, room: Room) -> None:
    """After too many changes to catch up with, there is no notice of them."""
    visitor = visit(room.server, "Bob")
    line = Line(visitor)
    page = enter(visitor, room)
    change_topic(room, "Seeds")
    expect(page.locator("#topic")).to_have_text("Seeds")
    line.cut()
    change_topic(room, "Weeds")
    room.alice.call("PATCH", f"/api/conversations/{room.id}/", {"name": "Garden"})
    room.advance()
    line.mend()
    wait_for_line(page)
    expect(page.locator("#conversation-name")).to_have_text("Garden")
    expect(page.locator("#topic")).to_have_text("Weeds")
    expect(page).to_have_title("Garden · Chatty")


@pytest.mark.long
def test_details_pane_keeps_input_typed_during_a_refresh(visit: Visit, room: Room) -> None:
    visitor = visit(room.server, "Alice")
    visitor.page.clock.install()
    page = enter(visitor, room)
    open_details(page, "settings")
    page.locator("#composer-body").focus()
    held: list[Route] = []
    page.route(re.compile("/settings/"), lambda route: held.append(route))
    change_topic(room, "Theirs")
    expect(page.locator("#messages")).to_contain_text("set the topic: Theirs")
    wait_for_held(page, held)
    details(page).get_by_role("textbox", name="Topic").fill("Mine")
    with page.expect_response(re.compile("/settings/")):
        let_go(page, held)
    expect(details(page).get_by_role("textbox", name="Topic")).to_have_value("Mine")
    page.locator("#composer-body").focus()
    page.clock.fast_forward(1_000)
    expect(details(page).get_by_role("textbox", name="Topic")).to_have_value("Mine")
    assert len(held) == 1


@pytest.mark.long
def test_details_pane_keeps_a_form_with_errors_when_others_make_changes(
    visit: Visit, room: Room
) -> None:
    visitor = visit(room.server, "Alice")
    visitor.allow("status of 400")
    visitor.page.clock.install()
    page = enter(visitor, room)
    open_details(page, "settings")
    save(page, Topic="Mine", Name="   ")
    expect(details(page).get_by_role("textbox", name="Name")).to_be_focused()
    page.locator("#composer-body").focus()
    loaded = page_requests(page, "settings")
    change_topic(room, "Theirs")
    expect(page.locator("#messages")).to_contain_text("set the topic: Theirs")
    page.clock.fast_forward(1_200)
    expect(details(page).locator("[aria-invalid=true]")).to_be_visible()
    expect(details(page).get_by_role("textbox", name="Topic")).to_have_value("Mine")
    assert loaded == []


@pytest.mark.long
def test_details_pane_does_not_take_the_focus_while_typing_elsewhere(
    visit: Visit, room: Room
) -> None:
    page = enter(visit(room.server, "Alice"), room)
    held: list[Route] = []
    page.route(re.compile("/members/"), lambda route: held.append(route))
    door(page, "members").click()
    page.locator("#composer-body").press_sequentially("Hello ")
    let_go(page, held)
    expect(details(page)).to_contain_text("Bob")
    page.keyboard.type("world")
    expect(page.locator("#composer-body")).to_have_value("Hello world")


@pytest.mark.long
def test_details_pane_reports_an_error_after_switching_to_another_page(
    visit: Visit, room: Room
) -> None:
    visitor = visit(room.server, "Alice")
    visitor.allow("status of 400")
    page = enter(visitor, room)
    open_details(page, "settings")
    held: list[Route] = []
    page.route(re.compile("/settings/"), lambda route: held.append(route))
    save(page, Name="   ")
    door(page, "members").click()
    expect(details(page)).to_contain_text("Bob")
    let_go(page, held)
    expect(page.locator(".toast")).to_be_visible()
    expect(details(page)).to_contain_text("Bob")


@pytest.mark.long
def test_details_pane_keeps_the_page_and_draft_after_the_session_ended(
    visit: Visit, room: Room
) -> None:
    visitor = visit(room.server, "Alice")
    visitor.allow(".")
    alice = enter(visitor, room)
    open_details(alice, "members")
    alice.locator("#composer-body").press_sequentially("Half a thought")
    # The session ends without the page being notified.
    visitor.context.clear_cookies()
    details(alice).get_by_role("searchbox").press("Enter")
    trouble = details(alice).locator(".flash--error")
    expect(trouble).to_have_text("You’ve been signed out.")
    expect(alice).to_have_url(f"{room.server.url}{room.path}")
    expect(alice.locator("#composer-body")).to_have_value("Half a thought")
    details(alice).get_by_role("button", name="Sign in again").click()
    alice.wait_for_url("**/sign-in/**")


@pytest.mark.long
def test_details_pane_stays_closed_after_resizing(visit: Visit, room: Room) -> None:
    page = enter(visit(room.server, "Alice"), room)
    open_details(page, "members")
    page.reload()
    wait_for_line(page)
    expect(details(page)).to_contain_text("Bob")
    details(page).get_by_role("button", name="Close").click()
    page.set_viewport_size({"width": 900, "height": 700})
    expect(details(page)).to_be_hidden()
    page.set_viewport_size({"width": 1300, "height": 700})
    expect(door(page, "members")).to_have_attribute("aria-expanded", "false")
    expect(details(page)).to_be_hidden()
