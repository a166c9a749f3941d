"""Custom emoji: added, found on pages that were open before, sent, reacted with, renamed and removed."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Visit
from tests.browser.rooms import Room, act, enter, is_stored, violations, wait_until

PICKER = ".picker"


def picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (60, 40), "purple").save(file, "PNG")
    return file.getvalue()


def box(page: Page) -> Locator:
    return page.locator("#composer-body")


def last(page: Page) -> Locator:
    return page.locator("#messages > .message").last


def is_loaded(image: Locator) -> bool:
    """Whether the server has sent the picture."""
    expect(image).to_be_visible()
    return bool(image.evaluate("(image) => image.decode().then(() => image.naturalWidth > 0)"))


def test_custom_emoji_from_adding_to_removing(visit: Visit, room: Room, bob: Page) -> None:
    room.say(room.bob, "Shall we?")
    visitor = visit(room.server, "Alice", permissions=["clipboard-read", "clipboard-write"])
    alice = enter(visitor, room)
    settings = visitor.new_tab()
    settings.goto(f"{room.server.url}/settings/emoji/")
    file: Any = {"name": "Blob Cat.png", "mimeType": "image/png", "buffer": picture()}
    settings.get_by_label("Picture").set_input_files(file)
    settings.get_by_role("button", name="Add", exact=True).click()
    expect(settings.get_by_text("Emoji :blob_cat: added.")).to_be_visible()
    assert is_loaded(settings.get_by_role("img", name=":blob_cat:"))
    assert violations(settings) == []

    # Bob’s page was open before.
    box(bob).press_sequentially("Yes :blob")
    offered = bob.get_by_role("listbox", name="Emoji").get_by_role("option")
    expect(offered.first).to_have_text(":blob_cat:")
    box(bob).press("Enter")
    expect(box(bob)).to_have_value("Yes :blob_cat: ")
    box(bob).press("Enter")
    expect(last(bob).get_by_role("img", name=":blob_cat:")).to_be_visible()
    is_stored(bob)
    for page in (alice, bob):
        assert is_loaded(last(page).locator(".message__body").get_by_role("img", name=":blob_cat:"))

    # A reaction, from the section of the picker.
    last(alice).hover()
    last(alice).locator(".message__toolbar [data-action=react]").click()
    alice.locator(PICKER).get_by_role("button", name="Custom emoji").click()
    group = alice.get_by_role("group", name="Custom emoji")
    group.get_by_role("option", name="blob_cat").click()
    for page in (alice, bob):
        chip = last(page).get_by_role("button", name=":blob_cat: 1")
        assert is_loaded(chip.get_by_role("img"))
        expect(chip).to_have_attribute("aria-pressed", "true" if page is alice else "false")
    # The chip is drawn again when it changes.
    last(bob).get_by_role("button", name=":blob_cat: 1").click()
    expect(
        last(alice).get_by_role("button", name=":blob_cat: 2").get_by_role("img")
    ).to_be_visible()
    assert violations(alice) == []
    act(alice, "Yes", "copy")
    wait_until(alice, "navigator.clipboard.readText().then((text) => text === 'Yes :blob_cat:')")
    expect(last(alice).locator(".message__body")).to_have_text("Yes")

    settings.get_by_role("link", name="Rename :blob_cat:").click()
    settings.get_by_label("Name").fill("purple")
    settings.get_by_role("button", name="Rename").click()
    expect(settings.get_by_text("Emoji renamed to :purple:.")).to_be_visible()
    # Nothing but the emoji: larger.
    bob.get_by_role("button", name="Emoji").click()
    bob.get_by_role("combobox", name="Search emoji").fill("purple")
    bob.get_by_role("option", name="purple", exact=True).click()
    expect(box(bob)).to_have_value(":purple: ")
    box(bob).press("Enter")
    is_stored(bob)
    image = last(alice).get_by_role("img", name=":purple:")
    assert is_loaded(image)
    assert image.evaluate("(image) => image.getBoundingClientRect().width") > 40

    # A picker that is open learns of it, and what is typed and chosen there stays.
    alice.clock.install()
    alice.get_by_role("button", name="Emoji").click()
    search = alice.get_by_role("combobox", name="Search emoji")
    search.fill("purple")
    offered = alice.get_by_role("option", name="purple", exact=True)
    expect(offered).to_be_visible()
    search.press("ArrowRight")
    chosen = alice.locator("#picker-chosen").get_attribute("data-emoji")
    settings.get_by_role("link", name="Remove :purple:").click()
    settings.get_by_role("button", name="Remove").click()
    expect(settings.get_by_text("None yet.")).to_be_visible()
    alice.clock.fast_forward(5_000)
    expect(offered).to_have_count(0)
    expect(alice.locator("#picker-chosen")).to_have_attribute("data-emoji", chosen or "")
    search.fill("")
    expect(alice.get_by_role("group", name="Recent")).to_be_visible()
    expect(alice.locator(PICKER).get_by_role("button", name="Custom emoji")).to_be_hidden()
    expect(offered).to_have_count(0)
    alice.keyboard.press("Escape")
    # Where it was used it stays, and people who have reacted with it can take that back.
    row = alice.locator("#messages > .message", has_text="Yes")
    expect(row.locator(".message__body").get_by_role("img", name=":blob_cat:")).to_be_visible()
    row.get_by_role("button", name=":blob_cat: 2").click()
    expect(row.get_by_role("button", name=":blob_cat: 1")).to_be_visible()
