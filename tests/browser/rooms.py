"""Rooms (conversations for tests) and helpers to act and look on their pages."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Error, Locator, Page, Route, WebSocketRoute, expect

from tests.cast import email_of
from tests.installations import ChatServer, Person

if TYPE_CHECKING:
    from tests.browser.conftest import Visitor

Persons = Callable[[ChatServer, str], Person]


class Line:
    """The connection of a browser. After cut(), it is offline and no socket opens until mend()."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.is_cut = False
        self._open: list[WebSocketRoute] = []
        # The second is of the service worker, if the page was about to register it.
        visitor.allow("ERR_INTERNET_DISCONNECTED", "occurred when fetching the script")
        visitor.context.route_web_socket(re.compile("/ws/"), self._route)

    def cut(self) -> None:
        self.is_cut = True
        self.visitor.context.set_offline(True)
        for route in self._open:
            with contextlib.suppress(Error):  # of a page that was closed
                route.close(code=1001)
        self._open.clear()

    def mend(self) -> None:
        self.is_cut = False
        self.visitor.context.set_offline(False)

    def _route(self, route: WebSocketRoute) -> None:
        if self.is_cut:
            route.close(code=1001)
        else:
            route.connect_to_server()
            self._open.append(route)


class Later:
    """A page whose later scripts (see chatty/assets/static_files.py) wait for come() or fail()."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor
        self.frames: list[Any] = []  # received by its socket
        self._held: list[Route] = []
        self._then: Callable[[Route], None] = self._held.append
        later = re.compile(r"/js/(later|offline_reading)\.")
        visitor.page.route(later, lambda route: self._then(route))

    def goto(self, path: str) -> Page:
        """Return the page once its socket has received `hello`."""
        page = self._visitor.page
        page.on(
            "websocket",
            lambda socket: socket.on("framereceived", lambda frame: self.frames.append(frame)),
        )
        self._visitor.goto(path)
        deadline = time.monotonic() + 15
        while not any('"hello"' in str(frame) for frame in self.frames):
            assert time.monotonic() < deadline, "the socket was not welcomed"
            page.wait_for_timeout(50)
        return page

    def come(self) -> None:
        self._go_on(lambda route: route.continue_())

    def fail(self) -> None:
        self._go_on(lambda route: route.abort())

    def _go_on(self, then: Callable[[Route], None]) -> None:
        wait_for_held(self._visitor.page, self._held)
        self._then = then
        for route in self._held:  # requested twice: as a preload and by the import
            then(route)


_FILL = """
from accounts.models import User
from conversations.actions import Draft, send_messages
from conversations.content import Content
author = User.objects.get(email="{email}")
drafts = [
    Draft(author.pk, {room}, f"fill-{room}-{{author.pk}}-{{number}}", Content(body={text!r}.format(number)))
    for number in range(1, {count} + 1)
]
for start in range(0, len(drafts), 100):
    for sent in send_messages(drafts[start : start + 100]):
        assert sent.created
"""
_ADVANCE = """
from conversations.models import Conversation
from django.db.models import F
Conversation.objects.filter(pk={room}).update(version=F("version") + 2000)
"""


class Room:
    """A conversation of Alice (owner) and Bob, used over the REST API."""

    def __init__(self, server: ChatServer, person: Persons) -> None:
        self.server = server
        self.alice = person(server, "Alice")
        self.bob = person(server, "Bob")
        status, me = self.bob.call("GET", "/api/me/")
        assert status == 200
        self.bob_id = me["id"]
        given = {"name": "Kitchen", "members": [self.bob_id]}
        status, made = self.alice.call("POST", "/api/conversations/", given)
        assert status == 201, made
        self.id = made["id"]
        self.path = f"/c/{self.id}/"

    def say(self, who: Person, body: str, **more: Any) -> dict[str, Any]:
        self.count = getattr(self, "count", 0) + 1
        given = {"key": f"program-{self.id}-{who.name}-{self.count}", "body": body, **more}
        status, message = who.call("POST", f"/api/conversations/{self.id}/messages/", given)
        assert status == 201, message
        return message

    def fill(self, count: int, text: str = "{}", who: str = "Bob") -> None:
        """Store `count` messages: "1", "2", ... or as in `text`.

        Much faster than sending them, but pages that are already open only get them after a while.
        """
        script = _FILL.format(email=email_of(who), text=text, count=count, room=self.id)
        self.server.manage("shell", "-v", "0", "-c", script)

    def advance(self) -> None:
        """Raise the version by more than clients can catch up with: they have to load the latest page."""
        self.server.manage("shell", "-v", "0", "-c", _ADVANCE.format(room=self.id))

    def bodies(self) -> list[str]:
        status, page = self.alice.call("GET", f"/api/conversations/{self.id}/messages/?limit=100")
        assert status == 200
        return [each["body"] for each in page["messages"] if each["kind"] == "text"]


# Modules that a page loads later and that show no sign of being ready.
_WAIT_FOR_PARTS = (
    "Promise.all(['message_actions', 'keyboard', 'message_links', 'gestures', 'message_menu']"
    ".map(n => import(`chatty/views/${n}.js`)))"
)


def enter(visitor: Visitor, room: Room) -> Page:
    page = visitor.goto(room.path)
    wait_for_line(page)
    page.evaluate(f"{_WAIT_FOR_PARTS}.then(() => null)")
    return page


def wait_for_line(page: Page) -> None:
    expect(page.locator("html[data-connection=online]")).to_be_attached()


def wait_for_paint(page: Page) -> None:
    """Wait until the page has handled its events so far, and shows the result."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")


def wait_until(page: Page, expression: str, arg: object = None) -> None:
    """Wait until a script returns something true. Page.wait_for_function() only works if that is so at once:
    later it calls eval(), which the Content-Security-Policy blocks."""
    deadline = time.monotonic() + 15
    while not page.evaluate(expression, arg):
        assert time.monotonic() < deadline, f"never true: {expression}"
        page.wait_for_timeout(50)


def wait_for_held(page: Page, held: list[Route]) -> None:
    deadline = time.monotonic() + 15
    while not held:
        assert time.monotonic() < deadline, "what is kept back was never asked for"
        page.wait_for_timeout(50)


def let_go(page: Page, held: list[Route]) -> None:
    """Continue the held requests, after waiting for the first one."""
    wait_for_held(page, held)
    for route in held:
        route.continue_()


_AXE = Axe().axe_script
_VIOLATIONS = """async ([options, exclude]) => {
    const { violations } = await axe.run({ exclude }, options);
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 200)}`));
}"""


def violations(page: Page, *rules: str, exclude: tuple[str, ...] = ()) -> list[str]:
    """Return axe's violations: rule and element. `rules` limits the check, which is faster.

    `exclude`: selectors of elements that are not checked.
    """
    # Wait for animations: text that is fading in has too little contrast.
    page.evaluate("Promise.allSettled(document.getAnimations().map((each) => each.finished))")
    if not page.evaluate("Boolean(globalThis.axe)"):  # half a megabyte, once per page
        page.evaluate(_AXE)
    # Report details of violations only: describing elements that passed takes most of the time.
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if rules:
        options["runOnly"] = {"type": "rule", "values": rules}
    found: list[str] = page.evaluate(_VIOLATIONS, [options, list(exclude)])
    return found


def overflowing(page: Page, sizes: Iterable[tuple[int, int]]) -> list[str]:
    """Return the boxes that are wider than what surrounds them, which would have to be scrolled sideways.

    `sizes`: the widths of the window in pixels, each with the size of text in percent. Leaves the last.
    """
    found = []
    for width, text in sizes:
        page.set_viewport_size({"width": width, "height": 800})
        # As set in a browser. By script, since the Content Security Policy blocks inline styles.
        page.evaluate(
            "size => document.documentElement.style.setProperty('font-size', size)", f"{text}%"
        )
        boxes = page.evaluate(
            """() => [document.documentElement, ...document.querySelectorAll('main, #timeline, #sidebar')]
                .filter(box => box.scrollWidth > box.clientWidth + 1 && box.clientWidth > 0)
                .map(box => `${box.tagName} ${box.scrollWidth} > ${box.clientWidth}`)"""
        )
        found += [f"at {width} px, {text} %: {box}" for box in boxes]
    return found


def write(page: Page, body: str) -> None:
    page.locator("#composer-body").fill(body)
    page.locator("#composer-body").press("Enter")


def is_stored(page: Page) -> None:
    """Wait until every message that was written here is stored."""
    expect(page.locator("#messages > .message--pending")).to_have_count(0)


def message_texts(page: Page) -> list[str]:
    """The texts of all messages, in the order of the page."""
    return page.locator("#messages > .message .message__body").all_inner_texts()


def bubble(page: Page, words: str) -> Locator:
    return page.locator("#messages > .message", has_text=words)


_IN_TOOLBAR = {"react", "reply"}


def by_seq(room: Room, seq: int) -> dict[str, Any]:
    """The message of a room at this seq, as REST returns it."""
    path = f"/api/conversations/{room.id}/messages/?around={seq}&limit=1"
    status, page = room.alice.call("GET", path)
    assert status == 200
    found: dict[str, Any] = page["messages"][0]
    return found


def act(page: Page, words: str, action: str) -> None:
    """Click a button in the toolbar or menu of a message."""
    message = bubble(page, words).first
    message.hover()
    if action not in _IN_TOOLBAR:
        open_menu(message)
    message.locator(f"[data-action={action}]:visible").first.click()


def open_menu(message: Locator) -> Locator:
    """Open the menu of a message, and return it."""
    message.hover()
    message.locator(".message__more").click()
    menu = message.locator(".message-menu")
    expect(menu).to_be_visible()
    return menu


def long_press(message: Locator) -> Locator:
    """Open the menu of a message as on a phone, and return it."""
    menu = message.locator(".message-menu")
    hold(message.locator(".message__body"), menu)
    return menu


def hold(pressed: Locator, shown: Locator) -> None:
    """Press an element as on a phone, until another one is shown."""
    pressed.scroll_into_view_if_needed()
    box = pressed.bounding_box()
    assert box
    session = pressed.page.context.new_cdp_session(pressed.page)
    point = {"x": box["x"] + 5, "y": box["y"] + box["height"] / 2}
    session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [point]})
    expect(shown).to_be_visible()
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def swipe(message: Locator, by: int) -> None:
    """Move a finger across a message, by pixels to the right."""
    box = message.locator(".message__body").bounding_box()
    assert box
    session = message.page.context.new_cdp_session(message.page)
    x, y = box["x"] + 5, box["y"] + box["height"] / 2
    session.send(
        "Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]}
    )
    for step in range(1, 6):
        points = [{"x": x + by * step / 5, "y": y}]
        session.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": points})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def offered(message: Locator) -> list[str]:
    """The actions that the toolbar and menu of a message offer."""
    open_menu(message)
    shown = message.locator("[data-action]:visible")
    names: list[str] = shown.evaluate_all("all => all.map(each => each.dataset.action)")
    message.press("Escape")
    expect(message.locator(".message-menu")).to_have_count(0)
    return names


# A timeline on its way to a message just sent would go on after it has been scrolled.
_SCROLL = """async (box, by) => {
    const rest = async () => {
        for (let top = NaN, frames = 0; frames < 5; frames += 1) {
            if (box.scrollTop !== top) [top, frames] = [box.scrollTop, 0];
            await new Promise(requestAnimationFrame);
        }
    };
    await rest();
    box.scrollBy(0, by);
    await rest();
}"""


def scroll(page: Page, by: int) -> None:
    """Scroll the timeline once it rests, and wait until it rests again."""
    page.locator("#timeline").evaluate(_SCROLL, by)


def anchor(page: Page) -> tuple[str, float]:
    """The id of a visible message and the top of its text, see top_of_id()."""
    row: str = page.evaluate(
        """() => {
            const box = document.getElementById("timeline").getBoundingClientRect();
            const rows = [...document.querySelectorAll("#messages > .message")];
            return rows.find((each) => each.getBoundingClientRect().top > box.top + 100).id;
        }"""
    )
    return row, top_of_id(page, row)


def top_of_id(page: Page, row: str) -> float:
    """Of its text: a message that becomes the second of its author loses the name above it."""
    text = page.locator(f"[id='{row}'] .message__bubble")
    return float(text.evaluate("text => text.getBoundingClientRect().top"))


def row_of(page: Page, room: Room) -> Locator:
    return page.locator(f"#conversations [data-conversation='{room.id}']")
