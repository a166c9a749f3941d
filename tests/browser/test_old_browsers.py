"""Browsers below the minimum of the README: everything is readable, and works as without scripts.

Chromium plays an old browser. Names of newer features are replaced in the style sheets by names that no
browser knows, so that it treats them as an old one treats theirs.
"""

from __future__ import annotations

import re
from typing import Literal

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Visit
from tests.browser.rooms import Room, bubble, violations

# Not known to the oldest browsers that read the style sheets at all.
_NEWER = re.compile(r"\b(has|color-mix|oklch|light-dark)(?=\()|\b(field-sizing|scripting)(?=:)")
_SCRIPT = """
const { supports } = CSS;
const newer = /:has\\(|color-mix|oklch|light-dark|field-sizing/;
CSS.supports = (...condition) => !newer.test(condition.join(" ")) && supports.apply(CSS, condition);
const { matchMedia } = globalThis;
globalThis.matchMedia = (query) => matchMedia.call(globalThis, query.replace("scripting", "unknown"));
"""


@pytest.fixture
def old(visit: Visit, room: Room) -> Page:
    """Alice's page of the room."""
    page = visit(room.server, "Alice").page

    def age(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, body=_NEWER.sub(r"unknown-\g<0>", response.text()))

    page.route(re.compile(r"\.css"), age)
    page.add_init_script(_SCRIPT)
    room.say(room.alice, "hello from Alice, with `code`")
    room.say(room.bob, "hello from Bob")
    page.goto(room.server.url + room.path)
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.long
def test_everything_is_readable(scheme: Literal["light", "dark"], old: Page, room: Room) -> None:
    old.emulate_media(color_scheme=scheme)
    surface = "element => getComputedStyle(element).backgroundColor"
    for part in (
        bubble(old, "from Alice").locator(".message__bubble"),
        old.locator(".composer__send"),
    ):
        assert part.evaluate(surface) != "rgba(0, 0, 0, 0)"
    assert violations(old, "color-contrast") == []
    for path in ("/settings/profile/", f"{room.path}settings/", f"{room.path}members/"):
        old.goto(room.server.url + path)
        assert violations(old, "color-contrast") == [], path


def test_page_works_as_without_scripts(old: Page, room: Room) -> None:
    assert old.evaluate("document.documentElement.dataset.connection ?? null") is None
    old.locator("#composer-body").fill("sent with the form")
    with old.expect_navigation():
        old.locator(".composer__send").click()
    expect(bubble(old, "sent with the form")).to_be_visible()
    assert "sent with the form" in room.bodies()
    message = bubble(old, "hello from Bob")
    message.hover()
    more = message.locator(".message__more")
    expect(more).to_have_css("opacity", "1")
    more.click()
    old.wait_for_url(re.compile(r"/m/\d+/"))
    expect(old.locator("#main").get_by_text("hello from Bob")).to_be_visible()
