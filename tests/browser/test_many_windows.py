"""More windows of one person than the server accepts sockets."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.rooms import Room, bubble, enter, wait_for_line, write
from tests.installations import Builder, ChatServer


@pytest.fixture(scope="module")
def server(builder: Builder) -> Iterator[ChatServer]:
    with contextlib.closing(builder.sqlite()) as installation:
        yield installation.serve(SOCKETS_PER_USER="2")


@pytest.mark.long
def test_window_can_be_used_without_a_reload_once_another_is_closed(
    visit: Visit, room: Room
) -> None:
    visitor = visit(room.server, "Alice")
    enter(visitor, room)
    other, last = visitor.new_tab(), visitor.new_tab()
    other.goto(room.server.url + room.path)
    wait_for_line(other)
    last.goto(room.server.url + room.path)
    bar = last.locator(".connection-bar")
    expect(bar).to_contain_text("in too many windows")
    expect(last.locator("#announcer")).to_contain_text("in too many windows")
    write(last, "Sent without a socket")
    expect(bubble(other, "Sent without a socket")).to_be_visible()
    last.locator("#composer-body").fill("Half a thought")
    last.evaluate("window.isSamePage = true")

    use = bar.get_by_role("button", name="Use this window")
    use.click()
    expect(last.locator(".toast")).to_contain_text("in too many windows")
    expect(bar).to_have_count(1)
    other.close()
    use.click()
    expect(bar).to_have_count(0)
    wait_for_line(last)
    expect(last.locator("#main")).to_be_focused()
    room.say(room.bob, "Are you there?")
    expect(bubble(last, "Are you there?")).to_be_visible()
    expect(last.locator("#composer-body")).to_have_value("Half a thought")
    assert last.evaluate("window.isSamePage")
