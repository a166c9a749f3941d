"""Asking to join a conversation: live for both sides, by keyboard, and without scripts."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.rooms import Room, enter
from tests.installations import ChatServer

pytestmark = pytest.mark.browser


def link_of(room: Room) -> str:
    status, made = room.alice.call("POST", f"/api/conversations/{room.id}/join-link/")
    assert status == 200
    return re.sub(r"^https?://[^/]+", "", made["url"])


def test_question_and_answer_are_live(server: ChatServer, room: Room, visit: Visit):
    path = link_of(room)
    admin, asker = visit(server, "Alice"), visit(server, "Carol")
    enter(admin, room)
    number = admin.page.locator("[data-join-requests]")
    expect(number).to_be_hidden()
    admin.page.locator("[data-pane=members]").click()
    pane = admin.page.locator("#details")
    expect(pane).to_contain_text("Link to ask to join")

    asker.goto(path)
    asker.page.get_by_label("Why would you like to join?").fill("I know the tides.")
    asker.page.get_by_role("button", name="Ask to join").press("Enter")
    expect(asker.page.get_by_text("Your request was sent. The admins will decide.")).to_be_visible()
    expect(number).to_have_text("Requests to join: 1")
    expect(pane).to_contain_text("I know the tides.")
    pane.get_by_role("button", name="Accept Carol").press("Enter")
    asker.page.wait_for_url(f"**/c/{room.id}/")
    expect(number).to_be_hidden()


@pytest.mark.long
def test_without_scripts(server: ChatServer, room: Room, visit: Visit):
    path = link_of(room)
    admin = visit(server, "Alice", javascript=False)
    asker = visit(server, "Carol", javascript=False, phone=True)
    asker.goto(path)
    asker.page.get_by_role("button", name="Ask to join").click()
    admin.goto(f"/c/{room.id}/members/")
    admin.page.get_by_role("button", name=re.compile("who can’t ask again")).click()
    expect(admin.page.get_by_text("Can’t ask again")).to_be_visible()
    asker.goto(path)
    expect(asker.page.get_by_text("Your last request was declined.")).to_be_visible()
    admin.page.get_by_role("button", name="Let Carol ask again").click()
    expect(admin.page.get_by_text("They can ask again now.")).to_be_visible()
