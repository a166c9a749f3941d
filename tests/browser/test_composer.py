"""Writing: the picker of emoji, formats, links to conversations, and a line that nothing moves."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Visit
from tests.browser.rooms import Room, bubble, enter, violations

PICKER = ".picker"


def box(page: Page) -> Locator:
    return page.locator("#composer-body")


def places(page: Page) -> list[Any]:
    """Where each message is."""
    script = "(rows) => rows.map((row) => row.getBoundingClientRect().y)"
    found: list[Any] = page.locator("#messages > .message").evaluate_all(script)
    return found


@pytest.mark.long
def test_nothing_moves_when_someone_types_or_a_picker_opens(
    alice: Page, bob: Page, room: Room
) -> None:
    room.say(room.bob, "Shall we?")
    expect(bubble(alice, "Shall we?")).to_be_visible()
    before = places(alice)
    box(bob).press_sequentially("Yes")
    expect(alice.locator("[data-slot=typing]")).to_have_text("Bob is typing…")
    assert places(alice) == before
    bubble(alice, "Shall we?").hover()
    bubble(alice, "Shall we?").locator(".message__toolbar [data-action=react]").click()
    expect(alice.locator(PICKER)).to_be_visible()
    assert places(alice) == before
    alice.keyboard.press("Escape")
    alice.get_by_role("button", name="Emoji").click()
    expect(alice.locator(PICKER)).to_be_visible()
    assert places(alice) == before
    assert violations(alice) == []


def test_emoji_are_found_with_the_keyboard_and_tone_and_recent_ones_are_kept(
    visit: Visit, room: Room
) -> None:
    visitor = visit(room.server, "Alice")
    page = enter(visitor, room)
    box(page).press_sequentially("Well")
    page.get_by_role("button", name="Emoji").click()
    expect(page.get_by_role("combobox", name="Search emoji")).to_be_focused()
    page.locator(PICKER).get_by_role("radio", name="Medium", exact=True).check()
    search = page.get_by_role("combobox", name="Search emoji")
    search.fill("thumbs")
    expect(page.get_by_role("option", name="thumbs up")).to_have_attribute("aria-selected", "true")
    search.press("ArrowRight")
    expect(page.get_by_role("option", name="thumbs down")).to_have_attribute(
        "aria-selected", "true"
    )
    search.press("ArrowLeft")
    search.press("Enter")
    expect(page.locator(PICKER)).to_have_count(0)
    expect(box(page)).to_be_focused()
    expect(box(page)).to_have_value("Well 👍🏽 ")
    page.reload()
    page.get_by_role("button", name="Emoji").click()
    recent = page.get_by_role("group", name="Recent").get_by_role("option")
    expect(recent.first).to_have_text("👍🏽")
    page.locator(PICKER).get_by_role("button", name="Flags").click()
    expect(page.locator('[data-group="flags"]')).to_have_attribute("aria-current", "true")
    page.get_by_role("option", name="chequered flag").click()
    expect(box(page)).to_have_value("Well 👍🏽 🏁 ")


def test_shortcodes_are_completed(alice: Page) -> None:
    box(alice).press_sequentially("Ship it :rocke")
    offered = alice.get_by_role("listbox", name="Emoji").get_by_role("option")
    expect(offered.first).to_have_text("🚀:rocket: rocket")
    box(alice).press("Enter")
    expect(box(alice)).to_have_value("Ship it 🚀 ")
    box(alice).press_sequentially("and :tada:")
    expect(box(alice)).to_have_value("Ship it 🚀 and 🎉")
    box(alice).press_sequentially(" at 10:30 :)")
    box(alice).press("Enter")
    expect(bubble(alice, "Ship it 🚀 and 🎉 at 10:30 :)")).to_be_visible()


def test_words_are_formatted_with_keys_and_the_bar(visit: Visit, room: Room) -> None:
    visitor = visit(room.server, "Alice")
    page = enter(visitor, room)
    box(page).fill("make this")
    page.get_by_role("button", name="Formatting").click()
    bar = page.get_by_role("toolbar", name="Formatting")
    box(page).press("Shift+Control+ArrowLeft")
    bar.get_by_role("button", name="Bold").click()
    expect(box(page)).to_have_value("make **this**")
    box(page).press("Control+b")
    expect(box(page)).to_have_value("make this")
    box(page).press("Control+k")
    expect(box(page)).to_have_value("make [this]()")
    box(page).press("Control+k")  # no words are selected now
    expect(page.locator("dialog.switcher")).to_be_visible()
    page.keyboard.press("Escape")
    box(page).fill("- one")
    box(page).press("Shift+Enter")
    box(page).press_sequentially("two")
    expect(box(page)).to_have_value("- one\n- two")
    box(page).press("Enter")
    expect(bubble(page, "two").locator("li")).to_have_text(["one", "two"])
    box(page).fill("see this")
    box(page).press("Shift+Control+ArrowLeft")
    page.evaluate(
        """() => {
            const data = new DataTransfer();
            data.setData("text/plain", "https://example.org/x");
            const given = { clipboardData: data, bubbles: true, cancelable: true };
            document.activeElement.dispatchEvent(new ClipboardEvent("paste", given));
        }"""
    )
    expect(box(page)).to_have_value("see [this](https://example.org/x)")
    page.reload()
    expect(bar.get_by_role("button", name="Bold")).to_be_visible()
    page.get_by_role("button", name="Formatting").click()
    expect(bar).to_be_hidden()


def test_link_to_a_conversation_shows_each_reader_what_they_may_know(
    visit: Visit, room: Room, bob: Page
) -> None:
    """Bob is in neither of the conversations that Alice links to."""
    new = {"access": "open", "name": "Design corner"}
    _, design = room.alice.call("POST", "/api/conversations/", new)
    _, secret = room.alice.call("POST", "/api/conversations/", {"name": "Design secrets"})
    alice = enter(visit(room.server, "Alice"), room)
    box(alice).press_sequentially("in #design")
    offered = alice.get_by_role("listbox", name="Conversations").get_by_role("option")
    expect(offered).to_contain_text(["Design secrets", "Design corner"])  # the latest first
    box(alice).press("ArrowDown")
    box(alice).press("Enter")
    box(alice).press_sequentially("and #secrets")
    expect(offered).to_contain_text(["Design secrets"])
    box(alice).press("Enter")
    expect(box(alice)).to_have_value(
        f"in [#Design corner](/c/{design['id']}/) and [#private conversation](/c/{secret['id']}/) "
    )
    box(alice).press("Enter")
    links = alice.locator("#messages .message__body a")
    expect(links).to_have_text(["#Design corner", "#Design secrets"])
    renamed = {"name": "Design salon"}
    assert room.alice.call("PATCH", f"/api/conversations/{design['id']}/", renamed)[0] == 200
    expect(links).to_have_text(["#Design salon", "#Design secrets"])
    expect(bob.locator("#messages .message__body a")).to_have_text(
        ["#Design corner", "#private conversation"]
    )
    assert "Design secrets" not in bob.content()
    alice.reload()
    expect(links).to_have_text(["#Design salon", "#Design secrets"])
    links.first.click()
    expect(alice.locator("#conversation-name")).to_have_text("Design salon")


@pytest.mark.long
def test_picker_is_a_sheet_on_a_phone(visit: Visit, room: Room) -> None:
    room.say(room.bob, "Shall we?")
    page = enter(visit(room.server, "Alice", phone=True), room)
    page.get_by_role("button", name="Emoji").tap()
    expect(page.locator(PICKER)).to_be_visible()
    expect(page.locator(PICKER)).to_be_focused()  # no keyboard over it
    found = page.locator(PICKER).bounding_box()
    size = page.viewport_size
    assert found
    assert size
    assert (found["x"], found["width"]) == (0, size["width"])
    assert abs(found["y"] + found["height"] - size["height"]) < 5  # it is still rising
    page.get_by_role("option", name="grinning face", exact=True).tap()
    expect(box(page)).to_have_value("😀 ")


def test_composer_without_scripts_has_nothing_that_needs_them(visit: Visit, room: Room) -> None:
    visitor = visit(room.server, "Alice", javascript=False)
    page = visitor.goto(f"/c/{room.id}/")
    for name in ("Emoji", "Formatting"):
        expect(page.locator(f'#composer button[title="{name}"]')).to_be_hidden()
    expect(page.get_by_text("Enter to send")).to_be_hidden()
    expect(page.get_by_role("button", name="Send")).to_be_visible()
