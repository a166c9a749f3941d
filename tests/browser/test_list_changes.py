"""The list follows changes of any conversation without a load, with a socket and without."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import DESKTOP, PHONE, Visit
from tests.browser.rooms import Persons, Room, bubble, enter, hold, wait_until
from tests.markers import first_of

POLLED = 20_000  # ms until a change is in the list without a socket


@pytest.fixture
def other(room: Room, person: Persons) -> Room:
    return Room(room.server, person)


@pytest.fixture(params=first_of("socket", "rest"))
def page(request: pytest.FixtureRequest, visit: Visit, room: Room, other: Room) -> Page:
    """Bob's page of `room`. `other` is in the list only."""
    visitor = visit(room.server, "Bob")
    if request.param == "socket":
        page = enter(visitor, room)
    else:
        visitor.page.route_web_socket(re.compile("/ws/"), lambda route: route.close(code=1000))
        page = visitor.goto(room.path)
        expect(page.locator(".connection-bar")).to_be_visible(timeout=15_000)
    page.evaluate("window.isSame = true")
    return page


def row_of(page: Page, room: Room) -> Locator:
    return page.locator(f"#conversations [data-conversation='{room.id}']")


def change(room: Room, **changes: object) -> None:
    status, answer = room.alice.call("PATCH", f"/api/conversations/{room.id}/", changes)
    assert status == 200, answer


def set_role(room: Room, role: str) -> None:
    path = f"/api/conversations/{room.id}/members/{room.bob_id}/"
    status, answer = room.alice.call("PATCH", path, {"role": role})
    assert status == 200, answer


def test_list_shows_name_archive_and_access_of_other_conversations(page: Page, other: Room) -> None:
    row = row_of(page, other)
    lock = row.locator(".tile__lock")
    expect(lock).to_have_count(1)
    change(other, name="Larder", access="open")
    expect(row.locator("[data-slot=name]")).to_have_text("Larder", timeout=POLLED)
    expect(lock).to_have_count(0, timeout=POLLED)
    change(other, archived=True)
    expect(row).to_have_class(re.compile("row--archived"), timeout=POLLED)
    expect(row.locator(".row__mark")).to_have_count(1)
    change(other, archived=False, access="closed")
    expect(row).not_to_have_class(re.compile("row--archived"), timeout=POLLED)
    expect(row.locator(".row__mark")).to_have_count(0)
    expect(lock).to_have_count(1, timeout=POLLED)
    assert page.evaluate("window.isSame")


@pytest.mark.long
def test_topic_and_role_of_other_conversations_are_followed(page: Page, other: Room) -> None:
    """Neither is in the list, but both are shown once the conversation is opened."""
    row = row_of(page, other)
    change(other, topic="Jam and pickles")
    set_role(other, "admin")
    change(other, name="Larder")
    expect(row.locator("[data-slot=name]")).to_have_text("Larder", timeout=POLLED)
    row.locator(".row__link").click()
    opened = page.locator(f"#conversation[data-conversation='{other.id}']")
    expect(opened.locator("#topic")).to_contain_text("Jam and pickles")
    expect(opened).to_have_attribute("data-can", re.compile("delete-any"))
    set_role(other, "member")
    expect(opened).not_to_have_attribute("data-can", re.compile("delete-any"), timeout=POLLED)
    assert page.evaluate("window.isSame")


@pytest.mark.long
def test_what_the_list_does_not_know_yet_is_not_taken_back(
    page: Page, room: Room, other: Room
) -> None:
    """Without a socket, the page of a conversation is newer than the list."""
    change(other, name="Larder", topic="Jam and pickles")
    row_of(page, other).locator(".row__link").click()
    opened = page.locator(f"#conversation[data-conversation='{other.id}']")
    expect(opened).to_be_visible()
    expect(row_of(page, other).locator("[data-slot=name]")).to_have_text("Larder", timeout=1_000)
    page.wait_for_timeout(300)
    expect(opened.locator("#topic")).to_contain_text("Jam and pickles", timeout=1)
    expect(opened.locator("#conversation-name")).to_have_text("Larder", timeout=1)
    expect(page).to_have_title(re.compile("Larder"))
    change(other, archived=True)
    row_of(page, room).locator(".row__link").click()
    row_of(page, other).locator(".row__link").click()
    expect(page.locator("#conversation[data-archived]")).to_be_visible()
    assert page.evaluate("window.isSame")


def test_list_follows_being_added_and_removed(page: Page, other: Room, person: Persons) -> None:
    added = Room(other.server, person)
    other.alice.call("DELETE", f"/api/conversations/{other.id}/members/{other.bob_id}/")
    expect(row_of(page, added)).to_be_visible(timeout=POLLED)
    expect(row_of(page, other)).to_have_count(0, timeout=POLLED)
    assert page.evaluate("window.isSame")


def test_list_shows_the_last_message_of_other_conversations(page: Page, other: Room) -> None:
    last = row_of(page, other).locator("[data-slot=last]")
    sent = other.say(other.alice, "Jam is **ready**")["id"]
    expect(last).to_have_text("Alice:Jam is ready", timeout=POLLED)
    other.alice.call("PATCH", f"/api/messages/{sent}/", {"body": "Jam is nearly ready"})
    expect(last).to_have_text("Alice:Jam is nearly ready", timeout=POLLED)
    other.alice.call("DELETE", f"/api/messages/{sent}/")
    expect(last).to_have_text("Alice:Message deleted", timeout=POLLED)
    change(other, topic="Jam")
    expect(last).to_have_text("Alice set the topic: Jam", timeout=POLLED)
    assert page.evaluate("window.isSame")


def test_menu_of_a_row_moves_and_mutes_it_for_good(visit: Visit, room: Room, other: Room) -> None:
    page = enter(visit(room.server, "Bob"), room)
    row, menu = row_of(page, other), page.locator(".row-menu")
    row.click(button="right")
    menu.get_by_text("Add to favourites").click()
    favourites = page.locator("[data-section=favourites]")
    expect(favourites.locator("li")).to_have_count(1)
    # With the keyboard.
    row.locator(".row__more").focus()
    page.keyboard.press("Enter")
    expect(menu.get_by_text("Remove from favourites")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(row).to_have_class(re.compile("row--silent"))
    page.locator("[data-toggle=favourite] button").click()
    expect(favourites.locator("li")).to_have_count(2)
    # Sections without anything unread are hidden, and what is hidden then can be brought back.
    page.evaluate(
        """document.querySelectorAll(".row--unread").forEach(each => each.classList.remove("row--unread"))"""
    )
    page.locator(".sidebar__filter [data-filter-name=unread]").click()
    expect(page.locator("#conversations > .section:visible")).to_have_count(1)  # of the open one
    page.get_by_role("link", name="Show all conversations").click()
    expect(row).to_be_visible()
    # Muted ones are last, also after new messages.
    other.say(other.alice, "Anyone?")
    expect(row.locator("[data-slot=unread-count]")).to_have_text("1")
    ids = [str(each.id) for each in (room, other)]
    listed = "[...document.querySelectorAll('[data-section=favourites] li')]"
    shown = f"() => {listed}.map((row) => row.dataset.conversation)"
    assert page.evaluate(shown) == ids
    favourites.locator("summary").click()
    expect(row).to_be_hidden()
    # Chromium can send the request for a page before it has stored a cookie that was just set.
    wait_until(page, "document.cookie.includes('favourites.0')")
    page.reload()
    expect(favourites.locator("li")).to_have_count(2)
    expect(row).to_be_hidden()
    assert page.evaluate(shown) == ids


def test_times_are_those_of_the_device_without_a_time_zone_in_the_profile(
    visit: Visit, room: Room
) -> None:
    sent = room.say(room.alice, "What time is it?")
    read = f"/api/conversations/{room.id}/read/"  # what she reads later would change the row
    assert room.alice.call("POST", read, {"seq": sent["seq"]})[0] == 200
    visitor = visit(room.server, "Alice", timezone_id=None)
    device = visitor.context.new_cdp_session(visitor.page)
    device.send("Emulation.setTimezoneOverride", {"timezoneId": "Asia/Kathmandu"})
    page = enter(visitor, room)
    shown = page.locator("#messages > .message").last.locator("time").first
    listed = row_of(page, room).locator("[data-slot=time]")
    expect(listed).to_have_text(shown.inner_text())

    # Also after a journey with the page open.
    local = "at => new Date(at).toTimeString().slice(0, 5)"
    before = page.evaluate(local, sent["created_at"])
    device.send("Emulation.setTimezoneOverride", {"timezoneId": "Pacific/Honolulu"})
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    after = page.evaluate(local, sent["created_at"])
    assert before != after
    expect(shown).to_have_text(after)
    expect(listed).to_have_text(after)
    page.goto(f"{room.server.url}/m/{sent['id']}/?actions")
    expect(page.locator(".quoted-message time")).to_contain_text(after)


def test_list_shows_drafts_and_who_is_typing(visit: Visit, room: Room, other: Room) -> None:
    page = enter(visit(room.server, "Bob"), room)
    alice = enter(visit(other.server, "Alice"), other)
    last = row_of(page, other).locator("[data-slot=last]")
    alice.locator("#composer-body").press_sequentially("Hel")
    expect(last).to_have_text("Alice is typing…")
    alice.locator("#composer-body").press("Enter")
    expect(last).to_have_text("Alice:Hel")
    page.locator("#composer-body").fill("Not yet")
    row_of(page, other).locator(".row__link").click()
    draft = row_of(page, room).locator("[data-slot=last]")
    expect(draft).to_have_text("Draft:Not yet")
    page.reload()
    expect(draft).to_have_text("Draft:Not yet")
    row_of(page, room).locator(".row__link").click()
    expect(draft).not_to_contain_text("Draft")


def test_filter_shows_only_what_is_unread(visit: Visit, room: Room, other: Room) -> None:
    page = enter(visit(room.server, "Bob"), room)
    chip = page.locator(".sidebar__filter [data-filter-name]")
    chip.click()
    expect(row_of(page, room)).to_be_visible()  # the open one
    expect(row_of(page, other)).to_be_hidden()
    other.say(other.alice, "New")
    expect(row_of(page, other)).to_be_visible()
    chip.click()
    expect(chip).not_to_have_attribute("aria-current", "true")


def test_list_on_a_phone_is_one_section_by_time_with_numbers_and_tabs(
    visit: Visit, room: Room
) -> None:
    person = room.say(room.alice, "Hello")["author"]["id"]
    status, direct = room.bob.call("POST", "/api/conversations/direct/", {"user": person})
    assert status < 300
    room.alice.call(
        "POST", f"/api/conversations/{direct['id']}/messages/", {"key": "a", "body": "Later"}
    )
    visitor = visit(room.server, "Bob", phone=True)
    page = visitor.goto("/?list")
    names = page.locator("#conversations > [data-section=conversations] .row__name")
    expect(names.first).to_have_text("Alice")
    unread = page.locator(".filters [data-filter-name=unread]")
    before = int(unread.inner_text().split()[1])
    room.say(room.alice, "And later")
    expect(names.first).not_to_have_text("Alice")
    expect(page.locator("#conversations > [data-section=direct]")).to_be_hidden()
    expect(unread).to_have_text(re.compile(f"Unread +{before}$"))
    page.set_viewport_size(DESKTOP)
    expect(page.locator("#conversations > [data-section=direct] .row__name").first).to_have_text(
        "Alice"
    )
    page.set_viewport_size(PHONE)
    expect(page.locator("#conversations > [data-section=direct]")).to_be_hidden()
    page.reload()
    expect(page.locator("#sidebar")).to_have_attribute("data-narrow", "")
    page.locator("#conversations .row__link").first.tap()
    tabs = page.get_by_role("navigation", name="Main")
    expect(tabs).to_be_hidden()
    page.locator(".topbar__back").tap()
    tabs.get_by_role("link", name="Search").tap()
    expect(tabs).to_be_hidden()  # nothing beside the pane can be pressed
    page.locator("#details [data-slot=close]").tap()
    tabs.get_by_role("link", name="You").tap()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


def test_card_opens_beside_the_conversation(visit: Visit, room: Room) -> None:
    room.say(room.alice, "Hello")
    page = enter(visit(room.server, "Bob"), room)
    # A busy machine may take so long to load the pane that the link is followed instead.
    page.evaluate("import('chatty/views/pane.js').then(() => null)")
    author = page.get_by_role("link", name="Alice", exact=True).last
    bubble(page, "Hello").focus()
    page.keyboard.press("Tab")  # the focused message has Tab stops
    expect(author).to_be_focused()
    page.keyboard.press("Enter")
    pane = page.locator("#details")
    expect(pane.get_by_role("heading", name="Alice")).to_be_visible()
    dot = pane.locator(".panel .presence")  # at the corner of the avatar
    assert dot.bounding_box() == dot.locator(".avatar").bounding_box()
    pane.locator("[data-slot=close]").click()
    expect(pane).to_be_hidden()
    author.click()
    expect(pane.get_by_role("heading", name="Alice")).to_be_visible()
    pane.get_by_role("button", name="Message").click()
    expect(page.locator("#conversation-name")).to_have_text("Alice")


def test_long_press_opens_the_menu_of_a_row_which_stays_when_the_finger_is_lifted(
    visit: Visit, room: Room
) -> None:
    page = visit(room.server, "Alice", phone=True).goto("/?list")
    row, menu = row_of(page, room), page.locator(".row-menu")
    hold(row.locator(".row__name"), menu)
    menu.get_by_role("button", name="Mute").tap()
    expect(row).to_have_class(re.compile("row--silent"))
    row.tap()
    page.wait_for_url(f"**{room.path}")
