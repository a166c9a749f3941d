"""Going from one conversation to another keeps the page."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests.browser.conftest import Visit
from tests.browser.rooms import (
    Line,
    Persons,
    Room,
    act,
    anchor,
    bubble,
    by_seq,
    enter,
    is_stored,
    let_go,
    scroll,
    top_of_id,
    wait_for_held,
    wait_for_line,
    wait_until,
    write,
)
from tests.installations import eventually


@pytest.fixture
def page(visit: Visit, room: Room, other: Room) -> Iterator[Page]:
    """Alice's page of `room`. Fails if it is loaded again."""
    page = enter(visit(room.server, "Alice"), room)
    page.evaluate("window.isSame = true")
    yield page
    assert page.evaluate("window.isSame"), "the page was loaded again"


def click(page: Page, room: Room) -> None:
    page.locator(f"#conversations [data-conversation='{room.id}'] .row__link").click()


def go(page: Page, room: Room) -> None:
    click(page, room)
    arrive(page, room)


def arrive(page: Page, room: Room) -> None:
    page.wait_for_url(f"**{room.path}*")
    expect(page.locator(f"#conversation[data-conversation='{room.id}']")).to_be_visible()


def test_switching_needs_one_request_and_keeps_the_socket(
    page: Page, room: Room, other: Room
) -> None:
    other.say(other.bob, "In the kitchen")
    expect(page.locator("link[rel=icon][href^='data:']")).to_be_attached()  # with the unread count
    # What changes the list of conversations is loaded with its first change, and what attaches files when the
    # composer gets the focus.
    expect(page.locator("#sidebar")).to_contain_text("In the kitchen")
    page.locator("#composer-body").focus()
    page.locator("#composer").hover()
    go(page, other)
    expect(bubble(page, "In the kitchen")).to_be_visible()
    go(page, room)
    page.wait_for_load_state("networkidle")
    requests: list[Request] = []
    sockets: list[object] = []
    page.on("request", lambda request: requests.append(request))
    page.on("websocket", lambda socket: sockets.append(socket))
    go(page, other)
    expect(bubble(page, "In the kitchen")).to_be_visible()
    assert [each.resource_type for each in requests if "/api/" not in each.url] == ["fetch"]
    assert sockets == []
    expect(page).to_have_title(re.compile(r"Kitchen \d+ · Chatty$"))
    expect(page.locator("#conversation-name")).to_have_text(f"Kitchen {other.id}")
    current = page.locator("#sidebar [aria-current=page]")
    expect(current).to_have_count(1)
    expect(current).to_contain_text("Kitchen")
    expect(page.locator("#composer-body")).to_be_focused()
    expect(page.locator(f"[data-conversation='{other.id}'].row--unread")).to_have_count(0)


def test_messages_are_sent_and_received_where_one_is(page: Page, room: Room, other: Room) -> None:
    go(page, other)
    write(page, "Into the kitchen")
    is_stored(page)
    other.say(other.bob, "From the kitchen")
    expect(bubble(page, "From the kitchen")).to_be_visible()
    room.say(room.bob, "Elsewhere")
    expect(page.locator(f"[data-conversation='{room.id}'].row--unread")).to_have_count(1)
    expect(page).to_have_title(re.compile(r"^\([1-9]\d*\) Kitchen \d+ · Chatty$"))
    go(page, room)
    expect(bubble(page, "Elsewhere")).to_be_visible()
    expect(bubble(page, "Into the kitchen")).to_have_count(0)
    write(page, "Back again")
    is_stored(page)
    assert other.bodies()[-2:] == ["Into the kitchen", "From the kitchen"]
    assert room.bodies()[-1] == "Back again"


def test_back_forward_and_reload_return_to_the_place(page: Page, room: Room, other: Room) -> None:
    room.fill(60)
    expect(bubble(page, "60")).to_be_visible()
    scroll(page, -900)
    expect(page.locator("#jump")).to_be_visible()
    place = anchor(page)
    go(page, other)
    page.go_back()
    arrive(page, room)
    assert anchor(page)[0] == place[0]
    eventually(lambda: abs(anchor(page)[1] - place[1]) < 2)
    page.go_forward()
    arrive(page, other)
    go(page, room)  # also by its link
    assert anchor(page)[0] == place[0]
    page.reload()
    wait_for_line(page)
    wait_until(page, "id => Boolean(document.getElementById(id))", arg=place[0])
    assert anchor(page)[0] == place[0]
    page.evaluate("window.isSame = true")


@pytest.mark.long
def test_place_far_up_is_fetched(page: Page, room: Room, other: Room) -> None:
    room.fill(150)
    page.locator("#jump-back, #older a").first.wait_for(state="attached")
    target = by_seq(room, 20)
    room.say(room.alice, f"See {room.server.url}/m/{target['id']}/")
    bubble(page, "See").locator(".message__body a").click()
    expect(page.locator(f"#m{target['id']}")).to_be_in_viewport()
    go(page, other)
    page.go_back()
    arrive(page, room)
    expect(page.locator(f"#m{target['id']}")).to_be_in_viewport()


def test_drafts_replies_and_edits_wait_for_each_conversation(
    page: Page, room: Room, other: Room
) -> None:
    room.say(room.bob, "A question")
    mine = room.say(room.alice, "My answer")
    act(page, "A question", "reply")
    page.locator("#composer-body").fill("Half a reply")
    act(page, "My answer", "edit")
    page.locator(".editor textarea").fill("My better answer")
    go(page, other)
    expect(page.locator("#composer-body")).to_have_value("")
    expect(page.locator("[data-slot=reply]")).to_be_hidden()
    page.locator("#composer-body").fill("Half a thought")
    go(page, room)
    expect(page.locator("#composer-body")).to_have_value("Half a reply")
    expect(page.locator("[data-slot=reply]")).to_contain_text("A question")
    expect(page.locator(f"#m{mine['id']} .editor textarea")).to_have_value("My better answer")
    page.keyboard.press("Control+k")
    page.keyboard.type(f"kitchen {other.id}")
    page.keyboard.press("Enter")
    arrive(page, other)
    expect(page.locator("#composer-body")).to_have_value("Half a thought")


@pytest.mark.long
def test_unsent_messages_are_shown_when_one_comes_back(
    visit: Visit, room: Room, other: Room
) -> None:
    visitor = visit(room.server, "Alice")
    line = Line(visitor)
    page = enter(visitor, room)
    held: list[Route] = []
    go(page, other)
    page.route(re.compile(r"/c/"), lambda route: held.append(route))
    line.cut()
    write(page, "Written offline")
    expect(page.locator(".message--pending")).to_contain_text("Written offline")
    line.mend()
    expect(page.locator(".message--pending")).to_have_count(0)
    page.unroute(re.compile(r"/c/"))
    go(page, room)
    go(page, other)
    expect(bubble(page, "Written offline")).to_be_visible()
    assert other.bodies().count("Written offline") == 1


def test_old_conversation_stays_until_the_new_one_is_there(
    page: Page, room: Room, other: Room
) -> None:
    room.say(room.bob, "Still here")
    expect(bubble(page, "Still here")).to_be_visible()
    held: list[Route] = []
    page.route(re.compile(rf"{other.path}$"), lambda route: held.append(route))
    click(page, other)
    click(page, other)  # a second click asks for nothing
    wait_for_held(page, held)
    expect(page.locator("html[data-loading]")).to_be_attached()
    expect(bubble(page, "Still here")).to_be_visible()
    write(page, "While waiting")
    is_stored(page)
    assert len(held) == 1
    let_go(page, held)
    arrive(page, other)
    expect(page.locator("html[data-loading]")).to_have_count(0)
    assert room.bodies()[-1] == "While waiting"


@pytest.mark.long
def test_later_click_wins(page: Page, room: Room, other: Room, person: Persons) -> None:
    third = Room(room.server, person)
    expect(page.locator(f"#conversations [data-conversation='{third.id}']")).to_be_visible()
    held: list[Route] = []
    page.route(re.compile(rf"{other.path}$"), lambda route: held.append(route))
    click(page, other)
    wait_for_held(page, held)
    go(page, third)
    let_go(page, held)
    expect(page.locator("html[data-loading]")).to_have_count(0)
    write(page, "In the third")
    is_stored(page)
    assert third.bodies()[-1] == "In the third"


@pytest.mark.long
def test_going_back_to_what_is_shown_stops_loading(page: Page, room: Room, other: Room) -> None:
    go(page, other)
    held: list[Route] = []
    page.route(re.compile(rf"{room.path}"), lambda route: held.append(route))
    page.go_back()
    wait_for_held(page, held)
    expect(page.locator("html[data-loading]")).to_be_attached()
    page.go_forward()
    expect(page.locator("html[data-loading]")).to_have_count(0)
    expect(page.locator(f"#conversation[data-conversation='{other.id}']")).to_be_visible()
    expect(page.locator(".toast")).to_have_count(0)
    page.unroute_all()


@pytest.mark.long
def test_back_that_fails_keeps_what_is_shown_and_its_place(
    visit: Visit, room: Room, other: Room
) -> None:
    room.fill(60)
    visitor = visit(room.server, "Alice")
    visitor.allow("ERR_FAILED")
    page = enter(visitor, other)
    go(page, room)
    page.route(re.compile(rf"{other.path}"), lambda route: route.abort())
    page.go_back()
    expect(page.locator(".toast")).to_be_visible()
    expect(page.locator(f"#conversation[data-conversation='{room.id}']")).to_be_visible()
    page.unroute_all()
    page.go_forward()
    write(page, "Still in the room")
    is_stored(page)
    scroll(page, -900)
    place = anchor(page)
    page.go_back()
    arrive(page, other)
    page.go_forward()
    arrive(page, room)
    # Which row is the first can change with what is drawn around it: less than a row is the place.
    eventually(lambda: abs(top_of_id(page, place[0]) - place[1]) < 60)


@pytest.mark.long
def test_keyboard_keeps_the_focus_in_the_list(page: Page, room: Room, other: Room) -> None:
    link = page.locator(f"#conversations [data-conversation='{other.id}'] .row__link")
    link.focus()
    page.keyboard.press("Enter")
    arrive(page, other)
    expect(link).to_be_focused()


@pytest.mark.long
def test_conversation_that_was_closed_locks_nothing(visit: Visit, room: Room, other: Room) -> None:
    page = enter(visit(room.server, "Bob"), room)
    go(page, other)
    room.alice.call("DELETE", f"/api/conversations/{room.id}/members/{room.bob_id}/")
    expect(page.locator(f"#conversations [data-conversation='{room.id}']")).to_have_count(0)
    expect(page.locator("#locked-bar")).to_have_count(0)
    write(page, "Not locked here")
    expect(bubble(page, "Not locked here")).to_be_visible()


def test_list_on_a_phone_is_shown_without_a_load(visit: Visit, room: Room, other: Room) -> None:
    page = enter(visit(room.server, "Alice", phone=True), room)
    page.evaluate("window.isSame = true")
    page.locator(".topbar__back").tap()
    page.wait_for_url("**/?list")
    expect(page.locator("#conversations")).to_be_visible()
    page.locator(f"#conversations [data-conversation='{other.id}'] .row__link").tap()
    arrive(page, other)
    expect(page.locator("#composer-body")).to_be_visible()
    page.locator("#composer-body").fill("From a phone")
    page.locator(".composer__send").tap()
    expect(bubble(page, "From a phone")).to_be_visible()
    page.go_back()
    expect(page.locator("#conversations")).to_be_visible()
    page.go_back()
    arrive(page, room)
    assert page.evaluate("window.isSame")


def test_other_pages_are_loaded(page: Page, room: Room) -> None:
    page.locator("#sidebar").get_by_role("link", name="Help").click()
    page.wait_for_url("**/help/")
    assert page.evaluate("window.isSame") is None
    page.go_back()
    arrive(page, room)
    page.evaluate("window.isSame = true")
