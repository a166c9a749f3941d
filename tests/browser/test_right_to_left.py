"""Every page in a language that is written from right to left: a pseudo-language."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from conversations.templatetags.chatty import POINTING_ICONS
from tests import pseudo_language
from tests.browser.conftest import DESKTOP, PHONE, Visit
from tests.browser.rooms import Room, enter, open_menu, violations, write
from tests.browser.sample_pages import PAGES, SAMPLES, STRANGERS
from tests.installations import Builder, ChatServer
from tests.markers import first_of

LOCALE = pseudo_language.RIGHT_TO_LEFT

_OVERFLOWING = """() => [document.documentElement, ...document.querySelectorAll("main, #timeline, #sidebar")]
    .filter(box => box.scrollWidth > box.clientWidth + 1 && box.clientWidth > 0)
    .map(box => `${box.tagName} ${box.scrollWidth} > ${box.clientWidth}`)"""
_UNMIRRORED = """() => [...document.querySelectorAll(".icon--pointing")]
    .filter(icon => getComputedStyle(icon).scale !== "-1 1").map(icon => icon.outerHTML)"""


@pytest.fixture(scope="module")
def server(builder: Builder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChatServer]:
    locale = tmp_path_factory.mktemp("locale")
    pseudo_language.write(Path(locale))
    with contextlib.closing(builder.sqlite()) as installation:
        installation.env |= {
            "DJANGO_SETTINGS_MODULE": "tests.pseudo_settings",
            "PSEUDO_LOCALE": str(locale),
        }
        yield installation.serve()


def start_of(page: Page, selector: str) -> float:
    """The distance of an element from the right side of the window, where lines start."""
    return float(
        page.locator(selector).evaluate(
            "each => document.documentElement.clientWidth - each.getBoundingClientRect().right"
        )
    )


@pytest.mark.parametrize(
    ("size", "names"),
    first_of((PHONE, SAMPLES), (PHONE, PAGES), (DESKTOP, PAGES)),
    ids=["some on a phone", "phone", "desktop"],
)
def test_pages_do_not_overflow_and_icons_point_back(
    size: dict[str, int],
    names: Collection[str],
    visit: Visit,
    server: ChatServer,
    places: dict[str, str],
) -> None:
    wrong = {}
    strangers = STRANGERS[:1] if names is SAMPLES else STRANGERS
    for name, paths in (("Alice", [places[name] for name in names]), (None, strangers)):
        visitor = visit(server, name, viewport=size, locale=LOCALE)
        visitor.allow("404")
        for path in paths:
            page = visitor.goto(path)
            assert page.evaluate("document.documentElement.dir") == "rtl", path
            faults = page.evaluate(_OVERFLOWING) + page.evaluate(_UNMIRRORED)
            if faults:
                wrong[path] = faults
    assert wrong == {}


@pytest.mark.long
def test_sidebar_and_pane_change_sides(visit: Visit, room: Room) -> None:
    room.say(room.bob, "First words")
    page = enter(visit(room.server, "Alice", locale=LOCALE), room)
    page.locator(".topbar [data-pane=members]").click()
    expect(page.locator("#details")).to_contain_text("Bob")
    starts = [start_of(page, part) for part in (".sidebar", "#conversation", "#details")]
    assert starts[0] == 0
    assert starts == sorted(starts)
    assert min(b - a for a, b in pairwise(starts)) > 200


def test_conversation_is_mirrored(visit: Visit, room: Room) -> None:
    room.say(room.bob, "First words")
    page = enter(visit(room.server, "Alice", locale=LOCALE), room)
    write(page, "An answer")
    rows = page.locator("#messages > .message[id^=m]")  # stored
    expect(rows).to_have_count(2)
    hers, his = (rows.nth(number).locator(".message__bubble").bounding_box() for number in (1, 0))
    assert hers
    assert his
    # Everyone's messages start at the right edge of the same column.
    assert hers["x"] + hers["width"] == pytest.approx(his["x"] + his["width"], abs=1)
    box = open_menu(rows.nth(1)).bounding_box()
    assert box
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= DESKTOP["width"]
    page.keyboard.press("Escape")
    assert page.locator(".composer__send .icon--pointing").count() == 1
    assert page.evaluate(_UNMIRRORED) == []
    assert violations(page) == []


def test_icons_point_forwards_from_left_to_right(visit: Visit, room: Room) -> None:
    page = enter(visit(room.server, "Alice"), room)
    assert POINTING_ICONS
    assert (
        page.locator(".composer__send .icon").evaluate("each => getComputedStyle(each).scale")
        == "none"
    )
