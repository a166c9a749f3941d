"""Reading offline: what is saved in the browser, when it is shown, and everything that removes it."""

from __future__ import annotations

import json
import re
from functools import partial

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit, Visitor
from tests.browser.rooms import (
    Line,
    Persons,
    Room,
    act,
    anchor,
    bubble,
    enter,
    is_stored,
    message_texts,
    offered,
    row_of,
    top_of_id,
    violations,
    wait_for_line,
    wait_for_paint,
    write,
)
from tests.installations import ChatServer, eventually
from tests.markers import first_of


# Everything in the database of what is saved, as one text. "" if there is no database.
@pytest.fixture
def visit(visit: Visit) -> Visit:
    """With a service worker."""
    return partial(visit, service_workers="allow")


_SAVED = """async () => {
    const there = await indexedDB.databases();
    if (!there.some(({ name }) => name === "chatty-offline")) return "";
    const database = await new Promise((resolve, reject) => {
        const request = indexedDB.open("chatty-offline");
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
    });
    if (!database.objectStoreNames.length) {
        database.close();
        return "";
    }
    const transaction = database.transaction(["about", "copies"]);
    const all = ["about", "copies"].map((name) => transaction.objectStore(name).getAll());
    await new Promise((resolve) => (transaction.oncomplete = resolve));
    database.close();
    return JSON.stringify(all.flatMap(({ result }) => result));
}"""

# Makes everything that is saved older.
_AGE = """async (ms) => {
    const database = await new Promise((resolve) => {
        const request = indexedDB.open("chatty-offline");
        request.onsuccess = () => resolve(request.result);
    });
    const transaction = database.transaction(["about", "copies"], "readwrite");
    for (const name of ["about", "copies"]) {
        const store = transaction.objectStore(name);
        store.getAll().onsuccess = ({ target }) => {
            for (const each of target.result) {
                if (each.at) store.put({ ...each, at: each.at - ms });
            }
        };
    }
    await new Promise((resolve) => (transaction.oncomplete = resolve));
    database.close();
}"""
_OTHER_EPOCH = """async () => {
    const database = await new Promise((resolve) => {
        const request = indexedDB.open("chatty-offline");
        request.onsuccess = () => resolve(request.result);
    });
    const transaction = database.transaction("about", "readwrite");
    const store = transaction.objectStore("about");
    store.get("owner").onsuccess = ({ target }) => {
        store.put({ ...target.result, scope: `${target.result.page.user.id}.other` });
    };
    await new Promise((resolve) => (transaction.oncomplete = resolve));
    database.close();
}"""
# The data of pages of a server with OFFLINE_READING=0.
_TURNED_OFF = """const parse = JSON.parse;
JSON.parse = (...given) => {
    const data = parse(...given);
    if (data?.offline_reading) data.offline_reading = false;
    return data;
};"""
_FULL = """const { put } = IDBObjectStore.prototype;
IDBObjectStore.prototype.put = function (...given) {
    const { transaction } = this;
    if (transaction.db.name === "chatty-offline") queueMicrotask(() => transaction.abort());
    return put.apply(this, given);
};"""
_NO_DATABASE = "Object.defineProperty(globalThis, 'indexedDB', { value: undefined });"
_FORBIDDEN = """for (const name of ["open", "deleteDatabase", "databases"]) {
    IDBFactory.prototype[name] = () => { throw new DOMException("", "SecurityError"); };
}"""
_END = """
from accounts.actions import end_sign_ins
from accounts.models import User
end_sign_ins(User.objects.get(email="{email}"))
"""
_CLOSE = """
from accounts.actions import close_account
from accounts.models import User
close_account(User.objects.get(email="{email}"))
"""
_REOPEN = """
from accounts.actions import reopen_account
from accounts.models import User
reopen_account(User.objects.get(email="{email}"))
"""
HOUR = 3_600_000
DAY = 24 * HOUR


def saved(page: Page) -> str:
    found: str = page.evaluate(_SAVED)
    return found


def wait_until_saved(page: Page, *words: str) -> None:
    eventually(lambda: all(word in saved(page) for word in words))


def wait_for_worker(page: Page) -> None:
    """Wait until the service worker controls this page, so it has cached its files."""
    page.evaluate("navigator.serviceWorker.ready")
    eventually(lambda: page.evaluate("Boolean(navigator.serviceWorker.controller)"))


@pytest.fixture
def other(server: ChatServer, person: Persons) -> Room:
    return Room(server, person)


def send(page: Page, body: str) -> None:
    """With the button, because Enter starts a new line on phones."""
    page.locator("#composer-body").fill(body)
    page.locator("#composer [type=submit]").click()


# --- reading -----------------------------------------------------------------------------------


def test_saved_messages_are_shown_with_their_age_after_a_reload(visit: Visit, room: Room) -> None:
    visitor = visit(room.server, "Alice")
    line = Line(visitor)
    room.say(room.bob, "Read **me** again")
    page = enter(visitor, room)
    wait_until_saved(page, "again")
    wait_for_worker(page)
    line.cut()
    expect(page.locator(".topbar + .offline-note")).to_contain_text("Saved just now.")
    page.goto(room.server.url + "/offline/")  # stores nothing itself
    page.evaluate(_AGE, 3 * HOUR)
    page.goto(room.server.url + room.path)
    expect(bubble(page, "Read me again").locator("strong")).to_have_text("me")
    expect(page.locator(".topbar + .offline-note")).to_contain_text("Saved 3 hours ago.")
    expect(page.locator("#conversation-name")).to_have_text("Kitchen")
    expect(row_of(page, room)).to_be_visible()
    assert page.title() == "Kitchen · Chatty"
    assert page.url == room.server.url + room.path
    write(page, "Written on the train")
    expect(bubble(page, "Written on the train")).to_contain_text("Waiting to send")
    box = page.locator("#composer-body")
    box.fill("Half a thought")
    box.evaluate("box => box.setSelectionRange(4, 4)")
    room.say(room.bob, "News")
    line.mend()
    wait_for_line(page)
    # The page of the server, with everything it has, and nothing lost.
    expect(page.locator("#people")).to_have_text("2 people", timeout=15_000)
    expect(page.locator(".offline-note")).to_have_count(0)
    is_stored(page)
    assert message_texts(page)[-2:] == ["News", "Written on the train"]
    expect(box).to_have_value("Half a thought")
    expect(box).to_be_focused()
    assert box.evaluate("box => box.selectionStart") == 4
    act(page, "Written on the train", "edit")
    expect(page.locator("#editor-body")).to_be_visible()


def test_page_that_loses_the_network_says_how_old_it_is(visit: Visit, room: Room) -> None:
    visitor = visit(room.server, "Alice")
    line = Line(visitor)
    page = enter(visitor, room)
    wait_until_saved(page, "Kitchen")
    line.cut()
    expect(page.locator(".topbar + .offline-note")).to_contain_text(
        "Saved just now.", timeout=2_000
    )
    note = page.locator(".topbar + .offline-note")
    expect(note).to_contain_text(re.compile("Trying again in [1-4] s"), timeout=10_000)
    # Nothing in it is announced, and nothing moves while it counts.
    assert not note.locator("[aria-live], [role=status]").count()
    sizes = page.evaluate(_WATCH_NOTE)
    assert len(sizes["texts"]) > 1
    assert len(sizes["boxes"]) == 1
    note.get_by_role("button", name="Try now").click()
    page.evaluate("const now = Date.now; Date.now = () => now() + 2 * 3_600_000")
    page.evaluate("dispatchEvent(new Event('offline'))")
    line.mend()
    wait_for_line(page)
    expect(page.locator(".offline-note")).to_have_count(0)


_WATCH_NOTE = """() => new Promise((resolve) => {
  const note = document.querySelector(".topbar + .offline-note");
  const texts = new Set(), boxes = new Set();
  const stop = () => { clearInterval(timer); resolve({texts: [...texts], boxes: [...boxes]}); };
  const look = () => {
    texts.add(note.querySelector(".offline-note__next").textContent);
    const parts = [note, note.querySelector(".button")];
    boxes.add(JSON.stringify(parts.map((each) => each.getBoundingClientRect())));
    if (texts.size > 2) stop();
  };
  const timer = setInterval(look, 100);
  setTimeout(stop, 9000);
})"""


@pytest.mark.long
def test_phone_without_a_network_has_one_bar(visit: Visit, room: Room) -> None:
    visitor = visit(room.server, "Alice", phone=True)
    line = Line(visitor)
    page = enter(visitor, room)
    wait_until_saved(page, "Kitchen")
    before = page.locator(".topbar").bounding_box()
    line.cut()
    expect(page.locator(".topbar + .offline-note")).to_be_visible()
    expect(page.locator("#connection")).to_contain_text("offline")  # for screen readers
    assert before
    assert page.locator(".topbar").bounding_box() == before
    seen = "y => Boolean(document.elementFromPoint(180, y).closest('.offline-note'))"
    assert page.evaluate(seen, before["y"] + before["height"] + 4)
    text = page.locator(".topbar + .offline-note .offline-note__text")
    assert (
        text.evaluate("text => text.offsetHeight / parseFloat(getComputedStyle(text).lineHeight)")
        < 2.5
    )


@pytest.mark.long
@pytest.mark.parametrize("phone", first_of(False, True), ids=["desktop", "phone"])
def test_other_conversations_are_opened_offline(
    phone: bool, visit: Visit, room: Room, other: Room
) -> None:
    visitor = visit(room.server, "Alice", phone=phone)
    line = Line(visitor)
    room.say(room.bob, "In the first")
    other.say(other.bob, "In the second, never opened here")
    page = enter(visitor, room)
    wait_until_saved(page, "In the first", "never opened here")
    wait_for_worker(page)
    line.cut()
    send(page, "For the first")
    expect(bubble(page, "For the first")).to_contain_text("Waiting to send")
    if phone:
        page.locator(".topbar__back").click()
        expect(page.locator("main.shell--list")).to_be_visible()
        expect(page.locator("#sidebar .offline-note")).to_be_visible()
    row_of(page, other).locator(".row__link").click()
    expect(bubble(page, "never opened here")).to_be_in_viewport()
    expect(page.locator("#new")).to_be_visible()  # it is unread
    assert page.url == room.server.url + other.path
    send(page, "For the second")
    page.go_back()
    if phone:
        expect(page.locator("main.shell--list")).to_be_visible()
        page.go_back()
    expect(bubble(page, "For the first")).to_contain_text("Waiting to send")
    page.reload()
    expect(bubble(page, "For the first")).to_contain_text("Waiting to send")
    assert page.url == room.server.url + room.path
    line.mend()
    wait_for_line(page)
    expect(page.locator("#people")).to_have_text("2 people", timeout=15_000)
    is_stored(page)
    eventually(
        lambda: (room.bodies()[-1:], other.bodies()[-1:]) == (["For the first"], ["For the second"])
    )


@pytest.mark.long
def test_side_pane_stays_between_saved_pages(visit: Visit, room: Room) -> None:
    room.say(room.bob, "Read me again")
    visitor = visit(room.server, "Alice")
    line = Line(visitor)
    page = enter(visitor, room)
    wait_until_saved(page, "Read me again")
    wait_for_worker(page)
    line.cut()
    page.reload()
    expect(bubble(page, "Read me again")).to_be_visible()
    page.locator("#sidebar [data-pane=profile]").click()
    expect(page.locator("#details")).to_contain_text("Can’t reach Chatty")
    page.locator(".sidebar__brand").click()
    expect(page.locator("main.shell--list")).to_be_visible()
    expect(page.locator("#details")).to_contain_text("Can’t reach Chatty")
    row_of(page, room).locator(".row__link").click()
    expect(bubble(page, "Read me again")).to_be_visible()
    line.mend()
    wait_for_line(page)
    expect(page.locator("#people")).to_have_text("2 people", timeout=15_000)
    page.locator("#details").get_by_role("button", name="Try again").click()
    expect(page.locator("#details").get_by_label("Theme")).to_be_visible()


@pytest.mark.long
def test_page_that_was_not_saved_leads_to_those_that_were_on_a_phone(
    visit: Visit, room: Room
) -> None:
    visitor = visit(room.server, "Alice", phone=True)
    line = Line(visitor)
    page = enter(visitor, room)
    wait_until_saved(page, "Kitchen")
    wait_for_worker(page)
    line.cut()
    page.goto(room.server.url + "/help/")
    expect(page.get_by_role("heading", name="No connection")).to_be_visible()
    page.get_by_role("link", name="All conversations").click()
    expect(row_of(page, room)).to_be_visible()


@pytest.mark.long
def test_network_that_returns_replaces_the_page_without_a_jump(visit: Visit, room: Room) -> None:
    visitor = visit(room.server, "Alice")
    line = Line(visitor)
    room.fill(60)
    page = enter(visitor, room)
    wait_until_saved(page, '"body":"60"')
    wait_for_worker(page)
    line.cut()
    page.reload()
    expect(bubble(page, "60")).to_be_visible()
    page.locator("#timeline").evaluate("(box) => box.scrollBy(0, -700)")
    expect(page.locator("#main .offline-note")).to_be_visible()
    wait_for_paint(page)
    row, top = anchor(page)
    line.mend()
    wait_for_line(page)
    expect(page.locator("#people")).to_have_text("2 people", timeout=15_000)
    eventually(lambda: abs(top_of_id(page, row) - top) <= 40)  # the line with the age is gone


@pytest.mark.long
def test_pages_that_are_not_saved_show_the_list(visit: Visit, room: Room) -> None:
    visitor = visit(room.server, "Alice")
    line = Line(visitor)
    page = enter(visitor, room)
    wait_until_saved(page, "Kitchen")
    wait_for_worker(page)
    line.cut()
    visitor.goto("/settings/profile/")
    expect(page.get_by_role("heading", name="No connection")).to_be_visible()
    row_of(page, room).locator(".row__link").click()
    expect(page.locator("#conversation-name")).to_have_text("Kitchen")


@pytest.mark.long
def test_saved_pages_have_no_actions_that_need_the_server(visit: Visit, room: Room) -> None:
    visitor = visit(room.server, "Alice")
    line = Line(visitor)
    room.say(room.alice, "Mine")
    page = enter(visitor, room)
    wait_until_saved(page, "Mine")
    wait_for_worker(page)
    line.cut()
    page.reload()
    assert offered(bubble(page, "Mine")) == ["copy", "link", "unread"]
    assert violations(page) == []


# --- removal -----------------------------------------------------------------------------------


def secret_of(room: Room) -> str:
    """Saved copies have those of other tests, too: all are of the same people."""
    return f"Secret of {room.id}."


@pytest.fixture
def reader(visit: Visit, room: Room) -> Visitor:
    """Alice, with the secret of the room saved."""
    room.say(room.bob, secret_of(room))
    visitor = visit(room.server, "Alice")
    page = enter(visitor, room)
    wait_until_saved(page, secret_of(room), "Kitchen")
    wait_for_worker(page)
    return visitor


def wait_until_gone(page: Page, words: str) -> None:
    eventually(lambda: words not in saved(page))


def make_bob_owner(room: Room) -> None:
    path = f"/api/conversations/{room.id}/members/{room.bob_id}/"
    status, _ = room.alice.call("PATCH", path, {"role": "owner"})
    assert status == 200


def test_signing_out_removes_what_is_saved(reader: Visitor) -> None:
    page = reader.page
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(re.compile("/sign-in/"))
    assert saved(page) == ""


@pytest.mark.long
def test_signing_out_in_another_tab_removes_it_for_good(reader: Visitor, room: Room) -> None:
    reader.allow("401")
    page, second = reader.page, reader.new_tab()
    second.goto(room.server.url + room.path)
    wait_for_line(second)
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(re.compile("/sign-in/"))
    expect(second.locator(".connection-bar")).to_contain_text("signed out")
    page.wait_for_timeout(2_500)  # longer than changes are collected
    assert saved(second) == ""


@pytest.mark.long
def test_signing_out_without_the_scripts_of_the_page_removes_it(reader: Visitor) -> None:
    page = reader.page
    reader.context.route("**/unsent_notice.*", lambda route: route.abort())
    reader.allow("ERR_FAILED")
    page.evaluate("document.querySelector('form[action$=\"/sign-out/\"]').submit()")
    page.wait_for_url(re.compile("/sign-in/"))
    wait_until_gone(page, "Kitchen")


@pytest.mark.long
def test_sign_in_page_removes_what_an_ended_session_left(reader: Visitor, room: Room) -> None:
    page = reader.page
    page.goto("about:blank")
    reader.context.clear_cookies()
    page.goto(room.server.url + room.path)
    page.wait_for_url(re.compile("/sign-in/"))
    wait_until_gone(page, "Kitchen")


@pytest.mark.long
def test_session_ended_elsewhere_removes_it(reader: Visitor, room: Room) -> None:
    page = reader.page
    reader.allow("401", "403")
    room.server.manage("shell", "-v", "0", "-c", _END.format(email=room.alice.email))
    expect(page.locator(".connection-bar")).to_be_visible()
    wait_until_gone(page, "Kitchen")


@pytest.mark.long
def test_closed_account_removes_it(reader: Visitor, room: Room) -> None:
    page = reader.page
    reader.allow("401", "403")
    room.server.manage("shell", "-v", "0", "-c", _CLOSE.format(email=room.alice.email))
    try:
        expect(page.locator(".connection-bar")).to_be_visible()
        wait_until_gone(page, "Kitchen")
    finally:
        room.server.manage("shell", "-v", "0", "-c", _REOPEN.format(email=room.alice.email))


def test_removal_from_a_conversation_removes_its_messages(reader: Visitor, room: Room) -> None:
    page = reader.page
    me = page.evaluate("JSON.parse(document.getElementById('app-data').textContent).user.id")
    make_bob_owner(room)
    reader.allow("404")
    status, _ = room.bob.call("DELETE", f"/api/conversations/{room.id}/members/{me}/")
    assert status in (200, 204)
    wait_until_gone(page, secret_of(room))
    wait_until_gone(page, f'"id":{room.id},"kind"')


@pytest.mark.long
def test_removal_while_the_page_was_offline_removes_it_at_the_next_connection(
    visit: Visit, room: Room, other: Room
) -> None:
    room.say(room.alice, secret_of(room))
    visitor = visit(room.server, "Bob")
    line = Line(visitor)
    page = enter(visitor, other)
    wait_until_saved(page, secret_of(room))
    line.cut()
    expect(page.locator(".topbar + .offline-note")).to_be_visible()
    status, _ = room.alice.call("DELETE", f"/api/conversations/{room.id}/members/{room.bob_id}/")
    assert status in (200, 204)
    line.mend()
    wait_for_line(page)
    wait_until_gone(page, secret_of(room))


@pytest.mark.long
def test_leaving_removes_its_messages(reader: Visitor, room: Room) -> None:
    page = reader.page
    make_bob_owner(room)
    reader.allow("404")
    status, _ = room.alice.call("POST", f"/api/conversations/{room.id}/leave/")
    assert status == 204
    wait_until_gone(page, secret_of(room))


@pytest.mark.long
def test_deleting_a_conversation_removes_its_messages(reader: Visitor, room: Room) -> None:
    page = reader.page
    reader.allow("404")
    status, _ = room.alice.call("DELETE", f"/api/conversations/{room.id}/")
    assert status in (200, 202, 204)
    wait_until_gone(page, secret_of(room))


@pytest.mark.long
def test_deleted_message_is_removed_at_once_and_in_quotes(reader: Visitor, room: Room) -> None:
    page = reader.page
    said = room.say(room.bob, "Words to forget")
    room.say(room.bob, "A reply", reply_to=said["id"])
    wait_until_saved(page, "Words to forget", "A reply")
    status, _ = room.bob.call("DELETE", f"/api/messages/{said['id']}/")
    assert status in (200, 204)
    wait_until_gone(page, "Words to forget")
    assert "A reply" in saved(page)


@pytest.mark.long
def test_message_deleted_elsewhere_does_not_come_back(
    reader: Visitor, room: Room, other: Room
) -> None:
    page = reader.page
    said = room.say(room.bob, "Words to forget")
    wait_until_saved(page, "Words to forget")
    page.goto("about:blank")
    status, _ = room.bob.call("DELETE", f"/api/messages/{said['id']}/")
    assert status in (200, 204)
    page.goto(room.server.url + other.path)  # of this conversation, the page only knows the version
    wait_for_line(page)
    wait_until_gone(page, "Words to forget")
    assert secret_of(room) in saved(page)


@pytest.mark.long
def test_another_account_removes_what_the_former_one_left(reader: Visitor, room: Room) -> None:
    page = reader.page
    page.goto("about:blank")
    reader.context.clear_cookies()
    reader.be("Bob")
    page.goto(room.server.url + "/settings/profile/")
    wait_for_line(page)
    eventually(lambda: '"name":"owner"' in saved(page) and '"name":"Bob"' in saved(page))
    owner = json.loads(saved(page))
    assert next(each for each in owner if each.get("name") == "owner")["scope"].startswith(
        f"{room.bob_id}."
    )


@pytest.mark.long
def test_session_of_another_account_locks_the_page_and_removes_it(
    reader: Visitor, room: Room
) -> None:
    """Another tab has signed in as someone else, with a form that this page knows nothing of."""
    reader.allow("ERR_INTERNET_DISCONNECTED")
    reader.allow("404")  # what the page requests before it knows
    page = reader.page
    reader.context.set_offline(True)
    expect(page.locator(".topbar + .offline-note")).to_be_visible()
    reader.context.clear_cookies()
    reader.be("Carol")
    reader.context.set_offline(False)
    wait_until_gone(page, secret_of(room))


@pytest.mark.long
def test_saved_messages_of_another_epoch_are_removed(reader: Visitor, room: Room) -> None:
    page = reader.page
    page.goto(room.server.url + "/offline/")  # stores nothing itself
    page.evaluate(_OTHER_EPOCH)
    assert ".other" in saved(page)
    page.goto(room.server.url + "/settings/profile/")
    wait_for_line(page)
    eventually(lambda: saved(page) and ".other" not in saved(page))


@pytest.mark.long
def test_messages_are_removed_after_seven_days(reader: Visitor) -> None:
    reader.allow("ERR_INTERNET_DISCONNECTED")
    page = reader.page
    page.goto(reader.server.url + "/offline/")
    page.evaluate(_AGE, 6.9 * DAY)
    reader.context.set_offline(True)
    page.goto(reader.server.url + "/")
    expect(page.locator("#conversations")).to_contain_text("Kitchen")
    page.goto(reader.server.url + "/offline/")
    page.evaluate(_AGE, 8 * DAY)
    page.goto(reader.server.url + "/")
    expect(page.locator(".card h1")).to_have_text("No connection")
    eventually(lambda: saved(page) == "")


@pytest.mark.long
def test_it_is_turned_off_in_the_side_pane(reader: Visitor) -> None:
    page = reader.page
    page.locator("#sidebar [data-pane=profile]").click()
    pane = page.locator("#details")
    pane.get_by_role("link", name="Sessions").click()
    box = pane.get_by_label("Keep my latest messages in this browser")
    expect(box).to_be_checked()
    box.uncheck()
    eventually(lambda: saved(page) == "")


@pytest.mark.long
def test_turning_it_off_for_a_browser_removes_it(reader: Visitor) -> None:
    page = reader.goto("/settings/sign-ins/")
    wait_for_line(page)
    box = page.get_by_label("Keep my latest messages in this browser")
    expect(box).to_be_checked()
    box.uncheck()
    eventually(lambda: saved(page) == "")
    page.reload()
    wait_for_line(page)
    expect(box).not_to_be_checked()
    page.wait_for_timeout(2_500)
    assert saved(page) == ""
    box.check()
    wait_until_saved(page, "Kitchen")


@pytest.mark.long
def test_installation_that_turns_it_off_removes_it(reader: Visitor, room: Room) -> None:
    page = reader.page
    reader.context.add_init_script(_TURNED_OFF)
    page.reload()
    wait_for_line(page)
    eventually(lambda: saved(page) == "")


# --- no harm -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "broken", [_NO_DATABASE, _FORBIDDEN, _FULL], ids=["no database", "forbidden", "full"]
)
@pytest.mark.long
def test_browser_that_refuses_to_store_does_no_harm(broken: str, visit: Visit, room: Room) -> None:
    visitor = visit(room.server, "Alice")
    visitor.context.add_init_script(broken)
    page = enter(visitor, room)
    write(page, "Still sent")
    is_stored(page)
    page.wait_for_timeout(2_500)
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(re.compile("/sign-in/"))


@pytest.mark.long
def test_two_tabs_write_one_copy(reader: Visitor, room: Room) -> None:
    second = reader.new_tab()
    second.goto(room.server.url + room.path)
    wait_for_line(second)
    for number in range(5):
        room.say(room.bob, f"Number {number}")
    wait_until_saved(second, "Number 4")
    copies = [each for each in json.loads(saved(second)) if each.get("id") == room.id]
    (copy,) = copies
    bodies = [each["body"] for each in copy["history"]["messages"] if each["kind"] == "text"]
    assert bodies == [secret_of(room), *(f"Number {number}" for number in range(5))]
