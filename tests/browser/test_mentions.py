"""Mentions: the list of members that opens after an "@"."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.conftest import Visit
from tests.browser.rooms import (
    Persons,
    Room,
    bubble,
    enter,
    let_go,
    message_texts,
    violations,
    wait_for_paint,
)
from tests.installations import ChatServer


@pytest.fixture
def room(server: ChatServer, person: Persons) -> Room:
    """A room that includes Carol."""
    room = Room(server, person)
    _, carol = person(server, "Carol").call("GET", "/api/me/")
    path = f"/api/conversations/{room.id}/members/"
    assert room.alice.call("POST", path, {"users": [carol["id"]]})[0] < 300
    return room


def box(page: Page) -> Locator:
    return page.locator("#composer-body")


def offered(page: Page) -> Locator:
    return page.get_by_role("listbox", name="People").get_by_role("option")


def names(page: Page) -> Locator:
    return offered(page).locator("[data-slot=name]")


def test_mention_suggests_matching_members_and_enter_inserts_the_first(alice: Page) -> None:
    box(alice).press_sequentially("Ask @")
    expect(names(alice)).to_have_text(["Bob", "Carol", "all"])
    box(alice).press_sequentially("c")
    expect(names(alice)).to_have_text(["Carol"])
    expect(offered(alice)).to_have_attribute("aria-selected", "true")
    option = offered(alice).get_attribute("id")
    expect(box(alice)).to_have_attribute("aria-activedescendant", str(option))
    box(alice).press("Enter")
    expect(box(alice)).to_have_value("Ask @Carol ")
    expect(offered(alice)).to_have_count(0)
    box(alice).press_sequentially("first")
    expect(offered(alice)).to_have_count(0)
    box(alice).press("Enter")
    expect(bubble(alice, "Ask @Carol first")).to_be_visible()


@pytest.mark.long
def test_editor_of_a_message_suggests_as_the_composer_does(alice: Page, room: Room) -> None:
    room.say(room.alice, "Hello")
    bubble(alice, "Hello").focus()
    alice.keyboard.press("e")
    editor = alice.locator("#editor-body")
    expect(editor).to_be_focused()
    editor.press_sequentially(" @c")
    expect(names(alice)).to_have_text(["Carol"])
    expect(offered(alice)).to_be_in_viewport(ratio=1)
    editor.press("Escape")  # closes the list, not the editor
    expect(offered(alice)).to_have_count(0)
    editor.press("Backspace")
    editor.press("Backspace")
    editor.press_sequentially("@c")
    expect(names(alice)).to_have_text(["Carol"])
    editor.press("Enter")
    expect(editor).to_have_value("Hello @Carol ")
    editor.press_sequentially(":wave:")
    expect(editor).to_have_value("Hello @Carol 👋")
    editor.press("Enter")
    expect(bubble(alice, "Hello @Carol 👋")).to_be_visible()
    expect(alice.locator(".suggestions")).to_have_count(0)
    assert violations(alice) == []


@pytest.mark.long
def test_mention_list_handles_arrows_tab_and_escape(alice: Page) -> None:
    box(alice).press_sequentially("@")
    expect(offered(alice)).to_have_count(3)
    box(alice).press("ArrowDown")
    expect(offered(alice).nth(1)).to_have_attribute("aria-selected", "true")
    box(alice).press("ArrowUp")
    expect(offered(alice).nth(0)).to_have_attribute("aria-selected", "true")
    box(alice).press("ArrowUp")
    expect(offered(alice).nth(2)).to_have_attribute("aria-selected", "true")
    box(alice).press("ArrowUp")
    box(alice).press("Tab")
    expect(box(alice)).to_have_value("@Carol ")
    box(alice).press_sequentially("and @b")
    expect(offered(alice)).to_have_count(1)
    box(alice).press("Escape")
    expect(offered(alice)).to_have_count(0)
    expect(box(alice)).to_be_focused()
    box(alice).press_sequentially("o")
    expect(offered(alice)).to_have_count(0)
    box(alice).press("Enter")
    expect(bubble(alice, "@Carol and @bo")).to_be_visible()


def test_mention_typed_in_full_is_sent_unchanged(alice: Page) -> None:
    box(alice).press_sequentially("Hello @b")
    expect(offered(alice)).to_have_count(1)
    box(alice).press_sequentially("ob")
    expect(offered(alice)).to_have_count(0)
    box(alice).press("Enter")
    expect(bubble(alice, "Hello @bob")).to_be_visible()


def test_everyone_is_mentioned_by_those_who_may(alice: Page, bob: Page, room: Room) -> None:
    box(alice).press_sequentially("@every")
    expect(names(alice)).to_have_text(["all"])
    expect(offered(alice)).to_contain_text("Notify everyone (2 people)")
    box(alice).press("Enter")
    expect(box(alice)).to_have_value("@all ")
    box(alice).press("Enter")
    expect(bubble(bob, "@all")).to_have_class(re.compile("message--mentioned"))
    expect(bubble(bob, "@all").locator(".mention--me")).to_have_text("@all")
    expect(bubble(alice, "@all").locator(".mention")).not_to_have_class(re.compile("--me"))
    path = f"/api/conversations/{room.id}/"
    assert room.alice.call("PATCH", path, {"mentioning_all": "admins"})[0] == 200
    expect(bob.locator("#conversation")).not_to_have_attribute(
        "data-can", re.compile("mention-all")
    )
    box(bob).press_sequentially("Hi @al")
    note = bob.locator("#composer [data-slot=everyone]")
    expect(note).to_be_hidden()
    box(bob).press_sequentially("l")
    expect(note).to_have_text("Only admins can notify everyone here.")
    expect(offered(bob)).to_have_count(0)
    bob.reload()  # it is also said of a draft
    expect(note).to_have_text("Only admins can notify everyone here.")
    box(bob).press("Enter")
    expect(note).to_be_hidden()
    expect(bubble(alice, "Hi @all")).not_to_have_class(re.compile("message--mentioned"))


@pytest.mark.long
def test_email_address_opens_no_mention_list(alice: Page) -> None:
    box(alice).press_sequentially("@")
    expect(offered(alice)).to_have_count(3)
    box(alice).fill("")
    box(alice).press_sequentially("carol@b")
    wait_for_paint(alice)
    expect(offered(alice)).to_have_count(0)
    box(alice).press("Enter")
    expect(bubble(alice, "carol@b")).to_be_visible()


@pytest.mark.long
def test_mention_can_be_tapped_on_a_phone_and_highlights_the_message(
    visit: Visit, room: Room
) -> None:
    bob = enter(visit(room.server, "Bob"), room)
    page = enter(visit(room.server, "Alice", phone=True), room)
    box(page).tap()
    box(page).press_sequentially("Come @bo")
    offered(page).tap()
    expect(box(page)).to_have_value("Come @Bob ")
    expect(box(page)).to_be_focused()
    page.get_by_role("button", name="Send").tap()
    expect(bubble(bob, "Come @Bob")).to_have_class(re.compile("message--mentioned"))
    assert message_texts(page)[-1] == "Come @Bob"


@pytest.mark.long
def test_mention_list_follows_changes_of_members(alice: Page, room: Room) -> None:
    box(alice).press_sequentially("@")
    expect(offered(alice)).to_have_count(3)
    box(alice).fill("")
    path = f"/api/conversations/{room.id}/members/{room.bob_id}/"
    assert room.alice.call("DELETE", path)[0] == 204
    expect(alice.locator("#messages")).to_contain_text("Alice removed Bob")
    box(alice).press_sequentially("@")
    expect(names(alice)).to_have_text(["Carol", "all"])


@pytest.mark.long
def test_inserted_mention_is_saved_in_the_draft(visit: Visit, room: Room) -> None:
    visitor = visit(room.server, "Alice")
    page = enter(visitor, room)
    box(page).press_sequentially("@ca")
    expect(offered(page)).to_have_count(1)
    box(page).press("Tab")
    page.reload()
    expect(box(page)).to_have_value("@Carol ")


@pytest.mark.long
def test_axe_finds_no_violations_in_the_mention_list(alice: Page) -> None:
    box(alice).press_sequentially("@")
    expect(offered(alice)).to_have_count(3)
    assert violations(alice) == []


@pytest.mark.long
def test_mention_list_opens_again_for_the_next_message(alice: Page) -> None:
    for words in ("hi", "again"):
        box(alice).press_sequentially("@c")
        expect(offered(alice)).to_have_count(1)
        box(alice).press("Enter")
        box(alice).press_sequentially(words)
        box(alice).press("Enter")
        expect(bubble(alice, f"@Carol {words}")).to_be_visible()


@pytest.mark.long
def test_mention_list_closes_when_the_mention_is_sent_or_left(alice: Page) -> None:
    box(alice).press_sequentially("hey @c")
    expect(offered(alice)).to_have_count(1)
    box(alice).press("Control+Enter")
    expect(bubble(alice, "hey @c")).to_be_visible()
    expect(offered(alice)).to_have_count(0)
    box(alice).press_sequentially("x @c")
    expect(offered(alice)).to_have_count(1)
    box(alice).press("Home")
    expect(offered(alice)).to_have_count(0)
    box(alice).press("End")
    expect(offered(alice)).to_have_count(1)
    alice.locator("#timeline").focus()
    expect(offered(alice)).to_have_count(0)


def test_inserted_mention_replaces_the_word_and_can_be_undone(alice: Page) -> None:
    box(alice).press_sequentially("Ask @bo")
    box(alice).press("ArrowLeft")
    expect(offered(alice)).to_have_count(1)
    box(alice).press("Tab")
    expect(box(alice)).to_have_value("Ask @Bob ")
    box(alice).press("Control+z")
    expect(box(alice)).to_have_value("Ask @bo")


@pytest.mark.long
def test_mention_list_stays_closed_if_names_load_after_losing_focus(
    visit: Visit, room: Room
) -> None:
    page = enter(visit(room.server, "Alice"), room)
    held: list[Route] = []
    page.route(re.compile("/members/"), lambda route: held.append(route))
    box(page).press_sequentially("@")
    page.locator("#timeline").focus()
    with page.expect_response(re.compile("/members/")) as names:
        let_go(page, held)
    names.value.finished()
    wait_for_paint(page)
    expect(offered(page)).to_have_count(0)
    box(page).focus()
    expect(offered(page)).to_have_count(3)
