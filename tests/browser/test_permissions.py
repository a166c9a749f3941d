"""A change of rights on pages that are open: composer, buttons and menus follow within a second."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Visit
from tests.browser.rooms import Line, Room, bubble, enter, offered, violations, write
from tests.installations import ChatServer, eventually

pytestmark = pytest.mark.browser

ONLY_ADMINS = "Only admins can post here."


def change(room: Room, **changed: object) -> None:
    path = f"/api/conversations/{room.id}/"
    assert room.alice.call("PATCH", path, changed)[0] == 200


def composer(page: Page) -> Locator:
    return page.locator("#composer-body")


def test_open_pages_follow_every_right(visit: Visit, server: ChatServer, room: Room) -> None:
    room.say(room.alice, "From Alice")
    bob = enter(visit(server, "Bob"), room)
    alice = enter(visit(server, "Alice"), room)
    assert "reply" in offered(bubble(bob, "From Alice"))
    started = time.monotonic()
    change(room, posting="admins")
    expect(bob.locator("#locked-bar")).to_contain_text(ONLY_ADMINS, timeout=1_000)
    expect(bob.locator("#conversation[data-can~=reply]")).to_have_count(0, timeout=1_000)
    assert time.monotonic() - started < 3
    assert "reply" not in offered(bubble(bob, "From Alice"))
    assert "react" in offered(bubble(bob, "From Alice"))
    expect(bob.locator("#messages")).to_contain_text("Alice allowed only admins to post.")
    assert violations(bob) == []
    write(alice, "An announcement")
    expect(bob.locator("#messages")).to_contain_text("An announcement")
    bob.reload()
    expect(bob.locator(".posting-bar")).to_contain_text(ONLY_ADMINS)
    expect(composer(bob)).to_be_hidden()
    change(room, posting="everyone")
    expect(composer(bob)).to_be_editable(timeout=1_000)
    write(bob, "Thanks")
    expect(alice.locator("#messages")).to_contain_text("Thanks")
    people = bob.context.new_page()
    people.goto(f"{server.url}{room.path}members/")
    offer = people.get_by_role("heading", name="Add people")
    expect(offer).to_be_hidden()
    settings = ["adding", "inviting", "renaming", "mentioning_all", "pinning"]
    words = ["add", "invite", "rename", "mention-all", "pin"]
    change(room, **dict.fromkeys(settings, "everyone"))
    for word in words:
        expect(bob.locator(f"#conversation[data-can~={word}]")).to_be_attached(timeout=1_000)
    expect(offer).to_be_visible()
    people.locator("#q").fill("Ca")
    change(room, **dict.fromkeys(settings, "admins"))
    for word in words:
        expect(bob.locator(f"#conversation[data-can~={word}]")).to_have_count(0, timeout=1_000)
    expect(offer).to_be_visible()  # until what was entered is gone
    people.locator("#q").fill("")
    people.keyboard.press("Tab")  # the page can be another one by now, without the field
    expect(offer).to_be_hidden()
    path = f"/api/conversations/{room.id}/members/{room.bob_id}/"
    assert room.alice.call("PATCH", path, {"role": "admin"})[0] == 200
    expect(bob.locator("#conversation[data-can~=delete-any]")).to_be_attached(timeout=1_000)
    expect(offer).to_be_visible()


@pytest.mark.long
def test_unsent_text_is_kept_when_only_admins_can_post(
    visit: Visit, server: ChatServer, room: Room
) -> None:
    bob = enter(visit(server, "Bob"), room)
    composer(bob).fill("Half a thought")
    change(room, posting="admins")
    bar = bob.locator("#locked-bar")
    expect(bar.get_by_role("button")).to_have_text(["Copy text", "Discard"])
    change(room, posting="everyone")
    expect(bar).to_have_count(0)
    expect(composer(bob)).to_have_value("Half a thought")
    change(room, posting="admins")
    change(room, archived=True)
    expect(bar).to_contain_text("This conversation was archived.")
    change(room, archived=False)
    expect(bar).to_contain_text(ONLY_ADMINS)


@pytest.mark.long
def test_rights_are_followed_without_a_socket(visit: Visit, server: ChatServer, room: Room) -> None:
    visitor = visit(server, "Bob")
    visitor.context.route_web_socket(re.compile("/ws/"), lambda route: route.close(code=1001))
    bob = visitor.goto(room.path)
    change(room, posting="admins")
    expect(bob.locator("#locked-bar")).to_contain_text(ONLY_ADMINS, timeout=30_000)


def test_slow_mode_sends_later_and_shows_the_wait(
    visit: Visit, server: ChatServer, room: Room
) -> None:
    bob = enter(visit(server, "Bob"), room)
    note = bob.locator("[data-slot=slow-mode]")
    expect(note).to_be_hidden()
    change(room, slow_mode=5)
    expect(note).to_have_text("Slow mode: one message every 5 s.", timeout=2_000)
    write(bob, "One")
    expect(note).to_have_text(re.compile(r"Slow mode: next message in \d s\."))
    write(bob, "Two")
    assert room.bodies() == ["One"]
    bob.reload()  # the message waits in the outbox
    expect(bob.locator("[data-slot=slow-mode]")).to_have_text(re.compile(r"next message in \d s"))
    eventually(lambda: room.bodies() == ["One", "Two"])
    expect(bob.locator("#messages .message--pending")).to_have_count(0)


@pytest.mark.long
def test_offline_message_is_refused_with_the_reason(
    visit: Visit, server: ChatServer, room: Room
) -> None:
    visitor = visit(server, "Bob")
    line = Line(visitor)
    bob = enter(visitor, room)
    line.cut()
    write(bob, "Too late")
    change(room, posting="admins")
    line.mend()
    expect(bob.locator(".message__failure")).to_contain_text("only admins can post")


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "plain"])
def test_owner_changes_permissions_in_the_settings(
    scripts: bool, visit: Visit, server: ChatServer, room: Room
) -> None:
    visitor = visit(server, "Alice", javascript=scripts)
    page = visitor.goto(f"{room.path}settings/")
    page.get_by_label("Who can post").select_option("admins")
    page.get_by_label("Slow mode").select_option("30")
    page.locator("form[action$='/permissions/'] button").click()
    expect(page.get_by_label("Who can post")).to_have_value("admins")
    expect(page.get_by_label("Slow mode")).to_have_value("30")
    assert room.alice.call("GET", f"/api/conversations/{room.id}/")[1]["slow_mode"] == 30
