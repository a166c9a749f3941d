"""The quick switcher, keyboard shortcuts, and jumps to messages."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Locator, Page, Request, expect

from tests.browser.conftest import Visit
from tests.browser.rooms import (
    Later,
    Line,
    Persons,
    Room,
    act,
    anchor,
    bubble,
    by_seq,
    enter,
    message_texts,
    offered,
    open_menu,
    scroll,
    top_of_id,
    wait_for_line,
    wait_for_paint,
    wait_until,
)
from tests.installations import ChatServer
from tests.markers import first_of


def options(page: Page) -> list[str]:
    return page.locator(".switcher [data-slot=name]").all_inner_texts()


_IS_SETTLED = """() => {
    const dialog = document.querySelector(".switcher");
    const chosen = dialog?.querySelectorAll("[role=option][aria-selected=true]") ?? [];
    const said = dialog?.querySelector("input").getAttribute("aria-activedescendant");
    return chosen.length === 1 && chosen[0].id === said;
}"""


def chosen(page: Page) -> Locator:
    """The selected option, once it matches aria-activedescendant of the box."""
    wait_until(page, _IS_SETTLED)
    return page.locator(".switcher [role=option][aria-selected=true]")


def new_room(server: ChatServer, person: Persons, name: str) -> Room:
    room = Room(server, person)
    room.alice.call("PATCH", f"/api/conversations/{room.id}/", {"name": name})
    return room


# --- the switcher ------------------------------------------------------------------------------------


def test_switcher_finds_a_conversation_and_keeps_the_draft(
    visit: Visit, room: Room, server: ChatServer, person: Persons
) -> None:
    cafe = new_room(server, person, "Café Zürich")
    new_room(server, person, "Tea")
    page = enter(visit(server, "Alice"), room)
    box = page.locator("#composer-body")
    box.fill("Half a thought")
    box.press("Control+k")
    page.keyboard.type("cafe zu")
    expect(chosen(page)).to_contain_text("Café Zürich")
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)
    expect(box).to_be_focused()
    expect(box).to_have_value("Half a thought")
    page.keyboard.type(", and more")
    expect(box).to_have_value("Half a thought, and more")
    page.keyboard.press("Control+k")
    page.keyboard.type("zurich")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{cafe.path}")
    page.go_back()
    expect(page.locator("#composer-body")).to_have_value("Half a thought, and more")
    page.keyboard.press("Control+k")  # now the one opened last is the first, not the newest
    expect(page.locator(".switcher [role=option]").first).to_contain_text("Café Zürich")


def test_switcher_handles_input_from_before_its_module_has_loaded(
    visit: Visit, room: Room, server: ChatServer, person: Persons
) -> None:
    cafe = new_room(server, person, "Café Zürich")
    later = Later(visit(server, "Alice"))
    page = later.goto(room.path)
    box = page.locator("#composer-body")
    box.fill("Half a thought")
    box.press("Control+k")
    page.keyboard.type("zurich")
    expect(page.locator(".switcher input")).to_have_value("zurich")
    expect(box).to_have_value("Half a thought")
    expect(page.locator(".switcher [role=option]")).to_have_count(0)
    page.keyboard.press("Enter")
    later.come()
    page.wait_for_url(f"**{cafe.path}")


@pytest.mark.long
def test_switcher_falls_back_to_the_search_page(visit: Visit, room: Room) -> None:
    visitor = visit(room.server, "Alice")
    visitor.allow("ERR_FAILED", "dynamically imported module")
    later = Later(visitor)
    page = later.goto(room.path)
    later.fail()
    page.locator("#sidebar [data-opens=switcher]").click()
    page.wait_for_url("**/browse/**")
    expect(page.locator("main input[type=search]")).to_be_visible()


@pytest.mark.long
def test_switcher_lists_unread_first_and_arrows_wrap_around(
    visit: Visit, room: Room, server: ChatServer, person: Persons
) -> None:
    quiet = new_room(server, person, "Quiet")
    loud = new_room(server, person, "Loud")
    for each in (loud, quiet, room):
        each.say(each.alice, "Mine")
    loud.say(loud.bob, "Listen")
    quiet.say(quiet.alice, "Nothing new")
    page = enter(visit(server, "Alice"), room)
    expect(page.locator("#conversations li").first).to_contain_text("Quiet")
    page.keyboard.press("Control+k")
    expect(chosen(page)).to_contain_text("Loud")
    expect(chosen(page).locator("[data-slot=unread]")).to_have_text("1 unread")
    page.keyboard.press("ArrowDown")
    expect(chosen(page)).to_contain_text("Quiet")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    expect(chosen(page).locator("[data-slot=name]")).to_have_text(options(page)[-1])
    page.keyboard.press("ArrowDown")
    expect(chosen(page)).to_contain_text("Loud")
    page.keyboard.press("Control+k")
    expect(page.locator("dialog")).to_have_count(0)


def test_switcher_chooses_the_best_match_whether_person_or_conversation(
    visit: Visit, room: Room, server: ChatServer, person: Persons
) -> None:
    new_room(server, person, "Christmas carols")
    page = enter(visit(server, "Alice"), room)
    headings = page.locator(".switcher__heading")
    page.keyboard.press("Control+k")
    page.keyboard.type("carol")  # before the people have been loaded
    expect(headings).to_have_text(["People", "Conversations"])
    expect(chosen(page).locator("[data-slot=name]")).to_have_text("Carol")
    page.locator(".switcher input").fill("carols")
    expect(chosen(page)).to_contain_text("Christmas carols")


def test_switcher_opens_a_direct_message_from_any_page(visit: Visit, room: Room) -> None:
    page = visit(room.server, "Alice").goto("/settings/profile/")
    wait_for_line(page)
    page.locator("#sidebar [data-opens=switcher]").click()
    page.keyboard.type("carol")
    expect(chosen(page)).to_contain_text("Carol")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/c/\d+/$"))
    expect(page.locator("#conversation-name")).to_have_text("Carol")


@pytest.mark.long
def test_switcher_shows_that_nothing_was_found(alice: Page) -> None:
    alice.keyboard.press("Control+k")
    alice.keyboard.type("qqqzzz")
    expect(alice.locator(".switcher [role=status]")).to_contain_text("qqqzzz")
    box = alice.locator(".switcher").get_by_role("combobox")
    expect(box).to_have_attribute("aria-expanded", "false")
    alice.keyboard.press("Enter")
    expect(alice.locator(".switcher")).to_be_visible()
    alice.keyboard.press("Escape")


@pytest.mark.long
def test_switcher_finds_conversations_if_people_fail_to_load(visit: Visit, room: Room) -> None:
    visitor = visit(room.server, "Alice")
    visitor.allow("503")
    page = enter(visitor, room)
    page.route("**/api/users/**", lambda route: route.fulfill(status=503, body="{}"))
    page.keyboard.press("Control+k")
    expect(page.locator(".switcher [role=status]")).to_have_text(re.compile("Try again"))
    page.keyboard.type("kit")
    expect(chosen(page)).to_contain_text("Kitchen")


@pytest.mark.long
def test_switcher_can_be_tapped_and_fits_on_a_phone(visit: Visit, room: Room) -> None:
    page = visit(room.server, "Alice", phone=True).goto("/?list")
    wait_for_line(page)
    page.locator("[data-opens=switcher]").tap()
    page.keyboard.type("kit")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator(".switcher [role=option]").first.tap()
    page.wait_for_url(re.compile(r"/c/\d+/$"))


@pytest.mark.long
def test_switcher_button_opens_the_search_page_without_scripts(visit: Visit, room: Room) -> None:
    page = visit(room.server, "Alice", javascript=False).goto("/?list")
    expect(page.locator("[data-opens=shortcuts]")).to_be_hidden()
    page.locator("[data-opens=switcher]").click()
    expect(page.locator("main input[type=search]")).to_be_visible()


# --- shortcuts ---------------------------------------------------------------------------------------


def clipboard(page: Page) -> str:
    return str(page.evaluate("navigator.clipboard.readText()"))


@pytest.fixture
def copying(visit: Visit, room: Room) -> Page:
    """Alice's page with access to the clipboard and one message from Bob."""
    room.say(room.bob, "Some **bold** words")
    visitor = visit(room.server, "Alice")
    visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
    return enter(visitor, room)


def take_in_hand(page: Page, words: str) -> Locator:
    message = bubble(page, words)
    message.focus()
    expect(message).to_be_focused()
    return message


def test_shortcuts_dialog_opens_by_key_and_returns_the_focus(alice: Page) -> None:
    alice.locator("#timeline").press("?")
    dialog = alice.locator(".shortcuts")
    expect(dialog).to_contain_text("Copy link")
    alice.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(alice.locator("#timeline")).to_be_focused()


def test_typing_without_focus_goes_into_the_composer(alice: Page) -> None:
    box = alice.locator("#composer-body")
    alice.evaluate("document.activeElement.blur()")
    alice.keyboard.press("Space")
    alice.keyboard.press("Control+a")
    expect(box).not_to_be_focused()
    alice.keyboard.type("?")
    expect(alice.locator(".shortcuts")).to_be_visible()
    alice.keyboard.press("Escape")
    expect(alice.locator("dialog")).to_have_count(0)
    expect(box).to_have_value("")
    alice.keyboard.type("right away")
    expect(box).to_have_value("right away")
    expect(box).to_be_focused()


@pytest.mark.long
def test_first_field_of_a_form_page_has_focus(visit: Visit, room: Room) -> None:
    visitor = visit(room.server)
    visitor.allow("400")
    page = visitor.goto("/sign-in/")
    expect(page.locator("#id_email")).to_be_focused()
    page.keyboard.type("alice@example.org")
    expect(page.locator("#id_email")).to_have_value("alice@example.org")
    page.keyboard.press("Enter")
    page.locator("#id_password").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.locator("[role=alert]")).to_be_visible()
    expect(page.locator("#id_email")).not_to_be_focused()


@pytest.mark.long
def test_shortcuts_do_not_apply_in_text_fields(alice: Page) -> None:
    box = alice.locator("#composer-body")
    box.press_sequentially("?jkrecl1")
    expect(box).to_have_value("?jkrecl1")
    expect(alice.locator("dialog")).to_have_count(0)


def test_message_text_and_link_are_copied_by_key_and_button(
    copying: Page,
) -> None:
    take_in_hand(copying, "Some bold words").press("c")
    expect(copying.locator(".toast")).to_have_text("Text copied")
    assert clipboard(copying) == "Some bold words"
    copying.keyboard.press("l")
    expect(copying.locator(".toast")).to_have_text("Link copied")
    link = clipboard(copying)
    message = bubble(copying, "Some bold words")
    assert link.endswith(f"/m/{(message.get_attribute('id') or '')[1:]}/")
    copying.evaluate("navigator.clipboard.writeText('')")
    open_menu(message).get_by_role("button", name="Copy link").click()
    expect(message.locator(".message__more")).to_be_focused()
    wait_until(copying, "link => navigator.clipboard.readText().then(it => it === link)", arg=link)
    open_menu(message).get_by_role("button", name="Copy text").click()
    expect(copying.locator(".toast")).to_have_text("Text copied")


@pytest.mark.long
def test_copying_works_without_the_clipboard_api(copying: Page) -> None:
    copying.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error()); }")
    message = take_in_hand(copying, "Some bold words")
    message.press("c")
    expect(copying.locator(".toast")).to_have_text("Text copied")
    assert clipboard(copying) == "Some bold words"
    expect(message).to_be_focused()


def test_number_key_toggles_a_reaction(copying: Page) -> None:
    message = take_in_hand(copying, "Some bold words")
    message.press("2")
    chip = message.locator(".chip")
    expect(chip).to_have_attribute("aria-pressed", "true")
    message.press("2")
    expect(chip).to_have_count(0)
    message.press("9")
    expect(copying.locator(".toast")).to_have_count(0)


@pytest.mark.long
def test_u_key_marks_as_unread_and_ignores_modifiers(copying: Page) -> None:
    marks: list[Request] = []
    copying.on(
        "request", lambda request: marks.append(request) if "/unread/" in request.url else None
    )
    message = take_in_hand(copying, "Some bold words")
    message.press("Control+u")
    message.press("Alt+u")
    message.press("u")
    expect(copying.locator(".new-line + .message")).to_contain_text("Some bold words")
    expect(copying.locator("#unread-bar")).to_be_visible()
    assert len(marks) == 1


@pytest.mark.long
def test_every_shortcut_has_a_named_button(alice: Page, room: Room) -> None:
    room.say(room.alice, "Mine")
    message = bubble(alice, "Mine")
    expect(message).to_be_visible()
    open_menu(message)
    named = message.locator("[data-action]:not([data-action=toggle])")  # apart from reactions
    names = named.evaluate_all(
        "all => all.map(each => (each.getAttribute('aria-label') || each.textContent).trim())"
    )
    assert set(names) == {
        *("React", "Reply", "Edit", "Copy text", "Copy link", "Pin", "Unpin", "Mark unread"),
        "Delete",
    }


@pytest.mark.long
def test_archived_messages_can_be_copied(visit: Visit, room: Room) -> None:
    room.say(room.alice, "Old words")
    room.alice.call("PATCH", f"/api/conversations/{room.id}/", {"archived": True})
    visitor = visit(room.server, "Alice")
    visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = enter(visitor, room)
    message = bubble(page, "Old words")
    assert offered(message) == ["copy", "link", "unread"]
    take_in_hand(page, "Old words").press("c")
    expect(page.locator(".toast")).to_have_text("Text copied")
    assert clipboard(page) == "Old words"
    message.press("e")
    message.press("r")
    expect(message).to_be_focused()


# Keys of message actions, and what shows that they work.
_KEYS = {
    "reply": ("r", "#composer [data-slot=reply]"),
    "edit": ("e", ".editor"),
    "react": ("+", ".picker"),
    "delete": ("Delete", "dialog[open]"),
}


@pytest.mark.parametrize("reader", first_of("owner", "author", "member", "archived"))
def test_keys_do_what_the_menu_offers(reader: str, visit: Visit, room: Room) -> None:
    """CSS decides about the menu, and scripts about keys, by the same attributes."""
    room.say(room.bob if reader in ("owner", "author") else room.alice, "A question")
    if reader == "archived":
        room.alice.call("PATCH", f"/api/conversations/{room.id}/", {"archived": True})
    page = enter(visit(room.server, "Alice" if reader == "owner" else "Bob"), room)
    message = bubble(page, "A question")
    shown = set(offered(message))
    assert {"copy", "link", "unread"} <= shown
    for action, (key, effect) in _KEYS.items():
        message.focus()
        page.keyboard.press(key)
        if action in shown:
            expect(page.locator(effect)).to_be_visible()
            page.keyboard.press("Escape")
        expect(page.locator(effect).filter(visible=True)).to_have_count(0)


@pytest.mark.long
def test_menu_stays_open_while_an_edit_of_another_message_cannot_be_continued(
    visit: Visit, room: Room
) -> None:
    """Asking whether it can be edited, with each change of it, moves nothing."""
    room.say(room.alice, "From Alice")
    room.say(room.bob, "From Bob")
    visitor = visit(room.server, "Bob")
    line = Line(visitor)
    page = enter(visitor, room)
    act(page, "From Bob", "edit")
    page.locator(".editor textarea").fill("From Bob, better")
    room.alice.call("PATCH", f"/api/conversations/{room.id}/", {"archived": True})
    expect(page.locator("#locked-bar")).to_be_visible()
    page.reload()
    expect(page.locator(".unsent")).to_be_visible()
    wait_for_line(page)
    menu = open_menu(bubble(page, "From Alice"))
    line.cut()
    room.advance()
    text = bubble(page, "From Alice").locator(".message__body")
    text.evaluate(
        """(text) => {
            const note = () => (text.dataset.drawn = "again");
            const time = text.closest(".message").querySelector("time");
            new MutationObserver(note).observe(time, { attributes: true });
        }"""
    )
    line.mend()
    expect(text).to_have_attribute("data-drawn", "again")  # from the latest page, with all messages
    expect(menu).to_be_visible()


# --- jumps -------------------------------------------------------------------------------------------


def test_quote_jumps_to_an_unloaded_message_and_escape_goes_back_exactly(
    visit: Visit, room: Room
) -> None:
    room.fill(200)
    early = by_seq(room, 12)
    room.say(room.alice, "I come back to that", reply_to=early["id"])
    room.fill(12, "Later {}", "Alice")
    page = enter(visit(room.server, "Bob"), room)
    quote = bubble(page, "I come back to that").locator("a.quote")
    expect(bubble(page, "Later 12")).to_be_in_viewport()
    scroll(page, -150)
    expect(page.locator("#jump")).to_be_visible()
    row, top = anchor(page)
    quote.click()
    found = page.locator(f"#m{early['id']}")
    expect(found).to_be_in_viewport()
    expect(found).to_be_focused()
    expect(found).to_have_class(re.compile("message--found"))
    expect(page.locator("#jump")).to_be_visible()
    assert "Later 12" not in message_texts(page)
    page.keyboard.press("Escape")
    expect(page.locator(f"#{row}")).to_be_in_viewport()
    assert abs(top_of_id(page, row) - top) < 1
    expect(page.locator("#jump-back")).to_be_hidden()
    expect(bubble(page, "I come back to that")).to_be_focused()


@pytest.mark.long
def test_back_button_undoes_each_jump_and_hides_at_the_latest_message(
    visit: Visit, room: Room
) -> None:
    room.fill(120)
    first = by_seq(room, 5)
    second = room.say(room.alice, "About the first", reply_to=first["id"])
    room.fill(70, "Between {}", "Alice")
    room.say(room.alice, "About the second", reply_to=second["id"])
    page = enter(visit(room.server, "Bob"), room)
    bubble(page, "About the second").locator("a.quote").click()
    page.locator(f"#m{second['id']} a.quote").click()
    expect(page.locator(f"#m{first['id']}")).to_be_in_viewport()
    back = page.locator("#jump-back button")
    back.click()
    expect(page.locator(f"#m{second['id']}")).to_be_in_viewport()
    back.click()
    expect(bubble(page, "About the second")).to_be_in_viewport()
    expect(back).to_be_hidden()
    bubble(page, "About the second").locator("a.quote").click()
    expect(back).to_be_visible()
    page.locator("#jump button").click()
    expect(bubble(page, "About the second")).to_be_in_viewport()
    expect(back).to_be_hidden()


@pytest.mark.long
def test_escape_closes_an_open_menu_before_it_undoes_a_jump(visit: Visit, room: Room) -> None:
    room.fill(120)
    early = by_seq(room, 5)
    room.say(room.alice, "I come back to that", reply_to=early["id"])
    page = enter(visit(room.server, "Bob"), room)
    bubble(page, "I come back to that").locator("a.quote").click()
    found = page.locator(f"#m{early['id']}")
    expect(found).to_be_focused()
    menu = open_menu(found)
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    expect(found).to_be_in_viewport()
    expect(page.locator("#jump-back")).to_be_visible()
    page.keyboard.press("Escape")
    expect(bubble(page, "I come back to that")).to_be_in_viewport()
    expect(page.locator("#jump-back")).to_be_hidden()


@pytest.mark.long
def test_quote_of_a_visible_message_only_highlights_it(alice: Page, room: Room) -> None:
    asked = room.say(room.bob, "A question")
    room.say(room.bob, "An answer", reply_to=asked["id"])
    bubble(alice, "An answer").locator("a.quote").click()
    expect(alice.locator(f"#m{asked['id']}")).to_have_class(re.compile("message--found"))
    expect(alice.locator("#jump-back")).to_be_hidden()


@pytest.mark.parametrize(("motion", "name"), [("no-preference", "found"), ("reduce", "none")])
@pytest.mark.long
def test_jump_highlight_respects_reduced_motion(
    motion: str, name: str, visit: Visit, room: Room
) -> None:
    asked = room.say(room.bob, "A question")
    page = visit(room.server, "Bob", reduced_motion=motion).goto(f"/m/{asked['id']}/")
    moving = page.locator(f"#m{asked['id']} .message__bubble")
    assert moving.evaluate("each => getComputedStyle(each).animationName") == name


def test_message_links_jump_within_and_between_conversations(
    visit: Visit, room: Room, person: Persons
) -> None:
    other = Room(room.server, person)
    elsewhere = other.say(other.bob, "Elsewhere")
    room.fill(150)
    early = by_seq(room, 20)
    url = room.server.url
    room.say(room.alice, f"Same room {url}/m/{early['id']}/")
    room.say(room.alice, f"Other room {url}/m/{elsewhere['id']}/")
    page = enter(visit(room.server, "Bob"), room)
    bubble(page, "Same room").locator(".message__body a").click()
    expect(page.locator(f"#m{early['id']}")).to_be_in_viewport()
    page.locator("#jump button").click()
    bubble(page, "Other room").locator(".message__body a").click()
    page.wait_for_url(re.compile(f"{other.path}.*#m{elsewhere['id']}$"))
    expect(page.locator(f"#m{elsewhere['id']}")).to_be_in_viewport()


@pytest.mark.long
def test_url_fragment_jumps_to_an_unloaded_message(visit: Visit, room: Room) -> None:
    room.fill(150)
    early = by_seq(room, 20)
    page = visit(room.server, "Bob").goto(f"{room.path}#m{early['id']}")
    expect(page.locator(f"#m{early['id']}")).to_be_in_viewport()
    expect(page.locator("#newer")).to_have_count(1)


def test_unread_bar_jumps_to_the_first_unread_message_in_place(visit: Visit, room: Room) -> None:
    room.fill(150)
    page = enter(visit(room.server, "Alice"), room)
    page.evaluate("window.isSame = true")
    page.locator(".unread-bar__jump").click()
    expect(page.locator(".new-line + .message")).to_contain_text("1")
    expect(page.locator(".new-line")).to_be_in_viewport()
    assert page.evaluate("window.isSame")
    page.keyboard.press("Escape")
    expect(bubble(page, "150")).to_be_in_viewport()


@pytest.mark.long
def test_tab_stops_in_only_one_message(alice: Page, room: Room) -> None:
    for number in range(20):
        room.say(room.bob, f"Look at https://example.org/{number}")
    expect(bubble(alice, "example.org/19")).to_be_visible()
    keyboard = alice.keyboard
    alice.locator("#composer-body").focus()
    steps = 0
    while not alice.locator("#timeline:focus").count():
        keyboard.press("Shift+Tab")
        steps += 1
        assert steps < 12
    assert steps > 3
    for _ in range(3):
        keyboard.press("k")
    expect(bubble(alice, "example.org/17")).to_be_focused()
    passed = []
    while not alice.locator("#composer-body:focus").count():
        keyboard.press("Tab")
        passed.append(
            alice.evaluate("document.activeElement.closest('.message, .notice')?.innerText ?? ''")
        )
        assert len(passed) < 12
    in_hand = [words for words in passed if words]
    assert len(in_hand) > 3
    assert all("example.org/17" in words for words in in_hand)
    keyboard.press("Shift+Tab")  # to the button that attaches files
    keyboard.press("Shift+Tab")
    expect(bubble(alice, "example.org/17").locator(":focus")).to_have_count(1)


@pytest.mark.long
def test_tab_reaches_an_open_editor_from_any_message(alice: Page, room: Room) -> None:
    first = room.say(room.alice, "Mine")
    room.say(room.bob, "Not mine")
    alice.locator("#composer-body").press("ArrowUp")
    expect(alice.locator("#editor-body")).to_be_focused()
    bubble(alice, "Not mine").focus()
    alice.keyboard.press("Shift+Tab")
    expect(alice.locator(f"#m{first['id']} .editor :focus")).to_have_count(1)


@pytest.mark.long
def test_tab_from_the_timeline_does_not_scroll(visit: Visit, room: Room) -> None:
    room.fill(120)
    page = enter(visit(room.server, "Alice"), room)
    page.locator("#messages > .message").last.focus()  # waits until the messages are there
    page.locator("#timeline").focus()
    scroll(page, 100_000)
    page.keyboard.press("Tab")
    expect(page.locator("#messages > .message:focus")).to_have_count(1)
    expect(page.locator("#jump")).to_be_hidden()
    assert page.locator("#messages > .message").count() == 50


@pytest.mark.long
def test_shortcuts_work_on_the_buttons_of_a_message(alice: Page, room: Room) -> None:
    room.say(room.bob, "First")
    room.say(room.bob, "Second")
    expect(bubble(alice, "Second")).to_be_visible()
    alice.locator("#composer-body").focus()
    alice.keyboard.press("Shift+Tab")  # to the button that attaches files
    alice.keyboard.press("Shift+Tab")
    expect(bubble(alice, "Second").locator(".message__more:focus")).to_have_count(1)
    alice.keyboard.press("ArrowUp")
    expect(bubble(alice, "First")).to_be_focused()
    alice.keyboard.press("Tab")
    expect(bubble(alice, "First").locator("button:focus, a:focus")).to_have_count(1)
    alice.keyboard.press("r")
    expect(alice.locator("[data-slot=reply-text]")).to_have_text("First")


@pytest.mark.long
def test_message_being_edited_is_not_trimmed_when_scrolling_up(visit: Visit, room: Room) -> None:
    room.fill(400)
    room.say(room.alice, "Mine")
    page = enter(visit(room.server, "Alice"), room)
    page.locator("#composer-body").press("ArrowUp")
    page.locator("#editor-body").fill("Mine, and a long thought")
    deadline = time.monotonic() + 15
    while not bubble(page, "100").count():
        assert time.monotonic() < deadline, "older messages were not loaded"
        scroll(page, -2_000)
        wait_for_paint(page)
    assert page.locator("#messages > .message").count() > 250
    expect(page.locator("#editor-body")).to_have_value("Mine, and a long thought")


@pytest.mark.long
def test_escape_from_menu_or_picker_returns_the_focus(alice: Page, room: Room) -> None:
    room.say(room.bob, "Shall we?")
    message = take_in_hand(alice, "Shall we?")
    message.press("+")
    expect(alice.get_by_role("combobox", name="Search emoji")).to_be_focused()
    alice.keyboard.press("Escape")
    expect(alice.locator(".picker")).to_have_count(0)
    expect(message).to_be_focused()
    message.locator(".message__more").focus()
    alice.keyboard.press("Enter")
    expect(message.locator(".message-menu")).to_be_visible()
    alice.keyboard.press("Tab")
    alice.keyboard.press("Escape")
    expect(message.locator(".message-menu")).to_be_hidden()
    expect(message.locator(".message__more")).to_be_focused()
