"""Losing access to the open conversation: the page is locked, and no text is lost or sent elsewhere."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.rooms import (
    Line,
    Room,
    act,
    bubble,
    enter,
    offered,
    violations,
    wait_for_line,
    wait_until,
    write,
)
from tests.installations import ChatServer, eventually
from tests.markers import first_of

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
    """Bob's newest other conversation, where a redirect would lead."""
    made = room.bob.call("POST", "/api/conversations/", {"name": "Elsewhere"})[1]
    return int(made["id"])


def said_in(room: Room, conversation: int) -> list[str]:
    page = room.bob.call("GET", f"/api/conversations/{conversation}/messages/")[1]
    return [message["body"] for message in page["messages"] if message["kind"] == "text"]


def bob_typing(visit: Visit, server: ChatServer, room: Room, text: str) -> Page:
    """Bob's page with `text` in its composer. Requests may return 404 later."""
    visitor = visit(server, "Bob")
    visitor.allow("404")
    bob = enter(visitor, room)
    bob.locator("#composer-body").press_sequentially(text)
    return bob


def bob_without_connection(visit: Visit, server: ChatServer, room: Room) -> tuple[Page, Line]:
    """Bob's page after its connection was cut. After mend(), its requests may be rejected."""
    visitor = visit(server, "Bob")
    visitor.allow(".")
    line = Line(visitor)
    bob = enter(visitor, room)
    line.cut()
    return bob, line


@pytest.mark.parametrize(
    ("end", "why"),
    first_of(
        (remove, "You’re no longer in this conversation."),
        (leave, "You’re no longer in this conversation."),
        (delete, "This conversation was deleted."),
    ),
)
def test_losing_access_locks_the_page_and_keeps_the_draft(
    end, why, visit: Visit, server: ChatServer, room: Room, elsewhere: int
) -> None:
    bob = bob_typing(visit, server, room, "Dear garden, ")
    box = bob.locator("#composer-body")
    end(room)
    expect(bob.locator("#locked-bar")).to_contain_text(why)
    bob.keyboard.type("and so on")
    bob.keyboard.press("Enter")
    expect(bob).to_have_url(f"{server.url}{room.path}")
    expect(box).to_have_value("Dear garden, ")
    assert said_in(room, elsewhere) == []


def test_draft_for_a_lost_conversation_is_shown_until_discarded(
    visit: Visit, server: ChatServer, room: Room, elsewhere: int
) -> None:
    bob = bob_typing(visit, server, room, "Dear garden")
    remove(room)
    expect(bob.locator("#locked-bar")).to_contain_text("saved here")
    bob.goto(f"{server.url}/?list")
    kept = bob.locator(".unsent")
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


@pytest.mark.long
def test_removal_while_offline_locks_the_page_on_reconnecting(
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


@pytest.mark.long
def test_discarding_empties_the_locked_composer(
    visit: Visit, server: ChatServer, room: Room, elsewhere: int
) -> None:
    bob = bob_typing(visit, server, room, "Dear garden")
    remove(room)
    bar = bob.locator("#locked-bar")
    bar.get_by_role("button", name="Discard").click()
    expect(bob.locator("#composer-body")).to_have_value("")
    expect(bob.locator("#composer-body")).to_be_hidden()
    expect(bar).not_to_contain_text("saved here")
    away = bar.get_by_role("link", name="Go to conversations")
    expect(away).to_be_focused()
    away.click()
    expect(bob.locator(".unsent")).to_have_count(0)


ENDED = "from accounts.models import SignIn; SignIn.objects.filter(user__name='Bob').delete()"


@pytest.mark.long
def test_session_ended_while_offline_locks_the_page_instead_of_redirecting(
    visit: Visit, server: ChatServer, room: Room
) -> None:
    visitor = visit(server, "Bob")
    visitor.allow(".")  # rejected requests
    line = Line(visitor)
    bob = enter(visitor, room)
    box = bob.locator("#composer-body")
    box.press_sequentially("Dear garden")
    line.cut()
    server.installation.manage("shell", "-c", ENDED)
    line.mend()
    expect(bob.locator("#locked-bar")).to_contain_text("nothing can be sent")
    bob.keyboard.type(" and my password")
    expect(bob).to_have_url(f"{server.url}{room.path}")
    expect(box).to_have_value("Dear garden")
    bob.locator("#locked-bar").get_by_role("link", name="Reload").click()
    expect(bob).to_have_url(re.compile("/sign-in/"))


def test_nothing_is_sent_after_someone_else_signed_in_in_this_browser(
    visit: Visit, server: ChatServer, room: Room
) -> None:
    visitor = visit(server, "Bob")
    visitor.allow(".")
    line = Line(visitor)
    bob = enter(visitor, room)
    bob.locator("#composer-body").press_sequentially("I am Bob")
    line.cut()
    visitor.context.clear_cookies()
    visitor.be("Alice")
    line.mend()
    expect(bob.locator("#locked-bar")).to_be_visible()
    bob.keyboard.type(", really")
    bob.keyboard.press("Enter")
    expect(bob.locator("#composer-body")).to_have_value("I am Bob")
    assert room.bodies() == []


def test_archiving_locks_the_page_and_unarchiving_unlocks_it(
    visit: Visit, server: ChatServer, room: Room
) -> None:
    bob = enter(visit(server, "Bob"), room)
    box = bob.locator("#composer-body")
    box.press_sequentially("Dear garden")
    room.alice.call("PATCH", f"/api/conversations/{room.id}/", {"archived": True})
    bar = bob.locator("#locked-bar")
    expect(bar).to_contain_text("was archived")
    bob.keyboard.type("!")
    expect(box).to_have_value("Dear garden")
    room.alice.call("PATCH", f"/api/conversations/{room.id}/", {"archived": False})
    expect(bar).to_have_count(0)
    box.press("End")
    bob.keyboard.type("!")
    bob.keyboard.press("Enter")
    expect(bob.locator("#messages")).to_contain_text("Dear garden!")


@pytest.mark.long
def test_being_added_again_unlocks_the_page_and_keeps_the_draft(
    visit: Visit, server: ChatServer, room: Room, elsewhere: int
) -> None:
    bob = bob_typing(visit, server, room, "Dear garden")
    box = bob.locator("#composer-body")
    remove(room)
    expect(bob.locator("#locked-bar")).to_be_visible()
    room.alice.call("POST", f"/api/conversations/{room.id}/members/", {"users": [room.bob_id]})
    expect(bob.locator("#locked-bar")).to_have_count(0)
    expect(box).to_be_editable()
    expect(box).to_have_value("Dear garden")


@pytest.mark.long
def test_edit_in_a_lost_conversation_is_kept(
    visit: Visit, server: ChatServer, room: Room, elsewhere: int
) -> None:
    visitor = visit(server, "Bob")
    visitor.allow("404")
    room.say(room.bob, "Mine")
    bob = enter(visitor, room)
    act(bob, "Mine", "edit")
    editor = bob.locator(".editor")
    editor.locator("textarea").fill("Mine, better")
    remove(room)
    expect(bob.locator("#locked-bar")).to_be_visible()
    bob.keyboard.type(" still")
    bob.keyboard.press("Enter")
    expect(editor.locator("textarea")).to_have_value("Mine, better")
    assert editor.get_by_role("button").all_inner_texts() == ["Copy text", "Discard"]
    expect(editor.locator(".editor__error")).to_be_hidden()
    bob.goto(f"{server.url}/?list")
    expect(bob.locator(".unsent blockquote")).to_have_text("Mine, better")


def archive(room: Room) -> None:
    room.alice.call("PATCH", f"/api/conversations/{room.id}/", {"archived": True})


def unarchive(room: Room) -> None:
    room.alice.call("PATCH", f"/api/conversations/{room.id}/", {"archived": False})


@pytest.mark.parametrize(
    ("end", "why"),
    [
        (remove, "Not sent: you’re no longer in this conversation."),
        (archive, "Not sent: this conversation is archived."),
    ],
)
@pytest.mark.long
def test_failed_message_in_a_locked_conversation_can_be_copied_or_discarded(
    end, why, visit: Visit, server: ChatServer, room: Room, elsewhere: int
) -> None:
    bob, line = bob_without_connection(visit, server, room)
    write(bob, "Too late")
    end(room)
    line.mend()
    expect(bob.locator("#locked-bar")).to_be_visible()
    failed = bob.locator(".message--failed")
    expect(failed.locator(".message__failure")).to_have_text(why)
    assert failed.get_by_role("button").all_inner_texts() == ["Copy text", "Discard"]
    bob.context.grant_permissions(["clipboard-read", "clipboard-write"])
    failed.get_by_role("button", name="Copy text").click()
    wait_until(bob, "navigator.clipboard.readText().then((text) => text === 'Too late')")
    failed.get_by_role("button", name="Discard").click()
    expect(failed).to_have_count(0)


@pytest.mark.long
def test_message_that_failed_while_archived_can_be_sent_after_unarchiving(
    visit: Visit, server: ChatServer, room: Room
) -> None:
    bob, line = bob_without_connection(visit, server, room)
    write(bob, "Too early")
    archive(room)
    line.mend()
    expect(bob.locator(".message--failed").get_by_role("button")).to_have_text(
        ["Copy text", "Discard"]
    )
    room.alice.call("PATCH", f"/api/conversations/{room.id}/", {"archived": False})
    bob.locator(".message--failed").get_by_role("button", name="Try again").click()
    expect(bob.locator(".message--failed")).to_have_count(0)
    expect(bob.locator("#locked-bar")).to_have_count(0)
    expect(bob.locator(".message--pending")).to_have_count(0)
    assert room.bodies() == ["Too early"]


@pytest.mark.long
def test_failed_message_in_an_archived_conversation_cannot_be_retried(
    visit: Visit, server: ChatServer, room: Room
) -> None:
    bob, line = bob_without_connection(visit, server, room)
    write(bob, "Too late")
    archive(room)
    line.mend()
    expect(bob.locator(".message--failed")).to_be_visible()
    bob.reload()
    expect(bob.locator(".message--failed").get_by_role("button")).to_have_text(
        ["Copy text", "Discard"]
    )


@pytest.mark.long
def test_public_conversation_left_elsewhere_can_be_joined_again(
    visit: Visit, server: ChatServer, room: Room, elsewhere: int
) -> None:
    room.alice.call("PATCH", f"/api/conversations/{room.id}/", {"access": "open"})
    bob = bob_typing(visit, server, room, "Dear garden")
    leave(room)
    bob.locator("#locked-bar").get_by_role("button", name="Rejoin").click()
    expect(bob.locator("#composer-body")).to_be_editable()
    expect(bob).to_have_url(f"{server.url}{room.path}")
    expect(bob.locator("#composer-body")).to_have_value("Dear garden")
    expect(bob.locator("#locked-bar")).to_have_count(0)


@pytest.mark.parametrize(("access", "end"), [("open", remove), ("closed", leave)])
@pytest.mark.long
def test_join_button_is_hidden_from_people_who_cannot_join(
    access: str, end, visit: Visit, server: ChatServer, room: Room, elsewhere: int
) -> None:
    room.alice.call("PATCH", f"/api/conversations/{room.id}/", {"access": access})
    visitor = visit(server, "Bob")
    visitor.allow("404")
    bob = enter(visitor, room)
    with bob.expect_response(f"**{room.path}"):
        end(room)
    expect(bob.locator("#locked-bar")).to_be_visible()
    bob.wait_for_load_state("networkidle")
    expect(bob.get_by_role("button", name="Rejoin")).to_have_count(0)


@pytest.mark.parametrize("rest", ["", "members/"])
@pytest.mark.long
def test_not_found_page_shows_the_draft_of_a_deleted_conversation(
    rest: str, visit: Visit, server: ChatServer, room: Room, elsewhere: int
) -> None:
    bob = bob_typing(visit, server, room, "Dear garden")
    delete(room)
    expect(bob.locator("#locked-bar")).to_be_visible()
    bob.goto(f"{server.url}{room.path}{rest}")
    expect(bob.get_by_role("heading", name="Conversation not found")).to_be_visible()
    kept = bob.locator(".unsent")
    expect(kept.locator("blockquote")).to_have_text("Dear garden")
    kept.get_by_role("button", name="Discard").click()
    expect(kept).to_have_count(0)


def test_unsent_text_is_shown_only_to_its_author(
    visit: Visit, server: ChatServer, room: Room, elsewhere: int
) -> None:
    visitor = visit(server, "Bob")
    visitor.allow(".")
    bob = enter(visitor, room)
    bob.locator("#composer-body").press_sequentially("For Alice’s eyes never")
    delete(room)
    expect(bob.locator("#locked-bar")).to_be_visible()
    visitor.context.clear_cookies()
    bob.goto(f"{server.url}{room.path}")
    expect(bob.locator("#unsent")).to_be_visible()  # the sign-in page
    expect(bob.locator("body")).not_to_contain_text("never")
    visitor.sign_in("Alice")
    bob.goto(f"{server.url}{room.path}")
    wait_for_line(bob)
    bob.wait_for_load_state("networkidle")
    expect(bob.get_by_role("heading", name="Conversation not found")).to_be_visible()
    expect(bob.locator("body")).not_to_contain_text("never")
    bob.get_by_role("button", name="Sign out").click()
    bob.wait_for_url("**/sign-in/**")
    visitor.sign_in("Bob")
    bob.goto(f"{server.url}{room.path}")
    expect(bob.locator(".unsent blockquote")).to_have_text("For Alice’s eyes never")


@pytest.mark.long
def test_unsent_text_from_before_a_restore_is_shown_but_not_sent(
    visit: Visit, server: ChatServer, room: Room
) -> None:
    bob, line = bob_without_connection(visit, server, room)
    write(bob, "Queued")
    box = bob.locator("#composer-body")
    box.press_sequentially("Half a thought")
    server.manage("new_epoch")
    eventually(lambda: "The epoch changed" in server.output())
    line.mend()
    bar = bob.locator("#locked-bar")
    expect(bar).to_contain_text("restored from a backup")
    bob.keyboard.type(", and so on")
    expect(box).to_have_value("Half a thought")
    bar.get_by_role("link", name="Reload").click()
    kept = bob.locator(".unsent")
    expect(kept).to_have_count(2)
    expect(kept.first).to_contain_text("before Chatty was restored from a backup")
    assert sorted(kept.locator("blockquote").all_inner_texts()) == ["Half a thought", "Queued"]
    expect(box).to_have_value("")
    bob.get_by_role("button", name="Sign out").click()
    dialog = bob.locator("dialog")
    expect(dialog).to_contain_text("2 messages or drafts haven’t been sent.")
    dialog.get_by_role("button", name="Cancel").click()
    for _ in range(2):
        kept.first.get_by_role("button", name="Discard").click()
    expect(kept).to_have_count(0)
    bob.reload()
    wait_for_line(bob)
    expect(kept).to_have_count(0)
    assert room.bodies() == []


@pytest.mark.long
def test_draft_in_an_archived_conversation_is_shown_after_a_reload(
    visit: Visit, server: ChatServer, room: Room
) -> None:
    bob = enter(visit(server, "Bob"), room)
    bob.locator("#composer-body").press_sequentially("Half a thought")
    archive(room)
    expect(bob.locator("#locked-bar")).to_contain_text("saved here")
    bob.reload()
    bar = bob.locator("#locked-bar")
    expect(bar).to_contain_text("saved here")
    expect(bar.get_by_role("button")).to_have_text(["Copy text", "Discard"])
    expect(bob.locator("#composer-body")).to_have_value("Half a thought")
    expect(bob.locator("#composer-body")).to_be_visible()
    assert violations(bob) == []
    room.alice.call("PATCH", f"/api/conversations/{room.id}/", {"archived": False})
    expect(bar).to_have_count(0)
    expect(bob.locator("#composer-body")).to_be_editable()
    expect(bob.locator("#composer-body")).to_have_value("Half a thought")


@pytest.mark.long
def test_page_opened_while_archived_gets_its_composer_on_unarchiving(
    visit: Visit, server: ChatServer, room: Room
) -> None:
    """Also after more changes than a client can catch up with, which brings no notice of it."""
    said = room.say(room.bob, "Mine")
    room.bob.call("PUT", f"/api/messages/{said['id']}/reactions/%F0%9F%8C%B1/")
    archive(room)
    visitor = visit(server, "Bob")
    line = Line(visitor)
    bob = enter(visitor, room)
    box, message = bob.locator("#composer-body"), bubble(bob, "Mine")
    expect(bob.locator(".archived-bar")).to_be_visible()
    expect(box).to_be_hidden()
    expect(message.locator(".chip")).to_be_disabled()
    assert offered(message) == ["copy", "link", "unread"]
    unarchive(room)
    expect(box).to_be_editable()
    expect(bob.locator(".archived-bar")).to_be_hidden()
    expect(message.locator(".chip")).to_be_enabled()
    assert {"react", "reply", "edit", "delete"} <= set(offered(message))
    archive(room)
    expect(bob.locator("#locked-bar")).to_contain_text("was archived")
    expect(box).not_to_be_editable()
    assert offered(message) == ["copy", "link", "unread"]
    line.cut()
    unarchive(room)
    room.advance()
    line.mend()
    wait_for_line(bob)
    expect(box).to_be_editable()
    expect(bob.locator("#locked-bar")).to_have_count(0)


@pytest.mark.long
def test_offered_actions_follow_a_change_of_role(
    visit: Visit, server: ChatServer, room: Room
) -> None:
    room.say(room.alice, "From Alice")
    visitor = visit(server, "Bob")
    line = Line(visitor)
    bob = enter(visitor, room)
    message = bubble(bob, "From Alice")
    set_role(room, "admin")
    expect(bob.locator("#conversation[data-can~=delete-any]")).to_be_attached()
    assert "delete" in offered(message)
    line.cut()
    set_role(room, "member")
    line.mend()
    expect(bob.locator("#conversation[data-can~=delete-any]")).to_have_count(0)
    assert "delete" not in offered(message)
    message.press("Delete")
    expect(bob.locator("dialog")).to_have_count(0)


def set_role(room: Room, role: str) -> None:
    path = f"/api/conversations/{room.id}/members/{room.bob_id}/"
    assert room.alice.call("PATCH", path, {"role": role})[0] == 200


@pytest.mark.long
def test_edit_in_an_archived_conversation_continues_after_unarchiving(
    visit: Visit, server: ChatServer, room: Room
) -> None:
    room.say(room.bob, "Mine")
    bob = enter(visit(server, "Bob"), room)
    act(bob, "Mine", "edit")
    editor = bob.locator(".editor")
    editor.locator("textarea").fill("Mine, better")
    archive(room)
    expect(editor.get_by_role("button")).to_have_text(["Copy text", "Discard"])
    bob.reload()
    kept = bob.locator(".unsent")
    expect(kept).to_contain_text("before this conversation was archived")
    expect(kept.locator("blockquote")).to_have_text("Mine, better")
    expect(editor).to_have_count(0)
    unarchive(room)
    expect(kept).to_have_count(0)
    editor.get_by_role("button", name="Save").click()
    expect(bob.locator("#messages")).to_contain_text("Mine, better")
    assert room.bodies() == ["Mine, better"]


@pytest.mark.long
def test_edit_discarded_in_an_archived_conversation_stays_discarded(
    visit: Visit, server: ChatServer, room: Room
) -> None:
    room.say(room.bob, "Mine")
    bob = enter(visit(server, "Bob"), room)
    act(bob, "Mine", "edit")
    bob.locator("#composer-body").fill("Half a thought")
    bob.locator(".editor textarea").fill("Mine, better")
    archive(room)
    expect(bob.locator("#locked-bar")).to_be_visible()
    bob.reload()
    kept = bob.locator(".unsent")
    expect(kept.locator("blockquote")).to_have_text("Mine, better")  # the composer shows its draft
    kept.get_by_role("button", name="Discard").click()
    expect(kept).to_have_count(0)
    unarchive(room)
    expect(bob.locator("#composer-body")).to_be_editable()
    bob.wait_for_load_state("networkidle")
    expect(bob.locator(".editor")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("phone", first_of(True, False), ids=["phone", "wide"])
@pytest.mark.long
def test_axe_finds_no_violations_on_locked_pages_and_unsent_text(
    scheme: str, phone: bool, visit: Visit, server: ChatServer, room: Room, elsewhere: int
) -> None:
    visitor = visit(server, "Bob", phone=phone, color_scheme=scheme)
    visitor.allow("404")
    bob = enter(visitor, room)
    bob.locator("#composer-body").fill("A long thought. " * 100)
    remove(room)
    expect(bob.locator("#locked-bar")).to_be_visible()
    found = {"locked": violations(bob)}
    for path in (room.path, "/?list", f"/c/{elsewhere}/"):
        bob.goto(server.url + path)
        expect(bob.locator(".unsent")).to_be_visible()
        found[path] = violations(bob)
    assert {path: each for path, each in found.items() if each} == {}
