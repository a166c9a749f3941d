"""Two builds of Chatty behind one address, as while processes are updated one by one."""

from __future__ import annotations

import contextlib
import itertools
import re
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import pytest
from playwright.sync_api import Page, expect

from tests.browser.builds import Front, other_build
from tests.browser.conftest import Visit
from tests.browser.rooms import (
    Line,
    Persons,
    Room,
    act,
    bubble,
    enter,
    is_stored,
    wait_for_line,
    write,
)
from tests.installations import Builder, ChatServer, Installation

# Three servers and a second set of static files. In make test, test_frames.py has a page of another build.
pytestmark = pytest.mark.long


@pytest.fixture
def visit(visit: Visit) -> Visit:
    """With a service worker."""
    return partial(visit, service_workers="allow")


@dataclass
class Builds:
    """`old` and `new` share their static files. `alone` has the build of `new` and only its files."""

    front: Front
    old: ChatServer
    new: ChatServer
    alone: ChatServer

    def use(self, server: ChatServer) -> None:
        """Send all requests to this server from now on."""
        self.front.choose = lambda _path: server

    def alternate(self, *, pages: ChatServer) -> None:
        """Alternate between both for each path, but with `pages` for the pages of conversations."""
        turns: dict[str, Iterator[ChatServer]] = defaultdict(
            lambda: itertools.cycle((self.old, self.new))
        )
        self.front.choose = lambda path: (
            pages if path.startswith("/c/") else next(turns[path.partition("?")[0]])
        )


@pytest.fixture(scope="module")
def installation(builder: Builder) -> Iterator[Installation]:
    with contextlib.closing(builder.production()) as installation:
        yield installation


@pytest.fixture(scope="module")
def both(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builds]:
    home = tmp_path_factory.mktemp("builds")
    shared, separate = home / "static", home / "separate"
    shutil.copytree(installation.env["STATIC_ROOT"], shared)
    build = other_build(home)
    old = installation.serve(STATIC_ROOT=str(shared))
    # After the old server has started, as an upgrade does.
    for root in (shared, separate):
        installation.manage("collectstatic", "--no-input", STATIC_ROOT=str(root), TEST_BUILD=build)
    new = installation.serve(STATIC_ROOT=str(shared), TEST_BUILD=build)
    alone = installation.serve(STATIC_ROOT=str(separate), TEST_BUILD=build)
    with contextlib.closing(Front(installation, lambda _path: old)) as front:
        yield Builds(front, old, new, alone)


@pytest.fixture
def builds(both: Builds) -> Builds:
    both.use(both.old)
    return both


@pytest.fixture
def room(builds: Builds, person: Persons) -> Room:
    return Room(builds.front, person)


@pytest.fixture
def other(builds: Builds, room: Room, person: Persons) -> Room:
    made = Room(builds.front, person)
    made.alice.call("PATCH", f"/api/conversations/{made.id}/", {"name": f"Kitchen {made.id}"})
    return made


@pytest.fixture
def page(visit: Visit, room: Room, other: Room) -> Page:
    """Alice's page of `room`, of the old build."""
    return enter(visit(room.server, "Alice"), room)


def click(page: Page, room: Room) -> None:
    page.locator(f"#conversations [data-conversation='{room.id}'] .row__link").click()


def arrive(page: Page, room: Room) -> None:
    page.wait_for_url(f"**{room.path}*")
    expect(page.locator(f"#conversation[data-conversation='{room.id}']")).to_be_visible()
    wait_for_line(page)


def is_new(page: Page) -> bool:
    """Whether the scripts of the page are of the new build. Its styles and templates must be, too."""
    scripts: bool = page.evaluate("'other' in document.documentElement.dataset")
    templates = page.evaluate("import('chatty/templates.js').then((module) => module.TEMPLATES)")
    assert ('data-i18n="other"' in templates) == scripts
    styles = page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--other')")
    assert (styles == "yes") == scripts
    return scripts


def test_next_conversation_of_another_build_is_loaded_and_no_text_is_lost(
    page: Page, builds: Builds, room: Room, other: Room
) -> None:
    room.say(room.bob, "A question")
    mine = room.say(room.alice, "My answer")
    act(page, "A question", "reply")
    page.locator("#composer-body").fill("Half a reply")
    act(page, "My answer", "edit")
    page.locator(".editor textarea").fill("My better answer")
    click(page, other)
    expect(page.locator(f"#conversation[data-conversation='{other.id}']")).to_be_visible()
    assert not is_new(page)
    builds.use(builds.new)
    click(page, room)
    arrive(page, room)
    assert is_new(page)
    expect(page.locator("#composer-body")).to_have_value("Half a reply")
    expect(page.locator("[data-slot=reply]")).to_contain_text("A question")
    expect(page.locator(f"#m{mine['id']} .editor textarea")).to_have_value("My better answer")
    # Of the same build again: without a load.
    page.evaluate("window.isSame = true")
    click(page, other)
    arrive(page, other)
    assert page.evaluate("window.isSame")
    assert is_new(page)


def test_back_to_a_page_of_another_build_loads_it(
    page: Page, builds: Builds, room: Room, other: Room
) -> None:
    click(page, other)
    arrive(page, other)
    builds.use(builds.new)
    page.go_back()
    arrive(page, room)
    expect(page.locator("html[data-other]")).to_be_attached()
    page.go_forward()
    arrive(page, other)
    assert is_new(page)


def test_unsent_messages_are_sent_by_the_page_of_another_build(
    visit: Visit, builds: Builds, room: Room, other: Room
) -> None:
    visitor = visit(room.server, "Alice")
    line = Line(visitor)
    page = enter(visitor, room)
    line.cut()
    write(page, "Written offline")
    expect(page.locator(".message--pending")).to_contain_text("Written offline")
    builds.use(builds.new)
    visitor.context.set_offline(False)  # pages can be loaded, but no socket opens
    click(page, other)
    expect(page.locator(f"#conversation[data-conversation='{other.id}']")).to_be_visible()
    expect(page.locator("html[data-other]")).to_be_attached()
    line.mend()
    wait_for_line(page)
    click(page, room)
    arrive(page, room)
    expect(bubble(page, "Written offline")).to_be_visible()
    is_stored(page)
    assert room.bodies() == ["Written offline"]


def test_socket_of_another_build_keeps_the_page(
    visit: Visit, builds: Builds, room: Room, other: Room
) -> None:
    visitor = visit(room.server, "Alice")
    line = Line(visitor)
    page = enter(visitor, room)
    page.evaluate("window.isSame = true")
    page.locator("#composer-body").fill("Half a thought")
    line.cut()
    builds.use(builds.new)
    line.mend()
    wait_for_line(page)
    room.say(room.bob, "From another build")
    expect(bubble(page, "From another build")).to_be_visible()
    expect(page.locator("#composer-body")).to_have_value("Half a thought")
    write(page, "Over its socket")
    is_stored(page)
    assert page.evaluate("window.isSame")
    assert room.bodies() == ["From another build", "Over its socket"]
    click(page, other)
    arrive(page, other)
    assert is_new(page)


def test_view_that_the_new_build_does_not_have_offers_a_reload(
    visit: Visit, builds: Builds, room: Room
) -> None:
    visitor = visit(room.server, "Alice")
    visitor.allow("status of 404", "dynamically imported module")
    line = Line(visitor)
    page = enter(visitor, room)
    builds.use(builds.alone)
    line.cut()
    write(page, "Unsent")
    page.locator("#composer-body").fill("Half a thought")
    visitor.context.set_offline(False)
    page.keyboard.press("Control+k")  # a view that is loaded when it is needed
    offer = page.locator("#reload-offer")
    expect(offer).to_contain_text("Reload")
    offer.get_by_role("button").click()
    expect(page.locator("html[data-other]")).to_be_attached()
    line.mend()
    arrive(page, room)
    expect(page.locator("#composer-body")).to_have_value("Half a thought")
    expect(bubble(page, "Unsent")).to_have_count(1)
    is_stored(page)
    assert room.bodies() == ["Unsent"]
    page.keyboard.press("Control+k")
    expect(page.locator(".switcher input")).to_be_visible()


def test_page_in_the_side_pane_of_another_build_is_loaded(
    page: Page, builds: Builds, room: Room
) -> None:
    page.locator("#composer-body").fill("Half a thought")
    page.locator(".topbar__tools").get_by_role("link", name="Settings").click()
    name = page.locator("#details").get_by_label("Name", exact=True)
    name.fill("Larder")
    builds.use(builds.new)
    name.press("Enter")  # the result of a form is shown where it was sent
    expect(page.locator("#details")).to_contain_text("Saved")
    expect(page.locator("#conversation-name")).to_have_text("Larder")
    assert not is_new(page)
    page.locator(".topbar__tools").get_by_role("link", name="People").click()
    page.wait_for_url(f"**{room.path}members/")
    assert is_new(page)
    page.go_back()
    arrive(page, room)
    expect(page.locator("#composer-body")).to_have_value("Half a thought")


def test_open_pane_of_another_build_offers_a_reload(page: Page, builds: Builds, room: Room) -> None:
    page.locator(".topbar__tools").get_by_role("link", name="Settings").click()
    name = page.locator("#details").get_by_label("Name", exact=True)
    expect(name).to_be_visible()
    is_pane = re.compile("/settings/")
    builds.front.choose = lambda path: builds.new if is_pane.search(path) else builds.old
    page.reload()
    arrive(page, room)
    page.locator("#composer-body").fill("Half a thought")
    offer = page.locator("#details .details__error")
    expect(offer).to_contain_text("Your text is saved")
    expect(name).to_have_count(0)
    builds.use(builds.new)
    offer.get_by_role("button", name="Reload").click()
    expect(page.locator("html[data-other]")).to_be_attached()
    expect(name).to_be_visible()
    expect(page.locator("#composer-body")).to_have_value("Half a thought")


def test_pages_are_complete_while_requests_alternate(
    page: Page, builds: Builds, room: Room, other: Room
) -> None:
    for server, each in zip((builds.new, builds.old) * 4, (other, room) * 4, strict=True):
        builds.alternate(pages=server)
        click(page, each)
        arrive(page, each)
        expect(page.locator("html[data-other]")).to_have_count(int(server is builds.new))
        is_new(page)
        write(page, "Still here")
        is_stored(page)
    assert room.bodies() == other.bodies() == ["Still here"] * 4


@pytest.mark.parametrize("javascript", [True, False])
def test_files_of_a_page_can_all_come_from_the_other_build(
    visit: Visit, builds: Builds, room: Room, javascript: bool
) -> None:
    def opposite(of: ChatServer) -> Callable[[str], ChatServer]:
        rest = builds.new if of is builds.old else builds.old
        # Templates are rendered, so that at least one request for them has to reach `of`.
        theirs = re.compile(r"/(static|templates)/[^?]+$")
        return lambda path: rest if theirs.match(path) else of

    for server in (builds.old, builds.new):
        builds.front.choose = opposite(server)
        page = visit(room.server, "Alice", javascript=javascript).goto(room.path)
        expect(page.locator("#composer-body")).to_be_visible()
        if javascript:
            wait_for_line(page)
            assert is_new(page) == (server is builds.new)
        else:
            assert page.locator("#composer-body").evaluate("e => getComputedStyle(e).fontFamily")
