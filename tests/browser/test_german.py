"""German pages are German throughout: server-rendered text, scripts, dates and errors."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit, Visitor
from tests.installations import ChatServer, Person

_FURNISH = """
from datetime import timedelta
from django.utils import timezone
from accounts.models import User
from conversations import actions
from conversations.models import Message
alice, bob = (User.objects.get(email=f"{n}@example.org") for n in ("alice", "bob"))
room = actions.create_conversation(alice, name="Hafen", member_ids=[bob.pk])
old = actions.send_message(bob, room.pk, key="old", body="Moin").message
Message.objects.filter(pk=old.pk).update(created_at="2024-03-11T09:00:00Z")
print("ROOM", room.pk, bob.pk)
"""

# English words that must not appear on a German page.
_ENGLISH = re.compile(
    r"\b(the|your|you|and|is|are|conversations?|messages?|settings|here|sign|new|people|yesterday)\b",
    re.IGNORECASE,
)


@pytest.fixture(scope="module")
def room(server: ChatServer) -> dict[str, int]:
    found = re.search(r"ROOM (\d+) (\d+)", server.manage("shell", "-v", "0", "-c", _FURNISH))
    assert found
    return {"id": int(found[1]), "bob": int(found[2])}


@pytest.fixture
def alice(visit: Visit, server: ChatServer) -> Visitor:
    return visit(server, "Alice", locale="de-DE")


def english_on(page: Page) -> str:
    """The first English word on the page, in visible text or labels, with its context."""
    words = str(
        page.evaluate(
            """() => {
                const body = document.body.cloneNode(true);
                for (const script of body.querySelectorAll("script, select")) script.remove();
                const named = ["aria-label", "title", "placeholder"].flatMap(name =>
                    [...body.querySelectorAll(`[${name}]`)].map(each => each.getAttribute(name)));
                return [document.title, body.textContent, ...named].join(" | ");
            }"""
        )
    )
    found = _ENGLISH.search(words)
    return words[max(0, found.start() - 60) : found.end() + 60] if found else ""


def test_every_page_is_in_german(alice: Visitor, room: dict[str, int]) -> None:
    alice.allow("404")
    here = f"/c/{room['id']}/"
    paths = [
        "/?list",
        "/c/browse/",
        "/c/new/",
        "/c/direct/",
        here,
        "/share/",
        "/offline/",
        "/help/",
        "/help/?q=zzz",
        "/c/leave/",
        "/nowhere/",
    ]
    paths += [here + name for name in ("settings/", "members/", "delete/")]
    paths += [f"/settings/{name}/" for name in ("profile", "password", "sign-ins", "notifications")]
    for path in paths:
        page = alice.goto(path)
        expect(page.locator("html")).to_have_attribute("lang", "de")
        assert english_on(page) == "", path


def test_content_rendered_by_scripts_is_in_german(
    alice: Visitor,
    visit: Visit,
    server: ChatServer,
    room: dict[str, int],
    person: Callable[..., Person],
) -> None:
    day = "Montag, 11. März 2024"
    german = {"Accept-Language": "de"}
    sent = alice.context.request.get(f"{server.url}/c/{room['id']}/", headers=german)
    assert day in sent.text()
    # The server has formatted this date. Scripts must format it the same.
    alice.page.add_init_script("""document.addEventListener("readystatechange", () => {
        if (document.readyState !== "interactive") return;
        for (const label of document.querySelectorAll(".day__label")) label.textContent = "?";
    })""")
    page = alice.goto(f"/c/{room['id']}/")
    expect(page.locator("html[data-connection=online]")).to_be_attached()
    expect(page.locator("#timeline")).to_contain_text(day)

    bob = visit(server, "Bob")
    other = bob.goto(f"/c/{room['id']}/")
    expect(other.locator("html[data-connection=online]")).to_be_attached()
    other.locator("#composer-body").press_sequentially("Hal")
    expect(page.locator(".composer__typing", has_text="Bob schreibt …")).to_be_visible()

    # Each page shows the same event in its own language.
    status, _ = person(server, "Alice").call(
        "PATCH", f"/api/conversations/{room['id']}/", {"topic": "Boote"}
    )
    assert status == 200
    expect(page.locator("#messages")).to_contain_text("Alice hat das Thema festgelegt: Boote")
    expect(other.locator("#messages")).to_contain_text("Alice set the topic: Boote")

    page.locator("#composer-body").fill("Ahoi")
    page.locator("#composer-body").press("Enter")
    expect(other.locator("#messages")).to_contain_text("Ahoi")
    expect(page.locator("#messages .message").last).to_contain_text("Gesehen")
    expect(page.locator("#messages")).to_contain_text("Heute")
    page.locator("#composer-body").fill("x" * 10_100)
    expect(page.locator("#composer")).to_contain_text("100 Zeichen zu lang")
    page.locator("#composer-body").press("Enter")
    expect(page.locator("#composer")).to_contain_text("höchstens 10.000 Zeichen")
    page.locator("#composer-body").fill("")

    assert english_on(page) == ""


@pytest.mark.long
def test_socket_errors_use_the_language_of_the_page(
    alice: Visitor, visit: Visit, server: ChatServer, room: dict[str, int]
) -> None:
    """The writer runs in a thread without an active language, for people with different ones."""
    page = alice.goto(f"/c/{room['id']}/")
    assert refused_by_socket(page).startswith("Das gibt es nicht")

    # The language of the profile overrides that of the browser, for pages and sockets.
    carol = visit(server, "Carol")
    assert refused_by_socket(carol.goto("/?list")).startswith("This doesn’t exist")
    page = carol.goto("/settings/profile/")
    page.locator("select[name=language]").select_option(label="Deutsch")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("html")).to_have_attribute("lang", "de")
    assert refused_by_socket(page).startswith("Das gibt es nicht")


def refused_by_socket(page: Page) -> str:
    expect(page.locator("html[data-connection=online]")).to_be_attached()
    detail = page.evaluate(
        """() => new Promise(resolve => {
            const socket = new WebSocket(`ws://${location.host}/ws/`, "chatty.v2");
            const frame = { type: "send", conversation: 987654, key: "a-key", body: "Hallo" };
            socket.onmessage = ({ data }) => {
                const heard = JSON.parse(data);
                if (heard.type === "hello") socket.send(JSON.stringify(frame));
                if (heard.type === "error") resolve(heard.detail);
            };
        })"""
    )
    return str(detail)
