"""No page violates axe's accessibility rules, in any theme or contrast."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import DESKTOP, Visit
from tests.browser.rooms import Room, bubble, enter, long_press, open_menu, overflowing, violations
from tests.browser.sample_pages import PAGES, SAMPLES, STRANGERS
from tests.installations import ChatServer, Person
from tests.markers import first_of

# Media features of the device.
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light", "contrast": "no-preference"},
    "dark": {"color_scheme": "dark", "contrast": "no-preference"},
    "light-more": {"color_scheme": "light", "contrast": "more"},
    "dark-more": {"color_scheme": "dark", "contrast": "more"},
}
# The most diverse pages are also checked on a phone. More contrast, and the other pages there, are `long`.
_SAMPLES = (*SAMPLES, STRANGERS[0])
# The sidebar is the same on all other pages.
_WITH_SIDEBAR = ("home", "room")
# What is checked for overflow once a page has loaded in a wide window.
_NARROW = [(320, 100), (360, 200)]
_REST = tuple(name for name in (*PAGES, *STRANGERS) if name not in _SAMPLES)


@pytest.fixture
def wears(person: Callable[[ChatServer, str], Person]) -> Iterator[Callable[..., None]]:
    """wears(server, theme, contrast): set Alice's theme and contrast until the end of the test."""
    alices = []

    def wears(server: ChatServer, theme: str, contrast: str) -> None:
        alice = person(server, "Alice")
        alices.append(alice)
        status, _ = alice.call("PATCH", "/api/me/", {"theme": theme, "contrast": contrast})
        assert status == 200

    yield wears
    for alice in alices:
        alice.call("PATCH", "/api/me/", {"theme": "system", "contrast": "system"})


def faults_by_look(
    page: Page, looks: Iterable[str], exclude: tuple[str, ...] = ()
) -> dict[str, list[str]]:
    """Check a page with all rules in the first look, and only contrast in the others."""
    found: dict[str, list[str]] = {}
    for look in looks:
        page.emulate_media(**LOOKS[look])
        found[look] = violations(page, *(["color-contrast"] if found else []), exclude=exclude)
    return found


def parts(names: tuple[str, ...], count: int) -> list[tuple[str, ...]]:
    """Split `names` into `count` parts, to run them on several workers."""
    return [names[start::count] for start in range(count)]


@pytest.mark.parametrize(
    ("names", "phone", "looks"),
    [
        *((names, False, ["light"]) for names in parts((*PAGES, *STRANGERS), 4)),
        (_SAMPLES, True, ["light", "dark"]),
        *(
            pytest.param(names, False, ["dark"], marks=pytest.mark.long)
            for names in parts((*PAGES, *STRANGERS), 2)
        ),
        pytest.param(_SAMPLES, False, ["dark-more", "light-more"], marks=pytest.mark.long),
        *(
            pytest.param(names, phone, looks, marks=pytest.mark.long)
            for names in parts(_REST, 2)
            for phone, looks in ((False, ["dark-more", "light-more"]), (True, ["light", "dark"]))
        ),
    ],
    ids=lambda value: None if isinstance(value, (tuple, list)) else ("desktop", "phone")[value],
)
def test_axe_finds_no_violations_on_any_page_and_none_overflows(
    names: tuple[str, ...],
    phone: bool,
    looks: list[str],
    visit: Visit,
    server: ChatServer,
    places: dict[str, str],
) -> None:
    visitor, stranger = (visit(server, name, phone=phone) for name in ("Alice", None))
    found = {}
    for name in names:
        one, path = (visitor, places[name]) if name in places else (stranger, name)
        one.allow("404")
        exclude = () if name in _WITH_SIDEBAR else ("#sidebar",)
        found[name] = faults_by_look(one.goto(path), looks, exclude)
        if not phone:
            found[name]["overflow"] = overflowing(one.page, _NARROW)
            one.page.set_viewport_size(DESKTOP)
    assert {name: each for name, each in found.items() if any(each.values())} == {}


@pytest.mark.parametrize("phone", first_of(False, True), ids=["desktop", "phone"])
def test_axe_finds_no_violations_in_menus_and_dialogs(
    phone: bool, visit: Visit, server: ChatServer, places: dict[str, str]
) -> None:
    looks = ["light", "dark"]
    page = visit(server, "Alice", phone=phone).goto(places["room"])
    found = {}
    row = page.locator("#messages > .message:has(.message__more)").last
    if phone:
        page.evaluate("import('chatty/views/gestures.js').then(() => null)")
        long_press(row)
    else:
        open_menu(row)
    found["open menu"] = faults_by_look(page, looks)
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    page.locator(".switcher input").fill("a")
    expect(page.locator(".switcher [role=group]")).to_have_count(2)
    found["switcher"] = faults_by_look(page, looks)
    page.keyboard.press("Escape")
    page.locator("#timeline").press("?")
    expect(page.locator(".shortcuts")).to_be_visible()
    found["shortcuts"] = faults_by_look(page, looks)
    assert {name: each for name, each in found.items() if any(each.values())} == {}


@pytest.mark.long
@pytest.mark.parametrize(
    ("device", "chosen"),
    [("dark", ("light", "more")), ("light", ("dark", "more")), ("light-more", ("dark", "none"))],
)
def test_axe_finds_no_violations_if_settings_override_the_device(
    device: str,
    chosen: tuple[str, str],
    visit: Visit,
    server: ChatServer,
    places: dict[str, str],
    wears: Callable[..., None],
) -> None:
    """Settings use the same colours as the device's media features, so one page is enough."""
    wears(server, *chosen)
    page = visit(server, "Alice").goto(places["profile"])
    assert faults_by_look(page, [device]) == {device: []}


_READING = {"copy", "link", "unread"}
_OFFERED = {
    "owner": {*_READING, "react", "reply", "pin", "delete"},
    "author": {*_READING, "react", "reply", "edit", "pin", "delete"},
    "member": {*_READING, "react", "reply", "pin"},
    "archived": _READING,
}
# On the page of actions. Reactions are above this list.
_LISTED = {
    "owner": ["Reply", "Mark unread", "Show in conversation", "Pin", "Delete"],
    "author": ["Reply", "Edit", "Mark unread", "Show in conversation", "Pin", "Delete"],
    "member": ["Reply", "Mark unread", "Show in conversation", "Pin"],
    "archived": ["Mark unread", "Show in conversation"],
}


@pytest.mark.parametrize("viewer", first_of("author", "owner", "member", "archived"))
def test_messages_can_be_used_by_keyboard_by_everyone(
    viewer: str, visit: Visit, server: ChatServer, room: Room
) -> None:
    """With and without scripts: Tab leads to "More", which leads to exactly the actions that are allowed,
    and Escape leads back. axe finds no violations on the way. The owner is that of the conversation."""
    writer = room.bob if viewer in ("owner", "author") else room.alice
    asked = room.say(writer, "A question")
    reader = "Alice" if viewer == "owner" else "Bob"
    person = room.alice if viewer == "owner" else room.bob
    person.call("PUT", f"/api/messages/{asked['id']}/reactions/%F0%9F%8C%B1/")
    if viewer == "archived":
        room.alice.call("PATCH", f"/api/conversations/{room.id}/", {"archived": True})
    page = enter(visit(server, reader), room)
    message, more = bubble(page, "A question"), bubble(page, "A question").locator(".message__more")
    page.locator("#timeline").focus()
    page.keyboard.press("k")
    if viewer == "archived":  # the notice of it is the last
        page.keyboard.press("k")
    expect(message).to_be_focused()
    walk(page, more)
    page.keyboard.press("Enter")
    expect(more).to_have_attribute("aria-expanded", "true")
    shown = message.locator("[data-action]:not([data-action=toggle]):visible")
    names = set(shown.evaluate_all("all => all.map(each => each.dataset.action)"))
    assert names == _OFFERED[viewer]
    page.keyboard.press("Tab")
    expect(message.locator(".message-menu :focus")).to_have_count(1)
    found = {"menu": violations(page)}
    page.keyboard.press("Escape")
    expect(more).to_be_focused()
    expect(more).to_have_attribute("aria-expanded", "false")

    plain = visit(server, reader)  # axe itself needs scripts, so the page just doesn't get its own
    plain.allow("ERR_FAILED")
    plain.context.route(re.compile(r"\.js$"), lambda route: route.abort())
    page = plain.goto(room.path)
    found["without scripts"] = violations(page)
    walk(page, bubble(page, "A question").locator(".message__more"))
    page.keyboard.press("Enter")
    page.wait_for_url("**/?actions")
    assert page.locator(".action-list .menu__item").all_inner_texts() == _LISTED[viewer]
    found["actions"] = violations(page)
    walk(page, page.get_by_role("link", name="Show in conversation"))
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{room.path}#m{asked['id']}")
    assert {name: each for name, each in found.items() if each} == {}


def walk(page: Page, goal: Locator) -> None:
    """Press Tab until `goal` has the focus."""
    for _ in range(60):
        if goal.evaluate("goal => goal === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError("Tab does not lead there")
