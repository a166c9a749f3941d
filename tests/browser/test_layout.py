"""Layout: nothing is wider or taller than the window."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.rooms import Room, act, bubble, enter, long_press, open_menu, scroll, write
from tests.installations import ChatServer, Person
from tests.markers import first_of

LONG = "https://example.org/" + "0123456789abcdef" * 12
WIDTHS = (320, 360, 768, 1024, 1280)
WIDER = """() => {
    const wide = document.documentElement.clientWidth;
    const boxes = [document.documentElement, document.body, ...document.querySelectorAll(
        ".shell, .main, .conversation, .timeline, #messages, .composer, .editor, .details, .sidebar, dialog"
    )];
    return boxes
        .filter((box) => (
            box.scrollWidth > box.clientWidth + 1 || box.getBoundingClientRect().right > wide + 1
        ))
        .map((box) => `${box.tagName}.${box.className} ${box.scrollWidth} > ${box.clientWidth}`);
}"""


def check_widths(page: Page) -> None:
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate(WIDER) == [], width


@pytest.mark.long
def test_long_words_do_not_widen_the_page(visit: Visit, room: Room) -> None:
    visitor = visit(room.server, "Alice")
    name = "N" * 80
    given = {"name": name, "topic": "t" * 200, "members": [room.bob_id]}
    status, made = room.alice.call("POST", "/api/conversations/", given)
    assert status == 201, made
    page = enter(visitor, room)
    page.goto(f"{room.server.url}/c/{made['id']}/")
    expect(page.locator("html[data-connection=online]")).to_be_attached()
    for text in (LONG, f"`{LONG}`", f"```\n{LONG}\n```", f"> {LONG}", f"- {LONG}", "W" * 300):
        write(page, text)
    write(page, "Last")
    expect(page.locator("#messages > .message[id]")).to_have_count(7)
    check_widths(page)
    page.locator("#composer-body").fill(LONG)
    check_widths(page)
    act(page, "WWWW", "reply")
    check_widths(page)
    act(page, "WWWW", "edit")
    expect(page.locator(".editor textarea")).to_be_visible()
    check_widths(page)
    act(page, "Last", "delete")
    expect(page.locator("dialog")).to_be_visible()
    check_widths(page)
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    page.locator(".switcher__input").fill("N" * 40)
    check_widths(page)


@pytest.fixture(scope="module")
def full_room(server: ChatServer) -> Room:
    """A room with more messages than fit, and more conversations in the sidebar than fit."""
    room = Room(server, lambda server, name: Person(server, name).sign_in())
    for number in range(18):
        given = {"name": f"Room {number}", "members": [room.bob_id]}
        status, made = room.alice.call("POST", "/api/conversations/", given)
        assert status == 201, made
        words = {"key": f"layout-{number}", "body": "unread"}
        assert room.bob.call("POST", f"/api/conversations/{made['id']}/messages/", words)[0] == 201
    room.fill(60)
    return room


@pytest.mark.parametrize("phone", [False, True], ids=["wide", "phone"])
@pytest.mark.long
def test_document_is_not_taller_than_the_window(phone: bool, visit: Visit, full_room: Room) -> None:
    page = enter(visit(full_room.server, "Alice", phone=phone), full_room)
    mine = f"Mine, {phone}"
    page.locator("#composer-body").fill(mine)
    page.locator("#composer [type=submit]").click()
    expect(page.locator("#messages > .message", has_text=mine)).to_be_visible()
    height = "document.documentElement.scrollHeight - innerHeight"
    top = "[document.documentElement.scrollTop, document.body.scrollTop]"
    assert page.evaluate(height) <= 0
    for key in ("ArrowUp", "Escape", "Escape", "k", "k", "j"):
        page.keyboard.press(key)
        assert page.evaluate(height) <= 0, key
        assert page.evaluate(top) == [0, 0], key


def test_low_windows_leave_room_for_messages(visit: Visit, full_room: Room) -> None:
    """As at a zoom of 400 %."""
    page = enter(
        visit(full_room.server, "Alice", viewport={"width": 320, "height": 256}), full_room
    )
    timeline, composer = page.locator("#timeline"), page.locator("#composer")
    for text in ("", "A line\n" * 30):
        page.locator("#composer-body").fill(text)
        box, below = timeline.bounding_box(), composer.bounding_box()
        assert box
        assert below
        assert box["height"] >= 60
        assert below["y"] + below["height"] <= 256


def test_switcher_is_as_tall_as_its_list(visit: Visit, room: Room) -> None:
    """A percentage of an automatic height is 0 in WebKit, so `flex-basis` must be `auto`."""
    page = enter(visit(room.server, "Alice"), room)
    page.keyboard.press("Control+k")
    options = page.locator(".switcher__options")
    expect(options.locator(".option").first).to_be_visible()
    assert options.evaluate("box => getComputedStyle(box).flexBasis") == "auto"
    high, needed = options.evaluate("box => [box.clientHeight, box.scrollHeight]")
    assert high >= min(needed, 300)


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.long
def test_system_message_is_centred_with_its_time_on_the_same_line(
    width: int, visit: Visit, room: Room
) -> None:
    page = enter(visit(room.server, "Alice", viewport={"width": width, "height": 740}), room)
    notices = page.locator(".notice:visible")
    expect(notices).not_to_have_count(0)
    for notice in notices.all():
        off, time_below = notice.evaluate("""notice => {
            const box = notice.getBoundingClientRect();
            const text = notice.querySelector(".notice__text").getBoundingClientRect();
            const time = notice.querySelector(".notice__time").getBoundingClientRect();
            return [(text.left + text.right - box.left - box.right) / 2, time.top - text.bottom];
        }""")
        assert abs(off) < 1
        assert time_below < 0


OUTSIDE = """menu => {
    const { left, right, top, bottom } = menu.getBoundingClientRect();
    const box = document.getElementById("timeline").getBoundingClientRect();
    const isOutside = left < box.left || right > box.right || top < box.top || bottom > box.bottom;
    const cut = [...menu.children].filter((item) => item.scrollWidth > item.clientWidth);
    return { isOutside, cut: cut.map((item) => item.textContent) };
}"""


@pytest.mark.long
@pytest.mark.parametrize("locale", ["de-DE", "en-GB"])
def test_menu_of_a_message_is_inside_the_timeline(locale: str, visit: Visit, room: Room) -> None:
    for who in (room.alice, room.bob):
        room.say(who, f"{'A wide message of many words. ' * 20}wide {who.name}")
        room.say(who, f"short {who.name}")
    visitor = visit(room.server, "Alice", locale=locale)
    page = enter(visitor, room)
    for pane in (False, True):
        if pane:
            page.locator(".topbar [data-pane=members]").click()
            expect(page.locator("#details .people").last).to_be_visible()
        for width in (1280, 1440):
            page.set_viewport_size({"width": width, "height": 800})
            for name in ("Alice", "Bob"):
                for words in ("wide", "short"):
                    message = bubble(page, f"{words} {name}")
                    menu = open_menu(message)
                    assert menu.evaluate(OUTSIDE) == {"isOutside": False, "cut": []}, (width, words)
                    message.press("Escape")


@pytest.mark.parametrize("width", first_of(360, 760, 1280))
def test_nothing_covers_an_open_menu(width: int, visit: Visit, full_room: Room) -> None:
    """Scrolled up, where the button that jumps to the latest message is shown."""
    viewport = {"width": width, "height": 700}
    page = enter(visit(full_room.server, "Alice", phone=width < 700, viewport=viewport), full_room)
    scroll(page, -400)
    expect(page.locator("#jump")).to_be_visible()
    low = page.locator("#timeline").evaluate("box => box.getBoundingClientRect().bottom - 60")
    found = page.evaluate_handle(
        """low => [...document.querySelectorAll("#messages > .message")].find(
            (row) => row.getBoundingClientRect().bottom > low)""",
        low,
    )
    message = page.locator(f"#{found.evaluate('row => row.id')}")
    menu = long_press(message) if width < 700 else open_menu(message)
    covered = """menu => [...menu.querySelectorAll("[data-action]")].filter((item) => {
        const { x, y, width, height } = item.getBoundingClientRect();
        const at = document.elementFromPoint(x + width / 2, y + height / 2);
        return width && !item.contains(at);
    }).map((item) => item.dataset.action)"""
    assert menu.evaluate(covered) == []
    sidebar = page.locator(".sidebar").bounding_box()
    box = menu.bounding_box()
    assert box is not None
    if sidebar is not None:
        assert box["x"] >= sidebar["x"] + sidebar["width"]
