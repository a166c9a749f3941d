"""Presence, read receipts, and changed names and avatars, with two people in two browsers."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import APIResponse, Locator, Page, Route, expect

from tests.browser.conftest import Visit
from tests.browser.rooms import (
    Later,
    Line,
    Persons,
    Room,
    bubble,
    enter,
    is_stored,
    message_texts,
    wait_for_line,
    write,
)
from tests.installations import Builder, ChatServer, eventually

HERE = re.compile("presence--online")


@pytest.fixture(scope="module")
def server(builder: Builder) -> Iterator[ChatServer]:
    with contextlib.closing(builder.sqlite()) as installation:
        yield installation.serve(PRESENCE_SECONDS="4")


@pytest.fixture
def direct(room: Room) -> str:
    """The path of the direct message of Alice and Bob, which has a message."""
    status, made = room.alice.call("POST", "/api/conversations/direct/", {"user": room.bob_id})
    assert status == 200
    given = {"key": f"direct-{room.id}", "body": f"Beginning {room.id}"}
    room.alice.call("POST", f"/api/conversations/{made['id']}/messages/", given)
    return f"/c/{made['id']}/"


def seen(page: Page) -> Locator:
    return page.locator("#seen .visually-hidden")


@pytest.mark.long
def test_presence_changes_update_without_flicker(
    visit: Visit, server: ChatServer, room: Room, direct: str
) -> None:
    alice = enter(visit(server, "Alice"), room)
    row = alice.locator("#conversations li", has=alice.locator(f"a[href='{direct}']"))
    face = row.locator(".presence")
    expect(face).not_to_have_class(HERE)
    expect(alice.locator("#online")).to_be_hidden()
    bobs = visit(server, "Bob")
    bob = enter(bobs, room)
    expect(face).to_have_class(HERE)
    expect(row.get_by_role("link", name=re.compile("Online: .*Bob"))).to_be_visible()
    expect(alice.locator("#online")).to_contain_text("2 online")
    expect(alice.locator("#online a")).to_have_attribute("title", "Online: Bob, You")
    alice.evaluate(
        "window.blinks = 0; new MutationObserver(() => (window.blinks += 1))"
        ".observe(document.getElementById('online'), {subtree: true, attributes: true, childList: true})"
    )
    for _ in range(3):
        bob.reload()
        bob.wait_for_timeout(1_500)
    assert alice.evaluate("window.blinks") == 0
    bobs.context.close()
    expect(face).not_to_have_class(HERE)
    expect(alice.locator("#online")).to_be_hidden()


def test_seen_appears_below_my_last_message_without_layout_shift(
    visit: Visit, server: ChatServer, room: Room
) -> None:
    for number in range(4):
        room.say(room.alice, f"Before {number}")
    alice = enter(visit(server, "Alice"), room)
    write(alice, "Have you read this?")
    expect(bubble(alice, "Have you read this?").locator("#seen")).to_have_text("")
    is_stored(alice)
    places = (
        "() => [...document.querySelectorAll('.message')].map(m => m.getBoundingClientRect().top)"
    )
    before = alice.evaluate(places)
    bob = enter(visit(server, "Bob"), room)
    bob.bring_to_front()
    expect(seen(alice)).to_have_text("Seen by Bob")
    assert alice.evaluate(places) == before
    write(alice, "And this?")
    expect(bubble(alice, "And this?").locator("#seen .visually-hidden")).to_have_text("Seen by Bob")
    expect(seen(alice)).to_have_count(1)
    write(bob, "I have")
    expect(bubble(alice, "I have")).to_be_visible()
    expect(bubble(alice, "And this?").locator("#seen .visually-hidden")).to_have_text("Seen by Bob")
    assert message_texts(alice)[-1].strip() == "I have"


@pytest.mark.long
def test_late_members_response_does_not_remove_seen(
    visit: Visit, server: ChatServer, room: Room
) -> None:
    visitor = visit(server, "Alice")
    line = Line(visitor)
    alice = enter(visitor, room)
    write(alice, "Have you read this?")
    is_stored(alice)
    held: list[tuple[Route, APIResponse]] = []
    answered: list[Route] = []

    def hold_the_first(route: Route) -> None:
        if held:
            answered.append(route)
            route.continue_()
        else:
            held.append((route, route.fetch()))

    alice.route(re.compile(r"/members/"), hold_the_first)
    line.cut()
    expect(alice.locator("html[data-connection=waiting]")).to_be_attached()
    line.mend()
    eventually(lambda: alice.evaluate("true") and held)
    room.bob.call("POST", f"/api/conversations/{room.id}/read/", {"seq": 100})
    expect(seen(alice)).to_have_text("Seen by Bob")
    alice.evaluate(
        "window.without = 0; new MutationObserver(() => (window.without += !seen.textContent))"
        ".observe(document.getElementById('messages'), {subtree: true, childList: true})"
    )
    route, early = held[0]
    route.fulfill(response=early)
    eventually(lambda: alice.evaluate("true") and answered)
    expect(seen(alice)).to_have_text("Seen by Bob")
    assert alice.evaluate("window.without") == 0


@pytest.mark.long
def test_direct_message_shows_seen_also_after_a_reload(
    visit: Visit, server: ChatServer, room: Room, direct: str
) -> None:
    alice = visit(server, "Alice").goto(direct)
    write(alice, f"Hello {room.id}")
    bob = visit(server, "Bob").goto(direct)
    bob.bring_to_front()
    expect(seen(alice)).to_have_text("Seen")
    expect(alice.locator("#online-direct")).to_have_text("Online")
    alice.reload()
    expect(bubble(alice, f"Hello {room.id}").locator("#seen .visually-hidden")).to_have_text("Seen")


@pytest.mark.long
def test_presence_and_seen_are_rendered_without_scripts(
    visit: Visit, server: ChatServer, room: Room
) -> None:
    message = room.say(room.alice, "Plainly")
    bob = enter(visit(server, "Bob"), room)
    bob.bring_to_front()
    room.bob.call("POST", f"/api/conversations/{room.id}/read/", {"seq": message["seq"]})
    page = visit(server, "Alice", phone=True, javascript=False).goto(room.path)
    expect(seen(page)).to_have_text("Seen by Bob")
    expect(page.locator("#online")).to_contain_text("2 online")


@pytest.mark.long
def test_added_member_counts_for_seen_by_everyone(
    visit: Visit, server: ChatServer, room: Room, person: Persons
) -> None:
    carol = person(server, "Carol")
    _, about = carol.call("GET", "/api/me/")
    alice = enter(visit(server, "Alice"), room)
    first = room.say(room.alice, "Before Carol")
    room.alice.call("POST", f"/api/conversations/{room.id}/members/", {"users": [about["id"]]})
    expect(alice.locator(".notice", has_text="added Carol")).to_be_visible()
    room.bob.call("POST", f"/api/conversations/{room.id}/read/", {"seq": first["seq"]})
    expect(seen(alice)).to_have_text("Seen by Bob")
    write(alice, "After Carol")
    expect(bubble(alice, "After Carol").locator("#seen")).to_have_text("")
    is_stored(alice)
    for each in (room.bob, carol):
        each.call("POST", f"/api/conversations/{room.id}/read/", {"seq": 100})
    expect(seen(alice)).to_have_text("Seen by everyone")


@pytest.mark.long
def test_member_added_before_presence_has_loaded_is_counted(
    visit: Visit, server: ChatServer, room: Room
) -> None:
    status, made = room.alice.call("POST", "/api/conversations/", {"name": f"Alone {room.id}"})
    assert status == 201
    later = Later(visit(server, "Alice"))
    page = later.goto(f"/c/{made['id']}/")
    expect(page.locator("#people")).to_have_text("1 person")
    path = f"/api/conversations/{made['id']}/members/"
    assert room.alice.call("POST", path, {"users": [room.bob_id]})[0] < 300
    expect(page.locator("#messages")).to_contain_text("Bob")
    later.come()
    expect(page.locator("#people")).to_have_text("2 people")


@pytest.mark.long
def test_changed_name_and_avatar_update_everywhere(
    visit: Visit, server: ChatServer, room: Room
) -> None:
    question = room.say(room.bob, "A question")
    room.say(room.alice, "An answer", reply_to=question["id"])
    status, direct = room.alice.call("POST", "/api/conversations/direct/", {"user": room.bob_id})
    assert status < 300
    key = f"direct-{room.id}"
    path = f"/api/conversations/{direct['id']}/messages/"
    assert room.bob.call("POST", path, {"key": key, "body": "Hi"})[0] == 201
    group = enter(visit(server, "Alice"), room)
    pair = visit(server, "Alice").goto(f"/c/{direct['id']}/")
    wait_for_line(pair)
    try:
        changed = {"name": "Robert Jones", "hue": 8}
        assert room.bob.call("PATCH", "/api/me/", changed)[0] == 200
        asked = bubble(group, "A question").first
        expect(asked.locator(".message__author")).to_have_text("Robert Jones")
        expect(asked.locator(".avatar")).to_have_class("avatar avatar--h8")
        expect(asked.locator(".avatar")).to_have_text("RJ")
        expect(bubble(group, "An answer").locator("[data-slot=reply-author]")).to_have_text(
            "Robert Jones"
        )
        expect(pair.locator("#conversation-name")).to_have_text("Robert Jones")
        expect(pair.locator(".topbar .avatar")).to_have_text("RJ")
        expect(pair).to_have_title(re.compile(r"^(\(\d+\) )?Robert Jones · Chatty$"))
        for page in (group, pair):
            row = page.locator(f"#conversations [data-conversation='{direct['id']}']")
            expect(row.locator("[data-slot=name]")).to_have_text("Robert Jones")
            expect(row.locator(".avatar")).to_have_class("avatar avatar--h8")
    finally:
        assert room.bob.call("PATCH", "/api/me/", {"name": "Bob", "hue": None})[0] == 200


@pytest.mark.long
def test_own_changed_name_updates_open_pages_and_pending_messages(
    visit: Visit, server: ChatServer, room: Room
) -> None:
    me = room.alice.call("GET", "/api/me/")[1]
    status, notes = room.alice.call("POST", "/api/conversations/direct/", {"user": me["id"]})
    assert status < 300
    visitor = visit(server, "Alice")
    page = enter(visitor, room)
    alone = visitor.new_tab()
    alone.goto(f"{server.url}/c/{notes['id']}/")
    wait_for_line(alone)
    try:
        assert room.alice.call("PATCH", "/api/me/", {"name": "Ada King", "hue": 3})[0] == 200
        for each in (page, alone):
            expect(each.locator("[data-slot=my-name]")).to_have_text("Ada King")
            face = each.locator("[data-slot=my-avatar]")
            expect(face).to_have_class("avatar avatar--h3 avatar--small")
            expect(face).to_have_text("AK")
        expect(alone.locator("#conversation-name")).to_have_text("Ada King")
        page.evaluate(_WATCH_NEW_WORDS)
        write(page, "Mine")
        expect(bubble(page, "Mine").locator(".message__more")).to_be_attached()
        assert page.evaluate("globalThis.faces") == ["AK avatar avatar--h3"]
    finally:
        assert room.alice.call("PATCH", "/api/me/", {"name": "Alice", "hue": None})[0] == 200


# Records every avatar that my message has had since it was sent.
_WATCH_NEW_WORDS = """() => {
    globalThis.faces = [];
    new MutationObserver(() => {
        const face = [...document.querySelectorAll("[data-own] .avatar")].at(-1);
        const looks = `${face.textContent} ${face.className}`;
        if (globalThis.faces.at(-1) !== looks) globalThis.faces.push(looks);
    }).observe(document.getElementById("messages"), {childList: true, subtree: true});
}"""


@pytest.mark.long
def test_changed_name_updates_quotes_of_unloaded_messages_and_the_member_list(
    visit: Visit, server: ChatServer, room: Room
) -> None:
    question = room.say(room.bob, "A question")
    room.fill(60)
    room.say(room.alice, "An answer", reply_to=question["id"])
    visitor = visit(server, "Alice")
    page = enter(visitor, room)
    expect(page.locator(f"#m{question['id']}")).to_have_count(0)
    people = visitor.new_tab()
    people.goto(f"{server.url}{room.path}members/")
    expect(people.locator("html[data-connection=online]")).to_be_attached()
    try:
        assert room.bob.call("PATCH", "/api/me/", {"name": "Robert Jones"})[0] == 200
        quote = bubble(page, "An answer").locator("[data-slot=reply-author]")
        expect(quote).to_have_text("Robert Jones")
        his = people.locator(f"#person-{room.bob_id}")
        expect(his.locator(".people__name")).to_have_text("Robert Jones")
        expect(his.locator(".avatar")).to_have_text("RJ")
    finally:
        assert room.bob.call("PATCH", "/api/me/", {"name": "Bob"})[0] == 200


@pytest.mark.long
def test_quote_of_an_unloaded_message_follows_edits_and_deletion(
    visit: Visit, server: ChatServer, room: Room
) -> None:
    question = room.say(room.bob, "A secret question")
    room.fill(60)
    room.say(room.alice, "An answer to it", reply_to=question["id"])
    page = enter(visit(server, "Alice"), room)
    expect(page.locator(f"#m{question['id']}")).to_have_count(0)
    quote = bubble(page, "An answer to it").locator("[data-slot=reply-text]")
    expect(quote).to_have_text("A secret question")
    path = f"/api/messages/{question['id']}/"
    assert room.bob.call("PATCH", path, {"body": "Another **question**"})[0] == 200
    expect(quote).to_have_text("Another question")
    assert room.bob.call("DELETE", path)[0] == 200
    expect(quote).to_have_text("Message deleted")


@pytest.mark.long
def test_reply_preview_follows_edits_and_drafts_drop_deleted_text(
    visit: Visit, server: ChatServer, room: Room
) -> None:
    question = room.say(room.bob, "A secret question")
    page = enter(visit(server, "Alice"), room)
    bubble(page, "A secret question").hover()
    bubble(page, "A secret question").locator("[data-action=reply]").first.click()
    preview = page.locator("#composer [data-slot=reply-text]")
    expect(preview).to_have_text("A secret question")
    path = f"/api/messages/{question['id']}/"
    assert room.bob.call("PATCH", path, {"body": "Another secret"})[0] == 200
    expect(preview).to_have_text("Another secret")
    page.goto(f"{server.url}/c/new/")
    assert room.bob.call("DELETE", path)[0] == 200
    page.goto(f"{server.url}{room.path}")
    expect(preview).to_have_text("Message deleted")
    assert "secret" not in str(page.evaluate("JSON.stringify(localStorage)"))


_PICTURE = """
from io import BytesIO
from PIL import Image
from accounts import actions
from accounts.models import User
file = BytesIO()
Image.new("RGB", (90, 60), "{colour}").save(file, "PNG")
bob = User.objects.get(email="bob@example.org")
actions.update_profile(bob, picture=file.getvalue())
"""


@pytest.mark.long
def test_changed_picture_replaces_the_old_one_without_flicker(
    visit: Visit, server: ChatServer, room: Room
) -> None:
    server.manage("shell", "-v", "0", "-c", _PICTURE.format(colour="teal"))
    room.say(room.bob, "Look at me")
    page = enter(visit(server, "Alice"), room)
    picture = bubble(page, "Look at me").locator(".avatar img")
    first = picture.get_attribute("src")
    # Records the image width in every frame from now on. 0 would mean no image.
    page.evaluate("""() => {
        const face = document.querySelector("#messages .message .avatar");
        globalThis.widths = new Set();
        const look = () => {
            const images = [...face.querySelectorAll("img")];
            globalThis.widths.add(Math.max(0, ...images.map((each) => each.naturalWidth)));
            requestAnimationFrame(look);
        };
        face.querySelector("img").decode().then(look);
    }""")
    try:
        server.manage("shell", "-v", "0", "-c", _PICTURE.format(colour="tomato"))
        # The command is a separate process, which no socket is notified of. The change of name is.
        assert room.bob.call("PATCH", "/api/me/", {"name": "Robert"})[0] == 200
        expect(picture.last).not_to_have_attribute("src", first or "")
        expect(picture).to_have_count(1)  # while loading, there are two
        expect(bubble(page, "Look at me").locator(".message__author")).to_have_text("Robert")
        assert page.evaluate("globalThis.widths.size && !globalThis.widths.has(0)")
    finally:
        assert room.bob.call("PATCH", "/api/me/", {"name": "Bob"})[0] == 200
        assert room.bob.call("DELETE", "/api/me/picture/")[0] < 300


@pytest.mark.long
def test_member_and_online_counts_follow_changes_in_a_new_group(
    visit: Visit, server: ChatServer, room: Room
) -> None:
    status, made = room.alice.call("POST", "/api/conversations/", {"name": f"Alone {room.id}"})
    assert status == 201
    bob = visit(server, "Bob")
    bob.allow("404")  # when he is removed, his page checks whether he can join again
    bobs = bob.page
    alice = visit(server, "Alice").goto(f"/c/{made['id']}/")
    people = alice.locator("#people")
    expect(people).to_have_text("1 person")
    path = f"/api/conversations/{made['id']}/members/"
    assert room.alice.call("POST", path, {"users": [room.bob_id]})[0] < 300
    expect(people).to_have_text("2 people")
    bobs.goto(f"{server.url}/c/{made['id']}/")
    expect(alice.locator("#online")).to_contain_text("2 online")
    write(alice, "are you there?")
    expect(seen(alice)).to_have_text("Seen by Bob")
    assert room.alice.call("DELETE", f"{path}{room.bob_id}/")[0] < 300
    expect(people).to_have_text("1 person")
    expect(alice.locator("#online")).to_be_hidden()


def test_loss_of_the_network_is_known_at_once(visit: Visit, room: Room) -> None:
    visitor = visit(room.server, "Alice")
    visitor.allow("ERR_INTERNET_DISCONNECTED")
    bob = enter(visit(room.server, "Bob"), room)
    alice = enter(visitor, room)
    bob.bring_to_front()
    expect(alice.locator("#online")).to_contain_text("2")
    # Chromium's emulation leaves open sockets alone: their frames still arrive. So keep pongs back.
    alice.evaluate("WebSocket.prototype.send = () => {}")
    visitor.context.set_offline(True)
    started = alice.evaluate("performance.now()")
    expect(alice.locator("#connection")).not_to_be_empty()
    expect(alice.locator("#online")).to_be_hidden()
    assert alice.evaluate("performance.now()") - started < 2_500
    write(alice, "Where are you?")
    status = bubble(alice, "Where are you?").locator(".message__status")
    expect(status).not_to_be_empty(timeout=500)
    visitor.context.set_offline(False)
