"""Browsers refuse text as elements or script addresses, except with the policy of trusted_types.js."""

from __future__ import annotations

from functools import partial

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.rooms import Room, act, bubble, enter, wait_for_line, write


@pytest.fixture
def visit(visit: Visit) -> Visit:
    """With a service worker."""
    return partial(visit, service_workers="allow")


_REFUSED = """async () => {
    const sinks = {
        innerHTML: () => { document.createElement("p").innerHTML = "<b>text</b>"; },
        outerHTML: () => { document.body.append(document.createElement("p"));
            document.body.lastElementChild.outerHTML = "<b>text</b>"; },
        template: () => { document.createElement("template").innerHTML = "<b>text</b>"; },
        insertAdjacentHTML: () => document.body.insertAdjacentHTML("beforeend", "<b>text</b>"),
        parseFromString: () => new DOMParser().parseFromString("<b>text</b>", "text/html"),
        fragment: () => document.createRange().createContextualFragment("<b>text</b>"),
        write: () => document.write("<b>text</b>"),
        srcdoc: () => { document.createElement("iframe").srcdoc = "<b>text</b>"; },
        script: () => { document.createElement("script").text = "1"; },
        src: () => { document.createElement("script").src = "/static/js/main.js"; },
        worker: () => navigator.serviceWorker.register("/service-worker.js"),
        policy: () => trustedTypes.createPolicy("another", { createHTML: (html) => html }),
        again: () => trustedTypes.createPolicy("chatty", { createHTML: (html) => html }),
    };
    const accepted = [];
    for (const [name, use] of Object.entries(sinks)) {
        try {
            await use();
            accepted.push(name);
        } catch (error) {
            if (!(error instanceof TypeError)) accepted.push(`${name}: ${error}`);
        }
    }
    return { accepted, count: Object.keys(sinks).length };
}"""
_LISTEN = """
globalThis.violations = [];
addEventListener("securitypolicyviolation", ({ violatedDirective, sample, sourceFile }) =>
    violations.push(`${violatedDirective}: ${sample} (${sourceFile})`));
"""


def violations(page: Page) -> list[str]:
    found: list[str] = page.evaluate("violations")
    return found


@pytest.mark.long
def test_text_is_refused_as_elements_and_script_addresses(visit: Visit, room: Room) -> None:
    visitor = visit(room.server, "Alice")
    page = enter(visitor, room)
    visitor.allow("require-trusted-types-for|trusted-types|TrustedHTML|TrustedScript")
    assert page.evaluate(_REFUSED) == {"accepted": [], "count": 13}


def test_pages_work_without_violations(visit: Visit, room: Room) -> None:
    room.say(room.bob, "**Soup** is ready")
    visitor = visit(room.server)
    visitor.context.add_init_script(_LISTEN)
    visitor.sign_in("Alice")
    page = visitor.page
    assert violations(page) == []
    enter(visitor, room)
    expect(bubble(page, "Soup").locator("strong")).to_be_visible()
    room.say(room.bob, "*Second* helping")
    expect(bubble(page, "Second").locator("em")).to_be_visible()
    write(page, "Thanks")
    act(page, "Thanks", "edit")
    page.locator("#editor-body").fill("Many **thanks**")
    page.locator("#editor-body").press("Enter")
    expect(bubble(page, "Many").locator("strong")).to_be_visible()
    page.locator(".topbar [data-pane=members]").click()
    expect(page.locator("#details")).to_contain_text("Bob")
    page.evaluate("navigator.serviceWorker.ready.then(() => null)")
    assert violations(page) == []
    page.keyboard.press("Control+k")
    expect(page.locator("dialog[open]")).to_be_visible()
    assert violations(page) == []
    for path in ("/search/?q=soup", "/settings/profile/", "/settings/notifications/", "/c/new/"):
        visitor.goto(path)
        wait_for_line(page)
        assert violations(page) == []


@pytest.mark.long
def test_page_works_in_a_browser_without_trusted_types(visit: Visit, room: Room) -> None:
    visitor = visit(room.server, "Alice", bypass_csp=True)
    visitor.context.add_init_script("delete globalThis.trustedTypes;")
    page = enter(visitor, room)
    assert page.evaluate("globalThis.trustedTypes === undefined")
    room.say(room.bob, "**Soup** is ready")
    expect(bubble(page, "Soup").locator("strong")).to_be_visible()
    page.locator(".topbar [data-pane=members]").click()
    expect(page.locator("#details")).to_contain_text("Bob")
    page.evaluate("navigator.serviceWorker.ready.then(() => null)")
