"""Chatty as a progressive web app: installing, offline, sharing, notifications."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect

from tests.browser import chromium
from tests.browser.conftest import Visit, Visitor
from tests.browser.rooms import Room, bubble, enter, row_of, wait_for_line, write
from tests.installations import ChatServer, eventually
from tests.markers import first_of


@pytest.fixture
def visit(visit: Visit) -> Visit:
    """With a service worker."""
    return partial(visit, service_workers="allow")


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """The full browser: the headless shell supports neither notifications nor installing."""
    path = chromium.find(playwright.chromium.executable_path, whole=True)
    browser = playwright.chromium.launch(executable_path=path, args=chromium.ARGUMENTS)
    yield browser
    browser.close()


def wait_for_worker(page: Page) -> None:
    """Wait until the service worker controls this page."""
    page.evaluate("navigator.serviceWorker.ready")
    eventually(lambda: page.evaluate("Boolean(navigator.serviceWorker.controller)"))


# --- installing ----------------------------------------------------------------------------------


@pytest.mark.long
def test_manifest_has_no_errors(visit: Visit, server: ChatServer) -> None:
    visitor = visit(server, "Alice")
    wait_for_worker(visitor.goto())
    session = visitor.context.new_cdp_session(visitor.page)
    manifest = session.send("Page.getAppManifest")
    assert manifest["url"].endswith("/manifest.webmanifest")
    assert manifest["errors"] == []
    wrong = session.send("Page.getInstallabilityErrors")["installabilityErrors"]
    # Test contexts are incognito windows, in which nothing can be installed.
    assert [each["errorId"] for each in wrong] in ([], ["in-incognito"])


# --- offline -------------------------------------------------------------------------------------


@pytest.mark.long
def test_offline_page_reloads_when_the_connection_is_back(visit: Visit, room: Room) -> None:
    """Where nothing can be read offline: see test_offline.py."""
    visitor = visit(room.server, "Alice")
    visitor.allow("ERR_INTERNET_DISCONNECTED")
    visitor.goto("/settings/sign-ins/")
    box = visitor.page.get_by_label("Keep my latest messages")
    expect(box).to_be_checked()  # shown by the script
    box.uncheck()
    page = enter(visitor, room)
    room.say(room.bob, "Before")
    expect(bubble(page, "Before")).to_be_visible()
    page.locator("#composer-body").fill("Half a thought")
    wait_for_worker(page)
    visitor.context.set_offline(True)
    page.reload()
    expect(page.get_by_role("heading", name="No connection")).to_be_visible()
    expect(page.locator("body")).not_to_contain_text("Before")
    expect(page.locator(".card")).not_to_have_css("border-radius", "0px")  # styles are loaded
    page.locator("#retry").click()
    expect(page.get_by_role("heading", name="No connection")).to_be_visible()
    room.say(room.bob, "Meanwhile")
    visitor.context.set_offline(False)
    expect(bubble(page, "Meanwhile")).to_be_visible()
    assert page.url == room.server.url + room.path
    expect(page.locator("#composer-body")).to_have_value("Half a thought")


def test_service_worker_caches_no_messages(visit: Visit, room: Room) -> None:
    room.say(room.bob, "A secret")
    page = enter(visit(room.server, "Alice"), room)
    wait_for_worker(page)
    page.reload()
    wait_for_line(page)
    kept = page.evaluate(
        """async () => {
            const found = {};
            for (const name of await caches.keys()) {
                const cache = await caches.open(name);
                for (const request of await cache.keys()) {
                    found[request.url] = await (await cache.match(request)).text();
                }
            }
            return found;
        }"""
    )
    paths = [address.removeprefix(room.server.url) for address in kept]
    assert "/offline/" in paths
    assert all(path == "/offline/" or path.endswith("?offline") for path in paths)
    assert not any("A secret" in text or "Alice" in text for text in kept.values())


@pytest.mark.long
def test_forms_redirects_and_signing_out_work_with_the_service_worker(
    visit: Visit, room: Room
) -> None:
    visitor = visit(room.server, "Alice")
    page = enter(visitor, room)
    wait_for_worker(page)
    page.goto(room.server.url + f"{room.path}settings/")  # its form redirects
    page.get_by_label("Mentions only").check()
    page.locator("form[action$='/level/'] button").click()
    expect(page.locator(".flash")).to_contain_text("Saved")
    page.goto(room.server.url + "/")
    expect(page.locator("#conversation")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(re.compile("/sign-in/"))
    page.goto(room.server.url + room.path)
    expect(page).to_have_url(re.compile(r"/sign-in/\?next="))


# --- sharing -------------------------------------------------------------------------------------

_SHARED = (
    "/share/?title=Boats&text=Look%3A%0Ahttps%3A%2F%2Fboat.example&url=https%3A%2F%2Fboat.example"
)
_WORDS = "Boats\nLook:\nhttps://boat.example"


@pytest.mark.long
@pytest.mark.parametrize("javascript", first_of(True, False), ids=["with scripts", "without"])
def test_shared_text_is_inserted_into_the_composer_of_the_chosen_conversation(
    javascript: bool, visit: Visit, room: Room
) -> None:
    visitor = visit(room.server, "Alice", phone=True, javascript=javascript)
    page = visitor.goto(_SHARED)
    page.locator(f"[formaction='{room.path}']").click()
    box = page.locator("#composer-body")
    expect(box).to_have_value(_WORDS)
    assert room.bodies() == []
    page.locator("#composer [type=submit]").click()
    expect(bubble(page, "boat.example")).to_be_visible()
    eventually(lambda: room.bodies() == [_WORDS])


@pytest.mark.long
def test_shared_text_is_inserted_once_below_the_draft(visit: Visit, room: Room) -> None:
    visitor = visit(room.server, "Alice")
    page = enter(visitor, room)
    box = page.locator("#composer-body")
    box.fill("Half a thought")
    page = visitor.goto(_SHARED)
    page.locator(f"[formaction='{room.path}']").click()
    expect(box).to_have_value(f"Half a thought\n{_WORDS}")
    page.reload()
    wait_for_line(page)
    expect(box).to_have_value(f"Half a thought\n{_WORDS}")
    assert page.url == room.server.url + room.path


# --- notifications -------------------------------------------------------------------------------

Enter = Callable[..., Visitor]
# True once a page has loaded its notifier and become the leader.
_NOTIFIES = """navigator.locks.query()
    .then(({ held }) => held.some(({ name }) => name.endsWith(".notifier")))"""


@pytest.fixture
def listening(visit: Visit) -> Enter:
    """listening(room): Alice in that conversation, with notifications turned on."""

    def listening(room: Room) -> Visitor:
        visitor = visit(room.server, "Alice")
        visitor.context.grant_permissions(["notifications"], origin=room.server.url)
        page = visitor.goto("/settings/notifications/")
        wait_for_worker(page)
        page.get_by_role("button", name="Turn on notifications").click()
        expect(page.get_by_role("button", name="Turn off")).to_be_visible()
        enter(visitor, room)
        eventually(lambda: page.evaluate(_NOTIFIES))
        return visitor

    return listening


def look_away(page: Page) -> None:
    page.evaluate("document.hasFocus = () => false; dispatchEvent(new Event('blur'))")


def look_again(page: Page) -> None:
    page.evaluate("delete document.hasFocus; dispatchEvent(new Event('focus'))")


def banners(page: Page) -> list[list[Any]]:
    """[title, body] of each notification on the screen."""
    found: list[list[Any]] = page.evaluate(
        """async () => {
            const worker = await navigator.serviceWorker.ready;
            return (await worker.getNotifications()).map(({ title, body }) => [title, body]);
        }"""
    )
    return found


@pytest.mark.long
def test_notification_permission_is_requested_only_by_the_button(
    visit: Visit, server: ChatServer
) -> None:
    visitor = visit(server, "Alice")
    # As in a browser that was never asked. Headless browsers deny permission by default.
    visitor.context.add_init_script(
        """window.asked = 0;
        Object.defineProperty(Notification, "permission", { get: () => "default" });
        Notification.requestPermission = async () => { asked += 1; return "default"; };"""
    )
    page = visitor.goto("/?list")
    offer = page.locator("#notify-offer")
    expect(offer).to_be_visible()
    offer.get_by_role("link", name="Set up").click()
    expect(page.get_by_role("button", name="Turn on notifications")).to_be_visible()
    assert page.evaluate("asked") == 0
    page.get_by_role("button", name="Turn on notifications").click()
    assert page.evaluate("asked") == 1
    page.goto(server.url + "/?list")
    for width, height in ((320, 568), (844, 390)):  # small phones, upright and on their side
        page.set_viewport_size({"width": width, "height": height})
        expect(offer).to_be_visible()
        box = page.locator(".sidebar__list").bounding_box()
        assert box
        assert box["height"] >= height / 3
    offer.get_by_role("button", name="Not now").click()
    expect(offer).to_have_count(0)
    page.reload()
    expect(page.locator("html[data-connection=online]")).to_be_attached()
    # What would show it is loaded by a view that has been connected by now.
    page.evaluate("import('chatty/views/notification_offer.js').then(() => null)")
    expect(offer).to_be_hidden()


@pytest.mark.long
def test_blocked_notifications_are_explained(visit: Visit, server: ChatServer) -> None:
    visitor = visit(server, "Alice")
    visitor.context.add_init_script(
        """Object.defineProperty(Notification, "permission", { get: () => "denied" });"""
    )
    page = visitor.goto("/settings/notifications/")
    expect(page.get_by_text("Your browser blocks notifications")).to_be_visible()
    expect(page.get_by_role("button", name="Turn on notifications")).to_be_hidden()


@pytest.mark.long
def test_notification_settings_without_scripts_show_levels_and_a_hint(
    visit: Visit, room: Room
) -> None:
    page = visit(room.server, "Alice", javascript=False).goto("/settings/notifications/")
    expect(page.get_by_text("need JavaScript")).to_be_visible()
    mine = page.locator(f"form[action='{room.path}level/']")
    mine.get_by_role("combobox").select_option("nothing")
    mine.get_by_role("button").click()
    page.wait_for_url("**/settings/notifications/*")
    expect(mine.get_by_role("combobox")).to_have_value("nothing")


def test_messages_share_a_notification_that_closes_when_read_elsewhere(
    listening: Enter, visit: Visit, room: Room
) -> None:
    page = listening(room).page
    room.say(room.bob, "Looked at")
    expect(bubble(page, "Looked at")).to_be_visible()
    page.wait_for_timeout(1_200)
    assert banners(page) == []
    look_away(page)
    room.say(room.bob, "Are you *there*?")
    eventually(lambda: banners(page) == [["Kitchen", "Bob: Are you there?"]])
    room.say(room.bob, "Hello?")
    eventually(lambda: banners(page) == [["Kitchen (2)", "Bob: Hello?"]])
    elsewhere = enter(visit(room.server, "Alice"), room)  # another device, where she reads it
    expect(bubble(elsewhere, "Hello?")).to_be_in_viewport()
    eventually(lambda: banners(page) == [])


@pytest.mark.long
def test_only_one_window_notifies_and_none_while_one_is_being_looked_at(
    listening: Enter, room: Room
) -> None:
    visitor = listening(room)
    second = visitor.new_tab()
    second.goto(room.server.url + "/c/browse/")
    wait_for_line(second)
    for page in (visitor.page, second):
        page.evaluate(
            """() => {
                window.shown = 0;
                const show = ServiceWorkerRegistration.prototype.showNotification;
                ServiceWorkerRegistration.prototype.showNotification = function (...words) {
                    window.shown += 1;
                    return show.apply(this, words);
                };
            }"""
        )
    look_away(visitor.page)
    room.say(room.bob, "The other one is looked at")
    second.wait_for_timeout(1_500)
    assert banners(second) == []
    look_away(second)
    room.say(room.bob, "Now")
    eventually(lambda: banners(second) == [["Kitchen (2)", "Bob: Now"]])
    assert sum(page.evaluate("shown") for page in (visitor.page, second)) == 1
    visitor.page.close()  # if it was the leader, the other one takes over
    room.say(room.bob, "And now?")
    eventually(lambda: banners(second) == [["Kitchen (3)", "Bob: And now?"]])


@pytest.mark.long
def test_notification_level_applies_immediately(listening: Enter, room: Room) -> None:
    page = listening(room).page
    look_away(page)
    before = page.title()
    status, _ = room.alice.call(
        "PATCH", f"/api/conversations/{room.id}/level/", {"level": "mentions"}
    )
    assert status == 200
    room.say(room.bob, "For everybody")
    expect(row_of(page, room)).to_have_class(
        re.compile("row--muted.*row--unread|row--unread.*row--muted")
    )
    page.wait_for_timeout(1_200)
    assert banners(page) == []
    assert page.title() == before
    room.say(room.bob, "@alice, for you")
    eventually(lambda: banners(page) == [["Kitchen", "Bob: @alice, for you"]])
    expect(row_of(page, room)).to_have_class(re.compile("row--mentioned"))
    expect(bubble(page, "for you")).to_have_class(re.compile("message--mentioned"))
    look_again(page)
    expect(row_of(page, room).locator("[data-slot=unread]")).to_be_hidden()
    eventually(lambda: banners(page) == [])


@pytest.mark.long
def test_signing_out_closes_notifications(listening: Enter, room: Room) -> None:
    visitor = listening(room)
    visitor.allow("members/: .* 401 ")  # a request in flight when the session ends
    page = visitor.page
    look_away(page)
    room.say(room.bob, "Read me")
    eventually(lambda: len(banners(page)) == 1)
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(re.compile("/sign-in/"))
    assert banners(page) == []


def test_clicking_a_notification_opens_its_conversation_in_an_existing_window(
    listening: Enter, room: Room, server: ChatServer
) -> None:
    visitor = listening(room)
    page = visitor.goto("/c/browse/")
    wait_for_line(page)
    look_away(page)
    room.say(room.bob, "Come here")
    eventually(lambda: len(banners(page)) == 1)
    (worker,) = visitor.context.service_workers
    # Tests can't click system notifications, so dispatch the event. focus() is replaced because it is
    # allowed only after a real click.
    worker.evaluate(
        """async () => {
            const [notification] = await registration.getNotifications();
            WindowClient.prototype.focus = async function () { return this; };
            const press = new Event("notificationclick");
            dispatchEvent(Object.assign(press, { notification, waitUntil: () => {} }));
        }"""
    )
    page.wait_for_url(server.url + room.path)
    eventually(lambda: banners(page) == [])
    assert len(visitor.context.pages) == 1


_COUNT_TONES = """() => {
    window.tones = 0;
    window.AudioContext = class extends AudioContext {
        constructor() {
            super();
            window.tones += 1;
        }
    };
}"""


@pytest.mark.long
def test_notification_sound_plays_and_can_be_turned_off(listening: Enter, room: Room) -> None:
    page = listening(room).page
    page.evaluate(_COUNT_TONES)
    write(page, "I press keys here")
    look_away(page)
    room.say(room.bob, "One")
    room.say(room.bob, "Two")
    eventually(lambda: page.evaluate("tones") == 1)
    room.say(room.bob, "Three")
    # While one notification replaces another, there may be none.
    eventually(lambda: [words for _title, words in banners(page)] == ["Bob: Three"])
    assert page.evaluate("tones") == 1  # no second sound within seconds
    page.goto(room.server.url + "/settings/notifications/")
    page.get_by_label("Play a sound").uncheck()
    page.goto(room.server.url + room.path)
    wait_for_line(page)
    page.evaluate(_COUNT_TONES)
    write(page, "And here")
    look_away(page)
    room.say(room.bob, "Hush")
    eventually(lambda: "Hush" in str(banners(page)))
    assert page.evaluate("tones") == 0
