"""Edits in progress are stored like drafts and never overwrite another edit unseen."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Visit
from tests.browser.rooms import (
    Room,
    act,
    bubble,
    enter,
    let_go,
    long_press,
    violations,
    wait_for_held,
    write,
)

KEPT = """Object.keys(localStorage).filter((name) => name.includes(".edit.")).length"""


def begin(page: Page, body: str, words: str) -> None:
    act(page, body, "edit")
    page.locator("#editor-body").fill(words)


def change(room: Room, message: int, body: str) -> None:
    assert room.alice.call("PATCH", f"/api/messages/{message}/", {"body": body})[0] == 200


def test_edit_in_progress_survives_a_reload_and_navigation(alice: Page, room: Room) -> None:
    room.say(room.alice, "Helo")
    begin(alice, "Helo", "Hello, and a long thought")
    alice.goto(f"{room.server.url}/settings/profile/")
    alice.goto(room.server.url + room.path)
    expect(alice.locator("#editor-body")).to_have_value("Hello, and a long thought")
    alice.reload()
    expect(alice.locator("#editor-body")).to_have_value("Hello, and a long thought")
    alice.locator("#editor-body").press("Enter")
    expect(bubble(alice, "Hello, and a long thought").locator(".message__edited")).to_be_visible()
    assert alice.evaluate(KEPT) == 0


@pytest.mark.long
def test_text_typed_while_the_editor_loads_is_in_it(visit: Visit, room: Room) -> None:
    room.say(room.alice, "Hello")
    visitor = visit(room.server, "Alice")
    held: list[Route] = []
    visitor.page.route(re.compile(r"/views/editing\b"), lambda route: held.append(route))
    page = enter(visitor, room)
    page.locator("#composer-body").press("ArrowUp")
    wait_for_held(page, held)
    page.keyboard.type(", Bob")
    page.keyboard.press("Enter")
    held[0].continue_()
    expect(page.locator("#editor-body")).to_have_value("Hello, Bob")
    expect(page.locator("#editor-body")).to_be_focused()
    expect(page.locator("#composer-body")).to_have_value("")
    page.keyboard.press("Enter")
    expect(bubble(page, "Hello, Bob").locator(".message__edited")).to_be_visible()
    assert room.bodies() == ["Hello, Bob"]


def test_text_typed_while_the_editor_is_delayed_stays_in_the_composer(
    visit: Visit, room: Room
) -> None:
    """On a bad connection the editor may load late. The text is then a message of its own."""
    room.say(room.alice, "Hello")
    visitor = visit(room.server, "Alice")
    held: list[Route] = []
    visitor.page.route(re.compile(r"/views/editing\b"), lambda route: held.append(route))
    page = enter(visitor, room)
    page.clock.install()
    page.locator("#composer-body").press("ArrowUp")
    wait_for_held(page, held)
    page.clock.run_for(3_100)
    page.keyboard.type("Something else")
    held[0].continue_()
    expect(page.locator("#editor-body")).to_have_value("Hello")
    expect(page.locator("#composer-body")).to_have_value("Something else")


@pytest.mark.long
def test_arrow_up_focuses_an_open_editor(visit: Visit, room: Room) -> None:
    room.say(room.alice, "Helo")
    page = enter(visit(room.server, "Alice"), room)
    begin(page, "Helo", "Hello")
    page.locator("#composer-body").press("ArrowUp")
    expect(page.locator("#editor-body")).to_be_focused()
    expect(page.locator("#editor-body")).to_have_value("Hello")


@pytest.mark.long
def test_saving_an_edit_does_not_move_the_focus(alice: Page, room: Room) -> None:
    room.say(room.alice, "Hello")
    expect(bubble(alice, "Hello")).to_be_visible()
    held: list[Route] = []
    alice.locator("#composer-body").press("ArrowUp")
    expect(alice.locator("#editor-body")).to_be_focused()
    alice.locator("#editor-body").fill("Hello, Bob")
    alice.route(re.compile(r"/api/messages/\d+/$"), lambda route: held.append(route))
    alice.locator("#editor-body").press("Enter")
    wait_for_held(alice, held)
    alice.locator("#timeline").focus()
    let_go(alice, held)
    expect(alice.locator("#editor-body")).to_have_count(0)
    expect(bubble(alice, "Hello, Bob")).to_be_visible()
    expect(alice.locator("#timeline")).to_be_focused()


@pytest.mark.long
def test_closing_an_editor_returns_the_focus_to_where_it_was_opened(
    visit: Visit, room: Room
) -> None:
    room.say(room.alice, "Hello")
    page = enter(visit(room.server, "Alice"), room)
    message, editor = bubble(page, "Hello"), page.locator("#editor-body")
    message.focus()
    message.press("e")
    expect(editor).to_be_focused()
    editor.press("Escape")
    expect(message).to_be_focused()
    message.press("e")
    editor.fill("Hello, Bob")
    editor.press("Enter")
    expect(editor).to_have_count(0)
    expect(message).to_be_focused()
    act(page, "Hello", "edit")
    editor.press("Escape")
    expect(message.locator(".message__more")).to_be_focused()
    page.locator("#composer-body").press("ArrowUp")
    editor.press("Escape")
    expect(page.locator("#composer-body")).to_be_focused()


@pytest.mark.long
def test_keyboard_of_a_phone_stays_away_after_an_edit_or_a_discarded_message(
    visit: Visit, room: Room
) -> None:
    room.say(room.alice, "Hello")
    page = enter(visit(room.server, "Alice", phone=True), room)
    write(page, "Odd \x01 character")
    page.locator("#composer [type=submit]").tap()
    failed = page.locator(".message--failed")
    page.evaluate("document.activeElement.blur()")
    failed.locator("[data-action=discard]").tap()
    expect(failed).to_have_count(0)
    expect(page.locator("textarea:focus")).to_have_count(0)
    long_press(bubble(page, "Hello")).locator("[data-action=edit]").tap()
    expect(page.locator("#editor-body")).to_be_focused()
    page.keyboard.press("End")
    page.keyboard.press("Enter")  # breaks the line, as in the composer
    page.keyboard.type("there")
    expect(page.locator("#editor-body")).to_have_value("Hello\nthere")
    page.locator(".editor [data-action=cancel]").tap()
    expect(page.locator("#editor-body")).to_have_count(0)
    expect(page.locator("textarea:focus")).to_have_count(0)


@pytest.mark.long
def test_cancelling_an_edit_removes_its_draft(alice: Page, room: Room) -> None:
    room.say(room.alice, "As it is")
    begin(alice, "As it is", "Something else")
    assert alice.evaluate(KEPT) == 1
    alice.locator("#editor-body").press("Escape")
    assert alice.evaluate(KEPT) == 0


@pytest.mark.long
def test_reopened_edit_does_not_take_the_focus(visit: Visit, room: Room) -> None:
    room.say(room.alice, "Helo")
    visitor = visit(room.server, "Alice")
    page = enter(visitor, room)
    begin(page, "Helo", "Hello")
    page.reload()
    expect(page.locator("#editor-body")).to_have_value("Hello")
    expect(page.locator("#editor-body")).not_to_be_focused()


@pytest.mark.long
def test_edit_of_a_deleted_message_moves_to_the_composer(alice: Page, room: Room) -> None:
    gone = room.say(room.alice, "Helo")
    begin(alice, "Helo", "Hello, and a long thought")
    alice.goto(f"{room.server.url}/settings/profile/")
    assert room.alice.call("DELETE", f"/api/messages/{gone['id']}/")[0] == 200
    alice.goto(room.server.url + room.path)
    expect(alice.locator("#composer-body")).to_have_value("Hello, and a long thought")
    expect(alice.locator(".toast")).to_contain_text("deleted while you were editing")
    assert alice.evaluate(KEPT) == 0


@pytest.mark.long
def test_edit_of_a_deleted_message_that_is_not_loaded_moves_to_the_composer(
    alice: Page, room: Room
) -> None:
    gone = room.say(room.alice, "Helo")
    begin(alice, "Helo", "Hello, and a long thought")
    alice.goto(f"{room.server.url}/settings/profile/")
    assert room.alice.call("DELETE", f"/api/messages/{gone['id']}/")[0] == 200
    room.fill(60)
    alice.goto(room.server.url + room.path)
    expect(alice.locator("#composer-body")).to_have_value("Hello, and a long thought")


def test_conflicting_edit_shows_both_versions_and_can_overwrite(visit: Visit, room: Room) -> None:
    message = room.say(room.alice, "Dinner at six")
    visitor = visit(room.server, "Alice")
    visitor.allow("409")
    page = enter(visitor, room)
    begin(page, "Dinner at six", "Dinner at seven")
    change(room, message["id"], "Dinner at **eight**")
    page.locator("#editor-body").press("Enter")
    editor = page.locator(".editor")
    expect(editor.locator("[data-slot=error]")).to_contain_text("edited elsewhere")
    expect(editor.locator(".conflict__other strong")).to_have_text("eight")
    expect(page.locator("#editor-body")).to_have_value("Dinner at seven")
    assert violations(page) == []
    page.reload()  # the draft and the conflict are still there
    expect(page.locator("#editor-body")).to_have_value("Dinner at seven")
    page.locator("#editor-body").press("Enter")
    expect(bubble(page, "Dinner at seven")).to_be_visible()
    expect(page.locator(".editor")).to_have_count(0)
    assert room.bodies() == ["Dinner at seven"]


@pytest.mark.long
def test_conflicting_edit_can_be_discarded(visit: Visit, room: Room) -> None:
    message = room.say(room.alice, "Dinner at six")
    page = enter(visit(room.server, "Alice"), room)
    begin(page, "Dinner at six", "Dinner at seven")
    page.goto(f"{room.server.url}/settings/profile/")
    change(room, message["id"], "Dinner at eight")
    page.goto(room.server.url + room.path)
    expect(page.locator(".conflict__other")).to_have_text("Dinner at eight")
    page.locator(".editor [data-action=cancel]").click()
    expect(bubble(page, "Dinner at eight")).to_be_visible()
    assert page.evaluate(KEPT) == 0
    assert room.bodies() == ["Dinner at eight"]
