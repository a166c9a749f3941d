"""What going from conversation to conversation costs: time, and what is left behind."""

from __future__ import annotations

import statistics

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Visit
from tests.browser.rooms import Persons, Room, enter
from tests.installations import ChatServer

pytestmark = pytest.mark.long

# From the click until the other conversation is painted.
_GO = """id => new Promise((resolve) => {
    const started = performance.now();
    const shown = `#conversation[data-conversation="${id}"]`;
    const look = () => {
        if (!document.querySelector(shown)) return requestAnimationFrame(look);
        requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - started)));
    };
    document.querySelector(`#conversations [data-conversation="${id}"] .row__link`).click();
    look();
})"""


@pytest.fixture
def rooms(server: ChatServer, person: Persons) -> list[Room]:
    made = [Room(server, person) for _ in range(10)]
    for each in made:
        each.fill(60, text="Message {} of a conversation, as long as most of them are")
    return made


def durations(page: Page, rooms: list[Room]) -> list[float]:
    """The duration of each switch in ms, in the second round."""
    for each in rooms:
        page.evaluate(_GO, each.id)
    return [page.evaluate(_GO, each.id) for each in rooms]


def test_going_through_ten_conversations_is_fast(visit: Visit, rooms: list[Room]) -> None:
    page = enter(visit(rooms[0].server, "Alice"), rooms[0])
    found = durations(page, rooms[1:])
    print("desktop", [round(each) for each in found])
    assert statistics.median(found) <= 100


def test_going_through_ten_conversations_is_fast_on_a_phone(
    visit: Visit, rooms: list[Room]
) -> None:
    page = enter(visit(rooms[0].server, "Alice", phone=True), rooms[0])
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setCPUThrottlingRate", {"rate": 4})
    found = durations(page, rooms[1:])
    print("phone", [round(each) for each in found])
    assert statistics.median(found) <= 300


def test_nothing_is_left_behind(visit: Visit, rooms: list[Room]) -> None:
    page = enter(visit(rooms[0].server, "Alice"), rooms[0])
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")

    def left() -> dict[str, float]:
        session.send("HeapProfiler.collectGarbage")
        values = session.send("Performance.getMetrics")["metrics"]
        wanted = ("JSHeapUsedSize", "JSEventListeners", "Nodes")
        return {each["name"]: each["value"] for each in values if each["name"] in wanted}

    def go_around(times: int) -> None:
        for number in range(times):
            page.evaluate(_GO, rooms[number % len(rooms)].id)
            page.evaluate("new Promise((resolve) => requestIdleCallback(resolve))")

    go_around(40)
    before = left()
    go_around(200)
    after = left()
    print(before, after)
    assert after["JSEventListeners"] <= before["JSEventListeners"] * 1.1
    assert after["Nodes"] <= before["Nodes"] * 1.1
    assert after["JSHeapUsedSize"] <= before["JSHeapUsedSize"] * 1.15
