"""Updating the server: pages that are still open, and data that older scripts have stored."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from conversations import protocol
from tests.browser.conftest import Visit, Visitor
from tests.browser.rooms import Room, bubble, enter, message_texts, wait_for_line, write

# Stores unsent messages as the scripts of protocol version 1 did.
_KEEP = """([scope, records]) => new Promise((resolve, reject) => {
    const request = indexedDB.open("chatty", 1);
    request.onupgradeneeded = () => {
        const store = request.result.createObjectStore("outbox", { keyPath: "order", autoIncrement: true });
        store.createIndex("scope", "scope");
    };
    request.onerror = () => reject(request.error);
    request.onsuccess = () => {
        const transaction = request.result.transaction("outbox", "readwrite");
        for (const record of records) transaction.objectStore("outbox").add({ ...record, scope });
        transaction.oncomplete = () => {
            request.result.close();
            resolve();
        };
    };
})"""


def record(room: Room, key: str, body: str, **about: Any) -> dict[str, Any]:
    return {
        "key": key,
        "conversation": room.id,
        "body": body,
        "reply_to": None,
        "created_at": "2026-11-26T09:30:00.000Z",
        "failure": None,
        **about,
    }


def speak_version_1(visitor: Visitor) -> None:
    """Make the scripts of later pages use the previous protocol version."""

    def serve(route: Route) -> None:
        answer = route.fetch()
        body = answer.text().replace(protocol.SUBPROTOCOL, "chatty.v1")
        # Real scripts of two versions never have the same URL.
        route.fulfill(
            response=answer, body=body, headers={**answer.headers, "cache-control": "no-store"}
        )

    visitor.context.route(re.compile(r"/static/js/.*\.js"), serve)


def test_outbox_of_the_previous_version_is_sent_once_and_in_order(visit: Visit, room: Room) -> None:
    room.say(room.alice, "one", key="answer-lost")
    with room.alice.socket() as socket:
        hello = json.loads(socket.recv(timeout=10))
    me = hello["user"]["id"]
    scope = f"{me}.{hello['epoch']}"
    failure = {"code": "too_long", "detail": "That’s too long."}
    records = [
        record(room, "answer-lost", "one"),
        record(room, "second", "two"),
        record(room, "refused", "never", failure=failure),
        record(room, "third", "three"),
    ]
    kept = {
        f"chatty.draft.{scope}.{room.id}": {"body": "A draft", "reply": None},
        f"chatty.notify.{me}": {"sound": True, "settled": True},
    }
    visitor = visit(room.server, "Alice")
    page = visitor.goto("/healthz")  # a page without scripts
    page.evaluate(_KEEP, [scope, records])
    for name, value in kept.items():
        page.evaluate("pair => localStorage.setItem(...pair)", [name, json.dumps(value)])

    enter(visitor, room)
    expect(page.locator("[data-state=failed]")).to_contain_text("never")
    expect(page.locator("#messages > .message")).to_have_count(4)
    expect(page.locator("[data-state]")).to_have_count(1)
    expect(page.locator("#composer-body")).to_have_value("A draft")
    assert room.bodies() == ["one", "two", "three"]
    assert json.loads(page.evaluate(f"localStorage['chatty.notify.{me}']"))["sound"] is True

    page.reload()
    wait_for_line(page)
    expect(page.locator("[data-state=failed]")).to_contain_text("never")
    expect(page.locator("#composer-body")).to_have_value("A draft")
    assert room.bodies() == ["one", "two", "three"]


@pytest.mark.long
def test_page_of_the_previous_version_offers_a_reload_and_loses_nothing(
    visit: Visit, room: Room
) -> None:
    # A service worker would keep these scripts under the names of the present ones.
    visitor = visit(room.server, "Alice", service_workers="block")
    speak_version_1(visitor)
    page = visitor.goto(room.path)
    bar = page.locator(".connection-bar")
    expect(bar).to_contain_text("Your text is saved.")
    write(page, "Sent by the old page")
    expect(bubble(page, "Sent by the old page")).to_have_count(1)
    expect(page.locator("[data-state]")).to_have_count(0)
    assert room.bodies() == ["Sent by the old page"]

    visitor.allow("Failed to load resource")
    visitor.context.route("**/api/**", lambda route: route.abort())  # now HTTP fails as well
    write(page, "Waits")
    expect(bubble(page, "Waits")).to_have_count(1)
    page.locator("#composer-body").fill("A draft")
    visitor.context.unroute_all(behavior="wait")  # a script may be on its way
    bar.get_by_role("link", name="Reload").click()
    wait_for_line(page)
    expect(bar).to_have_count(0)
    expect(page.locator("[data-state]")).to_have_count(0)
    expect(page.locator("#composer-body")).to_have_value("A draft")
    assert message_texts(page) == ["Sent by the old page", "Waits"]
    assert room.bodies() == ["Sent by the old page", "Waits"]
