"""The live conversation page, with two people in two browsers."""

from __future__ import annotations

import contextlib
import re
import time
from functools import partial

import pytest
from playwright.sync_api import Dialog, Page, Route, WebSocketRoute, expect

from tests.browser.conftest import PATIENCE, Visit
from tests.browser.rooms import (
    Later,
    Line,
    Persons,
    Room,
    act,
    anchor,
    bubble,
    enter,
    is_stored,
    long_press,
    message_texts,
    row_of,
    scroll,
    top_of_id,
    wait_for_held,
    wait_for_line,
    wait_for_paint,
    write,
)
from tests.installations import Builder, ChatServer, eventually

_HAS_ANNOUNCER = """performance.getEntriesByType("resource")
    .some(({ name }) => name.includes("/announcer."))"""


# --- messages ----------------------------------------------------------------------------------------


def test_messages_arrive_live(alice: Page, bob: Page) -> None:
    write(alice, "Hello Bob")
    expect(bubble(bob, "Hello Bob")).to_be_visible()
    write(bob, "Hello Alice")
    expect(bubble(alice, "Hello Alice")).to_be_visible()
    assert message_texts(alice) == message_texts(bob) == ["Hello Bob", "Hello Alice"]
    expect(bubble(alice, "Hello Bob")).to_have_attribute("data-own", "")
    assert bubble(bob, "Hello Bob").get_attribute("data-own") is None


def test_message_is_shown_before_the_server_has_stored_it(visit: Visit, room: Room) -> None:
    held: list[WebSocketRoute] = []
    waiting: list[str | bytes] = []

    def hold(route: WebSocketRoute) -> None:
        server = route.connect_to_server()
        held.append(server)
        route.on_message(
            lambda text: waiting.append(text) if '"send"' in str(text) else server.send(text)
        )

    visitor = visit(room.server, "Alice")
    visitor.page.route_web_socket(re.compile("/ws/"), hold)
    page = enter(visitor, room)
    write(page, "On its way")
    mine = bubble(page, "On its way")
    expect(mine.locator(".message__status")).to_have_text("Sending…")
    assert room.bodies() == []
    expect(page.locator("#composer-body")).to_have_value("")
    expect(page.locator("#composer-body")).to_be_editable()
    held[0].send(waiting[0])
    expect(mine.locator(".message__status")).to_have_count(0)
    expect(mine).to_have_count(1)
    assert mine.get_attribute("id")


def test_live_messages_render_as_on_the_server(
    visit: Visit, server: ChatServer, room: Room
) -> None:
    server.manage("shell", "-v", "0", "-c", _PICTURE)
    alice, bob = (enter(visit(server, name), room) for name in ("Alice", "Bob"))
    write(alice, "One")
    write(alice, "Two **bold**")
    expect(bubble(bob, "Two")).to_be_visible()
    act(bob, "One", "reply")
    write(bob, "A reply")
    expect(bubble(alice, "A reply")).to_be_visible()
    act(alice, "A reply", "react")
    alice.locator(".picker [data-emoji]").first.click()
    write(bob, "🎉")
    act(bob, "One", "pin")
    expect(bubble(alice, "One").locator(".message__pin")).to_have_text("Pinned by Bob")
    act(bob, "A reply", "edit")
    bob.locator(".editor textarea").fill("An edited reply")
    bob.locator(".editor textarea").press("Enter")
    expect(bubble(alice, "An edited reply").locator(".message__edited")).to_be_visible()
    write(bob, "Gone soon")
    expect(bubble(alice, "Gone soon")).to_be_visible()
    act(bob, "Gone soon", "delete")
    bob.locator("dialog [value=yes]").click()
    expect(bubble(alice, "Message deleted")).to_be_visible()
    # Read marks arrive a moment after the message.
    expect(alice.locator("#seen .visually-hidden")).to_have_text("Seen by Bob")
    expect(bob.locator("#seen .visually-hidden")).to_have_text("Seen by Alice")
    for page in (alice, bob):
        live = page.evaluate(_DRAWN)
        page.reload()
        wait_for_line(page)
        for before, after in zip(live, page.evaluate(_DRAWN), strict=True):
            assert before == after


@pytest.mark.long
def test_archived_conversation_renders_the_same_in_scripts_and_on_the_server(
    visit: Visit, server: ChatServer, room: Room
) -> None:
    first = room.say(room.alice, "Mine, with a 🌱")
    room.bob.call("PUT", f"/api/messages/{first['id']}/reactions/%F0%9F%8C%B1/")
    room.say(room.bob, "An answer", reply_to=first["id"])
    gone = room.say(room.bob, "Gone soon")
    room.bob.call("DELETE", f"/api/messages/{gone['id']}/")
    room.fill(60)
    # So that her read receipt is below none of the messages that are compared. It is shown once the latest
    # messages have loaded, which may or may not have happened on the second page.
    room.say(room.alice, "My last word")
    # Otherwise the "New" line moves each time she reads on.
    room.alice.call("POST", f"/api/conversations/{room.id}/read/", {"seq": 100})
    room.alice.call("PATCH", f"/api/conversations/{room.id}/", {"archived": True})
    page = enter(visit(server, "Alice"), room)
    newer = int(page.locator("#messages > [data-seq]").first.get_attribute("data-seq") or 0)
    scroll(page, -100_000)
    expect(page.locator(f"#m{first['id']}")).to_be_attached()
    rows = _DRAWN.replace("#messages > *", "#messages > [data-seq]")
    scripts = page.evaluate(rows)[: newer - 1]
    page.goto(f"{server.url}{room.path}?before={newer}")
    wait_for_line(page)
    drawn = page.evaluate(rows)[: newer - 1]  # the rest was drawn by scripts here, too
    assert len(drawn) == newer - 1 > 5
    assert any("disabled" in each for each in drawn)  # reactions
    assert scripts == drawn


@pytest.mark.long
def test_archived_conversation_can_be_marked_as_unread(
    visit: Visit, server: ChatServer, room: Room
) -> None:
    for number in range(3):
        room.say(room.bob, f"Old {number}")
    room.alice.call("PATCH", f"/api/conversations/{room.id}/", {"archived": True})
    page = enter(visit(server, "Alice"), room)
    row = row_of(page, room)
    expect(row.locator("[data-slot=unread]")).to_be_hidden()
    act(page, "Old 1", "unread")
    expect(row.locator("[data-slot=unread-count]")).to_have_text("2")
    plain = visit(server, "Alice", javascript=False).goto(room.path)
    message = bubble(plain, "Old 2")
    message.hover()
    message.get_by_role("link", name="More").click()
    plain.get_by_role("button", name="Mark unread").click()
    expect(row.locator("[data-slot=unread-count]")).to_have_text("1")


_PICTURE = """
from io import BytesIO
from PIL import Image
from accounts import actions
from accounts.models import User
file = BytesIO()
Image.new("RGB", (90, 60), "teal").save(file, "PNG")
alice, bob = (User.objects.get(email=f"{n}@example.org") for n in ("alice", "bob"))
actions.update_profile(alice, picture=file.getvalue())
actions.update_profile(bob, chosen_hue=11)
"""
# Every row in full, in a normal form: attributes and classes sorted, and without what is not part of it: the
# tools, of which there is one for all, and Tab stops.
_DRAWN = """() => {
    const rows = [...document.querySelectorAll("#messages > *")].map((row) => row.cloneNode(true));
    const normal = (node) => {
        if (node.nodeType !== 1) return node.textContent;
        const names = node.getAttributeNames().filter((name) => name !== "tabindex").sort();
        const given = names.map((name) => {
            const value = node.getAttribute(name);
            return ` ${name}="${name === "class" ? value.split(" ").sort().join(" ") : value}"`;
        });
        const inside = [...node.childNodes].map(normal).join("");
        return `<${node.localName}${given.join("")}>${inside}</${node.localName}>`;
    };
    for (const each of rows.flatMap((row) => [...row.querySelectorAll(".message__toolbar, .message-menu")])) {
        each.remove();
    }
    for (const more of rows.flatMap((row) => [...row.querySelectorAll(".message__more")])) {
        more.removeAttribute("aria-expanded");
    }
    return rows.filter((row) => row.matches(".message, .notice, .day, .new-line")).map(normal);
}"""


def test_typing_indicator_ends_with_the_message(alice: Page, bob: Page) -> None:
    bob.locator("#composer-body").press_sequentially("Hel")
    expect(alice.locator("[data-slot=typing]")).to_have_text("Bob is typing…")
    expect(bob.locator("[data-slot=typing]")).to_have_text("")
    bob.locator("#composer-body").press("Enter")
    expect(bubble(alice, "Hel")).to_be_visible()
    expect(alice.locator("[data-slot=typing]")).to_have_text("")


@pytest.mark.long
def test_typing_indicator_times_out(visit: Visit, room: Room, bob: Page) -> None:
    visitor = visit(room.server, "Alice")
    visitor.page.clock.install()
    alice = enter(visitor, room)
    indicator = alice.locator("[data-slot=typing]")
    bob.locator("#composer-body").press_sequentially("H")
    expect(indicator).to_have_text("Bob is typing…")
    alice.clock.fast_forward(2_000)
    expect(indicator).to_have_text("Bob is typing…")
    alice.clock.fast_forward(4_000)
    expect(indicator).to_have_text("")


# --- actions -----------------------------------------------------------------------------------------


def test_arrow_up_in_an_empty_composer_edits_my_last_message(alice: Page, bob: Page) -> None:
    write(alice, "Helo")
    expect(bubble(bob, "Helo")).to_be_visible()
    alice.locator("#composer-body").press("ArrowUp")
    editor = alice.locator(".editor textarea")
    expect(editor).to_have_value("Helo")
    editor.fill("Hello")
    editor.press("Enter")
    expect(bubble(bob, "Hello").locator(".message__edited")).to_have_text("edited")
    expect(alice.locator("#composer-body")).to_be_focused()


@pytest.mark.long
def test_escape_cancels_an_edit(alice: Page) -> None:
    write(alice, "As it is")
    expect(bubble(alice, "As it is")).to_have_attribute("id", re.compile(r"\d"))
    alice.locator("#composer-body").press("ArrowUp")
    alice.locator(".editor textarea").fill("Something else")
    alice.locator(".editor textarea").press("Escape")
    expect(alice.locator(".editor")).to_have_count(0)
    assert message_texts(alice) == ["As it is"]


@pytest.mark.long
def test_arrow_up_with_text_in_the_composer_does_not_edit(alice: Page) -> None:
    write(alice, "Mine")
    alice.locator("#composer-body").fill("Half a thought")
    alice.locator("#composer-body").press("ArrowUp")
    expect(alice.locator(".editor")).to_have_count(0)


def test_deleted_message_leaves_a_tombstone_and_updates_quotes(alice: Page, bob: Page) -> None:
    write(alice, "A secret")
    expect(bubble(bob, "A secret")).to_be_visible()
    act(bob, "A secret", "reply")
    expect(bob.locator("#composer [data-slot=reply-author]")).to_have_text("Reply to Alice")
    write(bob, "What?")
    quote = bubble(alice, "What?").locator("[data-slot=reply-text]")
    expect(quote).to_have_text("A secret")
    act(alice, "A secret", "delete")
    alice.locator("dialog [value=no]").click()
    expect(bubble(bob, "A secret").first).to_be_visible()
    act(alice, "A secret", "delete")
    alice.locator("dialog [value=yes]").click()
    expect(quote).to_have_text("Message deleted")
    expect(bob.locator("#messages")).not_to_contain_text("A secret")


def test_reactions_are_counted_and_can_be_removed(alice: Page, bob: Page) -> None:
    write(bob, "I am hungry")
    write(alice, "Cake?")
    expect(bubble(bob, "Cake?")).to_be_visible()
    act(bob, "Cake?", "react")
    bob.locator(".picker [data-emoji]").first.click()
    chip = bubble(alice, "Cake?").locator(".chip")
    expect(chip).to_have_attribute("aria-pressed", "false")
    chip.click()
    expect(chip.locator(".chip__count")).to_have_text("2")
    expect(chip).to_have_attribute("aria-pressed", "true")
    expect(chip).to_have_attribute("title", "Bob, You")
    chip.click()
    expect(chip.locator(".chip__count")).to_have_text("1")
    expect(bubble(bob, "Cake?").locator(".chip")).to_have_attribute("aria-pressed", "true")


@pytest.mark.long
def test_reaction_names_a_member_who_has_not_posted(alice: Page, bob: Page) -> None:
    write(alice, "Anybody?")
    expect(bubble(bob, "Anybody?")).to_be_visible()
    act(bob, "Anybody?", "react")
    bob.locator(".picker [data-emoji]").first.click()
    expect(bubble(alice, "Anybody?").locator(".chip")).to_have_attribute("title", "Bob")


def test_rejected_message_shows_its_error_and_can_be_edited(alice: Page) -> None:
    write(alice, "Odd \x01 character")
    failed = bubble(alice, "Odd")
    expect(failed).to_have_class(re.compile("message--failed"))
    expect(failed.locator(".message__failure")).to_have_text(
        "The text contains characters that can’t be stored."
    )
    write(alice, "The next one goes on")
    expect(bubble(alice, "The next one")).to_have_attribute("id", re.compile(r"\d"))
    failed.locator("[data-action=amend]").click()
    expect(failed).to_have_count(0)
    expect(alice.locator("#composer-body")).to_have_value("Odd \x01 character")
    write(alice, "Even character")
    expect(bubble(alice, "Even")).to_have_attribute("id", re.compile(r"\d"))
    assert message_texts(alice) == ["The next one goes on", "Even character"]


@pytest.mark.long
def test_failed_message_can_be_discarded_after_a_reload(alice: Page, room: Room) -> None:
    write(alice, "Odd \x01 character")
    expect(bubble(alice, "Odd")).to_have_class(re.compile("message--failed"))
    alice.reload()
    bubble(alice, "Odd").locator("[data-action=discard]").click()
    expect(bubble(alice, "Odd")).to_have_count(0)
    alice.reload()
    wait_for_line(alice)
    assert message_texts(alice) == room.bodies() == []


# --- writing -----------------------------------------------------------------------------------------


def test_shift_enter_and_input_methods_do_not_send(alice: Page) -> None:
    box = alice.locator("#composer-body")
    box.press_sequentially("one")
    box.press("Shift+Enter")
    box.press_sequentially("two")
    for init in ({"isComposing": True}, {"keyCode": 229}):
        box.evaluate(
            "(box, init) => box.dispatchEvent(new KeyboardEvent('keydown',"
            " {key: 'Enter', bubbles: true, cancelable: true, ...init}))",
            init,
        )
    expect(box).to_have_value("one\ntwo")
    box.press("Enter")
    expect(bubble(alice, "one")).to_be_visible()
    assert message_texts(alice) == ["one\ntwo"]


def test_draft_survives_a_reload_and_stays_in_its_conversation(
    alice: Page, room: Room, person: Persons
) -> None:
    other = Room(room.server, person)
    alice.locator("#composer-body").fill("Half a thought")
    alice.goto(room.server.url + other.path)
    expect(alice.locator("#composer-body")).to_have_value("")
    alice.goto(room.server.url + room.path)
    expect(alice.locator("#composer-body")).to_have_value("Half a thought")
    write(alice, "A whole thought")
    expect(bubble(alice, "A whole thought")).to_be_visible()
    is_stored(alice)  # until then, it is also a draft
    alice.reload()
    wait_for_line(alice)
    expect(alice.locator("#composer-body")).to_have_value("")


def test_message_that_is_too_long_is_counted_and_not_sent(alice: Page, room: Room) -> None:
    counter = alice.locator("[data-slot=counter]")
    alice.locator("#composer-body").fill("x" * 9_600)
    expect(counter).to_be_hidden()
    alice.locator("#composer-body").fill("x" * 9_999)
    expect(counter).to_have_text("1 character left")
    write(alice, "😀" * 10_001)
    expect(counter).to_have_text("1 character too long")
    expect(alice.locator("#composer [data-slot=error]")).to_contain_text("Message too long")
    expect(alice.locator("#composer-body")).to_have_value("😀" * 10_001)
    assert room.bodies() == []


# --- bad connections ---------------------------------------------------------------------------------


def test_offline_messages_are_sent_once_and_in_order_by_a_new_tab(
    visit: Visit, room: Room, bob: Page
) -> None:
    visitor = visit(room.server, "Alice")
    line = Line(visitor)
    page = enter(visitor, room)
    line.cut()
    words = [f"Offline {number}" for number in range(1, 6)]
    for each in words:
        write(page, each)
    expect(bubble(page, "Offline 5").locator(".message__status")).not_to_be_empty()
    page.close()
    assert message_texts(bob) == room.bodies() == []
    line.mend()
    again = visitor.new_tab()
    again.goto(room.server.url + room.path)
    expect(bubble(bob, "Offline 5")).to_be_visible()
    expect(bubble(again, "Offline 5")).to_have_attribute("id", re.compile(r"\d"))
    assert message_texts(bob) == message_texts(again) == room.bodies() == words


@pytest.mark.long
def test_two_tabs_send_each_offline_message_once(visit: Visit, room: Room) -> None:
    visitor = visit(room.server, "Alice")
    line = Line(visitor)
    one = enter(visitor, room)
    two = visitor.new_tab()
    two.goto(room.server.url + room.path)
    wait_for_line(two)
    line.cut()
    write(one, "From the first")
    write(two, "From the second")
    expect(bubble(one, "From the second")).to_be_visible()
    assert room.bodies() == []
    line.mend()
    for page in (one, two):
        for words in ("From the first", "From the second"):
            expect(bubble(page, words)).to_have_attribute("id", re.compile(r"\d"))
    assert (
        message_texts(one)
        == message_texts(two)
        == room.bodies()
        == ["From the first", "From the second"]
    )


def test_page_reconnects_after_the_server_was_killed(
    builder: Builder, visit: Visit, person: Persons
) -> None:
    with contextlib.closing(builder.sqlite()) as installation:
        server = installation.serve()
        room = Room(server, person)
        visitors = [visit(server, name) for name in ("Alice", "Bob")]
        for visitor in visitors:
            visitor.allow("ERR_CONNECTION", "WebSocket connection", "Failed to load resource")
        alice, bob = (enter(visitor, room) for visitor in visitors)
        write(alice, "Before")
        expect(bubble(bob, "Before")).to_be_visible()
        for page in (alice, bob):  # what the first message loads is there
            eventually(partial(page.evaluate, _HAS_ANNOUNCER))
        server.kill()
        write(alice, "Meanwhile")
        expect(alice.locator("#connection")).to_have_text("Connecting…")
        expect(bubble(alice, "Meanwhile").locator(".message__status")).to_have_text(
            "Waiting to send"
        )
        server.start()
        expect(bubble(bob, "Meanwhile")).to_be_visible(timeout=20_000)
        write(bob, "After")
        expect(bubble(alice, "After")).to_be_visible()
        expect(alice.locator("#connection")).to_have_text("")
        assert (
            message_texts(alice)
            == message_texts(bob)
            == room.bodies()
            == ["Before", "Meanwhile", "After"]
        )


def test_changes_while_offline_are_synced(visit: Visit, room: Room) -> None:
    visitor = visit(room.server, "Alice")
    line = Line(visitor)
    page = enter(visitor, room)
    early = room.say(room.bob, "Early")
    expect(bubble(page, "Early")).to_be_visible()
    line.cut()
    for number in range(120):
        room.say(room.bob, f"Missed {number}.")
    room.bob.call("PATCH", f"/api/messages/{early['id']}/", {"body": "Early, but edited"})
    assert message_texts(page) == ["Early"]
    line.mend()
    expect(bubble(page, "Missed 119.")).to_be_visible(timeout=20_000)
    expect(bubble(page, "Early, but edited")).to_have_count(1)
    assert len(message_texts(page)) == 121


def test_messages_are_sent_over_http_if_websockets_are_blocked(visit: Visit, room: Room) -> None:
    visitor = visit(room.server, "Alice")
    visitor.page.route_web_socket(re.compile("/ws/"), lambda route: route.close(code=1000))
    page = visitor.goto(room.path)
    write(page, "By another way")
    expect(page.locator(".connection-bar")).to_contain_text(
        "Live updates are blocked", timeout=15_000
    )
    expect(bubble(page, "By another way")).to_have_attribute(
        "id", re.compile(r"\d"), timeout=15_000
    )
    room.say(room.bob, "I hear you")
    expect(bubble(page, "I hear you")).to_be_visible(timeout=15_000)


@pytest.mark.long
def test_list_is_kept_up_to_date_if_websockets_are_blocked(
    visit: Visit, room: Room, person: Persons
) -> None:
    busy, left = Room(room.server, person), Room(room.server, person)
    visitor = visit(room.server, "Bob")
    visitor.page.route_web_socket(re.compile("/ws/"), lambda route: route.close(code=1000))
    page = visitor.goto(room.path)
    expect(page.locator(".connection-bar")).to_be_visible(timeout=15_000)
    row = page.locator(f"#conversations [data-conversation='{busy.id}']")
    busy.say(busy.alice, "News")
    busy.alice.call("PATCH", f"/api/conversations/{busy.id}/", {"name": "Renamed"})
    new = Room(room.server, person)
    left.alice.call("DELETE", f"/api/conversations/{left.id}/members/{left.bob_id}/")
    expect(row).to_have_class(re.compile("row--unread"), timeout=15_000)
    expect(row).to_contain_text("Renamed")
    expect(page).to_have_title(re.compile(r"^\(\d+\)"))
    expect(page.locator(f"#conversations [data-conversation='{new.id}']")).to_be_visible()
    expect(page.locator(f"#conversations [data-conversation='{left.id}']")).to_have_count(0)


def test_forms_work_if_scripts_fail_to_load(visit: Visit, room: Room) -> None:
    visitor = visit(room.server, "Alice")
    visitor.allow("ERR_FAILED")
    visitor.page.route(re.compile(r"/js/first\b"), lambda route: route.abort())
    page = visitor.goto(room.path)
    page.locator("#composer-body").fill("The plain way")
    with page.expect_navigation():
        page.locator("#composer [type=submit]").click()
    expect(bubble(page, "The plain way")).to_be_visible()
    assert room.bodies() == ["The plain way"]
    assert visitor.errors


@pytest.mark.long
def test_one_failing_script_does_not_break_the_others(visit: Visit, room: Room) -> None:
    visitor = visit(room.server, "Alice")
    visitor.allow("IntersectionObserver")
    visitor.page.add_init_script("delete window.IntersectionObserver;")  # the timeline needs it
    page = visitor.goto(room.path)
    wait_for_line(page)
    write(page, "All the same")
    eventually(lambda: room.bodies() == ["All the same"])
    expect(bubble(page, "All the same")).to_be_visible()
    assert visitor.errors


# --- reading -----------------------------------------------------------------------------------------


@pytest.mark.long
def test_sending_from_the_new_line_scrolls_to_the_very_end(visit: Visit, room: Room) -> None:
    """The bar of new messages goes on the way, so the timeline grows."""
    room.fill(40)
    page = enter(visit(room.server, "Alice"), room)
    expect(page.locator("#unread-bar")).to_be_visible()
    page.emulate_media(reduced_motion="no-preference")
    write(page, "I was above")
    expect(bubble(page, "I was above")).to_be_visible()
    expect(page.locator("#unread-bar")).to_be_hidden()
    distance = """() => document.querySelector('#timeline').getBoundingClientRect().bottom
        - document.querySelector('#messages').lastElementChild.getBoundingClientRect().bottom"""
    eventually(lambda: page.evaluate(distance) >= 0)
    expect(page.locator("#jump")).to_be_hidden()


def test_older_messages_load_on_scrolling_without_moving_the_view(visit: Visit, room: Room) -> None:
    room.fill(180)
    page = enter(visit(room.server, "Bob"), room)
    expect(bubble(page, "180")).to_be_in_viewport()
    assert len(message_texts(page)) < 120
    deadline = time.monotonic() + 2 * PATIENCE / 1000
    while message_texts(page)[0] != "1":
        assert time.monotonic() < deadline, f"still at {message_texts(page)[0]}"
        scroll(page, -400)
        before = anchor(page)
        page.wait_for_timeout(60)
        assert abs(top_of_id(page, before[0]) - before[1]) < 1
    expect(page.locator("#older")).to_have_count(0)
    expect(page.locator(".intro")).to_have_count(1)
    assert message_texts(page) == [str(number) for number in range(1, 181)]


@pytest.mark.long
def test_end_of_typing_does_not_move_the_view_while_reading_older_messages(
    visit: Visit, room: Room, bob: Page
) -> None:
    room.fill(60)
    page = enter(visit(room.server, "Alice"), room)
    scroll(page, -600)
    before = anchor(page)
    bob.locator("#composer-body").press_sequentially("Hello")
    expect(page.locator("[data-slot=typing]")).to_have_text("Bob is typing…")
    wait_for_paint(page)
    assert abs(top_of_id(page, before[0]) - before[1]) < 1
    bob.locator("#composer-body").press("Enter")
    expect(page.locator("#jump")).to_contain_text("1 new")
    expect(page.locator("[data-slot=typing]")).to_have_text("")
    wait_for_paint(page)
    assert abs(top_of_id(page, before[0]) - before[1]) < 1


@pytest.mark.long
def test_long_history_keeps_the_number_of_rows_bounded(visit: Visit, room: Room) -> None:
    room.fill(700)
    page = enter(visit(room.server, "Bob"), room)
    most = page.locator("#messages > .message").count()
    deadline = time.monotonic() + 6 * PATIENCE / 1000
    while not page.locator(".intro").count():
        assert time.monotonic() < deadline, f"still at {message_texts(page)[0]}"
        scroll(page, -1_200)
        wait_for_paint(page)
        most = max(most, page.locator("#messages > .message").count())
    assert message_texts(page)[0] == "1"
    assert most <= 350
    page.locator("#jump button").click()
    expect(bubble(page, "700")).to_be_in_viewport(timeout=3 * PATIENCE)
    expect(page.locator("#jump")).to_be_hidden()


@pytest.mark.long
def test_new_messages_do_not_move_the_view_while_reading_older_ones(
    visit: Visit, room: Room
) -> None:
    room.fill(60)
    page = enter(visit(room.server, "Bob"), room)
    expect(bubble(page, "60")).to_be_in_viewport()
    scroll(page, -700)
    expect(page.locator("#jump")).to_be_visible()
    row, top = anchor(page)
    room.say(room.alice, "Somebody speaks")
    room.say(room.alice, "and again")
    expect(page.locator("#jump")).to_contain_text("2 new messages")
    assert abs(top_of_id(page, row) - top) < 1
    page.locator("#jump button").click()
    expect(bubble(page, "and again")).to_be_in_viewport()
    expect(page.locator("#jump")).to_be_hidden()


@pytest.mark.long
def test_jump_button_counts_only_messages_that_are_there(visit: Visit, room: Room) -> None:
    room.fill(60)
    page = enter(visit(room.server, "Bob"), room)
    expect(bubble(page, "60")).to_be_in_viewport()
    scroll(page, -700)
    jump = page.locator("#jump")
    expect(jump).to_have_text("Jump to latest")
    room.alice.call("PATCH", f"/api/conversations/{room.id}/", {"topic": "Boats"})
    expect(page.locator(".notice").last).to_contain_text("Boats")
    expect(jump).to_have_text("Jump to latest")
    one, two = (room.say(room.alice, words) for words in ("First", "Second"))
    expect(jump).to_have_text("2 new messages")
    room.alice.call("PATCH", f"/api/messages/{two['id']}/", {"body": "Second, edited"})
    expect(bubble(page, "Second, edited")).to_be_attached()
    expect(jump).to_have_text("2 new messages")
    for message in (one, two):
        room.alice.call("DELETE", f"/api/messages/{message['id']}/")
    expect(page.locator(".message--deleted")).to_have_count(2)
    expect(jump).to_have_text("Jump to latest")


@pytest.mark.long
def test_message_that_was_deleted_before_it_arrived_is_not_new(visit: Visit, room: Room) -> None:
    room.fill(60)
    visitor = visit(room.server, "Bob")
    line = Line(visitor)
    page = enter(visitor, room)
    scroll(page, -700)
    line.cut()
    gone = room.say(room.alice, "Gone soon")
    room.alice.call("DELETE", f"/api/messages/{gone['id']}/")
    line.mend()
    expect(page.locator(".message--deleted")).to_have_count(1)
    expect(page.locator("#jump")).to_have_text("Jump to latest")
    expect(page.locator(".new-line + .message--deleted")).to_have_count(0)


def test_timeline_sticks_to_the_end(visit: Visit, room: Room) -> None:
    room.fill(40)
    page = enter(visit(room.server, "Bob"), room)
    for number in range(5):
        room.say(room.alice, f"More {number}")
        expect(bubble(page, f"More {number}")).to_be_in_viewport()
    page.set_viewport_size({"width": 900, "height": 500})
    expect(bubble(page, "More 4")).to_be_in_viewport()
    page.locator("#composer-body").fill("\n".join("many lines"))
    expect(bubble(page, "More 4")).to_be_in_viewport()


def test_page_opens_at_the_new_line_and_only_visible_messages_become_read(
    visit: Visit, room: Room
) -> None:
    room.fill(45)
    page = enter(visit(room.server, "Alice"), room)
    expect(page.locator(".new-line")).to_be_in_viewport()
    last = page.locator("#messages > .message").last  # not by its text, which may be in a time
    expect(last.locator(".message__body")).to_have_text("45")
    expect(last).not_to_be_in_viewport()
    number = row_of(page, room).locator("[data-slot=unread-count]")
    expect(number).not_to_have_text("45")
    assert 0 < int(number.inner_text()) < 45
    page.locator("#jump button").click()
    expect(last).to_be_in_viewport()
    expect(row_of(page, room).locator("[data-slot=unread]")).to_be_hidden()
    expect(page.locator("#unread-bar")).to_be_hidden()
    expect(page.locator(".new-line")).to_have_count(1)


def test_message_marked_as_unread_stays_unread_while_visible(alice: Page, room: Room) -> None:
    *_, last = [room.say(room.bob, words) for words in ("First", "Second", "Third")]
    expect(bubble(alice, "Third")).to_be_in_viewport()
    path = f"/api/conversations/{room.id}/"
    eventually(lambda: room.alice.call("GET", path)[1]["last_read_seq"] == last["seq"])
    act(alice, "Second", "unread")
    number = row_of(alice, room).locator("[data-slot=unread-count]")
    expect(number).to_have_text("2")
    expect(alice.locator(".new-line + .message")).to_contain_text("Second")
    alice.wait_for_timeout(1_000)
    expect(number).to_have_text("2")
    write(alice, "Now I have read it")
    expect(row_of(alice, room).locator("[data-slot=unread]")).to_be_hidden()


# --- the sidebar -------------------------------------------------------------------------------------


@pytest.mark.long
def test_unread_counts_update_in_all_tabs(visit: Visit, room: Room, person: Persons) -> None:
    other = Room(room.server, person)
    visitor = visit(room.server, "Alice")
    page = enter(visitor, room)
    before = page.evaluate(_TOTAL)
    room.say(room.bob, "Here")
    for number in range(3):
        other.say(other.bob, f"There {number}")
    expect(row_of(page, other).locator("[data-slot=unread-count]")).to_have_text("3")
    expect(row_of(page, room).locator("[data-slot=unread]")).to_be_hidden()
    assert page.evaluate(_TOTAL) == before + 3
    first = page.locator("#conversations li").first
    expect(first).to_have_attribute("data-conversation", str(other.id))
    second = visitor.new_tab()
    second.goto(room.server.url + other.path)
    expect(row_of(page, other).locator("[data-slot=unread]")).to_be_hidden()
    assert page.evaluate(_TOTAL) == before


# The total unread count in the title: "(3) Kitchen · Chatty".
_TOTAL = "Number(document.title.match(/^\\((\\d+)\\+?\\) Kitchen/)?.[1] ?? 0)"


def test_sidebar_adds_and_removes_conversations(bob: Page, room: Room, person: Persons) -> None:
    new = Room(room.server, person)
    new.say(new.alice, "Welcome")
    expect(row_of(bob, new).locator("[data-slot=name]")).to_have_text("Kitchen")
    expect(row_of(bob, new).locator("[data-slot=unread-count]")).to_have_text("1")
    status, _ = new.alice.call("DELETE", f"/api/conversations/{new.id}/members/{new.bob_id}/")
    assert status in {200, 204}
    expect(row_of(bob, new)).to_have_count(0)


def test_renaming_a_conversation_updates_the_page(bob: Page, room: Room) -> None:
    room.alice.call("PATCH", f"/api/conversations/{room.id}/", {"name": "Garden"})
    expect(bob.locator("#conversation-name")).to_have_text("Garden")
    expect(row_of(bob, room).locator("[data-slot=name]")).to_have_text("Garden")
    expect(bob).to_have_title(re.compile("Garden"))


# --- accessibility and safety ------------------------------------------------------------------------


@pytest.mark.long
def test_on_a_phone_enter_inserts_a_line_break_and_the_page_fits(visit: Visit, room: Room) -> None:
    page = enter(visit(room.server, "Alice", phone=True), room)
    box = page.locator("#composer-body")
    box.tap()
    box.press_sequentially("one")
    box.press("Enter")
    box.press_sequentially("W" * 60)
    page.locator("#composer [type=submit]").tap()
    expect(bubble(page, "one")).to_be_in_viewport()
    expect(box).to_be_focused()
    expect(bubble(page, "one")).to_have_attribute("id", re.compile(r"\d"))
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.evaluate("innerWidth")
    long_press(bubble(page, "one")).locator("[data-action=react]").tap()
    page.locator(".picker [data-emoji]").first.tap()
    expect(bubble(page, "one").locator(".chip")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth") <= page.evaluate("innerWidth")
    long_press(bubble(page, "one")).locator("[data-action=edit]").tap()
    editor = page.locator(".editor textarea")
    expect(editor).to_be_focused()
    editor.fill("one")
    editor.press("Enter")
    editor.press_sequentially("two")
    expect(editor).to_have_value("one\ntwo")
    room.say(room.bob, f"```\n{'x' * 200}\n```")
    code = page.locator("#messages pre")
    assert code.evaluate("each => [each.scrollWidth > each.clientWidth, innerWidth]") == [True, 360]


def test_messages_can_be_managed_by_keyboard(alice: Page, room: Room) -> None:
    room.say(room.bob, "From Bob")
    room.say(room.alice, "From me")
    expect(bubble(alice, "From me")).to_be_visible()
    keyboard = alice.keyboard
    alice.locator("#timeline").focus()
    keyboard.press("k")
    expect(bubble(alice, "From me")).to_be_focused()
    keyboard.press("ArrowUp")
    expect(bubble(alice, "From Bob")).to_be_focused()
    keyboard.press("+")
    expect(alice.locator(".picker input:focus")).to_have_count(1)
    keyboard.press("ArrowDown")
    keyboard.press("Enter")
    expect(bubble(alice, "From Bob").locator(".chip")).to_have_count(1)
    keyboard.press("r")
    expect(alice.locator("#composer-body")).to_be_focused()
    keyboard.type("An answer")
    keyboard.press("Enter")
    answer = bubble(alice, "An answer")
    expect(answer.locator("[data-slot=reply-text]")).to_have_text("From Bob")
    expect(answer).to_have_attribute("id", re.compile(r"\d"))
    keyboard.press("ArrowUp")
    expect(answer.locator(".editor textarea")).to_be_focused()
    keyboard.press("Control+A")
    keyboard.type("A better answer")
    keyboard.press("Enter")
    expect(bubble(alice, "A better answer")).to_be_visible()
    alice.locator("#timeline").focus()
    keyboard.press("k")
    keyboard.press("Delete")
    expect(alice.locator("dialog")).to_be_visible()
    keyboard.press("Tab")
    keyboard.press("Enter")
    expect(bubble(alice, "Message deleted")).to_be_visible()


@pytest.mark.long
def test_message_before_the_announcer_has_loaded_is_announced(visit: Visit, room: Room) -> None:
    later = Later(visit(room.server, "Alice"))
    page = later.goto(room.path)
    room.say(room.bob, "Early")
    expect(bubble(page, "Early")).to_be_visible()
    later.come()
    expect(page.locator("#announcer")).to_have_text("Bob: Early")


@pytest.mark.long
def test_typing_before_its_indicator_has_loaded_is_shown(
    visit: Visit, room: Room, bob: Page
) -> None:
    later = Later(visit(room.server, "Alice"))
    page = later.goto(room.path)
    write(bob, "Now the page is listening")
    expect(bubble(page, "Now the page is listening")).to_be_visible()
    later.frames.clear()
    deadline = time.monotonic() + 15
    while not any('"typing"' in str(frame) for frame in later.frames):
        assert time.monotonic() < deadline
        bob.locator("#composer-body").press("a")  # `typing` may be lost, and is sent repeatedly
        page.wait_for_timeout(200)
    later.come()
    expect(page.locator("[data-slot=typing]")).to_have_text("Bob is typing…")


@pytest.mark.long
def test_events_are_not_buffered_for_a_module_that_fails_to_load(visit: Visit, room: Room) -> None:
    visitor = visit(room.server, "Alice")
    visitor.allow("ERR_FAILED", "dynamically imported module")
    later = Later(visitor)
    page = later.goto(room.path)
    page.evaluate("""async () => {
        const { BufferedEmitter } = await import("chatty/first.js");
        const replay = BufferedEmitter.prototype.replay;
        BufferedEmitter.prototype.replay = function () { globalThis.isOpen = true; replay.call(this); };
    }""")
    later.fail()
    eventually(lambda: page.evaluate("globalThis.isOpen"))
    offer = page.locator("#reload-offer")
    expect(offer).to_have_count(1)
    write(page, "Sent all the same")
    expect(bubble(page, "Sent all the same")).to_be_visible()
    page.unroute_all()
    offer.get_by_role("button").click()
    wait_for_line(page)
    expect(offer).to_have_count(0)


@pytest.mark.long
def test_module_that_the_network_lost_is_loaded_when_it_is_back(visit: Visit, room: Room) -> None:
    visitor = visit(room.server, "Alice")
    line = Line(visitor)
    page = enter(visitor, room)
    held: list[Route] = []
    page.route(re.compile("/announcer"), lambda route: held.append(route))
    room.say(room.bob, "Just in time")
    wait_for_held(page, held)
    line.cut()
    for route in held:
        route.abort("internetdisconnected")
    page.unroute_all()
    expect(page.locator("#connection")).to_contain_text("offline")
    expect(page.locator("#announcer")).to_be_empty()
    expect(page.locator("#reload-offer")).to_have_count(0)
    line.mend()
    expect(page.locator("#announcer")).to_have_text("Bob: Just in time")
    expect(page.locator("#reload-offer")).to_have_count(0)


def test_new_messages_are_announced_once_with_author_and_text(alice: Page, room: Room) -> None:
    alice.evaluate(
        """() => {
            const place = document.getElementById("announcer");
            window.announced = [];
            new MutationObserver(() => announced.push(place.textContent)).observe(place, { childList: true });
        }"""
    )
    room.say(room.bob, "Listen to **this**")
    expect(alice.locator("#announcer")).to_have_text("Bob: Listen to this")
    write(alice, "My own words")
    expect(bubble(alice, "My own words")).to_have_attribute("id", re.compile(r"\d"))
    room.say(room.bob, "And this")
    expect(alice.locator("#announcer")).to_have_text("Bob: And this")
    assert alice.evaluate("announced") == ["Bob: Listen to this", "Bob: And this"]


def test_markup_in_messages_is_not_executed(alice: Page, bob: Page, room: Room) -> None:
    opened: list[str] = []

    def note(dialog: Dialog) -> None:
        opened.append(dialog.message)
        dialog.dismiss()

    for page in (alice, bob):
        page.on("dialog", note)
    markup = (
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[click](javascript:alert(1))",
        "<svg/onload=alert(1)>",
        "`</textarea><script>alert(1)</script>`",
        "![x](https://example.org/x.png)",
    )
    for number, words in enumerate(markup):
        room.say(room.bob, words)
        expect(alice.locator("#messages > .message")).to_have_count(3 * number + 1)
        write(alice, words)
        expect(bob.locator("#messages > .message")).to_have_count(3 * number + 2)
        answered = bob.locator("#messages > .message").last
        answered.hover()
        answered.locator("[data-action=reply]:visible").click()
        write(bob, f"Quoting {words}")
        expect(alice.locator("#messages > .message")).to_have_count(3 * number + 3)
    alice.reload()
    wait_for_line(alice)
    assert opened == []
    for page in (alice, bob):
        # Avatars are the only images.
        foreign = "script, img:not(.avatar__picture), [onerror], [onload]"
        assert page.locator("#messages").locator(foreign).count() == 0
        assert page.locator("#messages a[href^='javascript']").count() == 0
