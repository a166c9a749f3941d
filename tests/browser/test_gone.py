"""A conversation that stops being one's own while it is open: nothing typed goes anywhere else."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.rooms import Line, Room, enter, wait_for_line
from tests.houses import ChatServer

pytestmark = pytest.mark.browser


def remove(room: Room) -> None:
    members = room.alice.call("GET", f"/api/conversations/{room.id}/members/")[1]["results"]
    (bob,) = (each["user"]["id"] for each in members if each["user"]["name"] == "Bob")
    room.alice.call("DELETE", f"/api/conversations/{room.id}/members/{bob}/")


def leave(room: Room) -> None:
    room.bob.call("POST", f"/api/conversations/{room.id}/leave/")


def delete(room: Room) -> None:
    room.alice.call("DELETE", f"/api/conversations/{room.id}/")


@pytest.fixture
def elsewhere(room: Room) -> int:
    """Another conversation of Bob's, the newest: where the page would have gone."""
    made = room.bob.call("POST", "/api/conversations/", {"name": "Elsewhere"})[1]
    return int(made["id"])


def said_in(room: Room, conversation: int) -> list[str]:
    page = room.bob.call("GET", f"/api/conversations/{conversation}/messages/")[1]
    return [message["body"] for message in page["messages"] if message["kind"] == "text"]


@pytest.mark.parametrize(
    ("end", "why"),
    [
        (remove, "You’re no longer in this conversation."),
        (leave, "You’re no longer in this conversation."),
        (delete, "This conversation was deleted."),
    ],
)
def test_the_page_stays_and_what_is_typed_goes_nowhere_else(
    end, why, visit: Visit, server: ChatServer, room: Room, elsewhere: int
) -> None:
    visitor = visit(server, "Bob")
    visitor.allow("404")  # what parts of the page may still be asking for
    bob = enter(visitor, room)
    box = bob.locator("#composer-body")
    box.press_sequentially("Dear garden, ")
    end(room)
    expect(bob.locator("#locked-bar")).to_contain_text(why)
    bob.keyboard.type("and so on")
    bob.keyboard.press("Enter")
    expect(bob).to_have_url(f"{server.url}{room.path}")
    expect(box).to_have_value("Dear garden, ")
    assert said_in(room, elsewhere) == []


def test_text_for_a_lost_conversation_is_offered_until_it_is_discarded(
    visit: Visit, server: ChatServer, room: Room, elsewhere: int
) -> None:
    visitor = visit(server, "Bob")
    visitor.allow("404")
    bob = enter(visitor, room)
    bob.locator("#composer-body").press_sequentially("Dear garden")
    remove(room)
    expect(bob.locator("#locked-bar")).to_contain_text("kept here")
    bob.goto(f"{server.url}/?list")
    kept = bob.locator(".kept")
    expect(kept).to_contain_text("It wasn’t sent.")
    expect(kept.locator("blockquote")).to_have_text("Dear garden")
    bob.goto(f"{server.url}/c/{elsewhere}/")
    expect(kept).to_be_visible()
    expect(bob.locator("#composer-body")).to_have_value("")
    kept.get_by_role("button", name="Discard").click()
    expect(kept).to_have_count(0)
    bob.reload()
    expect(bob.locator("#composer-body")).to_be_editable()
    expect(kept).to_have_count(0)


def test_who_was_removed_while_offline_is_told_when_the_line_is_back(
    visit: Visit, server: ChatServer, room: Room, elsewhere: int
) -> None:
    visitor = visit(server, "Bob")
    visitor.allow("404")
    line = Line(visitor)
    bob = enter(visitor, room)
    bob.locator("#composer-body").press_sequentially("Dear garden")
    line.cut()
    remove(room)
    line.mend()
    wait_for_line(bob)
    expect(bob.locator("#locked-bar")).to_be_visible()
    expect(bob.locator("#composer-body")).to_have_value("Dear garden")
    expect(bob).to_have_url(f"{server.url}{room.path}")


def test_discarding_empties_the_locked_composer(
    visit: Visit, server: ChatServer, room: Room, elsewhere: int
) -> None:
    visitor = visit(server, "Bob")
    visitor.allow("404")
    bob = enter(visitor, room)
    bob.locator("#composer-body").press_sequentially("Dear garden")
    remove(room)
    bar = bob.locator("#locked-bar")
    bar.get_by_role("button", name="Discard").click()
    expect(bob.locator("#composer-body")).to_have_value("")
    bar.get_by_role("link", name="Go to your conversations").click()
    expect(bob.locator(".kept")).to_have_count(0)
