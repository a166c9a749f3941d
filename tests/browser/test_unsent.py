"""Unsent text when a session ends: it is kept, or removed after a question."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit, Visitor
from tests.browser.rooms import Later, Room, enter, wait_for_line

KEPT = "This browser has unsent messages or drafts."


def end_all_sign_ins(room: Room) -> None:
    code = (
        "from accounts.models import User; from accounts.actions import end_sign_ins; "
        'end_sign_ins(User.objects.get(email="alice@example.org"))'
    )
    room.server.manage("shell", "-c", code)


def draft(page: Page, text: str) -> None:
    page.locator("#composer-body").fill(text)


def sign_out(page: Page) -> None:
    page.get_by_role("button", name="Sign out").click()


def answer(page: Page, name: str) -> None:
    page.locator("dialog").get_by_role("button", name=name, exact=True).click()


@pytest.mark.long
def test_signing_out_asks_about_a_draft_in_another_tab(visit: Visit, room: Room) -> None:
    visitor = visit(room.server, "Alice")
    visitor.allow("401")  # requests of the other tab after signing out
    one = enter(visitor, room)
    two = visitor.new_tab()
    two.goto(room.server.url + room.path)
    wait_for_line(two)
    draft(one, "A draft")
    sign_out(two)
    expect(two.locator("dialog")).to_contain_text("1 message or draft hasn’t been sent.")
    answer(two, "Cancel")
    expect(one.locator("#composer-body")).to_have_value("A draft")
    sign_out(two)
    answer(two, "Sign out and discard")
    two.wait_for_url("**/sign-in/**")
    expect(two.locator("#unsent")).to_be_hidden()
    expect(one.locator(".connection-bar")).to_contain_text("You’ve been signed out.")
    expect(one.locator(".connection-bar")).not_to_contain_text("saved in this browser")
    visitor.sign_in("Alice")
    page = enter(visitor, room)
    expect(page.locator("#composer-body")).to_have_value("")


def test_drafts_survive_a_session_ended_elsewhere_for_their_author_only(
    visit: Visit, room: Room
) -> None:
    visitor = visit(room.server, "Alice")
    visitor.allow("401")  # requests of the page after its session has ended
    page = enter(visitor, room)
    draft(page, "Only mine")
    end_all_sign_ins(room)
    expect(page.locator(".connection-bar")).to_contain_text(
        "Your drafts are saved in this browser."
    )
    page.get_by_role("link", name="Sign in again").click()
    expect(page.locator("#unsent")).to_contain_text(KEPT)
    visitor.sign_in("Bob")
    expect(enter(visitor, room).locator("#composer-body")).to_have_value("")
    sign_out(page)
    page.wait_for_url("**/sign-in/**")
    visitor.sign_in("Alice")
    expect(enter(visitor, room).locator("#composer-body")).to_have_value("Only mine")


@pytest.mark.long
def test_sign_in_page_offers_to_remove_unsent_text(visit: Visit, room: Room) -> None:
    visitor: Visitor = visit(room.server, "Alice")
    page = enter(visitor, room)
    draft(page, "Left behind")
    later = Later(visitor)
    later.goto(room.path)
    sign_out(page)
    page.wait_for_url("**/sign-in/**")
    expect(page.locator("#unsent")).to_contain_text(KEPT)
    page.get_by_role("button", name="Discard").click()
    expect(page.locator("#unsent")).to_contain_text("Discarded.")
    names = page.evaluate("Object.keys(localStorage)")
    assert not [name for name in names if re.match(r"chatty\.draft", name)]
    page.reload()
    expect(page.locator("#unsent")).to_be_hidden()
