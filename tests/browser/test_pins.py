"""Pinned messages: pinned in the menu of a message, shown to others at once, listed in the pane."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.rooms import Room, act, bubble, enter, write


def test_message_is_pinned_found_again_and_unpinned(alice: Page, bob: Page, room: Room) -> None:
    code = "The door code is 4711"
    write(bob, code)
    act(alice, code, "pin")
    expect(bubble(alice, code).locator(".message__pin")).to_have_text("Pinned by you")
    mark = bubble(bob, code).locator(".message__pin")
    expect(mark).to_have_text("Pinned by Alice")
    expect(bob.locator(".notice__link")).to_have_text("pinned a message.")

    mark.click()
    details = bob.locator("#details")
    expect(details.get_by_role("heading", name="Pinned messages")).to_be_visible()
    expect(details.locator(".pins__text")).to_have_text(code)
    details.get_by_role("link", name="Go to message").click()
    expect(bubble(bob, code)).to_have_class(re.compile("message--found"))
    expect(details.locator(".pins__text")).to_have_text(code)

    # Another pin, an edit and an unpinning are shown in the open list.
    write(alice, "Bring your own cup")
    act(alice, "Bring your own cup", "pin")
    expect(details.locator(".pins__text")).to_have_text(["Bring your own cup", code])
    act(bob, code, "edit")
    bob.locator(".editor textarea").fill("The door code is 0815")
    bob.locator(".editor textarea").press("Enter")
    expect(details.locator(".pins__text").last).to_have_text("The door code is 0815")
    bubble(alice, "0815").focus()
    alice.keyboard.press("p")
    expect(details.locator(".pins__text")).to_have_text(["Bring your own cup"])
    expect(bubble(bob, "0815").locator(".message__pin")).to_have_count(0)

    details.get_by_role("button", name="Unpin").click()
    expect(details.get_by_role("heading", name="No pinned messages")).to_be_visible()
    expect(alice.locator(".message__pin")).to_have_count(0)


@pytest.mark.long
def test_pinned_messages_on_a_phone(visit: Visit, room: Room) -> None:
    message = room.say(room.bob, "The door code is 4711")
    room.bob.call("PUT", f"/api/messages/{message['id']}/pin/")
    page = enter(visit(room.server, "Alice", phone=True), room)
    expect(page.locator(".topbar__pins")).to_be_hidden()
    page.locator(".topbar [data-pane=settings]").click()
    details = page.locator("#details")
    details.get_by_role("link", name="Pinned messages").click()
    details.get_by_role("link", name="Go to message").click()
    expect(details).to_be_hidden()
    expect(bubble(page, "The door code")).to_be_visible()
