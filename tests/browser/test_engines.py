"""The main things people do, in Firefox and WebKit, which have failed where Chromium did not.

What failed once and is a matter of styles or of one call is tried by `make test-long`. Skipped for browsers
that are not installed; .ci/run installs both.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from PIL import Image

from tests.browser.engines import ENGINES
from tests.browser.engines.window import Window
from tests.browser.rooms import Persons, Room
from tests.cast import PASSWORD, email_of
from tests.installations import ChatServer, eventually

LINES = "\n".join(f"line {number}" for number in range(1, 13))
COMPOSER = "#composer-body"
SENT = "#messages > .message[data-own]:not(.message--pending)"
RECEIVED = "#messages > .message:not([data-own])"
# The box has grown with its text: nothing is hidden.
_FITS = """
const box = document.querySelector(arguments[0]);
return box && box.clientHeight > 200 && box.scrollHeight <= box.clientHeight + 1;
"""
_READY = "return document.documentElement.dataset.connection === 'online'"
_HAS_COPY = """
const opening = indexedDB.open("chatty-offline");
return new Promise((resolve) => {
  setTimeout(resolve, 2000, false); // WebKit does not always answer: ask again
  opening.onsuccess = () => {
    const database = opening.result;
    if (!database.objectStoreNames.length) {
      database.close(); // it would block what the page opens
      return resolve(false);
    }
    const copies = database.transaction("copies").objectStore("copies").getAll();
    copies.onsuccess = () => resolve(JSON.stringify(copies.result).includes("on the train"));
    database.close();
  };
  opening.onupgradeneeded = () => opening.transaction.abort();
  opening.onerror = () => resolve(false);
});
"""
_HAS_WORKER = """
const worker = navigator.serviceWorker.getRegistration();
return worker.then((found) => found?.active?.state === "activated");
"""
# Reported of modules that were still loading when a page was left.
_LEFT = ("error loading dynamically imported module", "Importing a module script failed")
# The days as the page was rendered, and as scripts have named them.
_DAYS = """return (async () => {
// fetch() and DOMParser would need the policy of the page for Trusted Types.
const request = new XMLHttpRequest();
request.open("GET", location.href);
request.responseType = "document";
await new Promise((done) => { request.onload = done; request.send(); });
const drawn = request.response;
const days = (root) => [...root.querySelectorAll("#messages > .day")].map((day) => day.innerText.trim());
return [days(drawn), days(document)];
})()"""
# The place of the scrolling list, once it has the colours of the theme.
_EDGE = """
const list = document.getElementById("timeline");
if (document.getAnimations().length) return null;
const { top, right, bottom } = list.getBoundingClientRect();
return list.scrollHeight > list.clientHeight && { top, right, bottom };
"""


@pytest.fixture(scope="module")
def window(server: ChatServer, request: pytest.FixtureRequest) -> Iterator[Window]:
    """Alice's window, where she has signed in with the form. A test fails if the browser logs errors."""
    engine = ENGINES[request.param]
    if not engine.is_installed:
        pytest.skip(f"needs {engine.packages}")
    with engine.open_window() as window:
        window.goto(server.url + "/sign-in/")
        for field, value in (("email", email_of("Alice")), ("password", PASSWORD)):
            window.click(f"input[name={field}]")
            window.type(value)
        window.press("Enter")
        window.see("#conversations")
        yield window


@pytest.fixture
def page(window: Window, room: Room) -> Iterator[Window]:
    """Alice's window, with the room."""
    room.say(room.bob, "hello, Alice")
    before = len(window.errors())
    window.goto(room.server.url + room.path)
    window.wait(_READY)
    yield window
    new = [error for error in window.errors()[before:] if not any(map(error.__contains__, _LEFT))]
    assert new == []


pytestmark = pytest.mark.parametrize("window", list(ENGINES), indirect=True)


def write(page: Window, text: str) -> None:
    page.click(COMPOSER)
    page.type(text)
    page.press("Enter")


def hover(page: Window, message: str) -> None:
    """Move the pointer to a message until the scripts that show its toolbar have loaded."""

    def has_toolbar() -> object:
        page.hover("h1")
        page.hover(f"{message} .message__bubble")
        return page.evaluate(
            f"return Boolean(document.querySelector('{message} .message__toolbar'))"
        )

    eventually(has_toolbar)


def test_send_and_receive(page: Window, room: Room) -> None:
    page.see(RECEIVED, "hello, Alice")
    write(page, "Soup is ready")
    page.see(SENT, "Soup is ready")
    eventually(lambda: "Soup is ready" in room.bodies())
    room.say(room.bob, "coming")
    page.see(RECEIVED, "coming")


def test_switch_to_another_conversation(page: Window, room: Room, person: Persons) -> None:
    other = Room(room.server, person)
    page.see(_row(other))
    other.say(other.bob, "over here")
    page.click(_row(other) + " a")
    page.see(RECEIVED, "over here")
    page.wait("return location.pathname === arguments[0]", other.path)
    write(page, "here I am")
    eventually(lambda: "here I am" in other.bodies())
    assert "here I am" not in room.bodies()


@pytest.mark.long
def test_editor_shows_a_long_message_whole(page: Window, room: Room) -> None:
    room.say(room.alice, LINES)
    page.see(SENT, "line 12")
    page.click(COMPOSER)
    page.press("ArrowUp")
    page.wait(_FITS, ".editor__body")
    page.type("!")
    page.press("Enter")
    page.see(SENT, "line 12!")
    eventually(lambda: f"{LINES}!" in room.bodies())


@pytest.mark.long
def test_composer_grows_with_the_text(page: Window) -> None:
    page.click(COMPOSER)
    for _ in range(8):
        page.type("x")
        page.press("Shift+Enter")
    page.wait(_FITS, COMPOSER)
    page.press("Control+a")
    page.press("Backspace")
    page.wait("return document.querySelector(arguments[0]).clientHeight < 60", COMPOSER)


def test_reply_survives_a_reload(page: Window, room: Room) -> None:
    hover(page, RECEIVED)
    page.click(RECEIVED + " [data-action=reply]")
    page.see("[data-slot=reply]", "Reply to Bob")
    page.type("hello, Bob")
    page.reload()
    page.wait(_READY)
    assert page.see("[data-slot=reply]").split("\n") == ["Reply to Bob", "hello, Alice"]
    page.wait("return document.querySelector(arguments[0]).value === 'hello, Bob'", COMPOSER)
    page.click(COMPOSER)
    page.press("Enter")
    page.see(SENT + " .quote", "hello, Alice")
    eventually(lambda: "hello, Bob" in room.bodies())


@pytest.mark.long
def test_switcher_shows_its_options(page: Window) -> None:
    page.press("Control+k")
    page.see(".switcher [role=option]", "Kitchen")
    height = "return document.querySelector(arguments[0]).clientHeight"
    page.wait(f"{height} > 80", ".switcher__options")
    page.wait(f"{height} > 150", ".switcher")
    page.type("Bo")
    page.see(".switcher [role=option]", "Bob")
    page.press("Escape")
    page.wait("return !document.querySelector('.switcher[open]')")


@pytest.mark.long
def test_first_copy_on_a_page(page: Window, room: Room) -> None:
    hover(page, RECEIVED)
    page.click(RECEIVED + " .message__more")
    page.click(".message-menu [data-action=copy]")
    page.see(".toast", "Text copied")
    page.click(COMPOSER)
    page.press("Control+v")
    page.wait("return document.querySelector(arguments[0]).value === 'hello, Alice'", COMPOSER)


@pytest.mark.long
def test_days_are_named_as_by_the_server(page: Window, room: Room) -> None:
    room.server.manage("shell", "-v", "0", "-c", _A_WEEK_AGO.format(room=room.id))
    page.reload()
    page.wait(_READY)
    server, scripts = page.evaluate(_DAYS)
    assert len(server) == 1
    assert scripts == server


_A_WEEK_AGO = """
from conversations.models import Message
from datetime import timedelta
from django.db.models import F
Message.objects.filter(conversation={room}).update(created_at=F("created_at") - timedelta(days=7))
"""


@pytest.mark.long
def test_scrollbars_are_dark_in_dark_mode(page: Window, room: Room) -> None:
    room.say(room.alice, LINES)
    for _ in range(3):
        room.say(room.alice, LINES)
    page.goto(room.server.url + room.path)
    page.wait(_READY)
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    edge = page.wait(_EDGE)
    shot = Image.open(io.BytesIO(page.screenshot())).convert("L")
    strip = shot.crop((edge["right"] - 16, edge["top"], edge["right"], edge["bottom"]))
    assert max(strip.tobytes()) < 200  # the thumb is grey


@pytest.mark.long  # in Chromium, see test_offline.py
def test_offline_page_shows_saved_messages(window: Window, room: Room) -> None:
    room.say(room.bob, "Read me on the train")
    window.goto(room.server.url + room.path)
    window.wait(_HAS_WORKER)
    window.reload()  # through the service worker, now
    window.wait("return Boolean(navigator.serviceWorker.controller)")
    window.wait(_HAS_COPY)
    room.server.terminate()
    try:
        window.reload()
        window.see("#messages > .message", "Read me on the train")
        window.see(".offline-note", "Saved just now.")
        window.goto(room.server.url + "/c/new/")
        window.see("h1", "No connection")
        window.goto(room.server.url + room.path)
        window.see("h1", "Kitchen")
    finally:
        room.server.start()
    window.see(".topbar__number", "2")  # it goes over by itself


def _row(room: Room) -> str:
    return f"#conversations [data-conversation='{room.id}']"
