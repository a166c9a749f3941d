"""Fixtures for tests with real browsers. A test fails if a page logs errors it does not allow.

HEADED=1 shows the browser in slow motion, TRACES=<directory> writes a trace for each visitor. See
CONTRIBUTING.md.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Page,
    Playwright,
    ViewportSize,
    expect,
    sync_playwright,
)

from tests.browser import chromium, engines, sample_pages
from tests.browser.context_pool import ContextPool, notice_traces, start_unmarked
from tests.browser.rooms import Persons, Room, enter
from tests.cast import PASSWORD
from tests.installations import Builder, ChatServer
from tests.sockets import Member

PATIENCE = 10_000  # milliseconds until an expectation fails, long enough for a busy machine
SLOW_MO = 300  # milliseconds between two steps with HEADED=1
PHONE: ViewportSize = {"width": 360, "height": 740}
DESKTOP: ViewportSize = {"width": 1280, "height": 800}


# The modules whose tests take longest, in this order. A worker takes one module after the other: if it
# began with a long one last, the others would wait for it.
_FIRST = ("live", "axe", "engines", "pages", "modules", "quick", "files", "pwa", "navigation")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.browser)
    places = {f"test_{name}": place for place, name in enumerate(_FIRST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))


def pytest_report_header() -> str | None:
    return engines.describe_absent()


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    headed = bool(os.environ.get("HEADED"))
    path = chromium.find(playwright.chromium.executable_path, whole=headed)
    browser = playwright.chromium.launch(
        executable_path=path,
        args=chromium.ARGUMENTS,
        headless=not headed,
        slow_mo=SLOW_MO if headed else None,
    )
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def contexts() -> ContextPool:
    notice_traces()
    return ContextPool()


@dataclass
class Visitor:
    """A person's browser. `page` is its first tab, `errors` its console and page errors.

    Tests that expect errors (such as from a killed server) call allow("ERR_CONNECTION").
    """

    server: ChatServer
    context: BrowserContext
    page: Page
    errors: list[str] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)

    def allow(self, *patterns: str) -> None:
        self.allowed += patterns

    def goto(self, path: str = "/") -> Page:
        self.page.goto(self.server.url + path)
        return self.page

    def be(self, name: str) -> None:
        """Sign in by setting the cookies of a new session, without loading a page."""
        given = Member(self.server, name).cookie(self.page.evaluate("navigator.userAgent"))
        pairs = (pair.split("=", 1) for pair in given.split("; "))
        self.context.add_cookies(
            [{"name": name, "value": value, "url": self.server.url} for name, value in pairs]
        )

    def sign_in(self, name: str) -> None:
        """Sign in with the form."""
        self.goto("/sign-in/")
        self.page.locator("input[name=email]").fill(f"{name.lower()}@example.org")
        self.page.locator("input[name=password]").fill(PASSWORD)
        self.page.locator("input[name=password]").press("Enter")
        self.page.wait_for_url(lambda url: "/sign-in/" not in url)

    def new_tab(self) -> Page:
        page = self.context.new_page()
        self.watch(page)
        return page

    def watch(self, page: Page) -> None:
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", self._hear_error)
        page.on("console", self._hear)

    def stop_watching(self) -> None:
        for page in self.context.pages:
            page.remove_listener("pageerror", self._hear_error)
            page.remove_listener("console", self._hear)

    def _hear_error(self, error: Error) -> None:
        self.errors.append(f"{self.page.url}: {error}")

    def _hear(self, message: ConsoleMessage) -> None:
        # This includes violations of the Content-Security-Policy.
        if message.type == "error":
            self.errors.append(f"{message.location.get('url', '')}: {message.text}")

    def complaints(self) -> list[str]:
        return [
            error
            for error in self.errors
            if not any(re.search(pattern, error) for pattern in self.allowed)
        ]


Visit = Callable[..., Visitor]


@pytest.fixture
def visit(
    browser: Browser, contexts: ContextPool, request: pytest.FixtureRequest
) -> Iterator[Visit]:
    """visit(server, "Alice", phone=True, javascript=False, **context options) -> Visitor.

    Without a name, the visitor is not signed in. Pages have a service worker only with
    service_workers="allow".
    """
    visitors: list[Visitor] = []
    traces = os.environ.get("TRACES")

    def visit(
        server: ChatServer,
        name: str | None = None,
        *,
        phone: bool = False,
        javascript: bool = True,
        **options: Any,
    ) -> Visitor:
        options.setdefault("viewport", PHONE if phone else DESKTOP)
        options.setdefault("timezone_id", "Europe/Berlin")
        options.setdefault("locale", "en-GB")
        options.setdefault("service_workers", "block")
        context, page = contexts.take(
            browser, java_script_enabled=javascript, has_touch=phone, is_mobile=phone, **options
        )
        if traces:
            context.tracing.start(screenshots=True, snapshots=True, sources=True)
        visitor = Visitor(server, context, page)
        visitor.watch(visitor.page)
        if options["service_workers"] == "block" and not traces:
            start_unmarked(context)
        visitors.append(visitor)
        if name:
            visitor.be(name)
        return visitor

    yield visit
    complaints = [complaint for visitor in visitors for complaint in visitor.complaints()]
    for number, visitor in enumerate(visitors, 1):
        if traces:
            name = re.sub(r"[^\w-]+", "-", request.node.name).strip("-")
            visitor.context.tracing.stop(path=Path(traces) / f"{name}-{number}.zip")
        visitor.stop_watching()
        contexts.give_back(visitor.context, visitor.server.url)
    assert complaints == []


@pytest.fixture(scope="module")
def server(builder: Builder) -> Iterator[ChatServer]:
    """One server per module. Each test has its own room."""
    with contextlib.closing(builder.sqlite()) as installation:
        yield installation.serve()


@pytest.fixture(scope="module")
def places(server: ChatServer) -> dict[str, str]:
    """Paths of all pages, with sample data: {name in sample_pages.PAGES: path}."""
    return sample_pages.create(server)


@pytest.fixture
def room(server: ChatServer, person: Persons) -> Room:
    return Room(server, person)


@pytest.fixture
def other(room: Room, person: Persons) -> Room:
    made = Room(room.server, person)
    made.alice.call("PATCH", f"/api/conversations/{made.id}/", {"name": f"Kitchen {made.id}"})
    return made


@pytest.fixture
def alice(visit: Visit, room: Room) -> Page:
    return enter(visit(room.server, "Alice"), room)


@pytest.fixture
def bob(visit: Visit, room: Room) -> Page:
    return enter(visit(room.server, "Bob"), room)
